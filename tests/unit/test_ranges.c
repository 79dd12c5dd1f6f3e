#include "parser/ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_BYTES_MAX 4096

/* The answer as text: "whole", "416", or "pos+len pos+len". */
static const char *resolved(const char *field, uint64_t length)
{
    static char text[1024];
    struct ranges r = {.n = 99};
    enum ranges_result result = ranges_read(str_from(field), length, &r);
    if (result != RANGES_SOME) {
        assert_int_equal(r.n, 0);
        return result == RANGES_NONE ? "whole" : "416";
    }
    assert_true(r.n >= 1 && r.n <= RANGES_MAX);
    int n = 0;
    for (size_t i = 0; i < r.n; i++)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "%s%" PRIu64 "+%" PRIu64, i > 0 ? " " : "", r.at[i].pos,
                      r.at[i].len);
    return text;
}

static void one_range_of_each_form(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=0-499", 10000), "0+500");
    assert_string_equal(resolved("bytes=500-999", 10000), "500+500");
    assert_string_equal(resolved("bytes=-500", 10000), "9500+500");
    assert_string_equal(resolved("bytes=9500-", 10000), "9500+500");
    assert_string_equal(resolved("bytes=0-0", 10000), "0+1");
    assert_string_equal(resolved("bytes=0-", 10000), "0+10000");
}

static void first_and_last_byte_stand_as_asked(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=0-0,-1", 10000), "0+1 9999+1");
    assert_string_equal(resolved("bytes=-1,0-0", 10000), "9999+1 0+1");
}

static void the_end_is_cut_at_the_length(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=5-100", 10), "5+5");
    assert_string_equal(resolved("bytes=9-9", 10), "9+1");
    assert_string_equal(resolved("bytes=9-10", 10), "9+1");
}

static void a_suffix_longer_than_all_is_all(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=-11", 10), "0+10");
    assert_string_equal(resolved("bytes=-10", 10), "0+10");
    assert_string_equal(resolved("bytes=-99999999999999999999999", 10), "0+10");
}

static void white_space_may_stand_around_commas(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes= 0-4 , 6-", 10), "0+5 6+4");
    assert_string_equal(resolved("bytes=\t0-4\t,\t6-\t", 10), "0+5 6+4");
}

static void empty_members_are_passed_over(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=,0-4,,6-,", 10), "0+5 6+4");
    assert_string_equal(resolved("bytes=, ,0-4", 10), "0+5");
}

static void the_unit_has_no_letter_case(void **state)
{
    (void)state;
    assert_string_equal(resolved("Bytes=0-4", 10), "0+5");
    assert_string_equal(resolved("BYTES=0-4", 10), "0+5");
}

static void other_units_are_ignored(void **state)
{
    (void)state;
    assert_string_equal(resolved("items=0-4", 10), "whole");
    assert_string_equal(resolved("byte=0-4", 10), "whole");
    assert_string_equal(resolved("bytess=0-4", 10), "whole");
}

static void malformed_fields_are_ignored_whole(void **state)
{
    static const char *const fields[] = {
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=--5",
        "bytes=5",
        "bytes=a-b",
        "bytes=0-4;",
        "bytes=0 -4",
        "bytes=0- 4",
        "bytes 0-4",
        "=0-4",
        "bytes =0-4",
        " bytes=0-4",
        "bytes=+1-4",
        "bytes=0-4,x",
        "bytes=x,0-4",
        "bytes=0-4 6-9",
        "bytes=0x1-4",
        "bytes=0--1",
        "bytes=- 5",
        "bytes==0-4",
        "bytes=0-4-5",
        "bytes=0-4,bytes=6-7",
        "bytes:0-4",
        "bytes=0.0-4",
    };
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(resolved(fields[i], 10), "whole") != 0)
            fail_msg("was not ignored: %s", fields[i]);
    struct ranges r;
    assert_int_equal(ranges_read((struct str){NULL, 0}, 10, &r), RANGES_NONE);
    assert_int_equal(ranges_read((struct str){"bytes=0-4\0", 10}, 10, &r),
                     RANGES_NONE);
}

