#include "parser/civil.h"

#include "parser/ascii.h"
#include "parser/number.h"

#include <assert.h>

#define YEAR_EPOCH  1970
#define CYCLE_DAYS  146097 /* the calendar repeats after 400 years */
#define CYCLE_YEARS 400

/* Days of the year before each month, and before the next year. */
static const int month_begins[2][13] = {
    {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
    {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366},
};

static int is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1 January, 399 years before year 0, to 1 January of that year. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1 + CYCLE_YEARS;
    return y * 365 + y / 4 - y / 100 + y / 400;
}

/* Days from 1 January 1970 to 1 January of that year. */
static int64_t year_begins(int64_t year)
{
    return days_before_year(year) - days_before_year(YEAR_EPOCH);
}

/* The mean length of a year gives the year or one beside it. */
static int64_t year_of_day(int64_t day)
{
    int64_t year = YEAR_EPOCH + day * CYCLE_YEARS / CYCLE_DAYS;
    if (day < year_begins(year))
        return year - 1;
    if (day >= year_begins(year + 1))
        return year + 1;
    return year;
}

/* No month is longer than 31 days: a 32nd of the days gives the month or the
 * one before it. */
static void set_date(struct civil *c, int64_t day)
{
    c->year = year_of_day(day);
    int of_year = (int)(day - year_begins(c->year));
    const int *begins = month_begins[is_leap(c->year)];
    assert(of_year >= 0 && of_year < begins[12]);
    c->month = of_year / 32;
    if (of_year >= begins[c->month + 1])
        c->month++;
    c->day = of_year - begins[c->month] + 1;
}

int64_t civil_clamp(int64_t seconds)
{
    if (seconds < 0)
        return 0;
    return seconds < CIVIL_SECONDS_MAX ? seconds : CIVIL_SECONDS_MAX;
}

void civil_from_seconds(struct civil *c, int64_t seconds)
{
    assert(seconds == civil_clamp(seconds));
    int of_day = (int)(seconds % CIVIL_DAY_SECONDS);
    set_date(c, seconds / CIVIL_DAY_SECONDS);
    c->hour = of_day / 3600;
    c->minute = of_day / 60 % 60;
    c->second = of_day % 60;
}

int64_t civil_seconds(const struct civil *c)
{
    assert(c->year >= CIVIL_YEAR_MIN && c->month >= 0 && c->month < 12);
    int64_t day = year_begins(c->year) +
                  month_begins[is_leap(c->year)][c->month] + c->day - 1;
    int of_day = (c->hour * 60 + c->minute) * 60 + c->second;
    return day * CIVIL_DAY_SECONDS + of_day;
}

bool civil_exists(const struct civil *c)
{
    if (c->month < 0 || c->month >= 12)
        return false;
    const int *begins = month_begins[is_leap(c->year)];
    int days = begins[c->month + 1] - begins[c->month];
    return c->day >= 1 && c->day <= days && c->hour < 24 && c->minute < 60 &&
           c->second <= 60;
}

bool civil_take_time(struct str *rest, struct civil *c)
{
    return number_take_digits(rest, 2, &c->hour) && ascii_take(rest, ':') &&
           number_take_digits(rest, 2, &c->minute) && ascii_take(rest, ':') &&
           number_take_digits(rest, 2, &c->second);
}
