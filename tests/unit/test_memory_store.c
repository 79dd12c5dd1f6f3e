#include "httpd/streams/store.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct budget budget;
    struct block_pool pool;
    struct store *s;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    budget_init(&f->budget, UINT64_C(1) << 30);
    test_pool_init(&f->pool, 4);
    f->pool.budget = &f->budget;
    f->s = memory_store_new();
    assert_non_null(f->s);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->s)
        f->s->ops->free(f->s);
    test_pool_fini(&f->pool);
    assert_int_equal(f->budget.used, 0);
    free(f);
    return 0;
}

static enum flow append(struct fixture *f, const char *text)
{
    struct str message = str_from(text);
    return f->s->ops->append(f->s, &f->pool, &message, 1, (struct str){0});
}

static void put(struct fixture *f, const char *text)
{
    assert_int_equal(append(f, text), FLOW_DONE);
}

static void assert_holds(struct store *s, const char *text)
{
    char got[64] = "";
    struct store_copy copy;
    assert_int_equal(s->end - s->first, strlen(text));
    s->ops->copy(s, s->first, s->end, got, sizeof got, &copy);
    assert_string_equal(got, text);
}

static void nothing_is_taken_before_the_first_byte(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->budget.used, 0);
    assert_int_equal(append(f, "small"), FLOW_DONE);
    assert_int_equal(test_pool_in_use(&f->pool), 1);
    assert_in_range(f->budget.used, 1, 8192);
}

static void messages_keep_their_bounds(void **state)
{
    struct fixture *f = *state;
    uint64_t found;
    put(f, "one");
    put(f, "three");
    put(f, "7");
    const struct store_ops *ops = f->s->ops;
    assert_int_equal(f->s->messages_n, 3);
    assert_int_equal(ops->message_end(f->s, 3), 8);
    assert_int_equal(ops->message_begin(f->s, 7), 3);
    assert_int_equal(ops->message_begin(f->s, 8), 8);
    assert_int_equal(ops->skip_messages(f->s, 1, 2, &found), 8);
    assert_int_equal(ops->skip_messages(f->s, 3, 9, &found), 9);
    assert_int_equal(found, 2);
}

static void suffix_belongs_to_its_message(void **state)
{
    struct fixture *f = *state;
    struct str messages[] = {STR("1"), STR("[2]")};
    f->s->ops->append(f->s, &f->pool, messages, 2, STR("\n"));
    assert_holds(f->s, "1\n[2]\n");
    assert_int_equal(f->s->ops->message_end(f->s, 0), 2);
}

static void dropped_blocks_go_back(void **state)
{
    struct fixture *f = *state;
    static char large[3 * BLOCK_64K_BYTES];
    struct str message = {large, sizeof large};
    f->s->ops->append(f->s, &f->pool, &message, 1, (struct str){0});
    put(f, "rest");
    assert_int_equal(test_pool_in_use(&f->pool), 4);
    f->s->ops->drop(f->s, sizeof large);
    assert_int_equal(test_pool_in_use(&f->pool), 1);
    assert_holds(f->s, "rest");
    f->s->ops->drop(f->s, f->s->end);
    assert_int_equal(test_pool_in_use(&f->pool), 0);
    put(f, "again");
    assert_holds(f->s, "again");
}

static void lent_stretch_outlives_the_drop(void **state)
{
    struct fixture *f = *state;
    struct stretch lent;
    put(f, "lent");
    f->s->ops->stretch(f->s, 1, 3, &lent);
    f->s->ops->drop(f->s, 4);
    assert_int_equal(lent.len, 2);
    assert_memory_equal(lent.block->data + lent.at, "en", 2);
    block_unref(lent.block);
}

static void copy_tells_so_many_ends_and_stops_there(void **state)
{
    struct fixture *f = *state;
    static char got[4 * STORE_ENDS_MAX];
    struct store_copy copy;
    for (size_t i = 0; i < STORE_ENDS_MAX + 10; i++)
        append(f, "ab");
    f->s->ops->copy(f->s, 1, f->s->end, got, sizeof got, &copy);
    assert_int_equal(copy.ends_n, STORE_ENDS_MAX);
    assert_int_equal(copy.len, 2 * STORE_ENDS_MAX - 1);
    assert_int_equal(copy.ends[STORE_ENDS_MAX - 1], copy.len);
}

