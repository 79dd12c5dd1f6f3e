/* ascii.h - what HTTP's grammar says about single characters.
 *
 * Promise    no locale is asked; bytes above 0x7f belong to no class here.
 * Threads    pure.
 * Source     RFC 9110 section 5.6. */
#ifndef PARSER_ASCII_H
#define PARSER_ASCII_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline char ascii_lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    return c;
}

/* Optional white space: space and tab. */
static inline bool ascii_is_ows(char c)
{
    return c == ' ' || c == '\t';
}

/* What a token may hold. */
static inline bool ascii_is_token(char c)
{
    return ascii_is_digit(c) || ascii_is_alpha(c) ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* The value of a hexadecimal digit in either case, or -1. */
static inline int ascii_hex(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether both are the same, letter case left aside. */
static inline bool ascii_equal(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
            return false;
    return true;
}

/* Whether the next character is c. */
static inline bool ascii_at(struct str rest, char c)
{
    return rest.len > 0 && rest.at[0] == c;
}

static inline struct str ascii_skip_ows(struct str s)
{
    while (s.len > 0 && ascii_is_ows(s.at[0]))
        s = str_skip(s, 1);
    return s;
}

static inline struct str ascii_trim_ows_end(struct str s)
{
    while (s.len > 0 && ascii_is_ows(s.at[s.len - 1]))
        s.len--;
    return s;
}

/* Takes c off the front; false when something else stands there. */
static inline bool ascii_take(struct str *rest, char c)
{
    if (!ascii_at(*rest, c))
        return false;
    *rest = str_skip(*rest, 1);
    return true;
}

/* Takes the longest token off the front; it may be empty. */
static inline struct str ascii_take_token(struct str *rest)
{
    size_t n = 0;
    while (n < rest->len && ascii_is_token(rest->at[n]))
        n++;
    struct str token = {rest->at, n};
    *rest = str_skip(*rest, n);
    return token;
}

#endif
