#include "httpd/streams/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/pool.h"

static struct block_pool pool;

static int set_up(void **state)
{
    test_pool_init(&pool, 4);
    *state = memory_store_new();
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    struct store *s = *state;
    s->ops->free(s);
    test_pool_fini(&pool);
    return 0;
}

static void append(struct store *s, const char *text)
{
    struct str message = str_from(text);
    assert_int_equal(s->ops->append(s, &pool, &message, 1, STR("")), FLOW_DONE);
}

static void append_bytes(struct store *s, size_t len, char fill)
{
    char *bytes = malloc(len);
    assert_non_null(bytes);
    memset(bytes, fill, len);
    struct str message = {bytes, len};
    assert_int_equal(s->ops->append(s, &pool, &message, 1, STR("")), FLOW_DONE);
    free(bytes);
}

static void assert_holds(struct store *s, uint64_t pos, const char *text)
{
    char out[64];
    struct store_copy copy;
    s->ops->copy(s, pos, s->end, out, sizeof out, &copy);
    assert_int_equal(copy.len, strlen(text));
    assert_memory_equal(out, text, copy.len);
}

static void nothing_is_taken_before_the_first_byte(void **state)
{
    struct store *s = *state;
    assert_int_equal(s->end, 0);
    assert_int_equal(s->messages_n, 0);
    assert_int_equal(test_pool_in_use(&pool), 0);
}

static void suffix_belongs_to_each_message(void **state)
{
    struct store *s = *state;
    struct str two[] = {STR("ab"), STR("c")};
    assert_int_equal(s->ops->append(s, &pool, two, 2, STR("\n")), FLOW_DONE);
    assert_holds(s, 0, "ab\nc\n");
    assert_int_equal(s->messages_n, 2);
    assert_int_equal(s->ops->message_end(s, 0), 3);
    assert_int_equal(s->ops->message_end(s, 3), 5);
}

static void first_bytes_cost_a_small_block(void **state)
{
    struct store *s = *state;
    append(s, "a");
    assert_int_equal(pool.class[BLOCK_4K].in_use, 1);
    assert_int_equal(pool.class[BLOCK_64K].in_use, 0);
}

static void blocks_that_hold_nothing_any_more_go_back(void **state)
{
    struct store *s = *state;
    for (int i = 0; i < 10; i++)
        append_bytes(s, BLOCK_64K_BYTES, 'x');
    s->ops->drop(s, 5 * (uint64_t)BLOCK_64K_BYTES);
    assert_in_range(test_pool_in_use(&pool), 5, 6);
    s->ops->drop(s, s->end);
    assert_int_equal(test_pool_in_use(&pool), 0);
}

static void positions_go_on_after_all_was_dropped(void **state)
{
    struct store *s = *state;
    append(s, "old");
    s->ops->drop(s, 3);
    append(s, "new");
    assert_int_equal(s->first, 3);
    assert_int_equal(s->end, 6);
    assert_holds(s, 3, "new");
}

static void stretch_outlives_what_it_was_lent_of(void **state)
{
    struct store *s = *state;
    struct stretch lent;
    append(s, "keep");
    s->ops->stretch(s, 1, 3, &lent);
    s->ops->drop(s, 4);
    assert_int_equal(lent.len, 2);
    assert_memory_equal(lent.block->data + lent.at, "ee", 2);
    block_unref(lent.block);
}

static void fork_and_source_go_on_apart(void **state)
{
    struct store *s = *state;
    append(s, "both");
    uint64_t blocks = test_pool_in_use(&pool);
    struct store *fork = s->ops->fork(s, 4);
    assert_non_null(fork);
    assert_int_equal(test_pool_in_use(&pool), blocks);
    append(s, "+s");
    append(fork, "+fork");
    assert_holds(s, 0, "both+s");
    assert_holds(fork, 0, "both+fork");
    fork->ops->free(fork);
}

static void fork_within_a_message_ends_it_there(void **state)
{
    struct store *s = *state;
    append(s, "ab");
    append(s, "cdef");
    struct store *fork = s->ops->fork(s, 4);
    assert_non_null(fork);
    assert_int_equal(fork->messages_n, 2);
    assert_int_equal(fork->ops->message_end(fork, 2), 4);
    assert_holds(fork, 0, "abcd");
    fork->ops->free(fork);
}

static void copy_of_many_messages_leaves_bytes_for_the_next(void **state)
{
    struct store *s = *state;
    static struct store_copy copy;
    static char out[1000];
    for (int i = 0; i < 300; i++)
        append(s, "ab");
    s->ops->copy(s, 0, s->end, out, sizeof out, &copy);
    assert_int_equal(copy.ends_n, STORE_ENDS_MAX);
    assert_int_equal(copy.len, 2 * STORE_ENDS_MAX);
}

static void skip_tells_how_many_there_were(void **state)
{
    struct store *s = *state;
    uint64_t found;
    append(s, "ab");
    append(s, "cd");
    append(s, "ef");
    assert_int_equal(s->ops->skip_messages(s, 1, 2, &found), 4);
    assert_int_equal(found, 2);
    assert_int_equal(s->ops->skip_messages(s, 2, 9, &found), 6);
    assert_int_equal(found, 2);
}

/* Their ends would have stayed in the index for ever. */
static void empty_messages_are_dropped_as_others_are(void **state)
{
    struct store *s = *state;
    append(s, "");
    append(s, "");
    assert_int_equal(s->messages_n, 2);
    s->ops->drop(s, 0);
    assert_int_equal(s->messages_n, 0);
    s->ops->drop(s, 0);
    append(s, "a");
    assert_int_equal(s->messages_n, 1);
}

static void failed_append_changes_nothing(void **state)
{
    (void)state;
    struct budget budget;
    struct block_pool small;
    static char much[100000];
    struct str message = {much, sizeof much};
    budget_init(&budget, 90000);
    block_pool_init(&small, &(struct block_pool_config){.name = "small",
                                                        .budget = &budget});
    struct store *s = memory_store_new();
    struct str a = STR("a");
    assert_int_equal(s->ops->append(s, &small, &a, 1, STR("")), FLOW_DONE);
    uint64_t used = budget.used;
    assert_int_equal(s->ops->append(s, &small, &message, 1, STR("")),
                     FLOW_NO_MEMORY);
    assert_int_equal(budget.used, used);
    assert_int_equal(s->messages_n, 1);
    assert_holds(s, 0, "a");
    s->ops->free(s);
    block_pool_fini(&small);
    assert_int_equal(budget.used, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_taken_before_the_first_byte),
        TEST(suffix_belongs_to_each_message),
        TEST(first_bytes_cost_a_small_block),
        TEST(blocks_that_hold_nothing_any_more_go_back),
        TEST(positions_go_on_after_all_was_dropped),
        TEST(stretch_outlives_what_it_was_lent_of),
        TEST(fork_and_source_go_on_apart),
        TEST(fork_within_a_message_ends_it_there),
        TEST(copy_of_many_messages_leaves_bytes_for_the_next),
        TEST(skip_tells_how_many_there_were),
        TEST(empty_messages_are_dropped_as_others_are),
        TEST(failed_append_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
