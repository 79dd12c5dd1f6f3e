/* number.h - numbers as protocols and people write them.
 *
 * Promise    the whole text is a number or the answer is false: no sign, no
 *            white space, no overflow, nothing behind it. */
#ifndef PARSER_NUMBER_H
#define PARSER_NUMBER_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only. */
bool number_read_u64(struct str text, uint64_t *ret);

/* "4096", "64k", "10m", "5g", "1t": powers of 1024, either letter case. */
bool number_read_bytes(struct str text, uint64_t *ret);

/* "250ms", "10s", "1.5s", "5m", "2h"; a bare number is seconds ("0.25").
 * At most three digits after the point. Result in milliseconds. */
bool number_read_ms(struct str text, uint64_t *ret_ms);

/* Writes v in decimal, returns its length; at has NUMBER_DIGITS_MAX bytes. */
#define NUMBER_DIGITS_MAX 20u
size_t number_write_u64(char *at, uint64_t v);

/* Writes v in lower-case hexadecimal without leading zeros. */
size_t number_write_hex(char *at, uint64_t v);

#endif