static void a_range_that_ends_before_it_begins_spoils_the_field(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=5-4", 10), "whole");
    assert_string_equal(resolved("bytes=0-1,5-4", 10), "whole");
    assert_string_equal(resolved("bytes=500-499", 10), "whole");
    assert_string_equal(resolved("bytes=10-9", 100), "whole");
    assert_string_equal(resolved("bytes=09-10", 100), "9+2");
}

static void what_lies_beyond_the_end_is_unsatisfiable(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=10-", 10), "416");
    assert_string_equal(resolved("bytes=10-20", 10), "416");
    assert_string_equal(resolved("bytes=10-20,30-", 10), "416");
}

static void a_suffix_of_nothing_is_unsatisfiable(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=-0", 10), "416");
    assert_string_equal(resolved("bytes=-000", 10), "416");
    assert_string_equal(resolved("bytes=-0,0-4", 10), "0+5");
}

static void one_satisfiable_range_is_enough(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=50-60,2-3,-0", 10), "2+2");
}

static void nothing_has_no_first_byte_and_no_range(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=0-", 0), "416");
    assert_string_equal(resolved("bytes=0-0", 0), "416");
    assert_string_equal(resolved("bytes=-0", 0), "416");
    assert_string_equal(resolved("bytes=-5", 0), "whole");
    assert_string_equal(resolved("bytes=0-,-5", 0), "whole");
}

static void numbers_of_any_size_are_understood(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=0-18446744073709551615", 10), "0+10");
    assert_string_equal(resolved("bytes=0-18446744073709551616", 10), "0+10");
    assert_string_equal(resolved("bytes=18446744073709551616-", 10), "416");
    assert_string_equal(
        resolved("bytes=99999999999999999999-99999999999999999999", 10), "416");
    assert_string_equal(
        resolved("bytes=99999999999999999999-99999999999999999998", 10),
        "whole");
    assert_string_equal(resolved("bytes=99999999999999999999-5", 10), "whole");
    assert_string_equal(resolved("bytes=00000000000000000000000000003-4", 10),
                        "3+2");
}

static void the_longest_length_does_not_overflow(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=0-", UINT64_MAX),
                        "0+18446744073709551615");
    assert_string_equal(resolved("bytes=18446744073709551614-", UINT64_MAX),
                        "18446744073709551614+1");
    assert_string_equal(resolved("bytes=18446744073709551615-", UINT64_MAX),
                        "416");
    assert_string_equal(resolved("bytes=5-,-18446744073709551615", UINT64_MAX),
                        "0+18446744073709551615");
}

static void ranges_that_overlap_are_joined(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=0-4,3-7", 10), "0+8");
    assert_string_equal(resolved("bytes=3-7,0-4", 10), "0+8");
    assert_string_equal(resolved("bytes=0-9,2-3", 10), "0+10");
    assert_string_equal(resolved("bytes=2-3,0-9", 10), "0+10");
    assert_string_equal(resolved("bytes=0-,0-,0-,0-", 10), "0+10");
}

static void ranges_that_touch_are_joined(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=0-4,5-7", 10), "0+8");
    assert_string_equal(resolved("bytes=5-7,0-4", 10), "0+8");
    assert_string_equal(resolved("bytes=0-4,6-7", 10), "0+5 6+2");
}

static void a_late_range_may_join_several(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=0-1,4-5,8-9,2-7", 10), "0+10");
    assert_string_equal(resolved("bytes=20-29,0-1,40-49,4-5,2-3,60-", 70),
                        "20+10 0+6 40+10 60+10");
}

static void a_joined_range_stands_where_the_first_of_it_stood(void **state)
{
    (void)state;
    assert_string_equal(resolved("bytes=50-59,0-9,55-69", 100), "50+20 0+10");
    assert_string_equal(resolved("bytes=80-,0-9,40-49,5-45", 100),
                        "80+20 0+50");
}

/* n single bytes, step apart. */
static const char *many(size_t n, size_t step)
{
    static char field[FIELD_BYTES_MAX];
    int len = snprintf(field, sizeof field, "bytes=");
    for (size_t i = 0; i < n; i++)
        len += snprintf(field + len, sizeof field - (size_t)len, "%s%zu-%zu",
                        i > 0 ? "," : "", i * step, i * step);
    return field;
}

