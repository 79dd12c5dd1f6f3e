#include "buffers/block_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define KEEP  8u
#define LIMIT (UINT64_C(64) << 20)

struct fixture {
    struct budget budget;
    struct block_pool pool;
};

/* Looked at in the end: a leak behind a failed test is no wonder. */
static void count_only(void *arg, const struct block_fault_report *report)
{
    (void)arg;
    (void)report;
}

static void begin(struct fixture *f)
{
    struct block_pool_config config = {
        .name = "worker/0",
        .budget = &f->budget,
        .keep_max = {KEEP, KEEP, KEEP, KEEP},
        .leak_ms = 5000,
        .track_all = true,
        .on_fault = count_only,
    };
    budget_init(&f->budget, LIMIT);
    block_pool_init(&f->pool, &config);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    begin(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    block_pool_fini(&f->pool);
    bool faulty = f->pool.faults > 0;
    free(f);
    return faulty ? -1 : 0;
}

/* For tests that end the pool themselves. */
static int let_go(void **state)
{
    free(*state);
    return 0;
}

static struct block *get_as(struct fixture *f, enum block_class c,
                            enum budget_class budget)
{
    struct block *b = block_pool_get(&f->pool, c, budget, "test");
    block_pool_check(&f->pool);
    return b;
}

static struct block *get(struct fixture *f, enum block_class c)
{
    struct block *b = get_as(f, c, BUDGET_LEAVING);
    assert_non_null(b);
    return b;
}

static void put(struct fixture *f, struct block *b)
{
    block_unref(b);
    block_pool_check(&f->pool);
}

static void get_n(struct fixture *f, enum block_class c, struct block **blocks,
                  int n)
{
    for (int i = 0; i < n; i++)
        blocks[i] = get(f, c);
}

static void put_n(struct fixture *f, struct block **blocks, int n)
{
    for (int i = 0; i < n; i++)
        put(f, blocks[i]);
}

static uint64_t kept(struct fixture *f, enum block_class c)
{
    struct block_pool_stats s;
    block_pool_stats(&f->pool, false, &s);
    return s.class[c].kept;
}

/* Lending and keeping. */

static void a_block_has_the_bytes_of_its_class(void **state)
{
    struct fixture *f = *state;
    const size_t bytes[] = {BLOCK_4K_BYTES, BLOCK_64K_BYTES, BLOCK_1M_BYTES,
                            BLOCK_4M_BYTES};
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++) {
        struct block *b = get(f, c);
        assert_int_equal(b->cap, bytes[c]);
        assert_int_equal(block_class_bytes(c), bytes[c]);
        assert_true(block_class_cost_bytes(c) > bytes[c]);
        memset(b->data, 0xa5, b->cap);
        assert_int_equal((uintptr_t)b->data % _Alignof(max_align_t), 0);
        put(f, b);
    }
}

static void a_returned_block_is_given_out_again(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_4K);
    put(f, b);
    assert_ptr_equal(get(f, BLOCK_4K), b);
    assert_int_equal(f->pool.class[BLOCK_4K].created, 1);
    assert_int_equal(f->pool.class[BLOCK_4K].retrieved, 2);
    put(f, b);
}

static void one_class_never_serves_the_other(void **state)
{
    struct fixture *f = *state;
    struct block *small = get(f, BLOCK_4K);
    put(f, small);
    struct block *large = get(f, BLOCK_64K);
    memset(large->data, 0, large->cap);
    assert_int_equal(f->pool.class[BLOCK_64K].created, 1);
    put(f, large);
    assert_ptr_equal(get(f, BLOCK_4K), small);
    put(f, small);
}

static void borrowed_blocks_are_apart(void **state)
{
    struct fixture *f = *state;
    struct block *blocks[KEEP];
    for (int round = 0; round < 2; round++) {
        get_n(f, BLOCK_4K, blocks, KEEP);
        for (int i = 0; i < (int)KEEP; i++)
            memset(blocks[i]->data, i, blocks[i]->cap);
        for (int i = 0; i < (int)KEEP; i++) {
            assert_int_equal(blocks[i]->data[0], i);
            assert_int_equal(blocks[i]->data[blocks[i]->cap - 1], i);
        }
        put_n(f, blocks, KEEP);
    }
    assert_int_equal(f->pool.class[BLOCK_4K].created, KEEP);
}

static void no_more_is_kept_than_was_said(void **state)
{
    struct fixture *f = *state;
    struct block *blocks[KEEP + 3];
    get_n(f, BLOCK_4K, blocks, KEEP + 3);
    put_n(f, blocks, KEEP + 3);
    assert_int_equal(kept(f, BLOCK_4K), KEEP);
    assert_int_equal(f->pool.class[BLOCK_4K].destroyed, 3);
}

static void a_pool_that_keeps_nothing_still_serves(void **state)
{
    struct fixture *f = *state;
    block_pool_set_keep(&f->pool, BLOCK_64K, 0);
    for (int i = 0; i < 3; i++)
        put(f, get(f, BLOCK_64K));
    assert_int_equal(f->pool.class[BLOCK_64K].created, 3);
    assert_int_equal(f->pool.class[BLOCK_64K].destroyed, 3);
    assert_int_equal(f->budget.used, 0);
}

