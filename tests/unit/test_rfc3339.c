#include "parser/rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

static const int64_t unread = 424242;

static int64_t ms(const char *text)
{
    int64_t v = unread;
    if (!rfc3339_read(str_from(text), &v))
        assert_int_equal(v, unread);
    return v;
}

static const char *written(int64_t v)
{
    static char text[RFC3339_BYTES + 2];
    memset(text, '~', sizeof text);
    rfc3339_write(text, v);
    assert_int_equal(text[RFC3339_BYTES], '~');
    text[RFC3339_BYTES] = '\0';
    return text;
}

static void dates_come_out_in_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(ms("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(ms("1970-01-01T00:00:00.001Z"), 1);
    assert_int_equal(ms("2026-01-02T03:04:05.678Z"), INT64_C(1767323045678));
    assert_int_equal(ms("2000-02-29T12:00:00Z"), INT64_C(951825600000));
    assert_int_equal(ms("9999-12-31T23:59:59.999Z"), INT64_C(253402300799999));
}

static void dates_before_1970_are_negative(void **state)
{
    (void)state;
    assert_int_equal(ms("1969-12-31T23:59:59.250Z"), -750);
    assert_int_equal(ms("0001-01-01T00:00:00Z"), INT64_C(-62135596800000));
    assert_int_equal(ms("0000-12-31T00:00:00Z"), INT64_C(-62135683200000));
    assert_int_equal(ms("0000-01-01T00:00:00Z"), INT64_C(-62167219200000));
}

static void letters_may_be_small(void **state)
{
    (void)state;
    assert_int_equal(ms("1970-01-01t00:00:01z"), 1000);
    assert_int_equal(ms("1970-01-01T00:00:01z"), 1000);
    assert_int_equal(ms("1970-01-01t00:00:01Z"), 1000);
}

static void any_number_of_digits_of_a_second_is_read(void **state)
{
    (void)state;
    assert_int_equal(ms("1970-01-01T00:00:01.5Z"), 1500);
    assert_int_equal(ms("1970-01-01T00:00:01.05Z"), 1050);
    assert_int_equal(ms("1970-01-01T00:00:01.005Z"), 1005);
    assert_int_equal(ms("1970-01-01T00:00:01.0059999999999999999Z"), 1005);
}

static void offsets_are_taken_off(void **state)
{
    (void)state;
    assert_int_equal(ms("1970-01-01T01:00:00+01:00"), 0);
    assert_int_equal(ms("1969-12-31T18:30:00-05:30"), 0);
    assert_int_equal(ms("1970-01-01T00:00:00.5+00:00"), 500);
    assert_int_equal(ms("1970-01-01T00:00:00-00:00"), 0);
    assert_int_equal(ms("1970-01-01T23:59:00+23:59"), 0);
}

static void leap_second_is_the_one_behind_it(void **state)
{
    (void)state;
    assert_int_equal(ms("2016-12-31T23:59:60Z"), INT64_C(1483228800000));
    assert_int_equal(ms("2016-12-31T15:59:60.5-08:00"), INT64_C(1483228800500));
    assert_int_equal(ms("2016-12-31T23:58:60Z"), unread);
    assert_int_equal(ms("2016-12-31T22:59:60Z"), unread);
    assert_int_equal(ms("2016-12-31T23:59:60+01:00"), unread);
    assert_int_equal(ms("2016-12-31T23:59:61Z"), unread);
}

static void days_and_times_that_do_not_exist_are_refused(void **state)
{
    static const char *const texts[] = {
        "2026-00-01T00:00:00Z",      "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",      "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",      "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",      "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",      "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(ms(texts[i]), unread);
}

static void nothing_else_is_a_date(void **state)
{
    static const char *const texts[] = {
        "",
        "tomorrow",
        "1767323045",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04Z",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05 Z",
        "2026-01-02T03:04:05Z ",
        " 2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05+01",
        "2026-01-02T03:04:05+1:00",
        "2026-01-02T03:04:05Z+01:00",
        "2026-1-2T03:04:05Z",
        "20260102T030405Z",
        "+2026-01-02T03:04:05Z",
        "12026-01-02T03:04:05Z",
        "-026-01-02T03:04:05Z",
        "2026-01-02T3:04:05Z",
        "2026/01/02T03:04:05Z",
        "Fri, 02 Jan 2026 03:04:05 GMT",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(ms(texts[i]), unread);
    int64_t v = unread;
    assert_false(rfc3339_read((struct str){NULL, 0}, &v));
    assert_false(rfc3339_read((struct str){"2026-01-02T03:04:05Z\0", 21}, &v));
    assert_int_equal(v, unread);
}

static void dates_are_written_as_libc_would(void **state)
{
    (void)state;
    for (int64_t v = 0; v < INT64_C(253402300800000); v += 987654321098) {
        time_t seconds = (time_t)(v / 1000);
        struct tm tm;
        char day[32];
        char text[48];
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) > 0);
        snprintf(text, sizeof text, "%s.%03dZ", day, (int)(v % 1000));
        assert_string_equal(written(v), text);
        assert_int_equal(ms(text), v);
    }
}

static void what_cannot_be_written_is_clamped(void **state)
{
    (void)state;
    assert_string_equal(written(-1), "1970-01-01T00:00:00.000Z");
    assert_string_equal(written(INT64_MIN), "1970-01-01T00:00:00.000Z");
    assert_string_equal(written(INT64_C(253402300799999)),
                        "9999-12-31T23:59:59.999Z");
    assert_string_equal(written(INT64_MAX), "9999-12-31T23:59:59.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_come_out_in_milliseconds),
        cmocka_unit_test(dates_before_1970_are_negative),
        cmocka_unit_test(letters_may_be_small),
        cmocka_unit_test(any_number_of_digits_of_a_second_is_read),
        cmocka_unit_test(offsets_are_taken_off),
        cmocka_unit_test(leap_second_is_the_one_behind_it),
        cmocka_unit_test(days_and_times_that_do_not_exist_are_refused),
        cmocka_unit_test(nothing_else_is_a_date),
        cmocka_unit_test(dates_are_written_as_libc_would),
        cmocka_unit_test(what_cannot_be_written_is_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
