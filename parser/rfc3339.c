#include "parser/rfc3339.h"

#include "parser/ascii.h"
#include "parser/civil.h"
#include "parser/number.h"

#define FRACTION_DIGITS 3u

/* What stays the same in every date, and the places of what does not. */
static const struct str template = {"1970-01-01T00:00:00.000Z", RFC3339_BYTES};

/* Takes "2026-01-02T". */
static bool take_date(struct str *rest, struct civil *c)
{
    int year = 0;
    if (!number_take_digits(rest, 4, &year) || !ascii_take(rest, '-') ||
        !number_take_digits(rest, 2, &c->month) || !ascii_take(rest, '-') ||
        !number_take_digits(rest, 2, &c->day))
        return false;
    c->year = year;
    c->month--;
    return ascii_take(rest, 'T') || ascii_take(rest, 't');
}

/* Takes ".678"; nothing is 0. */
static bool take_fraction(struct str *rest, int *ret_ms)
{
    int ms = 0;
    size_t n = 0;
    *ret_ms = 0;
    if (!ascii_take(rest, '.'))
        return true;
    for (; n < rest->len && ascii_is_digit(rest->at[n]); n++)
        if (n < FRACTION_DIGITS)
            ms = ms * 10 + (rest->at[n] - '0');
    *rest = str_skip(*rest, n);
    for (size_t i = n; i < FRACTION_DIGITS; i++)
        ms *= 10;
    *ret_ms = ms;
    return n > 0;
}

/* Takes "Z" or "+01:00". */
static bool take_zone(struct str *rest, int *ret_seconds)
{
    int hours = 0;
    int minutes = 0;
    *ret_seconds = 0;
    if (ascii_take(rest, 'Z') || ascii_take(rest, 'z'))
        return true;
    bool behind = ascii_take(rest, '-');
    if (!behind && !ascii_take(rest, '+'))
        return false;
    if (!number_take_digits(rest, 2, &hours) || !ascii_take(rest, ':') ||
        !number_take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (hours * 60 + minutes) * (behind ? -60 : 60);
    return true;
}

bool rfc3339_read(struct str text, int64_t *ret_ms)
{
    struct civil c;
    int ms;
    int zone_seconds;
    if (!take_date(&text, &c) || !civil_take_time(&text, &c) ||
        !take_fraction(&text, &ms) || !take_zone(&text, &zone_seconds) ||
        text.len > 0 || !civil_exists(&c))
        return false;
    int64_t seconds = civil_seconds(&c) - zone_seconds;
    if (c.second == 60 && seconds % CIVIL_DAY_SECONDS != 0)
        return false;
    *ret_ms = seconds * 1000 + ms;
    return true;
}

void rfc3339_write(char *at, int64_t ms)
{
    const int64_t ms_max = CIVIL_SECONDS_MAX * 1000 + 999;
    struct civil c;
    if (ms < 0)
        ms = 0;
    else if (ms > ms_max)
        ms = ms_max;
    civil_from_seconds(&c, ms / 1000);
    memcpy(at, template.at, template.len);
    number_write_padded(at, (uint64_t)c.year, 4);
    number_write_padded(at + 5, (uint64_t)c.month + 1, 2);
    number_write_padded(at + 8, (uint64_t)c.day, 2);
    number_write_padded(at + 11, (uint64_t)c.hour, 2);
    number_write_padded(at + 14, (uint64_t)c.minute, 2);
    number_write_padded(at + 17, (uint64_t)c.second, 2);
    at[20] = (char)('0' + ms % 1000 / 100);
    number_write_padded(at + 21, (uint64_t)(ms % 100), 2);
}
