#include "parser/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static int coding(const char *field, const char *name)
{
    return accept_encoding_weight(str_from(field), str_from(name));
}

static int type(const char *field, const char *name)
{
    return accept_type_weight(str_from(field), str_from(name));
}

static void a_named_coding_weighs_1000(void **state)
{
    (void)state;
    assert_int_equal(coding("gzip", "gzip"), 1000);
    assert_int_equal(coding("compress, gzip", "gzip"), 1000);
    assert_int_equal(coding("compress,gzip", "br"), -1);
    assert_int_equal(coding("gzip, deflate, br, zstd", "zstd"), 1000);
}

static void an_empty_field_names_nothing(void **state)
{
    (void)state;
    assert_int_equal(coding("", "gzip"), -1);
    assert_int_equal(coding("", "identity"), -1);
    assert_int_equal(coding(NULL, "gzip"), -1);
    assert_int_equal(coding(" , ,", "gzip"), -1);
    assert_int_equal(type("", "text/html"), -1);
}

static void weights_are_thousandths(void **state)
{
    (void)state;
    assert_int_equal(coding("gzip;q=1.0, identity; q=0.5", "identity"), 500);
    assert_int_equal(coding("gzip;q=0.001", "gzip"), 1);
    assert_int_equal(coding("gzip;q=0.25", "gzip"), 250);
    assert_int_equal(coding("gzip;q=1.000", "gzip"), 1000);
    assert_int_equal(coding("gzip;q=0", "gzip"), 0);
    assert_int_equal(coding("gzip;q=0.", "gzip"), 0);
    assert_int_equal(coding("gzip ; Q=0.5", "gzip"), 500);
    assert_int_equal(coding("gzip\t;\tq=0.5\t,br", "gzip"), 500);
}

static void an_odd_weight_spoils_its_member_only(void **state)
{
    static const char *const weights[] = {
        "",    "2",   "1.1",  "1.001", "0.1234", "-1",   ".5",  "0:5",
        "1.x", "0.x", "0 .5", "00.5",  "1e0",    "0.5s", "q=1", "0.0.",
    };
    (void)state;
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        char field[64];
        snprintf(field, sizeof field, "gzip;q=%s, br;q=0.7", weights[i]);
        if (coding(field, "gzip") != -1 || coding(field, "br") != 700)
            fail_msg("%s", field);
    }
}

static void an_asterisk_stands_for_what_is_not_named(void **state)
{
    (void)state;
    assert_int_equal(coding("*", "gzip"), 1000);
    assert_int_equal(coding("gzip;q=0.3, *;q=0.1", "gzip"), 300);
    assert_int_equal(coding("*;q=0.1, gzip;q=0.3", "gzip"), 300);
    assert_int_equal(coding("gzip;q=0.3, *;q=0.1", "br"), 100);
    assert_int_equal(coding("gzip, *;q=0", "identity"), 0);
    assert_int_equal(coding("identity;q=0.5, *;q=0", "identity"), 500);
}

static void codings_have_no_letter_case_and_old_names(void **state)
{
    (void)state;
    assert_int_equal(coding("GZip;q=0.5", "gzip"), 500);
    assert_int_equal(coding("x-gzip;q=0.5", "gzip"), 500);
    assert_int_equal(coding("X-GZIP;q=0.5", "gzip"), 500);
    assert_int_equal(coding("gzip;q=0.5", "x-gzip"), 500);
    assert_int_equal(coding("x-compress", "compress"), 1000);
    assert_int_equal(coding("gzipx", "gzip"), -1);
    assert_int_equal(coding("gzi", "gzip"), -1);
}

static void malformed_codings_are_passed_over(void **state)
{
    static const char *const members[] = {
        "gz ip",     "gzip q=1",  "gzip;q",   "gzip;level=9",
        "gzip;q =1", "gzip;q= 1", "\"gzip\"", "gzip/1",
        ";q=1",      "gzip=1",    "gzip;=1",  "gzip;q=1;x=\"y",
    };
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        char field[64];
        snprintf(field, sizeof field, "br;q=0.7, %s", members[i]);
        if (coding(field, "gzip") != -1 || coding(field, "br") != 700)
            fail_msg("%s", field);
    }
}

static void the_first_member_of_two_decides(void **state)
{
    (void)state;
    assert_int_equal(coding("gzip;q=0, gzip", "gzip"), 0);
    assert_int_equal(type("text/*;q=0.2, text/*;q=0.9", "text/html"), 200);
}

