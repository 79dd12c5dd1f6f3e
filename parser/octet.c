#include "parser/octet.h"

#define T OCTET_TOKEN
#define G OCTET_TARGET
#define H OCTET_HOST
#define X OCTET_HEX
#define D OCTET_DIGIT

/* clang-format off */
const uint8_t octet_classes[256] = {
    ['!'] = T | G | H, ['"'] = G,         ['#'] = T,         ['$'] = T | G | H,
    ['%'] = T | G,     ['&'] = T | G | H, ['\''] = T | G | H, ['('] = G | H,
    [')'] = G | H,     ['*'] = T | G | H, ['+'] = T | G | H, [','] = G | H,
    ['-'] = T | G | H, ['.'] = T | G | H, ['/'] = G,
    ['0' ... '9'] = T | G | H | X | D,
    [':'] = G,         [';'] = G | H,     ['<'] = G,         ['='] = G | H,
    ['>'] = G,         ['?'] = G,         ['@'] = G,
    ['A' ... 'F'] = T | G | H | X,
    ['G' ... 'Z'] = T | G | H,
    ['['] = G,         ['\\'] = G,        [']'] = G,         ['^'] = T | G,
    ['_'] = T | G | H, ['`'] = T | G,
    ['a' ... 'f'] = T | G | H | X,
    ['g' ... 'z'] = T | G | H,
    ['{'] = G,         ['|'] = T | G,     ['}'] = G,         ['~'] = T | G | H,
};
/* clang-format on */

#undef T
#undef G
#undef H
#undef X
#undef D

static bool bytewise_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* Whether one of eight bytes is below 0x20 or is 0x7f. */
static bool word_control(const char *at)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t w;
    memcpy(&w, at, sizeof(w));
    uint64_t del = w ^ (ones * 0x7f);
    return ((((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) &
            (ones * 0x80)) != 0;
}

bool octet_has_control(struct str s)
{
    size_t i = 0;
    if (s.len < 8)
        return bytewise_control(s);
    while (i + 8 < s.len && !word_control(s.at + i))
        i += 8;
    if (i + 8 >= s.len && !word_control(s.at + s.len - 8))
        return false;
    return bytewise_control(str_skip(s, i)); /* it may be only a tab */
}
