#include "parser/media_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool same(const char *a, const char *b)
{
    bool is = media_type_same(str_from(a), str_from(b));
    assert_int_equal(media_type_same(str_from(b), str_from(a)), is);
    return is;
}

static bool is_json(const char *field)
{
    return media_type_is(str_from(field), STR("application/json"));
}

static bool is_text(const char *field)
{
    return media_type_is_text(str_from(field));
}

static void assert_essence(const char *field, const char *expected)
{
    struct str essence = media_type_essence(str_from(field));
    assert_true(str_equal(essence, str_from(expected)));
}

static void essence_is_what_stands_before_the_parameters(void **state)
{
    (void)state;
    assert_essence("text/plain", "text/plain");
    assert_essence("Text/PLAIN;charset=utf-8", "Text/PLAIN");
    assert_essence(" \ttext/plain\t ; charset=utf-8", "text/plain");
    assert_essence("application/vnd.api+json ", "application/vnd.api+json");
}

static void malformed_type_has_no_essence(void **state)
{
    static const char *const fields[] = {
        "",         " ",           "text",      "text/",        "/plain",
        "/",        ";",           "text/;a=b", "text /plain",  "text/ plain",
        "text/a/b", "text/a, b/c", "text/a b",  "te\xc3\xa4/a", "\"a\"/b",
    };
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        assert_essence(fields[i], "");
    assert_int_equal(media_type_essence((struct str){NULL, 0}).len, 0);
    assert_int_equal(media_type_essence((struct str){"a/b\0", 4}).len, 0);
}

static void case_and_parameters_make_no_difference(void **state)
{
    (void)state;
    assert_true(same("text/plain", "TEXT/Plain"));
    assert_true(same("text/plain; charset=utf-8", "text/plain"));
    assert_true(same("text/plain;charset=a", " text/plain ; charset=b"));
    assert_false(same("text/plain", "text/html"));
    assert_false(same("text/plain", "text/plai"));
    assert_false(same("text/plain", "application/plain"));
}

static void malformed_types_are_the_same_as_nothing(void **state)
{
    (void)state;
    assert_false(same("", ""));
    assert_false(same("text", "text"));
    assert_false(same("text", "text/plain"));
    assert_false(media_type_is(STR("text"), STR("text")));
}

static void json_is_found_in_any_spelling(void **state)
{
    (void)state;
    assert_true(is_json("application/json"));
    assert_true(is_json("Application/JSON; charset=utf-8"));
    assert_false(is_json("application/json5"));
    assert_false(is_json("application/jso"));
    assert_false(is_json("application/ld+json"));
    assert_false(is_json("application/json, text/plain"));
    assert_false(is_json("text/plain; a=application/json"));
}

static void text_is_what_has_the_type_text(void **state)
{
    (void)state;
    assert_true(is_text("text/plain"));
    assert_true(is_text("TEXT/x; charset=utf-8"));
    assert_false(is_text("text/"));
    assert_false(is_text("text"));
    assert_false(is_text("texts/plain"));
    assert_false(is_text("application/text/plain"));
    assert_false(is_text("application/octet-stream"));
    assert_false(is_text(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(essence_is_what_stands_before_the_parameters),
        cmocka_unit_test(malformed_type_has_no_essence),
        cmocka_unit_test(case_and_parameters_make_no_difference),
        cmocka_unit_test(malformed_types_are_the_same_as_nothing),
        cmocka_unit_test(json_is_found_in_any_spelling),
        cmocka_unit_test(text_is_what_has_the_type_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