static void too_many_ranges_are_ignored(void **state)
{
    struct ranges r;
    (void)state;
    assert_int_equal(ranges_read(str_from(many(RANGES_MAX, 2)), 1000, &r),
                     RANGES_SOME);
    assert_int_equal(r.n, RANGES_MAX);
    assert_string_equal(resolved(many(RANGES_MAX + 1, 2), 1000), "whole");
}

static void what_counts_is_what_is_left_after_joining(void **state)
{
    (void)state;
    assert_string_equal(resolved(many(RANGES_ASKED_MAX, 1), 1000), "0+64");
    assert_string_equal(resolved(many(RANGES_ASKED_MAX + 1, 1), 1000), "whole");
}

static void unsatisfiable_ranges_count_as_asked(void **state)
{
    (void)state;
    assert_string_equal(resolved(many(RANGES_ASKED_MAX, 2), 1), "0+1");
    assert_string_equal(resolved(many(RANGES_ASKED_MAX + 1, 2), 1), "whole");
}

/* Against a map of single bytes: the same bytes, each once, none touching. */
static void covers_the_same_bytes(const char *field, const bool *want,
                                  size_t length)
{
    struct ranges r;
    bool have[64] = {false};
    if (ranges_read(str_from(field), length, &r) != RANGES_SOME)
        return;
    for (size_t i = 0; i < r.n; i++)
        for (uint64_t p = r.at[i].pos; p < r.at[i].pos + r.at[i].len; p++) {
            if (p >= length || have[p])
                fail_msg("%s: byte %" PRIu64, field, p);
            have[p] = true;
        }
    if (memcmp(have, want, sizeof have) != 0)
        fail_msg("%s: wrong bytes", field);
    for (size_t i = 0; i < r.n; i++)
        if (r.at[i].pos > 0 && have[r.at[i].pos - 1])
            fail_msg("%s: touches", field);
}

static void random_fields_agree_with_a_map_of_bytes(void **state)
{
    unsigned seed = 20240615;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char field[512];
        bool want[64] = {false};
        int len = snprintf(field, sizeof field, "bytes=");
        int n = rand_r(&seed) % 20 + 1;
        for (int i = 0; i < n; i++) {
            int first = rand_r(&seed) % 60;
            int last = first + rand_r(&seed) % 5;
            len += snprintf(field + len, sizeof field - (size_t)len, "%s%d-%d",
                            i > 0 ? "," : "", first, last);
            for (int p = first; p <= last && p < 50; p++)
                want[p] = true;
        }
        covers_the_same_bytes(field, want, 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_range_of_each_form),
        cmocka_unit_test(first_and_last_byte_stand_as_asked),
        cmocka_unit_test(the_end_is_cut_at_the_length),
        cmocka_unit_test(a_suffix_longer_than_all_is_all),
        cmocka_unit_test(white_space_may_stand_around_commas),
        cmocka_unit_test(empty_members_are_passed_over),
        cmocka_unit_test(the_unit_has_no_letter_case),
        cmocka_unit_test(other_units_are_ignored),
        cmocka_unit_test(malformed_fields_are_ignored_whole),
        cmocka_unit_test(a_range_that_ends_before_it_begins_spoils_the_field),
        cmocka_unit_test(what_lies_beyond_the_end_is_unsatisfiable),
        cmocka_unit_test(a_suffix_of_nothing_is_unsatisfiable),
        cmocka_unit_test(one_satisfiable_range_is_enough),
        cmocka_unit_test(nothing_has_no_first_byte_and_no_range),
        cmocka_unit_test(numbers_of_any_size_are_understood),
        cmocka_unit_test(the_longest_length_does_not_overflow),
        cmocka_unit_test(ranges_that_overlap_are_joined),
        cmocka_unit_test(ranges_that_touch_are_joined),
        cmocka_unit_test(a_late_range_may_join_several),
        cmocka_unit_test(a_joined_range_stands_where_the_first_of_it_stood),
        cmocka_unit_test(too_many_ranges_are_ignored),
        cmocka_unit_test(what_counts_is_what_is_left_after_joining),
        cmocka_unit_test(unsatisfiable_ranges_count_as_asked),
        cmocka_unit_test(random_fields_agree_with_a_map_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
