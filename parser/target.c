#include "parser/target.h"

#include "parser/ascii.h"
#include "parser/authority.h"
#include "parser/octet.h"

#include <assert.h>

/* Splits what begins at off, a path or nothing, into path and query. */
static void split_path(struct str raw, size_t off, struct target *ret)
{
    const char *mark = memchr(raw.at + off, '?', raw.len - off);
    size_t end = mark ? (size_t)(mark - raw.at) : raw.len;
    size_t query = mark ? end + 1 : end;
    ret->path = span_of(off, end - off);
    ret->query = span_of(query, raw.len - query);
}

/* Length of "http://" or "https://" at the front, else 0. */
static size_t scheme_len(struct str raw)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};

    for (size_t i = 0; i < 2; i++) {
        size_t n = schemes[i].len;
        if (raw.len >= n && ascii_equal((struct str){raw.at, n}, schemes[i]))
            return n;
    }
    return 0;
}

static enum verdict_id split_absolute(struct str raw, struct target *ret)
{
    size_t off = scheme_len(raw);
    if (off == 0)
        return VERDICT_BAD_TARGET;

    size_t end = off;
    while (end < raw.len && raw.at[end] != '/' && raw.at[end] != '?')
        end++;
    ret->form = TARGET_ABSOLUTE;
    ret->authority = span_of(off, end - off);
    split_path(raw, end, ret);
    return authority_is_valid((struct str){raw.at + off, end - off})
               ? VERDICT_NONE
               : VERDICT_BAD_TARGET;
}

static enum verdict_id split_authority(struct str raw, struct target *ret)
{
    ret->form = TARGET_AUTHORITY;
    ret->authority = span_of(0, raw.len);
    return authority_is_valid_with_port(raw) ? VERDICT_NONE
                                             : VERDICT_BAD_TARGET;
}

enum verdict_id target_split(struct str raw, enum method method,
                             struct target *ret)
{
    *ret = (struct target){.form = TARGET_ORIGIN};
    if (raw.len == 0)
        return VERDICT_BAD_TARGET;
    if (method == METHOD_CONNECT)
        return split_authority(raw, ret);
    if (raw.at[0] == '/') {
        split_path(raw, 0, ret);
        return VERDICT_NONE;
    }
    if (raw.at[0] != '*')
        return split_absolute(raw, ret);
    ret->form = TARGET_ASTERISK;
    return raw.len == 1 && method == METHOD_OPTIONS ? VERDICT_NONE
                                                    : VERDICT_BAD_TARGET;
}

bool target_path_is_plain(struct str path)
{
    char before = '\0';
    for (size_t i = 0; i < path.len; i++) {
        char c = path.at[i];
        if (c == '%' || (before == '/' && (c == '/' || c == '.')))
            return false;
        before = c;
    }
    return true;
}

/* Takes one byte off the front, decoded. */
static enum verdict_id take_byte(struct str *rest, char *ret)
{
    if (rest->at[0] != '%') {
        *ret = rest->at[0];
        *rest = str_skip(*rest, 1);
        return VERDICT_NONE;
    }
    if (rest->len < 3 || !octet_is(rest->at[1], OCTET_HEX) ||
        !octet_is(rest->at[2], OCTET_HEX))
        return VERDICT_BAD_ESCAPE;
    *ret = (char)(ascii_hex(rest->at[1]) * 16 + ascii_hex(rest->at[2]));
    *rest = str_skip(*rest, 3);
    return *ret == '\0' ? VERDICT_NUL_ESCAPE : VERDICT_NONE;
}

/* Ends the segment that begins at start: "." goes, ".." takes the segment
 * before with it. *len is then behind a slash. False above the root. */
static bool end_segment(const char *out, size_t start, size_t *len)
{
    size_t n = *len - start;
    if (n == 1 && out[start] == '.')
        *len = start;
    if (n != 2 || out[start] != '.' || out[start + 1] != '.')
        return true;
    if (start == 1)
        return false;
    *len = start - 1;
    while (out[*len - 1] != '/')
        (*len)--;
    return true;
}

enum verdict_id target_decode_path(struct str raw, char *out, size_t *ret_len)
{
    assert(raw.len > 0 && raw.at[0] == '/');
    struct str rest = str_skip(raw, 1);
    size_t start = 1; /* of the current segment */
    size_t len = 1;

    out[0] = '/';
    while (rest.len > 0) {
        char c;
        enum verdict_id v = take_byte(&rest, &c);
        if (v != VERDICT_NONE)
            return v;
        if (c != '/') {
            out[len++] = c;
            continue;
        }
        if (!end_segment(out, start, &len))
            return VERDICT_PATH_ABOVE_ROOT;
        if (out[len - 1] != '/')
            out[len++] = '/';
        start = len;
    }
    if (!end_segment(out, start, &len))
        return VERDICT_PATH_ABOVE_ROOT;
    assert(len >= 1 && len <= raw.len);
    *ret_len = len;
    return VERDICT_NONE;
}
