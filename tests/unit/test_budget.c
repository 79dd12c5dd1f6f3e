#include "buffers/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LIMIT 1600u

/* All but the vital one, which goes on beyond the limit. */
#define ORDINARY 5
static const enum budget_class all[ORDINARY] = {
    BUDGET_LEAVING, BUDGET_ACCEPTED, BUDGET_NEW, BUDGET_STREAM, BUDGET_CACHE};

static void check(const struct budget *b)
{
    uint64_t sum = 0;
    for (int c = 0; c < BUDGET_CLASSES; c++)
        sum += b->used_by[c];
    assert_true(sum == b->used);
    assert_true(b->used <= b->used_max);
}

static void caches_stop_first_and_what_leaves_last(void **state)
{
    const uint64_t limit_of[] = {1600, 1500, 1400, 1300, 1200};
    struct budget b;
    (void)state;
    budget_init(&b, LIMIT);
    for (int i = 0; i < ORDINARY; i++)
        assert_int_equal(budget_limit_of(&b, all[i]), limit_of[i]);
    for (int i = ORDINARY; i-- > 0;) {
        assert_true(budget_take(&b, all[i], limit_of[i] - b.used));
        for (int k = i; k < ORDINARY; k++)
            assert_false(budget_take(&b, all[k], 1));
        check(&b);
    }
    assert_int_equal(b.used, LIMIT);
}

static void a_grant_is_all_or_nothing(void **state)
{
    struct budget b;
    (void)state;
    budget_init(&b, LIMIT);
    assert_true(budget_take(&b, BUDGET_LEAVING, 1000));
    assert_false(budget_take(&b, BUDGET_LEAVING, 601));
    assert_int_equal(b.used, 1000);
    assert_int_equal(b.refused[BUDGET_LEAVING], 1);
    assert_true(budget_take(&b, BUDGET_LEAVING, 600));
    check(&b);
}

static void what_comes_back_can_be_granted_again(void **state)
{
    struct budget b;
    (void)state;
    budget_init(&b, LIMIT);
    for (int i = 0; i < 100; i++) {
        assert_true(budget_take(&b, BUDGET_NEW, 1400));
        assert_false(budget_take(&b, BUDGET_NEW, 1));
        budget_give(&b, BUDGET_NEW, 1400);
        check(&b);
    }
    assert_int_equal(b.used, 0);
    assert_int_equal(b.used_max, 1400);
}

static void a_request_for_more_than_there_is_does_not_wrap(void **state)
{
    struct budget b;
    (void)state;
    budget_init(&b, UINT64_MAX);
    assert_true(budget_take(&b, BUDGET_LEAVING, SIZE_MAX - 10));
    assert_false(budget_take(&b, BUDGET_LEAVING, 100));
    assert_false(budget_take(&b, BUDGET_CACHE, SIZE_MAX));
    check(&b);
}

static void moved_bytes_change_their_class_only(void **state)
{
    struct budget b;
    (void)state;
    budget_init(&b, LIMIT);
    assert_true(budget_take(&b, BUDGET_LEAVING, 500));
    budget_move(&b, BUDGET_LEAVING, BUDGET_CACHE, 200);
    assert_int_equal(b.used, 500);
    assert_int_equal(b.used_by[BUDGET_LEAVING], 300);
    assert_int_equal(b.used_by[BUDGET_CACHE], 200);
    check(&b);
}

static void a_lower_limit_refuses_until_enough_came_back(void **state)
{
    struct budget b;
    (void)state;
    budget_init(&b, LIMIT);
    assert_true(budget_take(&b, BUDGET_LEAVING, 1000));
    assert_false(budget_short(&b, BUDGET_CACHE));
    budget_set_limit(&b, 800);
    assert_true(budget_short(&b, BUDGET_LEAVING));
    assert_false(budget_take(&b, BUDGET_LEAVING, 1));
    budget_give(&b, BUDGET_LEAVING, 300);
    assert_false(budget_short(&b, BUDGET_LEAVING));
    assert_true(budget_short(&b, BUDGET_CACHE));
    assert_true(budget_take(&b, BUDGET_LEAVING, 100));
    assert_false(budget_take(&b, BUDGET_LEAVING, 1));
    check(&b);
}

