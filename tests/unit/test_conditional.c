#include "httpd/files/conditional.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define OLD  "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT" /* 784111777 */
#define NEW  "Sun, 06 Nov 1994 08:49:38 GMT"
#define NOW  1700000000

static const struct validators file = {
    .etag = {"\"abc\"", 5},
    .modified_seconds = 784111777,
};

static struct str field(const char *text)
{
    return text ? str_from(text) : (struct str){NULL, 0};
}

struct row {
    const char *if_match;
    const char *if_unmodified_since;
    const char *if_none_match;
    const char *if_modified_since;
};

static enum conditional check(struct row row)
{
    const struct conditions c = {
        field(row.if_match),
        field(row.if_unmodified_since),
        field(row.if_none_match),
        field(row.if_modified_since),
    };
    return conditional_check(&c, &file, NOW);
}

static void without_conditions_it_is_served(void **state)
{
    (void)state;
    assert_int_equal(check((struct row){0}), CONDITIONAL_SERVE);
}

static void if_match_wants_the_same_strong_tag(void **state)
{
    (void)state;
    assert_int_equal(check((struct row){.if_match = "\"abc\""}),
                     CONDITIONAL_SERVE);
    assert_int_equal(check((struct row){.if_match = "\"x\", \"abc\""}),
                     CONDITIONAL_SERVE);
    assert_int_equal(check((struct row){.if_match = "*"}), CONDITIONAL_SERVE);
    assert_int_equal(check((struct row){.if_match = "\"x\""}),
                     CONDITIONAL_FAILED);
    assert_int_equal(check((struct row){.if_match = "W/\"abc\""}),
                     CONDITIONAL_FAILED);
    assert_int_equal(check((struct row){.if_match = ""}), CONDITIONAL_FAILED);
}

static void if_unmodified_since_fails_for_a_newer_file(void **state)
{
    (void)state;
    assert_int_equal(check((struct row){.if_unmodified_since = OLD}),
                     CONDITIONAL_FAILED);
    assert_int_equal(check((struct row){.if_unmodified_since = SAME}),
                     CONDITIONAL_SERVE);
    assert_int_equal(check((struct row){.if_unmodified_since = NEW}),
                     CONDITIONAL_SERVE);
}

static void if_unmodified_since_is_not_asked_beside_if_match(void **state)
{
    (void)state;
    assert_int_equal(
        check((struct row){.if_match = "\"abc\"", .if_unmodified_since = OLD}),
        CONDITIONAL_SERVE);
}

static void if_none_match_spares_a_known_file(void **state)
{
    (void)state;
    assert_int_equal(check((struct row){.if_none_match = "\"abc\""}),
                     CONDITIONAL_NOT_MODIFIED);
    assert_int_equal(check((struct row){.if_none_match = "W/\"abc\""}),
                     CONDITIONAL_NOT_MODIFIED);
    assert_int_equal(check((struct row){.if_none_match = "*"}),
                     CONDITIONAL_NOT_MODIFIED);
    assert_int_equal(check((struct row){.if_none_match = "\"abc-gz\""}),
                     CONDITIONAL_SERVE);
}

static void if_modified_since_spares_an_older_file(void **state)
{
    (void)state;
    assert_int_equal(check((struct row){.if_modified_since = OLD}),
                     CONDITIONAL_SERVE);
    assert_int_equal(check((struct row){.if_modified_since = SAME}),
                     CONDITIONAL_NOT_MODIFIED);
    assert_int_equal(check((struct row){.if_modified_since = NEW}),
                     CONDITIONAL_NOT_MODIFIED);
}

static void if_modified_since_is_not_asked_beside_if_none_match(void **state)
{
    (void)state;
    assert_int_equal(
        check((struct row){.if_none_match = "\"x\"", .if_modified_since = NEW}),
        CONDITIONAL_SERVE);
}

static void a_failed_precondition_comes_before_not_modified(void **state)
{
    (void)state;
    assert_int_equal(
        check((struct row){.if_match = "\"x\"", .if_none_match = "\"abc\""}),
        CONDITIONAL_FAILED);
    assert_int_equal(check((struct row){.if_unmodified_since = OLD,
                                        .if_none_match = "\"abc\""}),
                     CONDITIONAL_FAILED);
    assert_int_equal(
        check((struct row){.if_match = "\"abc\"", .if_none_match = "\"abc\""}),
        CONDITIONAL_NOT_MODIFIED);
}

static void dates_that_cannot_be_read_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(check((struct row){.if_unmodified_since = "yesterday"}),
                     CONDITIONAL_SERVE);
    assert_int_equal(check((struct row){.if_modified_since = "tomorrow"}),
                     CONDITIONAL_SERVE);
}

static bool holds(const char *if_range)
{
    return conditional_range_holds(field(if_range), &file, NOW);
}

static void a_range_holds_for_the_same_representation_only(void **state)
{
    (void)state;
    assert_true(holds(NULL));
    assert_true(holds("\"abc\""));
    assert_false(holds("\"abc-gz\""));
    assert_false(holds("W/\"abc\""));
    assert_true(holds(SAME));
    assert_false(holds(OLD));
    assert_false(holds(NEW));
    assert_false(holds("yesterday"));
    assert_false(holds(""));
}

static void a_range_by_date_waits_until_the_second_is_over(void **state)
{
    (void)state;
    struct str date = STR(SAME);
    int64_t modified = file.modified_seconds;
    assert_false(conditional_range_holds(date, &file, modified));
    assert_true(conditional_range_holds(date, &file, modified + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_conditions_it_is_served),
        cmocka_unit_test(if_match_wants_the_same_strong_tag),
        cmocka_unit_test(if_unmodified_since_fails_for_a_newer_file),
        cmocka_unit_test(if_unmodified_since_is_not_asked_beside_if_match),
        cmocka_unit_test(if_none_match_spares_a_known_file),
        cmocka_unit_test(if_modified_since_spares_an_older_file),
        cmocka_unit_test(if_modified_since_is_not_asked_beside_if_none_match),
        cmocka_unit_test(a_failed_precondition_comes_before_not_modified),
        cmocka_unit_test(dates_that_cannot_be_read_are_passed_over),
        cmocka_unit_test(a_range_holds_for_the_same_representation_only),
        cmocka_unit_test(a_range_by_date_waits_until_the_second_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
