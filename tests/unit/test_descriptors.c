#include "httpd/guard/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void high_limit_gives_everyone_what_they_want(void **state)
{
    (void)state;
    struct descriptor_shares s = descriptors_share(20000, 2, 1024, 64);
    assert_int_equal(s.files, 1024);
    assert_int_equal(s.refused, 64);
    assert_int_equal(s.connections, 20000 - 64 - 2 * (1024 + 64));
}

static void usual_limit_leaves_connections_their_share(void **state)
{
    (void)state;
    struct descriptor_shares s = descriptors_share(1024, 2, 1024, 64);
    assert_int_equal(s.files, 240);
    assert_in_range(s.connections, 300, 480);
}

static void parts_never_exceed_the_limit(void **state)
{
    (void)state;
    for (size_t limit = 8; limit < 5000; limit += 7) {
        for (size_t n = 1; n <= 4; n++) {
            struct descriptor_shares s = descriptors_share(limit, n, 1024, 64);
            size_t used = s.connections + n * s.refused + n * s.files;
            assert_in_range(used, 1, limit);
        }
    }
}

static void no_limit_counts_as_a_million(void **state)
{
    (void)state;
    struct descriptor_shares s = descriptors_share(SIZE_MAX, 2, 1024, 64);
    assert_in_range(s.connections, 900000, DESCRIPTORS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(high_limit_gives_everyone_what_they_want),
        cmocka_unit_test(usual_limit_leaves_connections_their_share),
        cmocka_unit_test(parts_never_exceed_the_limit),
        cmocka_unit_test(no_limit_counts_as_a_million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