static void no_more_is_lent_than_was_said(void **state)
{
    struct fixture *f = *state;
    struct block *blocks[2];
    block_pool_set_lend(&f->pool, BLOCK_4K, 2);
    get_n(f, BLOCK_4K, blocks, 2);
    assert_null(get_as(f, BLOCK_4K, BUDGET_LEAVING));
    assert_int_equal(f->pool.class[BLOCK_4K].refused, 1);
    put(f, blocks[0]);
    blocks[0] = get(f, BLOCK_4K);
    put_n(f, blocks, 2);
}

static void the_numbers_add_up(void **state)
{
    struct fixture *f = *state;
    struct block_pool_stats stats;
    const struct block_class_stats *s = &stats.class[BLOCK_4K];
    struct block *blocks[5];
    get_n(f, BLOCK_4K, blocks, 5);
    put_n(f, blocks, 3);
    blocks[0] = get(f, BLOCK_4K);
    block_pool_stats(&f->pool, true, &stats);
    assert_int_equal(s->created, 5);
    assert_int_equal(s->retrieved, 6);
    assert_int_equal(s->hits, 1);
    assert_int_equal(s->misses, 5);
    assert_int_equal(s->returned, 3);
    assert_int_equal(s->in_use, 3);
    assert_int_equal(s->peak, 5);
    assert_int_equal(s->window_peak, 5);
    assert_int_equal(s->kept, 2);
    assert_int_equal(s->keep_max, KEEP);
    assert_int_equal(s->bytes, 5 * block_class_cost_bytes(BLOCK_4K));
    assert_int_equal(stats.class[BLOCK_64K].retrieved, 0);
    put(f, blocks[0]);
    block_pool_stats(&f->pool, true, &stats);
    assert_int_equal(s->window_peak, 3);
    assert_int_equal(s->peak, 5);
    put_n(f, blocks + 3, 2);
}

/* Growing smaller. */

static void blocks_that_nobody_needed_go_by_halves(void **state)
{
    struct fixture *f = *state;
    struct block *blocks[KEEP];
    const unsigned left[] = {8, 4, 2, 1, 0, 0};
    uint64_t now_ms = 1000000;
    get_n(f, BLOCK_64K, blocks, KEEP);
    put_n(f, blocks, KEEP);
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        block_pool_sweep(&f->pool, now_ms);
        block_pool_sweep(&f->pool, now_ms + BLOCK_POOL_AGE_MS - 1);
        block_pool_check(&f->pool);
        assert_int_equal(kept(f, BLOCK_64K), left[i]);
        now_ms += BLOCK_POOL_AGE_MS;
    }
}

static void blocks_that_are_needed_stay(void **state)
{
    struct fixture *f = *state;
    struct block *blocks[KEEP];
    for (uint64_t i = 1; i < 20; i++) {
        get_n(f, BLOCK_4K, blocks, KEEP);
        put_n(f, blocks, KEEP);
        block_pool_sweep(&f->pool, i * BLOCK_POOL_AGE_MS);
    }
    assert_int_equal(f->pool.class[BLOCK_4K].created, KEEP);
    assert_int_equal(kept(f, BLOCK_4K), KEEP);
}

static void the_block_used_last_is_the_last_to_go(void **state)
{
    struct fixture *f = *state;
    struct block *blocks[KEEP];
    get_n(f, BLOCK_4K, blocks, KEEP);
    put_n(f, blocks, KEEP);
    block_pool_set_keep(&f->pool, BLOCK_4K, 1);
    block_pool_sweep(&f->pool, 1);
    assert_int_equal(kept(f, BLOCK_4K), 1);
    struct block *b = get(f, BLOCK_4K);
    assert_ptr_equal(b, blocks[KEEP - 1]);
    put(f, b);
}

static void one_sweep_frees_so_many_at_most(void **state)
{
    struct fixture *f = *state;
    static struct block *blocks[2 * BLOCK_POOL_SWEEP_MAX + 1];
    const int n = sizeof blocks / sizeof blocks[0];
    block_pool_set_keep(&f->pool, BLOCK_4K, (uint32_t)n);
    for (int i = 0; i < n; i++)
        blocks[i] = block_pool_get(&f->pool, BLOCK_4K, BUDGET_LEAVING, "test");
    for (int i = 0; i < n; i++)
        block_unref(blocks[i]);
    block_pool_set_keep(&f->pool, BLOCK_4K, 0);
    block_pool_sweep(&f->pool, 1);
    assert_int_equal(kept(f, BLOCK_4K), BLOCK_POOL_SWEEP_MAX + 1);
    block_pool_sweep(&f->pool, 2);
    assert_int_equal(kept(f, BLOCK_4K), 1);
    block_pool_sweep(&f->pool, 3);
    assert_int_equal(kept(f, BLOCK_4K), 0);
    block_pool_check(&f->pool);
}

/* The budget. */

