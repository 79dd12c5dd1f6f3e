#include "parser/query.h"

#include "parser/ascii.h"

#include <assert.h>

/* Takes everything up to c off the front, and c with it. */
static struct str take_until(struct str *rest, char c)
{
    const char *end = rest->len > 0 ? memchr(rest->at, c, rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->at) : rest->len;
    struct str taken = {rest->at, n};
    *rest = str_skip(*rest, end ? n + 1 : n);
    return taken;
}

bool query_next(struct str *rest, struct str *ret_name, struct str *ret_value)
{
    struct str parameter = {NULL, 0};
    while (parameter.len == 0 && rest->len > 0)
        parameter = take_until(rest, '&');
    if (parameter.len == 0)
        return false;
    *ret_name = take_until(&parameter, '=');
    *ret_value = parameter;
    assert(ret_value->at);
    return true;
}

struct str query_get(struct str query, struct str name)
{
    struct str found;
    struct str value;
    while (query_next(&query, &found, &value))
        if (str_equal(found, name))
            return value;
    return (struct str){NULL, 0};
}

/* Takes one character, decoded, off the front; -1 when it is malformed. */
static int take_char(struct str *raw)
{
    char c = raw->at[0];
    if (c != '%') {
        *raw = str_skip(*raw, 1);
        return c == '+' ? ' ' : (unsigned char)c;
    }
    if (raw->len < 3)
        return -1;
    int high = ascii_hex(raw->at[1]);
    int low = ascii_hex(raw->at[2]);
    *raw = str_skip(*raw, 3);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool query_decode(struct str raw, char *out, size_t cap, size_t *ret_len)
{
    size_t len = 0;
    bool good = true;
    while (good && raw.len > 0) {
        int c = take_char(&raw);
        good = c >= 0 && len < cap;
        if (good)
            out[len++] = (char)c;
    }
    assert(len <= cap);
    *ret_len = len;
    return good;
}
