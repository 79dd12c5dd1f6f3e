/* pattern.h - bytes that anybody can make again.
 *
 *      seed -> word 0 | word 1 | word 2 | …      8 bytes each, little-endian
 *
 * Promise    the byte at a position depends on seed and position alone: any
 *            cut, any order, any machine gives the same bytes.
 * Limits     none; positions wrap at 2^64 words.
 * Threads    pure.
 * Cost       about a nanosecond for 8 bytes.
 * Not for    secrets: the mix is SplitMix64's, made to be fast. */
#ifndef HTTPD_SOURCES_PATTERN_H
#define HTTPD_SOURCES_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_LINE_BYTES 64u

/* Bytes [pos, pos + len) of the stream that belongs to seed; they do not
 * compress. */
void pattern_fill(uint64_t seed, uint64_t pos, char *out, size_t len);

/* Bytes [pos, pos + len) of an endless text of numbered lines, each
 * PATTERN_LINE_BYTES long; it compresses well. */
void pattern_text(uint64_t pos, char *out, size_t len);

#endif
