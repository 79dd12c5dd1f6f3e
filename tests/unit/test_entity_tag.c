#include "parser/entity_tag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool strong(const char *a, const char *b)
{
    return entity_tag_equal_strong(str_from(a), str_from(b));
}

static bool weak(const char *a, const char *b)
{
    return entity_tag_equal_weak(str_from(a), str_from(b));
}

static bool has(const char *list, const char *tag)
{
    return entity_tag_list_has(str_from(list), str_from(tag), false);
}

static bool has_strong(const char *list, const char *tag)
{
    return entity_tag_list_has(str_from(list), str_from(tag), true);
}

static void the_table_of_the_rfc_holds(void **state)
{
    (void)state;
    assert_false(strong("W/\"1\"", "W/\"1\""));
    assert_true(weak("W/\"1\"", "W/\"1\""));
    assert_false(strong("W/\"1\"", "W/\"2\""));
    assert_false(weak("W/\"1\"", "W/\"2\""));
    assert_false(strong("W/\"1\"", "\"1\""));
    assert_true(weak("W/\"1\"", "\"1\""));
    assert_true(strong("\"1\"", "\"1\""));
    assert_true(weak("\"1\"", "\"1\""));
}

static void letter_case_counts(void **state)
{
    (void)state;
    assert_false(weak("\"a\"", "\"A\""));
    assert_false(weak("w/\"a\"", "\"a\""));
}

static void an_empty_tag_is_a_tag(void **state)
{
    (void)state;
    assert_true(strong("\"\"", "\"\""));
    assert_true(has("\"\"", "\"\""));
}

static void what_is_no_tag_equals_nothing(void **state)
{
    static const char *const texts[] = {
        "",       "a",        "\"",        "\"a",      "a\"",       "W/",
        "W/a",    "\"a\"b",   "\"a\" ",    " \"a\"",   "'a'",       "\"a b\"",
        "\"\"\"", "\"a\tb\"", "\"a\x7f\"", "W/ \"a\"", "W/W/\"a\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(strong(texts[i], texts[i]));
        assert_false(weak(texts[i], texts[i]));
        assert_false(has(texts[i], texts[i]));
    }
    assert_false(weak(NULL, NULL));
}

static void bytes_beyond_ascii_may_stand_in_a_tag(void **state)
{
    (void)state;
    assert_true(strong("\"\xc3\xa4\xff!\"", "\"\xc3\xa4\xff!\""));
}

static void any_member_of_a_list_will_do(void **state)
{
    const char *list = "\"xyzzy\", W/\"r2d2xxxx\" ,\t\"c3piozzzz\"";
    (void)state;
    assert_true(has(list, "\"xyzzy\""));
    assert_true(has(list, "\"r2d2xxxx\""));
    assert_true(has(list, "W/\"c3piozzzz\""));
    assert_false(has(list, "\"other\""));
    assert_false(has(list, "\"xyz\""));
}

static void a_strong_comparison_wants_both_strong(void **state)
{
    (void)state;
    assert_true(has_strong("W/\"a\", \"a\"", "\"a\""));
    assert_false(has_strong("W/\"a\"", "\"a\""));
    assert_false(has_strong("W/\"a\", \"a\"", "W/\"a\""));
}

static void a_comma_inside_a_tag_is_part_of_it(void **state)
{
    (void)state;
    assert_true(has("\"a,b\"", "\"a,b\""));
    assert_false(has("\"a,b\"", "\"a\""));
    assert_false(has("\"x, y\\\", \"b\"", "\"x\""));
    assert_true(has("\"y\\\", \"b\"", "\"b\""));
}

static void an_asterisk_names_whatever_is_there(void **state)
{
    (void)state;
    assert_true(has("*", "\"a\""));
    assert_true(has(" *\t", "\"a\""));
    assert_true(has_strong("*", "W/\"a\""));
    assert_true(has("*", ""));
}

static void an_asterisk_in_a_list_is_a_fault(void **state)
{
    (void)state;
    assert_false(has("*, \"b\"", "\"a\""));
    assert_false(has("\"b\", *", "\"a\""));
    assert_false(has("**", "\"a\""));
    assert_false(has("\"*\"", "\"a\""));
}

static void empty_members_are_passed_over(void **state)
{
    (void)state;
    assert_true(has(",, \"a\",", "\"a\""));
    assert_false(has("", "\"a\""));
    assert_false(has(",", "\"a\""));
}

static void only_what_stands_before_a_fault_counts(void **state)
{
    (void)state;
    assert_true(has("\"a\", oops, \"b\"", "\"a\""));
    assert_false(has("\"a\", oops, \"b\"", "\"b\""));
    assert_false(has("\"a\" \"b\"", "\"a\""));
    assert_false(has("\"a\" \"b\"", "\"b\""));
    assert_false(has("\"a", "\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_the_rfc_holds),
        cmocka_unit_test(letter_case_counts),
        cmocka_unit_test(an_empty_tag_is_a_tag),
        cmocka_unit_test(what_is_no_tag_equals_nothing),
        cmocka_unit_test(bytes_beyond_ascii_may_stand_in_a_tag),
        cmocka_unit_test(any_member_of_a_list_will_do),
        cmocka_unit_test(a_strong_comparison_wants_both_strong),
        cmocka_unit_test(a_comma_inside_a_tag_is_part_of_it),
        cmocka_unit_test(an_asterisk_names_whatever_is_there),
        cmocka_unit_test(an_asterisk_in_a_list_is_a_fault),
        cmocka_unit_test(empty_members_are_passed_over),
        cmocka_unit_test(only_what_stands_before_a_fault_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
