#include "parser/http_date.h"

#include "parser/ascii.h"
#include "parser/civil.h"
#include "parser/number.h"

#include <string.h>

#define YEAR_MIN    1970
#define AHEAD_YEARS 50
#define THURSDAY    4 /* 1 January 1970, Sunday being 0 */

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

void http_date_write(char *at, int64_t seconds)
{
    seconds = civil_clamp(seconds);
    struct civil c;
    civil_from_seconds(&c, seconds);

    memcpy(at, template.at, template.len);
    memcpy(at, weekdays[(seconds / CIVIL_DAY_SECONDS + THURSDAY) % 7], 3);
    number_write_padded(at + 5, (uint64_t)c.day, 2);
    memcpy(at + 8, months[c.month], 3);
    number_write_padded(at + 12, (uint64_t)c.year, 4);
    number_write_padded(at + 17, (uint64_t)c.hour, 2);
    number_write_padded(at + 20, (uint64_t)c.minute, 2);
    number_write_padded(at + 23, (uint64_t)c.second, 2);
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

static bool take_year(struct str *rest, size_t digits, struct civil *c)
{
    int year = 0;
    if (!number_take_digits(rest, digits, &year))
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
           number_take_digits(&s, 2, &c->day) && ascii_take(&s, ' ') &&
           take_month(&s, &c->month) && ascii_take(&s, ' ') &&
           take_year(&s, 4, c) && ascii_take(&s, ' ') &&
           civil_take_time(&s, c) && take_gmt(s);
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool read_rfc850(struct str s, struct civil *c)
{
    return take_weekday(&s, 0) && ascii_take(&s, ',') && ascii_take(&s, ' ') &&
           number_take_digits(&s, 2, &c->day) && ascii_take(&s, '-') &&
           take_month(&s, &c->month) && ascii_take(&s, '-') &&
           take_year(&s, 2, c) && ascii_take(&s, ' ') &&
           civil_take_time(&s, c) && take_gmt(s);
}

/* Sun Nov  6 08:49:37 1994 */
static bool read_asctime(struct str s, struct civil *c)
{
    if (!take_weekday(&s, 3) || !ascii_take(&s, ' ') ||
        !take_month(&s, &c->month) || !ascii_take(&s, ' '))
        return false;
    size_t day_digits = ascii_take(&s, ' ') ? 1 : 2;
    return number_take_digits(&s, day_digits, &c->day) && ascii_take(&s, ' ') &&
           civil_take_time(&s, c) && ascii_take(&s, ' ') &&
           take_year(&s, 4, c) && s.len == 0;
}

static void set_century(struct civil *c, int64_t now_seconds)
{
    struct civil now;
    civil_from_seconds(&now, now_seconds);
    c->year += now.year / 100 * 100;
    struct civil earlier = *c;
    earlier.year -= AHEAD_YEARS;
    if (civil_seconds(&earlier) > now_seconds)
        c->year -= 100;
}

bool http_date_read(struct str text, int64_t now_seconds, int64_t *ret_seconds)
{
    struct civil c;
    if (read_rfc850(text, &c))
        set_century(&c, civil_clamp(now_seconds));
    else if (!read_imf(text, &c) && !read_asctime(text, &c))
        return false;
    if (c.year < YEAR_MIN || !civil_exists(&c))
        return false;
    int64_t seconds = civil_seconds(&c);
    if (c.second == 60 && seconds % CIVIL_DAY_SECONDS != 0)
        return false;
    if (seconds > HTTP_DATE_SECONDS_MAX)
        return false;
    *ret_seconds = seconds;
    return true;
}