static void fork_shares_blocks_and_goes_on_alone(void **state)
{
    struct fixture *f = *state;
    put(f, "shared");
    struct store *fork = f->s->ops->fork(f->s, 4);
    assert_non_null(fork);
    assert_int_equal(test_pool_in_use(&f->pool), 1);
    put(f, " and more");
    struct str message = STR(" else");
    fork->ops->append(fork, &f->pool, &message, 1, (struct str){0});
    assert_holds(f->s, "shared and more");
    assert_holds(fork, "shar else");
    assert_int_equal(fork->messages_n, 2);
    fork->ops->free(fork);
}

static void fork_outlives_its_source(void **state)
{
    struct fixture *f = *state;
    put(f, "shared");
    struct store *fork = f->s->ops->fork(f->s, 6);
    assert_non_null(fork);
    f->s->ops->free(f->s);
    f->s = NULL;
    assert_holds(fork, "shared");
    fork->ops->free(fork);
}

static void append_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    static char large[BLOCK_64K_BYTES];
    struct str message = {large, sizeof large};
    put(f, "before");
    uint64_t used = f->budget.used;
    budget_set_limit(&f->budget, used);
    assert_int_equal(
        f->s->ops->append(f->s, &f->pool, &message, 1, (struct str){0}),
        FLOW_NO_MEMORY);
    assert_int_equal(f->budget.used, used);
    assert_int_equal(f->s->messages_n, 1);
    assert_holds(f->s, "before");
}

/* The blocks were granted, their index is not. */
static void index_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    static char text[40];
    struct str messages[2000];
    put(f, "before");
    for (size_t i = 0; i < 2000; i++)
        messages[i] = (struct str){text, sizeof text};
    uint64_t granted = f->budget.used + (128u << 10) + 4000;
    budget_set_limit(&f->budget, granted * 16 / 13);
    assert_int_equal(
        f->s->ops->append(f->s, &f->pool, messages, 2000, (struct str){0}),
        FLOW_NO_MEMORY);
    assert_holds(f->s, "before");
    assert_int_equal(f->s->messages_n, 1);
    assert_int_equal(test_pool_in_use(&f->pool), 1);
    assert_true(f->pool.class[BLOCK_64K].created > 0);
}

static void messages_are_found_beyond_4_gib(void **state)
{
    struct fixture *f = *state;
    static char large[1u << 20];
    struct str message = {large, sizeof large};
    const struct store_ops *ops = f->s->ops;
    memset(large, 'x', sizeof large);
    for (uint64_t i = 0; i < 4100; i++) {
        large[0] = (char)i;
        assert_int_equal(
            ops->append(f->s, &f->pool, &message, 1, (struct str){0}),
            FLOW_DONE);
        if (i < 3)
            continue;
        uint64_t pos = f->s->first + sizeof large;
        ops->drop(f->s, pos);
        assert_int_equal(ops->message_end(f->s, pos + 5), pos + sizeof large);
        assert_int_equal(ops->message_begin(f->s, f->s->end - 1),
                         f->s->end - sizeof large);
    }
    assert_true(f->s->first > UINT32_MAX);
    struct store_copy copy;
    char got;
    ops->copy(f->s, f->s->first, f->s->end, &got, 1, &copy);
    assert_int_equal(got, (char)4097);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_taken_before_the_first_byte),
        TEST(messages_keep_their_bounds),
        TEST(suffix_belongs_to_its_message),
        TEST(dropped_blocks_go_back),
        TEST(lent_stretch_outlives_the_drop),
        TEST(copy_tells_so_many_ends_and_stops_there),
        TEST(fork_shares_blocks_and_goes_on_alone),
        TEST(fork_outlives_its_source),
        TEST(append_without_memory_changes_nothing),
        TEST(index_without_memory_changes_nothing),
        TEST(messages_are_found_beyond_4_gib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
