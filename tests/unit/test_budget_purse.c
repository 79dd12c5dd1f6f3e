#include "buffers/budget_purse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PLENTY ((uint64_t)1 << 30)
#define SUM    5000u

struct fixture {
    struct budget budget;
    struct budget_purse purse;
};

static int set_up(void **state)
{
    static struct fixture f;
    budget_init(&f.budget, PLENTY);
    budget_purse_init(&f.purse, &f.budget, BUDGET_ACCEPTED);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    budget_purse_fini(&f->purse);
    assert_int_equal(f->budget.used, 0);
    assert_int_equal(f->budget.used_by[BUDGET_ACCEPTED], 0);
    return 0;
}

static void small_sums_ask_the_budget_once(void **state)
{
    struct fixture *f = *state;
    assert_true(budget_purse_take(&f->purse, SUM));
    uint64_t used = f->budget.used;
    assert_int_equal(used, SUM + BUDGET_PURSE_BYTES);
    for (size_t i = 0; i < BUDGET_PURSE_BYTES / SUM; i++)
        assert_true(budget_purse_take(&f->purse, SUM));
    assert_int_equal(f->budget.used, used);
    for (size_t i = 0; i <= BUDGET_PURSE_BYTES / SUM; i++)
        budget_purse_give(&f->purse, SUM);
    assert_int_equal(f->budget.used, used);
}

static void many_purses_do_not_eat_up_a_small_budget(void **state)
{
    struct fixture *f = *state;
    budget_set_limit(&f->budget, 1 << 20);
    assert_true(budget_purse_take(&f->purse, SUM));
    assert_int_equal(f->budget.used, SUM + 1024);
    budget_purse_give(&f->purse, SUM);
}

static void no_more_than_two_advances_lie_idle(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1000; i++)
        assert_true(budget_purse_take(&f->purse, SUM));
    for (int i = 0; i < 1000; i++) {
        budget_purse_give(&f->purse, SUM);
        assert_true(f->purse.unused <= 2 * BUDGET_PURSE_BYTES);
        assert_int_equal(f->budget.used,
                         f->purse.unused + (999 - (uint64_t)i) * SUM);
    }
}

static void the_last_bytes_are_granted_without_an_advance(void **state)
{
    struct fixture *f = *state;
    uint64_t max = budget_limit_of(&f->budget, BUDGET_ACCEPTED);
    assert_true(budget_take(&f->budget, BUDGET_LEAVING, max - SUM));
    assert_true(budget_purse_take(&f->purse, SUM));
    assert_int_equal(f->purse.unused, 0);
    assert_false(budget_purse_take(&f->purse, 1));
    assert_int_equal(f->budget.used, max);
    budget_purse_give(&f->purse, SUM);
    budget_give(&f->budget, BUDGET_LEAVING, max - SUM);
}

static void what_lies_idle_goes_back(void **state)
{
    struct fixture *f = *state;
    assert_true(budget_purse_take(&f->purse, SUM));
    budget_purse_settle(&f->purse);
    assert_int_equal(f->purse.unused, 0);
    assert_int_equal(f->budget.used, SUM);
    budget_purse_give(&f->purse, SUM);
    assert_int_equal(f->budget.used, SUM);
    budget_purse_settle(&f->purse);
    assert_int_equal(f->budget.used, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(small_sums_ask_the_budget_once),
        TEST(many_purses_do_not_eat_up_a_small_budget),
        TEST(no_more_than_two_advances_lie_idle),
        TEST(the_last_bytes_are_granted_without_an_advance),
        TEST(what_lies_idle_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
