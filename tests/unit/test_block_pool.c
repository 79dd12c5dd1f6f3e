#include "buffers/block_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define PLENTY (1u << 20)

static void a_block_has_the_bytes_of_its_class(void **state)
{
    struct block_pool p;
    (void)state;
    block_pool_init(&p, PLENTY);
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++) {
        void *block = block_pool_get(&p, c);
        assert_non_null(block);
        memset(block, 0xa5, block_class_bytes(c));
        assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
        block_pool_put(&p, c, block);
    }
    assert_int_equal(block_class_bytes(BLOCK_4K), BLOCK_4K_BYTES);
    assert_int_equal(block_class_bytes(BLOCK_64K), BLOCK_64K_BYTES);
    block_pool_fini(&p);
}

static void a_returned_block_is_given_out_again(void **state)
{
    struct block_pool p;
    (void)state;
    block_pool_init(&p, PLENTY);
    void *block = block_pool_get(&p, BLOCK_4K);
    block_pool_put(&p, BLOCK_4K, block);
    assert_ptr_equal(block_pool_get(&p, BLOCK_4K), block);
    assert_int_equal(p.stats[BLOCK_4K].created, 1);
    assert_int_equal(p.stats[BLOCK_4K].retrieved, 2);
    block_pool_put(&p, BLOCK_4K, block);
    block_pool_fini(&p);
}

static void one_class_never_serves_the_other(void **state)
{
    struct block_pool p;
    (void)state;
    block_pool_init(&p, PLENTY);
    void *small = block_pool_get(&p, BLOCK_4K);
    block_pool_put(&p, BLOCK_4K, small);
    void *large = block_pool_get(&p, BLOCK_64K);
    memset(large, 0, BLOCK_64K_BYTES);
    assert_int_equal(p.stats[BLOCK_64K].created, 1);
    block_pool_put(&p, BLOCK_64K, large);
    assert_ptr_equal(block_pool_get(&p, BLOCK_4K), small);
    block_pool_put(&p, BLOCK_4K, small);
    block_pool_fini(&p);
}

static void borrowed_blocks_are_apart(void **state)
{
    struct block_pool p;
    unsigned char *blocks[8];
    (void)state;
    block_pool_init(&p, PLENTY);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) {
            blocks[i] = block_pool_get(&p, BLOCK_4K);
            memset(blocks[i], i, BLOCK_4K_BYTES);
        }
        for (int i = 0; i < 8; i++) {
            assert_int_equal(blocks[i][0], i);
            assert_int_equal(blocks[i][BLOCK_4K_BYTES - 1], i);
            block_pool_put(&p, BLOCK_4K, blocks[i]);
        }
    }
    assert_int_equal(p.stats[BLOCK_4K].created, 8);
    block_pool_fini(&p);
}

static void no_more_is_kept_than_was_said(void **state)
{
    struct block_pool p;
    void *blocks[4];
    (void)state;
    block_pool_init(&p, 2 * BLOCK_4K_BYTES + 100);
    for (int i = 0; i < 4; i++)
        blocks[i] = block_pool_get(&p, BLOCK_4K);
    for (int i = 0; i < 4; i++) {
        block_pool_put(&p, BLOCK_4K, blocks[i]);
        assert_true(p.kept_bytes <= p.keep_bytes);
    }
    assert_int_equal(p.kept_bytes, 2 * BLOCK_4K_BYTES);
    assert_int_equal(p.stats[BLOCK_4K].destroyed, 2);
    block_pool_fini(&p);
}

static void both_classes_share_what_may_be_kept(void **state)
{
    struct block_pool p;
    (void)state;
    block_pool_init(&p, BLOCK_64K_BYTES);
    void *small = block_pool_get(&p, BLOCK_4K);
    void *large = block_pool_get(&p, BLOCK_64K);
    block_pool_put(&p, BLOCK_4K, small);
    block_pool_put(&p, BLOCK_64K, large);
    assert_int_equal(p.kept_bytes, BLOCK_4K_BYTES);
    assert_int_equal(p.stats[BLOCK_64K].destroyed, 1);
    block_pool_fini(&p);
}

static void a_pool_that_keeps_nothing_still_serves(void **state)
{
    struct block_pool p;
    (void)state;
    block_pool_init(&p, 0);
    for (int i = 0; i < 3; i++) {
        void *block = block_pool_get(&p, BLOCK_64K);
        assert_non_null(block);
        block_pool_put(&p, BLOCK_64K, block);
        assert_int_equal(p.kept_bytes, 0);
    }
    assert_int_equal(p.stats[BLOCK_64K].created, 3);
    assert_int_equal(p.stats[BLOCK_64K].destroyed, 3);
    block_pool_fini(&p);
}

static void the_numbers_add_up(void **state)
{
    struct block_pool p;
    void *blocks[5];
    (void)state;
    block_pool_init(&p, PLENTY);
    const struct block_pool_stats *s = &p.stats[BLOCK_4K];
    for (int i = 0; i < 5; i++)
        blocks[i] = block_pool_get(&p, BLOCK_4K);
    for (int i = 0; i < 3; i++)
        block_pool_put(&p, BLOCK_4K, blocks[i]);
    assert_int_equal(s->retrieved, 5);
    assert_int_equal(s->returned, 3);
    assert_int_equal(s->in_use, 2);
    assert_int_equal(s->peak, 5);
    assert_int_equal(p.kept_bytes, 3 * BLOCK_4K_BYTES);
    assert_int_equal(p.stats[BLOCK_64K].retrieved, 0);
    for (int i = 3; i < 5; i++)
        block_pool_put(&p, BLOCK_4K, blocks[i]);
    block_pool_fini(&p);
    assert_int_equal(s->created, s->destroyed);
    assert_int_equal(p.kept_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_has_the_bytes_of_its_class),
        cmocka_unit_test(a_returned_block_is_given_out_again),
        cmocka_unit_test(one_class_never_serves_the_other),
        cmocka_unit_test(borrowed_blocks_are_apart),
        cmocka_unit_test(no_more_is_kept_than_was_said),
        cmocka_unit_test(both_classes_share_what_may_be_kept),
        cmocka_unit_test(a_pool_that_keeps_nothing_still_serves),
        cmocka_unit_test(the_numbers_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
