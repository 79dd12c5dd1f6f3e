#include "httpd/streams/name_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The key of the paper's test vectors: bytes 0 to 15. */
static const struct name_key key = {UINT64_C(0x0706050403020100),
                                    UINT64_C(0x0f0e0d0c0b0a0908)};

static uint64_t hash_of_counting_bytes(size_t n)
{
    char bytes[64];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)i;
    return name_hash(&key, (struct str){bytes, n});
}

static void published_vectors_come_out(void **state)
{
    (void)state;
    assert_true(hash_of_counting_bytes(0) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(hash_of_counting_bytes(8) == UINT64_C(0x93f5f5799a932462));
    assert_true(hash_of_counting_bytes(15) == UINT64_C(0xa129ca6149be45e5));
}

static void both_halves_of_the_key_count(void **state)
{
    (void)state;
    struct name_key other = {key.k0 ^ 1, key.k1};
    struct name_key another = {key.k0, key.k1 ^ 1};
    uint64_t hash = name_hash(&key, STR("chat"));
    assert_true(hash != name_hash(&other, STR("chat")));
    assert_true(hash != name_hash(&another, STR("chat")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_come_out),
        cmocka_unit_test(both_halves_of_the_key_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
