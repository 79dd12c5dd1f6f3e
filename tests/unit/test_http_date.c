#include "parser/http_date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#define DAY_SECONDS 86400
#define NOT_A_DATE  INT64_MIN
#define NOV_1994    INT64_C(784111777)  /* Sun, 06 Nov 1994 08:49:37 GMT */
#define IN_2024     INT64_C(1718452800) /* Sat, 15 Jun 2024 12:00:00 GMT */

static int64_t at(const char *text, int64_t now_seconds)
{
    int64_t seconds = NOT_A_DATE;
    if (!http_date_read(str_from(text), now_seconds, &seconds))
        assert_true(seconds == NOT_A_DATE);
    return seconds;
}

static int64_t date(const char *text)
{
    return at(text, IN_2024);
}

static const char *written(int64_t seconds)
{
    static char text[HTTP_DATE_BYTES + 1];
    http_date_write(text, seconds);
    return text;
}

static void the_example_of_the_rfc_is_written(void **state)
{
    (void)state;
    assert_string_equal(written(NOV_1994), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(written(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void times_beyond_the_limits_are_clamped(void **state)
{
    (void)state;
    assert_string_equal(written(-1), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(written(INT64_MIN), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(written(HTTP_DATE_SECONDS_MAX),
                        "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_string_equal(written(INT64_MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void a_date_ends_where_it_should(void **state)
{
    char text[HTTP_DATE_BYTES + 3];
    (void)state;
    memset(text, '!', sizeof text);
    http_date_write(text, NOV_1994);
    assert_memory_equal(text + HTTP_DATE_BYTES - 3, "GMT!!!", 6);
}

/* Every day of eight thousand years, at a time that differs each day. */
static void every_day_agrees_with_libc_and_reads_back(void **state)
{
    char theirs[HTTP_DATE_BYTES + 1];
    (void)state;
    for (int64_t day = 0; day <= HTTP_DATE_SECONDS_MAX / DAY_SECONDS; day++) {
        int64_t seconds = day * DAY_SECONDS + day * 7919 % DAY_SECONDS;
        time_t t = (time_t)seconds;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        strftime(theirs, sizeof theirs, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        const char *mine = written(seconds);
        if (strcmp(mine, theirs) != 0)
            fail_msg("%s should be %s", mine, theirs);
        if (date(mine) != seconds)
            fail_msg("%s does not read back", mine);
    }
}

static void every_second_of_a_day_is_written(void **state)
{
    (void)state;
    for (int64_t s = 0; s < DAY_SECONDS; s++)
        assert_true(date(written(NOV_1994 + s)) == NOV_1994 + s);
}

static void all_three_forms_are_read(void **state)
{
    (void)state;
    assert_true(date("Sun, 06 Nov 1994 08:49:37 GMT") == NOV_1994);
    assert_true(date("Sunday, 06-Nov-94 08:49:37 GMT") == NOV_1994);
    assert_true(date("Sun Nov  6 08:49:37 1994") == NOV_1994);
    assert_true(date("Wed Nov 16 08:49:37 1994") ==
                NOV_1994 + INT64_C(10) * DAY_SECONDS);
}

static void a_wrong_weekday_is_let_pass(void **state)
{
    (void)state;
    assert_true(date("Mon, 06 Nov 1994 08:49:37 GMT") == NOV_1994);
}

static void a_leap_second_is_the_second_after_it(void **state)
{
    (void)state;
    assert_true(date("Sat, 31 Dec 2016 23:59:60 GMT") == INT64_C(1483228800));
    assert_true(date("Sat, 31 Dec 2016 22:59:60 GMT") == NOT_A_DATE);
    assert_true(date("Sat, 31 Dec 2016 23:59:61 GMT") == NOT_A_DATE);
    assert_true(date("Fri, 31 Dec 9999 23:59:60 GMT") == NOT_A_DATE);
}

static void days_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    assert_true(date("Sun, 29 Feb 2023 00:00:00 GMT") == NOT_A_DATE);
    assert_true(date("Sun, 29 Feb 2100 00:00:00 GMT") == NOT_A_DATE);
    assert_true(date("Tue, 29 Feb 2000 00:00:00 GMT") == INT64_C(951782400));
    assert_true(date("Sun, 31 Apr 2023 00:00:00 GMT") == NOT_A_DATE);
    assert_true(date("Sun, 00 Jan 2023 00:00:00 GMT") == NOT_A_DATE);
    assert_true(date("Sun, 32 Jan 2023 00:00:00 GMT") == NOT_A_DATE);
    assert_true(date("Wed, 31 Dec 1969 23:59:59 GMT") == NOT_A_DATE);
    assert_true(date("Sat, 01 Jan 0000 00:00:00 GMT") == NOT_A_DATE);
}

static void hours_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    assert_true(date("Sun, 06 Nov 1994 24:00:00 GMT") == NOT_A_DATE);
    assert_true(date("Sun, 06 Nov 1994 08:60:00 GMT") == NOT_A_DATE);
    assert_true(date("Sun, 06 Nov 1994 08:00:60 GMT") == NOT_A_DATE);
}

static void the_year_of_two_digits_is_at_most_50_years_ahead(void **state)
{
    (void)state;
    assert_true(date("Friday, 15-Jun-74 12:00:00 GMT") == INT64_C(3296289600));
    assert_true(date("Friday, 15-Jun-74 12:00:01 GMT") == INT64_C(140529601));
    assert_true(date("Sunday, 01-Jan-75 00:00:00 GMT") == INT64_C(157766400));
    assert_true(date("Monday, 01-Jan-24 00:00:00 GMT") == INT64_C(1704067200));
}

static void a_29_february_is_looked_up_in_the_year_that_was_meant(void **state)
{
    const int64_t in_2110 = INT64_C(4417977600);
    (void)state;
    assert_true(at("Tuesday, 29-Feb-00 00:00:00 GMT", IN_2024) ==
                INT64_C(951782400));
    assert_true(at("Tuesday, 29-Feb-72 00:00:00 GMT", 0) == INT64_C(68169600));
    assert_true(at("Monday, 29-Feb-00 00:00:00 GMT", in_2110) == NOT_A_DATE);
    assert_true(at("Monday, 29-Feb-00 00:00:00 GMT", 0) == NOT_A_DATE);
}

static void nothing_else_is_a_date(void **state)
{
    static const char *const texts[] = {
        "",
        "Sun",
        "0",
        "784111777",
        "1994-11-06T08:49:37Z",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 NOV 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 01994 08:49:37 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994 GMT",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov   6 08:49:37 1994",
        "Sun Nov  16 08:49:37 1994",
        "Day, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08.49.37 GMT",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (date(texts[i]) != NOT_A_DATE)
            fail_msg("was read: %s", texts[i]);
}

static void no_part_of_a_date_is_a_date(void **state)
{
    const char *text = "Sun, 06 Nov 1994 08:49:37 GMT";
    (void)state;
    for (size_t n = 0; n < HTTP_DATE_BYTES; n++) {
        int64_t seconds;
        assert_false(http_date_read((struct str){text, n}, IN_2024, &seconds));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc_is_written),
        cmocka_unit_test(times_beyond_the_limits_are_clamped),
        cmocka_unit_test(a_date_ends_where_it_should),
        cmocka_unit_test(every_day_agrees_with_libc_and_reads_back),
        cmocka_unit_test(every_second_of_a_day_is_written),
        cmocka_unit_test(all_three_forms_are_read),
        cmocka_unit_test(a_wrong_weekday_is_let_pass),
        cmocka_unit_test(a_leap_second_is_the_second_after_it),
        cmocka_unit_test(days_that_do_not_exist_are_refused),
        cmocka_unit_test(hours_that_do_not_exist_are_refused),
        cmocka_unit_test(the_year_of_two_digits_is_at_most_50_years_ahead),
        cmocka_unit_test(a_29_february_is_looked_up_in_the_year_that_was_meant),
        cmocka_unit_test(nothing_else_is_a_date),
        cmocka_unit_test(no_part_of_a_date_is_a_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
