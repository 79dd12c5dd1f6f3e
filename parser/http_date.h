/* http_date.h - dates as HTTP writes them.
 *
 * Promise    writes IMF-fixdate; reads IMF-fixdate, RFC 850 and asctime dates,
 *            case as the RFC has it, and nothing else.
 * Limits     years 1970 to 9999.
 * Source     RFC 9110 section 5.6.7. */
#ifndef PARSER_HTTP_DATE_H
#define PARSER_HTTP_DATE_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_DATE_BYTES 29u /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes HTTP_DATE_BYTES bytes, no NUL. seconds since 1970, clamped. */
void http_date_write(char *at, int64_t seconds);

/* Reads a date. A two-digit year that would lie more than 50 years after
 * now_seconds means the century before. False when it is no date. */
bool http_date_read(struct str text, int64_t now_seconds, int64_t *ret_seconds);

#endif
