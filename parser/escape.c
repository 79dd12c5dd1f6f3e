#include "parser/escape.h"

#include "parser/ascii.h"
#include "parser/utf8.h"

#include <assert.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define WITH_BYTES  6              /* the longest that stands for another */

/* The front of the text: so many bytes of it, and what stands for them; with
 * no bytes in place, they stand for themselves. */
struct piece {
    size_t used;
    size_t len;
    char with[WITH_BYTES];
};

/* Looks at the front of a text that is not empty. */
typedef struct piece rule(struct str rest);

static const struct piece as_it_is = {.used = 1};

static struct piece replaced(size_t used, struct str with)
{
    struct piece p = {.used = used, .len = with.len};
    assert(with.len <= WITH_BYTES);
    memcpy(p.with, with.at, with.len);
    return p;
}

static enum flow escape(struct bytes *out, struct str text, rule *rule_of)
{
    size_t before = out->len;
    size_t run = 0; /* bytes at the front that stand for themselves */
    enum flow r = FLOW_DONE;
    while (run < text.len && r == FLOW_DONE) {
        struct piece p = rule_of(str_skip(text, run));
        assert(p.used > 0 && p.used <= text.len - run);
        if (p.len == 0) {
            run += p.used;
            continue;
        }
        r = bytes_append(out, text.at, run);
        if (r == FLOW_DONE)
            r = bytes_append(out, p.with, p.len);
        text = str_skip(text, run + p.used);
        run = 0;
    }
    if (r == FLOW_DONE)
        r = bytes_append(out, text.at, run);
    if (r != FLOW_DONE)
        out->len = before;
    return r;
}

/* A character beyond ASCII, or what is broken of one. */
static struct piece take_utf8(struct str rest)
{
    size_t used;
    return utf8_take(rest, &used) ? (struct piece){.used = used}
                                  : replaced(used, STR(REPLACEMENT));
}

static struct piece html_rule(struct str rest)
{
    switch (rest.at[0]) {
    case '&':
        return replaced(1, STR("&amp;"));
    case '<':
        return replaced(1, STR("&lt;"));
    case '>':
        return replaced(1, STR("&gt;"));
    case '"':
        return replaced(1, STR("&quot;"));
    case '\'':
        return replaced(1, STR("&#39;"));
    default:
        return (unsigned char)rest.at[0] < 0x80 ? as_it_is : take_utf8(rest);
    }
}

enum flow escape_html(struct bytes *out, struct str text)
{
    return escape(out, text, html_rule);
}

static struct piece json_control(char c)
{
    return (struct piece){
        1, 6, {'\\', 'u', '0', '0', "01"[c >> 4], "0123456789abcdef"[c & 15]}};
}

static struct piece json_rule(struct str rest)
{
    char c = rest.at[0];
    switch (c) {
    case '"':
        return replaced(1, STR("\\\""));
    case '\\':
        return replaced(1, STR("\\\\"));
    case '\n':
        return replaced(1, STR("\\n"));
    case '\r':
        return replaced(1, STR("\\r"));
    case '\t':
        return replaced(1, STR("\\t"));
    default:
        break;
    }
    if ((unsigned char)c >= 0x80)
        return take_utf8(rest);
    return c < 0x20 ? json_control(c) : as_it_is;
}

enum flow escape_json(struct bytes *out, struct str text)
{
    return escape(out, text, json_rule);
}

static struct piece url_rule(struct str rest)
{
    char c = rest.at[0];
    if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' ||
        c == '_' || c == '~')
        return as_it_is;
    return (struct piece){1,
                          3,
                          {'%', "0123456789ABCDEF"[(unsigned char)c >> 4],
                           "0123456789ABCDEF"[(unsigned char)c & 15]}};
}

static struct piece path_rule(struct str rest)
{
    return rest.at[0] == '/' ? as_it_is : url_rule(rest);
}

enum flow escape_url(struct bytes *out, struct str text, bool keep_slash)
{
    return escape(out, text, keep_slash ? path_rule : url_rule);
}
