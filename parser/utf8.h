/* utf8.h - which bytes are UTF-8.
 *
 * Promise    overlong forms, surrogates and what is beyond U+10FFFF are broken.
 * Threads    pure.
 * Source     The Unicode Standard, table 3-7; RFC 3629. */
#ifndef PARSER_UTF8_H
#define PARSER_UTF8_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether rest, which is not empty, begins with a whole character. *ret_used is
 * its length in bytes, or that of the broken piece which the standard would
 * replace by one U+FFFD. */
bool utf8_take(struct str rest, size_t *ret_used);

/* Bytes at the front that are whole characters: text.len when all are. Eight
 * bytes of ASCII a step. */
size_t utf8_valid_bytes(struct str text);

#endif
