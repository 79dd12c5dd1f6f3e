/* octet.h - classes of bytes for the request's head, by table and by word.
 *
 * Promise    the same classes as ascii.h, for the paths where every byte of
 *            every request passes.
 * Threads    constants.
 * Source     RFC 9110 section 5.6.2 (token), RFC 3986 section 3.2.2. */
#ifndef PARSER_OCTET_H
#define PARSER_OCTET_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum octet_class {
    OCTET_TOKEN = 1,  /* tchar */
    OCTET_TARGET = 2, /* printable, not '#': what a request target may hold */
    OCTET_HOST = 4,   /* unreserved or sub-delims: a reg-name without escapes */
    OCTET_HEX = 8,
    OCTET_DIGIT = 16,
};

extern const uint8_t octet_classes[256];

static inline bool octet_is(char c, enum octet_class wanted)
{
    return (octet_classes[(unsigned char)c] & wanted) != 0;
}

/* How many bytes at the front of s are of that class. */
static inline size_t octet_run(struct str s, enum octet_class wanted)
{
    size_t n = 0;
    while (n < s.len && octet_is(s.at[n], wanted))
        n++;
    return n;
}

/* Whether s holds a control byte other than a tab: 0 to 31, 127.
 * Eight bytes a step. */
bool octet_has_control(struct str s);

#endif
