/* http_date.h - dates as HTTP writes them.
 *
 * Promise    writes IMF-fixdate; reads IMF-fixdate, RFC 850 and asctime dates,
 *            case as the RFC has it, and nothing else. The name of the weekday
 *            has to be one, but is not held against the date. 23:59:60 is read
 *            as the second that follows it.
 * Limits     years 1970 to 9999.
 * Threads    pure; the time is an argument, clamped too.
 * Cost       writing: some divisions, no calls into libc.
 * Source     RFC 9110 section 5.6.7. */
#ifndef PARSER_HTTP_DATE_H
#define PARSER_HTTP_DATE_H

#include "buffers/str.h"
#include "parser/civil.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_DATE_BYTES       29u /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define HTTP_DATE_SECONDS_MAX CIVIL_SECONDS_MAX

/* Writes HTTP_DATE_BYTES bytes, no NUL. seconds since 1970, clamped. */
void http_date_write(char *at, int64_t seconds);

/* Reads a date. A two-digit year belongs to the century of now_seconds; if the
 * date would then lie more than 50 years ahead, to the one before. False when
 * it is no date; *ret_seconds is written only when it is one. */
bool http_date_read(struct str text, int64_t now_seconds, int64_t *ret_seconds);

#endif
