/* civil.h - dates and times of day as people write them, and seconds.
 *
 * Promise    the calendar of today is used for every year, UTC everywhere.
 * Limits     years CIVIL_YEAR_MIN to 9999 to seconds, 1970 to 9999 from them.
 * Threads    pure.
 * Cost       some divisions, no calls into libc. */
#ifndef PARSER_CIVIL_H
#define PARSER_CIVIL_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stdint.h>

#define CIVIL_YEAR_MIN    0
#define CIVIL_DAY_SECONDS 86400
#define CIVIL_SECONDS_MAX INT64_C(253402300799) /* the end of 9999 */

struct civil {
    int64_t year;
    int month; /* 0 to 11 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
};

/* Whether there is such a day and time; second 60 passes, see below. The year
 * is not looked at but for leap days. */
bool civil_exists(const struct civil *c);

/* Seconds since 1970, of what exists. A second 60 is the second behind it: it
 * can be a leap second only if that is the first of a day in UTC. */
int64_t civil_seconds(const struct civil *c);

/* Sets all fields; seconds from 0 to CIVIL_SECONDS_MAX. */
void civil_from_seconds(struct civil *c, int64_t seconds);

/* seconds as far as it lies in 1970 to 9999, else the nearer end. */
int64_t civil_clamp(int64_t seconds);

/* Takes "hh:mm:ss" off the front. */
bool civil_take_time(struct str *rest, struct civil *c);

#endif
