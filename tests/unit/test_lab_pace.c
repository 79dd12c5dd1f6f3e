#include "httpd/sources/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HUGE_BYTES (UINT64_C(1) << 40)
#define DAY_MS     UINT64_C(86400000)

static void first_step_is_due_at_once(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, 10, 1, 5000);
    assert_int_equal(pace_due_ms(&p, 0), 0);
    assert_int_equal(pace_allowed(&p, 0), 1);
}

static void bytes_are_spread_evenly(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, 10, 1, 5000);
    assert_int_equal(pace_allowed(&p, 499), 1);
    assert_int_equal(pace_allowed(&p, 500), 2);
    assert_int_equal(pace_allowed(&p, 4500), 10);
    assert_int_equal(pace_due_ms(&p, 9), 4500);
}

static void steps_are_kept_whole(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, 10, 4, 3000);
    assert_int_equal(pace_allowed(&p, 0), 4);
    assert_int_equal(pace_allowed(&p, 1000), 8);
    assert_int_equal(pace_allowed(&p, 2000), 10);
}

static void no_duration_allows_all_at_once(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, HUGE_BYTES, 1, 0);
    assert_true(pace_allowed(&p, 0) == HUGE_BYTES);
}

static void no_bytes_are_no_trouble(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, 0, 1, 1000);
    assert_int_equal(pace_allowed(&p, 0), 0);
    assert_int_equal(pace_due_ms(&p, 0), 0);
}

static void after_the_duration_everything_is_allowed(void **state)
{
    struct pace p;

    (void)state;
    pace_init(&p, HUGE_BYTES, 3, DAY_MS);
    assert_true(pace_allowed(&p, DAY_MS) == HUGE_BYTES);
    assert_true(pace_allowed(&p, UINT64_MAX) == HUGE_BYTES);
}

/* The source sleeps until pace_due_ms(): if nothing more were allowed then, it
 * would spin. */
static void when_it_is_due_something_is_allowed(void **state)
{
    static const uint64_t SIZES[] = {1, 2, 7, 1000, 86399999, HUGE_BYTES};
    static const uint64_t DURATIONS[] = {1, 3, 10, 1000, 999983, DAY_MS};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 6; j++) {
            struct pace p;
            uint64_t sent = 0;

            pace_init(&p, SIZES[i], 1, DURATIONS[j]);
            for (unsigned k = 0; k < 1000 && sent < SIZES[i]; k++) {
                const uint64_t due = pace_due_ms(&p, sent);
                const uint64_t allowed = pace_allowed(&p, due);

                assert_true(allowed > sent);
                assert_true(due <= DURATIONS[j]);
                sent = allowed;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_step_is_due_at_once),
        cmocka_unit_test(bytes_are_spread_evenly),
        cmocka_unit_test(steps_are_kept_whole),
        cmocka_unit_test(no_duration_allows_all_at_once),
        cmocka_unit_test(no_bytes_are_no_trouble),
        cmocka_unit_test(after_the_duration_everything_is_allowed),
        cmocka_unit_test(when_it_is_due_something_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
