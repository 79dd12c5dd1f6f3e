#include "httpd/files/encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define IDENTITY CODING_BIT(CODING_IDENTITY)
#define MADE     CODING_BIT(CODING_GZIP_MADE)
#define GZIP     CODING_BIT(CODING_GZIP)
#define ZSTD     CODING_BIT(CODING_ZSTD)
#define BR       CODING_BIT(CODING_BR)
#define ALL      (IDENTITY | MADE | GZIP | ZSTD | BR)

static enum coding choose(const char *field, unsigned offered)
{
    return encoding_choose(str_from(field), offered);
}

static void without_the_field_the_file_goes_out_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(choose(NULL, ALL), CODING_IDENTITY);
}

static void an_empty_field_wants_no_coding(void **state)
{
    (void)state;
    assert_int_equal(choose("", ALL), CODING_IDENTITY);
}

static void of_equal_weights_the_smaller_coding_wins(void **state)
{
    (void)state;
    assert_int_equal(choose("gzip, deflate, br, zstd", ALL), CODING_BR);
    assert_int_equal(choose("gzip, zstd", ALL), CODING_ZSTD);
    assert_int_equal(choose("gzip", ALL), CODING_GZIP);
    assert_int_equal(choose("gzip, identity", IDENTITY | MADE),
                     CODING_GZIP_MADE);
}

static void a_higher_weight_wins(void **state)
{
    (void)state;
    assert_int_equal(choose("br;q=0.5, gzip;q=0.8", ALL), CODING_GZIP);
    assert_int_equal(choose("gzip;q=0.2, identity;q=0.9", ALL),
                     CODING_IDENTITY);
}

static void a_named_coding_beats_an_identity_that_is_not_named(void **state)
{
    (void)state;
    assert_int_equal(choose("gzip;q=0.001", IDENTITY | MADE), CODING_GZIP_MADE);
}

static void only_what_is_offered_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(choose("br, gzip;q=0.5", IDENTITY | MADE),
                     CODING_GZIP_MADE);
    assert_int_equal(choose("br, zstd", IDENTITY | MADE), CODING_IDENTITY);
}

static void weight_nought_means_never(void **state)
{
    (void)state;
    assert_int_equal(choose("br;q=0, gzip;q=0", ALL), CODING_IDENTITY);
    assert_int_equal(choose("*;q=0, zstd", ALL), CODING_ZSTD);
}

static void a_star_stands_for_what_is_not_named(void **state)
{
    (void)state;
    assert_int_equal(choose("*", ALL), CODING_BR);
    assert_int_equal(choose("br;q=0, *", ALL), CODING_ZSTD);
}

static void when_all_is_refused_the_file_goes_out_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(choose("identity;q=0", IDENTITY), CODING_IDENTITY);
    assert_int_equal(choose("*;q=0", ALL), CODING_IDENTITY);
    assert_int_equal(choose("identity;q=0, gzip", IDENTITY | MADE),
                     CODING_GZIP_MADE);
}

static void every_coding_has_a_tag_of_its_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < CODINGS; a++)
        for (unsigned b = 0; b < a; b++)
            assert_false(str_equal(encoding_tag(a), encoding_tag(b)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_field_the_file_goes_out_as_it_is),
        cmocka_unit_test(an_empty_field_wants_no_coding),
        cmocka_unit_test(of_equal_weights_the_smaller_coding_wins),
        cmocka_unit_test(a_higher_weight_wins),
        cmocka_unit_test(a_named_coding_beats_an_identity_that_is_not_named),
        cmocka_unit_test(only_what_is_offered_is_chosen),
        cmocka_unit_test(weight_nought_means_never),
        cmocka_unit_test(a_star_stands_for_what_is_not_named),
        cmocka_unit_test(when_all_is_refused_the_file_goes_out_as_it_is),
        cmocka_unit_test(every_coding_has_a_tag_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