static void what_lacks_is_what_must_come_back(void **state)
{
    struct budget b;
    (void)state;
    budget_init(&b, 1600);
    assert_true(budget_take(&b, BUDGET_LEAVING, 1300));
    assert_int_equal(budget_lacking(&b, BUDGET_NEW, 100), 0);
    assert_int_equal(budget_lacking(&b, BUDGET_NEW, 101), 1);
    assert_int_equal(budget_lacking(&b, BUDGET_CACHE, 0), 100);
    assert_int_equal(budget_lacking(&b, BUDGET_CACHE, 7), 107);
    assert_int_equal(budget_lacking(NULL, BUDGET_CACHE, SIZE_MAX), 0);
    check(&b);
}

static void no_budget_grants_everything(void **state)
{
    (void)state;
    assert_true(budget_take(NULL, BUDGET_CACHE, SIZE_MAX));
    assert_false(budget_short(NULL, BUDGET_CACHE));
    budget_move(NULL, BUDGET_CACHE, BUDGET_NEW, 1);
    budget_give(NULL, BUDGET_CACHE, SIZE_MAX);
}

static void each_class_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(budget_class_name(BUDGET_LEAVING), "leaving");
    assert_string_equal(budget_class_name(BUDGET_CACHE), "cache");
}

#define THREADS 4
#define TURNS   50000

struct crowd {
    struct budget b;
    _Atomic uint64_t granted;
};

static void *take_and_give(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < TURNS; i++) {
        enum budget_class k = all[i % ORDINARY];
        size_t bytes = (size_t)(i * 7 % 900);
        if (!budget_take(&c->b, k, bytes))
            continue;
        uint64_t granted = atomic_fetch_add(&c->granted, bytes) + bytes;
        if (granted > LIMIT)
            return c;
        atomic_fetch_sub(&c->granted, bytes);
        budget_give(&c->b, k, bytes);
    }
    return NULL;
}

static void threads_together_never_pass_the_limit(void **state)
{
    static struct crowd c;
    pthread_t threads[THREADS];
    (void)state;
    budget_init(&c.b, LIMIT);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &c),
                         0);
    for (int i = 0; i < THREADS; i++) {
        void *passed;
        assert_int_equal(pthread_join(threads[i], &passed), 0);
        assert_null(passed);
    }
    assert_int_equal(c.b.used, 0);
    assert_true(c.b.used_max <= LIMIT);
    check(&c.b);
}

static void refusals_are_granted_when_nothing_is_left(void **state)
{
    struct budget b;
    (void)state;
    budget_init(&b, 1000);
    assert_true(budget_take(&b, BUDGET_LEAVING, 1000));
    budget_set_limit(&b, 10);
    assert_int_equal(budget_lacking(&b, BUDGET_VITAL, 4096), 0);
    assert_true(budget_take(&b, BUDGET_VITAL, 4096));
    assert_true(budget_take(&b, BUDGET_VITAL, BUDGET_VITAL_BYTES - 4096));
    assert_false(budget_take(&b, BUDGET_VITAL, 1));
    assert_int_equal(b.refused[BUDGET_VITAL], 1);
    assert_int_equal(b.used, 1000 + BUDGET_VITAL_BYTES);
    budget_give(&b, BUDGET_VITAL, BUDGET_VITAL_BYTES);
    assert_true(budget_take(&b, BUDGET_VITAL, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caches_stop_first_and_what_leaves_last),
        cmocka_unit_test(a_grant_is_all_or_nothing),
        cmocka_unit_test(what_comes_back_can_be_granted_again),
        cmocka_unit_test(a_request_for_more_than_there_is_does_not_wrap),
        cmocka_unit_test(moved_bytes_change_their_class_only),
        cmocka_unit_test(a_lower_limit_refuses_until_enough_came_back),
        cmocka_unit_test(what_lacks_is_what_must_come_back),
        cmocka_unit_test(no_budget_grants_everything),
        cmocka_unit_test(each_class_has_a_name),
        cmocka_unit_test(refusals_are_granted_when_nothing_is_left),
        cmocka_unit_test(threads_together_never_pass_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
