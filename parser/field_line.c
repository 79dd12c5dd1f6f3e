#include "parser/field_line.h"

#include "parser/ascii.h"
#include "parser/octet.h"

#include <assert.h>

enum verdict_id field_line_close(struct str *line)
{
    if (line->len == 0 || line->at[line->len - 1] != '\r')
        return VERDICT_BARE_LF;
    line->len--;
    return VERDICT_NONE;
}

enum verdict_id field_line_blame(char c, enum verdict_id other)
{
    if (c == '\0')
        return VERDICT_NUL_BYTE;
    return c == '\r' ? VERDICT_BARE_CR : other;
}

/* Why the byte behind the name is not a colon. */
static enum verdict_id blame_name(struct str rest)
{
    if (rest.len == 0)
        return VERDICT_BAD_HEADER_NAME;
    if (!ascii_is_ows(rest.at[0]))
        return field_line_blame(rest.at[0], VERDICT_BAD_HEADER_NAME);
    return ascii_at(ascii_skip_ows(rest), ':') ? VERDICT_SPACE_BEFORE_COLON
                                               : VERDICT_BAD_HEADER_NAME;
}

/* The first control byte decides. */
static enum verdict_id blame_value(struct str value)
{
    size_t i = 0;
    while (!octet_has_control((struct str){value.at + i, 1})) {
        i++;
        assert(i < value.len);
    }
    return field_line_blame(value.at[i], VERDICT_BAD_HEADER_VALUE);
}

enum verdict_id field_line_read(struct str line, struct str *ret_name,
                                struct str *ret_value)
{
    assert(line.len > 0);
    if (ascii_is_ows(line.at[0]))
        return VERDICT_OBS_FOLD;
    if (line.at[0] == ':')
        return VERDICT_EMPTY_HEADER_NAME;

    size_t n = octet_run(line, OCTET_TOKEN);
    if (n == line.len || line.at[n] != ':')
        return blame_name(str_skip(line, n));

    struct str value = str_skip(line, n + 1);
    if (octet_has_control(value))
        return blame_value(value);
    *ret_name = (struct str){line.at, n};
    *ret_value = ascii_trim_ows_end(ascii_skip_ows(value));
    return VERDICT_NONE;
}
