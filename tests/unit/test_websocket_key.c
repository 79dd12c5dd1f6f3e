#include "parser/websocket_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_accept(const char *key, const char *expected)
{
    char at[WEBSOCKET_ACCEPT_BYTES + 1];
    at[WEBSOCKET_ACCEPT_BYTES] = '~';
    assert_int_equal(websocket_key_accept(str_from(key), at), FLOW_DONE);
    assert_memory_equal(at, expected, WEBSOCKET_ACCEPT_BYTES);
    assert_int_equal(at[WEBSOCKET_ACCEPT_BYTES], '~');
}

static void accept_is_as_the_rfc_has_it(void **state)
{
    (void)state;
    assert_accept("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void accept_is_as_another_library_has_it(void **state)
{
    (void)state;
    assert_accept("+//7//v/+//7//v/+//7/w==", "/s236q/Ln8uUc71+9TrXBaf0/uc=");
    assert_accept("AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI=");
}

static void key_of_another_length_or_alphabet_is_refused(void **state)
{
    static const char *const keys[] = {
        "",
        "==",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZSE=",
        "dGhlIHNhbXBsZSBub25jZSEh",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25=ZQ==",
        "dGhlIHNhbXBsZSBub25-ZQ==",
        "dGhlIHNhbXBsZSBub25_ZQ==",
        "dGhlIHNhbXBsZSBub2 jZQ==",
        "dGhlIHNhbXBsZSBub\xc3\xa4jZQ==",
        " dGhlIHNhbXBsZSBub25jZQ==",
    };
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char at[WEBSOCKET_ACCEPT_BYTES];
        if (websocket_key_valid(str_from(keys[i])))
            fail_msg("%s is taken", keys[i]);
        assert_int_equal(websocket_key_accept(str_from(keys[i]), at),
                         FLOW_FAILED);
    }
    assert_false(websocket_key_valid((struct str){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_is_as_the_rfc_has_it),
        cmocka_unit_test(accept_is_as_another_library_has_it),
        cmocka_unit_test(key_of_another_length_or_alphabet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
