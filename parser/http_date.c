#include "parser/http_date.h"

#include "parser/ascii.h"

#include <assert.h>
#include <string.h>

#define DAY_SECONDS 86400
#define YEAR_MIN    1970
#define AHEAD_YEARS 50
#define CYCLE_DAYS  146097 /* the calendar repeats after 400 years */
#define CYCLE_YEARS 400
#define THURSDAY    4 /* 1 January 1970, Sunday being 0 */

struct civil {
    int64_t year;
    int month; /* 0 to 11 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
};

/* What stays the same in every date, and the places of what does not. */
static const struct str template = {"Thu, 01 Jan 1970 00:00:00 GMT",
                                    HTTP_DATE_BYTES};

static const char weekdays[7][10] = {
    "Sunday",   "Monday", "Tuesday",  "Wednesday",
    "Thursday", "Friday", "Saturday",
};

static const char months[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

/* Days of the year before each month, and before the next year. */
static const int month_begins[2][13] = {
    {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
    {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366},
};

static int is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1 January of year 1 to 1 January of that year. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400;
}

/* Days from 1 January 1970 to 1 January of that year. */
static int64_t year_begins(int64_t year)
{
    return days_before_year(year) - days_before_year(YEAR_MIN);
}

/* The mean length of a year gives the year or one beside it. */
static int64_t year_of_day(int64_t day)
{
    int64_t year = YEAR_MIN + day * CYCLE_YEARS / CYCLE_DAYS;
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

static void put_two(char *at, int v)
{
    at[0] = (char)('0' + v / 10);
    at[1] = (char)('0' + v % 10);
}

static int64_t clamp(int64_t seconds)
{
    if (seconds < 0)
        return 0;
    return seconds < HTTP_DATE_SECONDS_MAX ? seconds : HTTP_DATE_SECONDS_MAX;
}

void http_date_write(char *at, int64_t seconds)
{
    seconds = clamp(seconds);
    int64_t day = seconds / DAY_SECONDS;
    int of_day = (int)(seconds % DAY_SECONDS);
    struct civil c;
    set_date(&c, day);

    memcpy(at, template.at, template.len);
    memcpy(at, weekdays[(day + THURSDAY) % 7], 3);
    put_two(at + 5, c.day);
    memcpy(at + 8, months[c.month], 3);
    put_two(at + 12, (int)(c.year / 100));
    put_two(at + 14, (int)(c.year % 100));
    put_two(at + 17, of_day / 3600);
    put_two(at + 20, of_day / 60 % 60);
    put_two(at + 23, of_day % 60);
}

/* Takes exactly n digits off the front. */
static bool take_digits(struct str *rest, size_t n, int *ret)
{
    int v = 0;
    if (rest->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!ascii_is_digit(rest->at[i]))
            return false;
        v = v * 10 + (rest->at[i] - '0');
    }
    *rest = str_skip(*rest, n);
    *ret = v;
    return true;
}

/* Takes the first n characters of a weekday's name, or all with n = 0. */
static bool take_weekday(struct str *rest, size_t n)
{
    for (size_t i = 0; i < 7; i++) {
        struct str name = {weekdays[i], n > 0 ? n : strlen(weekdays[i])};
        if (str_starts(*rest, name)) {
            *rest = str_skip(*rest, name.len);
            return true;
        }
    }
    return false;
}

static bool take_month(struct str *rest, int *ret)
{
    for (int i = 0; i < 12; i++) {
        if (str_starts(*rest, (struct str){months[i], 3})) {
            *rest = str_skip(*rest, 3);
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool take_time(struct str *rest, struct civil *c)
{
    return take_digits(rest, 2, &c->hour) && ascii_take(rest, ':') &&
           take_digits(rest, 2, &c->minute) && ascii_take(rest, ':') &&
           take_digits(rest, 2, &c->second);
}

static bool take_year(struct str *rest, size_t digits, struct civil *c)
{
    int year = 0;
    if (!take_digits(rest, digits, &year))
        return false;
    c->year = year;
    return true;
}

static bool take_gmt(struct str rest)
{
    return str_equal(rest, STR(" GMT"));
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool read_imf(struct str s, struct civil *c)
{
    return take_weekday(&s, 3) && ascii_take(&s, ',') && ascii_take(&s, ' ') &&
           take_digits(&s, 2, &c->day) && ascii_take(&s, ' ') &&
           take_month(&s, &c->month) && ascii_take(&s, ' ') &&
           take_year(&s, 4, c) && ascii_take(&s, ' ') && take_time(&s, c) &&
           take_gmt(s);
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool read_rfc850(struct str s, struct civil *c)
{
    return take_weekday(&s, 0) && ascii_take(&s, ',') && ascii_take(&s, ' ') &&
           take_digits(&s, 2, &c->day) && ascii_take(&s, '-') &&
           take_month(&s, &c->month) && ascii_take(&s, '-') &&
           take_year(&s, 2, c) && ascii_take(&s, ' ') && take_time(&s, c) &&
           take_gmt(s);
}

/* Sun Nov  6 08:49:37 1994 */
static bool read_asctime(struct str s, struct civil *c)
{
    if (!take_weekday(&s, 3) || !ascii_take(&s, ' ') ||
        !take_month(&s, &c->month) || !ascii_take(&s, ' '))
        return false;
    size_t day_digits = ascii_take(&s, ' ') ? 1 : 2;
    return take_digits(&s, day_digits, &c->day) && ascii_take(&s, ' ') &&
           take_time(&s, c) && ascii_take(&s, ' ') && take_year(&s, 4, c) &&
           s.len == 0;
}

static int64_t seconds_of(const struct civil *c)
{
    int64_t day = year_begins(c->year) +
                  month_begins[is_leap(c->year)][c->month] + c->day - 1;
    int of_day = (c->hour * 60 + c->minute) * 60 + c->second;
    return day * DAY_SECONDS + of_day;
}

static void set_century(struct civil *c, int64_t now_seconds)
{
    struct civil now;
    set_date(&now, now_seconds / DAY_SECONDS);
    c->year += now.year / 100 * 100;
    struct civil earlier = *c;
    earlier.year -= AHEAD_YEARS;
    if (seconds_of(&earlier) > now_seconds)
        c->year -= 100;
}

static bool exists(const struct civil *c)
{
    const int *begins = month_begins[is_leap(c->year)];
    int days = begins[c->month + 1] - begins[c->month];
    bool leap_second = c->hour == 23 && c->minute == 59 && c->second == 60;
    return c->year >= YEAR_MIN && c->day >= 1 && c->day <= days &&
           c->hour < 24 && c->minute < 60 && (c->second < 60 || leap_second);
}

bool http_date_read(struct str text, int64_t now_seconds, int64_t *ret_seconds)
{
    struct civil c;
    if (read_rfc850(text, &c))
        set_century(&c, clamp(now_seconds));
    else if (!read_imf(text, &c) && !read_asctime(text, &c))
        return false;
    if (!exists(&c))
        return false;
    int64_t seconds = seconds_of(&c);
    if (seconds > HTTP_DATE_SECONDS_MAX)
        return false;
    *ret_seconds = seconds;
    return true;
}
