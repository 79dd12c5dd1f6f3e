#include "parser/utf8.h"

#include <assert.h>
#include <stdint.h>

/* What may stand second behind a lead byte, and how many bytes there are. */
struct sequence {
    size_t len; /* 0: no lead byte */
    unsigned char low;
    unsigned char high;
};

/* Bounds of the second byte keep out overlong forms, surrogates and what is
 * beyond U+10FFFF. */
static struct sequence sequence_of(unsigned char lead)
{
    if (lead < 0x80)
        return (struct sequence){1, 0, 0};
    if (lead < 0xc2 || lead > 0xf4)
        return (struct sequence){0, 0, 0};
    if (lead < 0xe0)
        return (struct sequence){2, 0x80, 0xbf};
    if (lead < 0xf0)
        return (struct sequence){3, lead == 0xe0 ? 0xa0 : 0x80,
                                 lead == 0xed ? 0x9f : 0xbf};
    return (struct sequence){4, lead == 0xf0 ? 0x90 : 0x80,
                             lead == 0xf4 ? 0x8f : 0xbf};
}

bool utf8_take(struct str rest, size_t *ret_used)
{
    assert(rest.len > 0);
    struct sequence s = sequence_of((unsigned char)rest.at[0]);
    size_t n = 1;
    while (n < s.len && n < rest.len) {
        unsigned char c = (unsigned char)rest.at[n];
        if (c < s.low || c > s.high)
            break;
        s.low = 0x80;
        s.high = 0xbf;
        n++;
    }
    *ret_used = n;
    return n == s.len;
}

static size_t ascii_bytes(struct str text)
{
    size_t n = 0;
    uint64_t word;
    for (; n + sizeof word <= text.len; n += sizeof word) {
        memcpy(&word, text.at + n, sizeof word);
        if ((word & (UINT64_MAX / 255 * 0x80)) != 0)
            break;
    }
    while (n < text.len && (unsigned char)text.at[n] < 0x80)
        n++;
    return n;
}

size_t utf8_valid_bytes(struct str text)
{
    size_t n = ascii_bytes(text);
    while (n < text.len) {
        size_t used;
        if (!utf8_take(str_skip(text, n), &used))
            return n;
        n += used;
        n += ascii_bytes(str_skip(text, n));
    }
    return n;
}