static void the_table_of_the_rfc_holds(void **state)
{
    const char *field = "text/*;q=0.3, text/plain;q=0.7, "
                        "text/plain;format=flowed, "
                        "text/plain;format=fixed;q=0.4, */*;q=0.5";
    (void)state;
    assert_int_equal(type(field, "text/plain;format=flowed"), 1000);
    assert_int_equal(type(field, "text/plain"), 700);
    assert_int_equal(type(field, "text/html"), 300);
    assert_int_equal(type(field, "image/jpeg"), 500);
    assert_int_equal(type(field, "text/plain;format=fixed"), 400);
    assert_int_equal(type(field, "text/html;level=3"), 300);
}

static void the_most_specific_range_decides_wherever_it_stands(void **state)
{
    (void)state;
    assert_int_equal(type("*/*, text/*;q=0.5, text/html;q=0", "text/html"), 0);
    assert_int_equal(type("text/html;q=0, text/*;q=0.5, */*", "text/html"), 0);
    assert_int_equal(type("text/html;q=0, text/*;q=0.5, */*", "text/css"), 500);
    assert_int_equal(type("image/png, image/*;q=0.8", "text/html"), -1);
}

static void types_have_no_letter_case(void **state)
{
    (void)state;
    assert_int_equal(type("Text/HTML;q=0.5", "text/html"), 500);
    assert_int_equal(type("text/html", "TEXT/html"), 1000);
    assert_int_equal(
        type("text/plain;Format=Flowed", "text/plain;format=flowed"), 1000);
}

static void a_weight_counts_wherever_it_stands(void **state)
{
    (void)state;
    assert_int_equal(
        type("text/plain;q=0.5;format=flowed", "text/plain;format=flowed"),
        500);
    assert_int_equal(type("text/plain;q=0.5;format=flowed", "text/plain"), -1);
}

static void a_quoted_value_may_hold_a_comma(void **state)
{
    const char *field = "text/plain;a=\"x, text/html, y\", image/png;q=0.5";
    (void)state;
    assert_int_equal(type(field, "text/html"), -1);
    assert_int_equal(type(field, "image/png"), 500);
    assert_int_equal(type("a/b;c=\"\\\",\";q=0.1, d/e;q=0.2", "d/e"), 200);
    assert_int_equal(type("a/b;c=\"flowed\"", "a/b;c=flowed"), 1000);
}

static void empty_parameters_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(type("text/html;", "text/html"), 1000);
    assert_int_equal(type("text/html; ; q=0.5 ;", "text/html"), 500);
}

static void malformed_ranges_are_passed_over(void **state)
{
    static const char *const members[] = {
        "text",
        "text/",
        "/html",
        "*/html",
        "*",
        "text/html/x",
        "text /html",
        "text/ html",
        "text/html x",
        "text/html;q",
        "text/html;q=\"",
        "text/html;a=\"b",
        "text/html;q=1.5",
        "text/html;a b=c",
        "te(xt/html",
    };
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        char field[64];
        snprintf(field, sizeof field, "image/png;q=0.7, %s", members[i]);
        if (type(field, "text/html") != -1 || type(field, "image/png") != 700)
            fail_msg("%s", field);
    }
}

static void a_range_with_too_many_parameters_is_passed_over(void **state)
{
    char field[256];
    int len = snprintf(field, sizeof field, "a/b");
    (void)state;
    for (int i = 1; i <= 17; i++) {
        len += snprintf(field + len, sizeof field - (size_t)len, ";x=y");
        assert_int_equal(type(field, "a/b;x=y"), i <= 16 ? 1000 : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_named_coding_weighs_1000),
        cmocka_unit_test(an_empty_field_names_nothing),
        cmocka_unit_test(weights_are_thousandths),
        cmocka_unit_test(an_odd_weight_spoils_its_member_only),
        cmocka_unit_test(an_asterisk_stands_for_what_is_not_named),
        cmocka_unit_test(codings_have_no_letter_case_and_old_names),
        cmocka_unit_test(malformed_codings_are_passed_over),
        cmocka_unit_test(the_first_member_of_two_decides),
        cmocka_unit_test(the_table_of_the_rfc_holds),
        cmocka_unit_test(the_most_specific_range_decides_wherever_it_stands),
        cmocka_unit_test(types_have_no_letter_case),
        cmocka_unit_test(a_weight_counts_wherever_it_stands),
        cmocka_unit_test(a_quoted_value_may_hold_a_comma),
        cmocka_unit_test(empty_parameters_are_passed_over),
        cmocka_unit_test(malformed_ranges_are_passed_over),
        cmocka_unit_test(a_range_with_too_many_parameters_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
