/* rfc3339.h - dates as APIs write them: "2026-01-02T03:04:05.678Z".
 *
 * Promise    reads the whole grammar and nothing else: 'T' and 'Z' in either
 *            letter case, any number of digits of a second (what is less than
 *            a millisecond is dropped), any offset. Days have to exist. A leap
 *            second has to stand at the end of a day in UTC and is read as the
 *            second that follows it.
 * Refuses    a space in place of 'T', a comma, a missing offset.
 * Limits     years 0 to 9999 read, 1970 to 9999 written.
 * Threads    pure.
 * Source     RFC 3339 section 5.6. */
#ifndef PARSER_RFC3339_H
#define PARSER_RFC3339_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stdint.h>

#define RFC3339_BYTES 24u /* "2026-01-02T03:04:05.678Z" */

/* Milliseconds since 1970, negative before. False when it is no date-time;
 * *ret_ms is written only when it is one. */
bool rfc3339_read(struct str text, int64_t *ret_ms);

/* Writes RFC3339_BYTES bytes in UTC, no NUL. ms since 1970, clamped. */
void rfc3339_write(char *at, int64_t ms);

#endif
