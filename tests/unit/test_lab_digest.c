#include "httpd/sources/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The example of FIPS 180-4. */
static const char ABC[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void pieces_give_the_sum_of_the_whole(void **state)
{
    struct digest *d = digest_new();
    char hex[DIGEST_HEX_BYTES];

    (void)state;
    assert_non_null(d);
    assert_true(digest_add(d, STR("a")));
    assert_true(digest_add(d, STR("")));
    assert_true(digest_add(d, STR("bc")));
    assert_true(digest_hex(d, hex));
    assert_memory_equal(hex, ABC, DIGEST_HEX_BYTES);
    digest_free(d);
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;
    digest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_give_the_sum_of_the_whole),
        cmocka_unit_test(freeing_nothing_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
