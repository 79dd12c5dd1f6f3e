#include "parser/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* The parameters as text: "[name|value]" each. */
static const char *walked(const char *query)
{
    static char text[512];
    struct str rest = str_from(query);
    struct str name;
    struct str value;
    int n = 0;
    text[0] = '\0';
    while (query_next(&rest, &name, &value))
        n += snprintf(text + n, sizeof text - (size_t)n, "[%.*s|%.*s]",
                      (int)name.len, name.at, (int)value.len, value.at);
    return text;
}

static bool value_is(const char *query, const char *name, const char *value)
{
    struct str found = query_get(str_from(query), str_from(name));
    return found.at && str_equal(found, str_from(value));
}

/* What it decodes to, or NULL. */
static const char *decoded(const char *raw)
{
    static char out[64];
    size_t len = 0;
    if (!query_decode(str_from(raw), out, sizeof out - 1, &len))
        return NULL;
    out[len] = '\0';
    return out;
}

static void parameters_come_in_order(void **state)
{
    (void)state;
    assert_string_equal(walked("a=1&b=x%20y"), "[a|1][b|x%20y]");
    assert_string_equal(walked("a"), "[a|]");
    assert_string_equal(walked("a=&b"), "[a|][b|]");
}

static void empty_parameters_are_passed_over(void **state)
{
    (void)state;
    assert_string_equal(walked("&&a=1&&&b=2&"), "[a|1][b|2]");
    assert_string_equal(walked(""), "");
    assert_string_equal(walked("&"), "");
    assert_string_equal(walked(NULL), "");
}

static void only_the_first_equals_sign_parts(void **state)
{
    (void)state;
    assert_string_equal(walked("a=b=c"), "[a|b=c]");
    assert_string_equal(walked("=x&="), "[|x][|]");
}

static void a_parameter_is_found_by_its_name(void **state)
{
    const char *query = "n=10&ms=250&n=20&no";
    (void)state;
    assert_true(value_is(query, "n", "10"));
    assert_true(value_is(query, "ms", "250"));
    assert_true(value_is(query, "no", ""));
    assert_true(value_is("a=", "a", ""));
}

static void names_compare_raw_and_whole(void **state)
{
    (void)state;
    assert_null(query_get(STR("name=1"), STR("nam")).at);
    assert_null(query_get(STR("nam=1"), STR("name")).at);
    assert_null(query_get(STR("N=1"), STR("n")).at);
    assert_null(query_get(STR("%6e=1"), STR("n")).at);
    assert_null(query_get(STR(""), STR("n")).at);
}

static void escapes_and_plus_are_decoded(void **state)
{
    (void)state;
    assert_string_equal(decoded("a%20b+c%2B%2f"), "a b c+/");
    assert_string_equal(decoded("%c3%A4"), "\xc3\xa4");
    assert_string_equal(decoded("%2525"), "%25");
    assert_string_equal(decoded("\xff"), "\xff");
    assert_string_equal(decoded(""), "");
    assert_string_equal(decoded(NULL), "");
}

static void a_decoded_nul_is_a_byte_like_others(void **state)
{
    char out[3];
    size_t len;
    (void)state;
    assert_true(query_decode(STR("a%00b"), out, sizeof out, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(out, "a\0b", 3);
}

static void malformed_escapes_are_refused(void **state)
{
    static const char *const texts[] = {
        "%", "%4", "a%", "a%4", "%g0", "%0g", "% 1", "%%41", "%-1", "%4%41",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_null(decoded(texts[i]));
}

static void what_is_too_long_is_refused(void **state)
{
    char out[4] = "...";
    size_t len;
    (void)state;
    assert_true(query_decode(STR("a%62c"), out, 3, &len));
    assert_false(query_decode(STR("a%62cd"), out, 3, &len));
    assert_int_equal(out[3], '\0');
    assert_true(query_decode(STR(""), out, 0, &len));
    assert_false(query_decode(STR("a"), out, 0, &len));
}

static void decoding_in_place_works(void **state)
{
    char text[] = "%41%42+%43";
    size_t len;
    (void)state;
    assert_true(query_decode(str_from(text), text, sizeof text, &len));
    assert_int_equal(len, 4);
    assert_memory_equal(text, "AB C", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_come_in_order),
        cmocka_unit_test(empty_parameters_are_passed_over),
        cmocka_unit_test(only_the_first_equals_sign_parts),
        cmocka_unit_test(a_parameter_is_found_by_its_name),
        cmocka_unit_test(names_compare_raw_and_whole),
        cmocka_unit_test(escapes_and_plus_are_decoded),
        cmocka_unit_test(a_decoded_nul_is_a_byte_like_others),
        cmocka_unit_test(malformed_escapes_are_refused),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(decoding_in_place_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
