/* str.h - a view of bytes that somebody else owns.
 *
 * Promise    never NUL-terminated, never owned, may hold any byte.
 * Threads    a value; the bytes belong to whoever made the view. */
#ifndef BUFFERS_STR_H
#define BUFFERS_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
    const char *at; /* may be NULL when len is 0 */
    size_t len;
};

/* Makes a view of a string literal, its NUL left out. */
#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})

/* The view of a NUL-terminated string; NULL gives an empty view. */
static inline struct str str_from(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

/* Whether both hold the same bytes. */
static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Whether s begins with prefix. */
static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len &&
           (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

/* s without its first n bytes; n is at most s.len. To C, even NULL + 0 is
 * undefined. */
static inline struct str str_skip(struct str s, size_t n)
{
    return (struct str){n > 0 ? s.at + n : s.at, s.len - n};
}

#endif
