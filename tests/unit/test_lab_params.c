#include "httpd/sources/lab_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct lab_bound SIZE = {"bytes", LAB_SIZE, 0, 10u << 20};
static const struct lab_bound TIME = {"delay", LAB_TIME, 0, 3600000};
static const struct lab_bound CODE = {"code", LAB_COUNT, 200, 599};

static void sizes_and_durations_are_read_in_their_units(void **state)
{
    char complaint[LAB_COMPLAINT_BYTES];
    uint64_t value = 0;

    (void)state;
    assert_true(lab_bound_read(&SIZE, STR("64k"), &value, complaint));
    assert_int_equal(value, 65536);
    assert_true(lab_bound_read(&TIME, STR("1.5s"), &value, complaint));
    assert_int_equal(value, 1500);
}

static void both_ends_of_a_bound_belong_to_it(void **state)
{
    char complaint[LAB_COMPLAINT_BYTES];
    uint64_t value = 0;

    (void)state;
    assert_true(lab_bound_read(&CODE, STR("200"), &value, complaint));
    assert_true(lab_bound_read(&CODE, STR("599"), &value, complaint));
    assert_false(lab_bound_read(&CODE, STR("199"), &value, complaint));
    assert_false(lab_bound_read(&CODE, STR("600"), &value, complaint));
}

static void refused_value_leaves_the_default(void **state)
{
    char complaint[LAB_COMPLAINT_BYTES];
    uint64_t value = 42;

    (void)state;
    assert_false(lab_bound_read(&CODE, STR("1000"), &value, complaint));
    assert_int_equal(value, 42);
}

static void complaint_says_what_was_given_and_what_is_right(void **state)
{
    char complaint[LAB_COMPLAINT_BYTES];
    uint64_t value = 0;

    (void)state;
    assert_false(lab_bound_read(&SIZE, STR("11m"), &value, complaint));
    assert_string_equal(complaint, "bytes: \"11m\" is not a size from 0 to "
                                   "10m, such as 4096, 64k or 10m");
    assert_false(lab_bound_read(&TIME, STR("soon"), &value, complaint));
    assert_string_equal(complaint, "delay: \"soon\" is not a duration from 0ms "
                                   "to 1h, such as 250ms, 1.5s or 2m");
    assert_false(lab_bound_read(&CODE, STR(""), &value, complaint));
    assert_string_equal(complaint,
                        "code: \"\" is not a whole number from 200 to 599");
}

static void complaint_cuts_and_cleans_what_was_given(void **state)
{
    char complaint[LAB_COMPLAINT_BYTES];
    char given[300];
    uint64_t value = 0;

    (void)state;
    memset(given, '\n', sizeof(given));
    assert_false(lab_bound_read(&CODE, (struct str){given, sizeof(given)},
                                &value, complaint));
    assert_null(strchr(complaint, '\n'));
    assert_non_null(strstr(complaint, "from 200 to 599"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_durations_are_read_in_their_units),
        cmocka_unit_test(both_ends_of_a_bound_belong_to_it),
        cmocka_unit_test(refused_value_leaves_the_default),
        cmocka_unit_test(complaint_says_what_was_given_and_what_is_right),
        cmocka_unit_test(complaint_cuts_and_cleans_what_was_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