static void the_budget_knows_what_is_lent_and_what_is_kept(void **state)
{
    struct fixture *f = *state;
    size_t cost = block_class_cost_bytes(BLOCK_64K);
    struct block *a = get(f, BLOCK_64K);
    struct block *b = get_as(f, BLOCK_64K, BUDGET_ACCEPTED);
    assert_int_equal(f->budget.used, 2 * cost);
    assert_int_equal(f->budget.used_by[BUDGET_LEAVING], cost);
    assert_int_equal(f->budget.used_by[BUDGET_ACCEPTED], cost);
    put(f, a);
    put(f, b);
    b = get_as(f, BLOCK_64K, BUDGET_NEW);
    block_pool_sweep(&f->pool, 1);
    assert_int_equal(f->budget.used, 2 * cost);
    assert_int_equal(f->budget.used_by[BUDGET_LEAVING], 0);
    assert_int_equal(f->budget.used_by[BUDGET_ACCEPTED], 0);
    assert_int_equal(f->budget.used_by[BUDGET_NEW], cost);
    assert_int_equal(f->budget.used_by[BUDGET_CACHE], cost);
    put(f, b);
    block_pool_fini(&f->pool);
    assert_int_equal(f->budget.used, 0);
    for (int c = 0; c < BUDGET_CLASSES; c++)
        assert_int_equal(f->budget.used_by[c], 0);
}

static void new_connections_are_refused_before_what_leaves(void **state)
{
    struct fixture *f = *state;
    size_t cost = block_class_cost_bytes(BLOCK_64K);
    struct block *leaving = NULL;
    budget_set_limit(&f->budget, cost);
    assert_null(get_as(f, BLOCK_64K, BUDGET_CACHE));
    assert_null(get_as(f, BLOCK_64K, BUDGET_NEW));
    assert_null(get_as(f, BLOCK_64K, BUDGET_ACCEPTED));
    leaving = get(f, BLOCK_64K);
    assert_int_equal(f->pool.class[BLOCK_64K].refused, 3);
    assert_int_equal(f->budget.used, cost);
    put(f, leaving);
}

static void nothing_is_kept_when_caches_are_short(void **state)
{
    struct fixture *f = *state;
    size_t cost = block_class_cost_bytes(BLOCK_64K);
    struct block *blocks[4];
    get_n(f, BLOCK_64K, blocks, 4);
    budget_set_limit(&f->budget, 4 * cost);
    put(f, blocks[0]);
    assert_int_equal(kept(f, BLOCK_64K), 0);
    assert_int_equal(f->budget.used, 3 * cost);
    put(f, blocks[1]);
    assert_int_equal(kept(f, BLOCK_64K), 1);
    budget_set_limit(&f->budget, 3 * cost);
    block_pool_sweep(&f->pool, 1);
    assert_int_equal(kept(f, BLOCK_64K), 0);
    put_n(f, blocks + 2, 2);
}

static void kept_blocks_yield_to_what_leaves(void **state)
{
    struct fixture *f = *state;
    put(f, get(f, BLOCK_4M));
    put(f, get(f, BLOCK_4K));
    budget_set_limit(&f->budget, f->budget.used);
    struct block *b = get(f, BLOCK_1M);
    assert_int_equal(f->budget.refused[BUDGET_LEAVING], 0);
    assert_int_equal(kept(f, BLOCK_4M), 0);
    assert_int_equal(kept(f, BLOCK_4K), 1);
    put(f, b);
}

static void kept_blocks_yield_before_a_connection_is_refused(void **state)
{
    struct fixture *f = *state;
    put(f, get(f, BLOCK_4M));
    put(f, get(f, BLOCK_4K));
    budget_set_limit(&f->budget, f->budget.used);
    struct block *b = get_as(f, BLOCK_64K, BUDGET_NEW);
    assert_non_null(b);
    assert_int_equal(kept(f, BLOCK_4M), 0);
    assert_int_equal(kept(f, BLOCK_4K), 1);
    put(f, b);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define ENDS_POOL(name) cmocka_unit_test_setup_teardown(name, set_up, let_go)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_block_has_the_bytes_of_its_class),
        TEST(a_returned_block_is_given_out_again),
        TEST(one_class_never_serves_the_other),
        TEST(borrowed_blocks_are_apart),
        TEST(no_more_is_kept_than_was_said),
        TEST(a_pool_that_keeps_nothing_still_serves),
        TEST(no_more_is_lent_than_was_said),
        TEST(the_numbers_add_up),
        TEST(blocks_that_nobody_needed_go_by_halves),
        TEST(blocks_that_are_needed_stay),
        TEST(the_block_used_last_is_the_last_to_go),
        TEST(one_sweep_frees_so_many_at_most),
        ENDS_POOL(the_budget_knows_what_is_lent_and_what_is_kept),
        TEST(new_connections_are_refused_before_what_leaves),
        TEST(nothing_is_kept_when_caches_are_short),
        TEST(kept_blocks_yield_to_what_leaves),
        TEST(kept_blocks_yield_before_a_connection_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
