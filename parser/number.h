/* number.h - numbers as protocols and people write them.
 *
 * Promise    the whole text is a number or the answer is false: no sign, no
 *            white space, no overflow, nothing behind it. *ret is written only
 *            when the answer is true. Leading zeros are allowed.
 * Threads    pure.
 * Cost       writing: no division by anything but 100, two digits at a time. */
#ifndef PARSER_NUMBER_H
#define PARSER_NUMBER_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only. */
bool number_read_u64(struct str text, uint64_t *ret);

/* Takes exactly n digits off the front, n at most 9. */
bool number_take_digits(struct str *rest, size_t n, int *ret);

/* "4096", "64k", "10m", "5g", "1t": powers of 1024, either letter case. */
bool number_read_bytes(struct str text, uint64_t *ret);

/* "250ms", "10s", "1.5s", "5m", "2h", units in lower case; a bare number is
 * seconds ("0.25"). One to three digits after the point, at least one before
 * it. Result in milliseconds; what is not a whole number of them ("1.5ms") is
 * refused. */
bool number_read_ms(struct str text, uint64_t *ret_ms);

/* Writes v in decimal, returns its length; at has NUMBER_DIGITS_MAX bytes. */
#define NUMBER_DIGITS_MAX 20u
size_t number_write_u64(char *at, uint64_t v);

/* Writes v in decimal with zeros in front: digits bytes, an even number of
 * them, at most NUMBER_DIGITS_MAX. v has no more digits than that. */
void number_write_padded(char *at, uint64_t v, size_t digits);

/* Writes v in lower-case hexadecimal without leading zeros, returns its
 * length; at has NUMBER_HEX_MAX bytes. */
#define NUMBER_HEX_MAX 16u
size_t number_write_hex(char *at, uint64_t v);

#endif
