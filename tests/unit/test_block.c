/* References to a block, and its way home from other threads. */
#include "buffers/block_pool.h"
#include "tests/support/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define KEEP 64u

static struct block *get(struct block_pool *p, enum block_class c)
{
    struct block *b = block_pool_get(p, c, BUDGET_LEAVING, "test_block");
    assert_non_null(b);
    block_pool_check(p);
    return b;
}

static void the_last_unref_gives_a_block_back(void **state)
{
    struct block_pool p;
    (void)state;
    test_pool_init(&p, KEEP);
    struct block *b = get(&p, BLOCK_4K);
    assert_false(block_shared(b));
    assert_ptr_equal(block_ref(b), b);
    assert_true(block_shared(b));
    block_ref(b);
    block_unref(b);
    assert_true(block_shared(b));
    block_unref(b);
    assert_false(block_shared(b));
    assert_int_equal(p.class[BLOCK_4K].in_use, 1);
    block_unref(b);
    assert_int_equal(p.class[BLOCK_4K].in_use, 0);
    test_pool_fini(&p);
}

static void unref_of_nothing_is_fine(void **state)
{
    (void)state;
    block_unref(NULL);
}

static void large_blocks_are_aligned_for_direct_reads(void **state)
{
    struct block_pool p;
    (void)state;
    test_pool_init(&p, 1);
    for (enum block_class c = BLOCK_1M; c <= BLOCK_4M; c++) {
        struct block *b = get(&p, c);
        assert_int_equal((uintptr_t)b->data % BLOCK_ALIGN_BYTES, 0);
        assert_int_equal(b->cap % BLOCK_ALIGN_BYTES, 0);
        memset(b->data, 0xa5, b->cap);
        block_unref(b);
    }
    test_pool_fini(&p);
}

static void a_block_is_empty_whatever_it_held(void **state)
{
    struct block_pool p;
    (void)state;
    test_pool_init(&p, KEEP);
    struct block *b = get(&p, BLOCK_4K);
    b->len = b->cap;
    b->next = b;
    block_unref(b);
    assert_ptr_equal(get(&p, BLOCK_4K), b);
    assert_int_equal(b->len, 0);
    assert_null(b->next);
    block_unref(b);
    test_pool_fini(&p);
}

static void *unref_elsewhere(void *b)
{
    block_unref(b);
    return NULL;
}

static void unref_on_another_thread(struct block *b)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, unref_elsewhere, b), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_block_finds_home_from_another_thread(void **state)
{
    struct block_pool p;
    (void)state;
    test_pool_init(&p, KEEP);
    struct block *b = get(&p, BLOCK_64K);
    unref_on_another_thread(b);
    assert_int_equal(p.class[BLOCK_64K].in_use, 1);
    block_pool_sweep(&p, 1);
    block_pool_check(&p);
    assert_int_equal(p.class[BLOCK_64K].in_use, 0);
    assert_int_equal(p.class[BLOCK_64K].foreign, 1);
    assert_ptr_equal(get(&p, BLOCK_64K), b);
    block_unref(b);
    test_pool_fini(&p);
}

static void what_came_back_is_lent_before_the_system_is_asked(void **state)
{
    struct block_pool p;
    (void)state;
    test_pool_init(&p, KEEP);
    struct block *b = get(&p, BLOCK_4K);
    unref_on_another_thread(b);
    assert_ptr_equal(get(&p, BLOCK_4K), b);
    assert_int_equal(p.class[BLOCK_4K].created, 1);
    assert_int_equal(p.class[BLOCK_4K].hits, 1);
    block_unref(b);
    test_pool_fini(&p);
}

static void the_end_collects_what_came_back(void **state)
{
    struct block_pool p;
    (void)state;
    test_pool_init(&p, KEEP);
    unref_on_another_thread(get(&p, BLOCK_1M));
    test_pool_fini(&p);
    assert_int_equal(p.class[BLOCK_1M].destroyed, 1);
}

static void *serve(void *arg)
{
    struct block_pool *p = arg;
    block_pool_own(p);
    block_unref(block_pool_get(p, BLOCK_4K, BUDGET_LEAVING, "serve"));
    return NULL;
}

static void a_pool_may_be_handed_to_another_thread(void **state)
{
    struct block_pool p;
    pthread_t thread;
    (void)state;
    test_pool_init(&p, KEEP);
    assert_int_equal(pthread_create(&thread, NULL, serve, &p), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    block_pool_own(&p);
    assert_int_equal(p.class[BLOCK_4K].returned, 1);
    assert_int_equal(p.class[BLOCK_4K].foreign, 0);
    test_pool_fini(&p);
}

/* One owner lends each block to four threads at once; whoever lets go of it
 * last returns it. */

#define THREADS 4
#define ROUNDS  20000
#define SLOTS   64

struct reader {
    _Atomic(struct block *) slots[SLOTS];
    _Atomic unsigned seen;
    _Atomic unsigned wrong;
    _Atomic bool ended;
};

static void read_block(struct reader *r, struct block *b)
{
    unsigned char want = (unsigned char)b->data[0];
    r->wrong += (unsigned char)b->data[b->len - 1] != want;
    block_unref(b);
    r->seen++;
}

static void *read_blocks(void *arg)
{
    struct reader *r = arg;
    bool last = false;
    while (!last) {
        last = r->ended;
        for (int i = 0; i < SLOTS; i++) {
            struct block *b = atomic_exchange(&r->slots[i], NULL);
            if (b)
                read_block(r, b);
        }
    }
    return NULL;
}

static void hand_out(struct reader *readers, struct block *b, int i)
{
    memset(b->data, i, 100);
    b->len = 100;
    for (int t = 0; t < THREADS; t++) {
        struct block *none = NULL;
        block_ref(b);
        if (!atomic_compare_exchange_strong(&readers[t].slots[i % SLOTS], &none,
                                            b))
            block_unref(b);
    }
    block_unref(b);
}

static void four_threads_return_what_one_lends(void **state)
{
    static struct reader readers[THREADS];
    struct block_pool p;
    pthread_t threads[THREADS];
    unsigned seen = 0;
    (void)state;
    test_pool_init(&p, KEEP);
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(
            pthread_create(&threads[t], NULL, read_blocks, &readers[t]), 0);
    for (int i = 0; i < ROUNDS; i++) {
        hand_out(readers, get(&p, i % 8 ? BLOCK_4K : BLOCK_64K), i);
        if (i % 100 == 0)
            block_pool_sweep(&p, (uint64_t)i);
    }
    for (int t = 0; t < THREADS; t++)
        readers[t].ended = true;
    for (int t = 0; t < THREADS; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(readers[t].wrong, 0);
        seen += readers[t].seen;
    }
    assert_true(seen > 0);
    block_pool_sweep(&p, ROUNDS);
    assert_int_equal(test_pool_in_use(&p), 0);
    assert_true(p.class[BLOCK_4K].foreign > 0);
    assert_int_equal(p.faults, 0);
    test_pool_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_unref_gives_a_block_back),
        cmocka_unit_test(unref_of_nothing_is_fine),
        cmocka_unit_test(large_blocks_are_aligned_for_direct_reads),
        cmocka_unit_test(a_block_is_empty_whatever_it_held),
        cmocka_unit_test(a_block_finds_home_from_another_thread),
        cmocka_unit_test(what_came_back_is_lent_before_the_system_is_asked),
        cmocka_unit_test(the_end_collects_what_came_back),
        cmocka_unit_test(a_pool_may_be_handed_to_another_thread),
        cmocka_unit_test(four_threads_return_what_one_lends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
