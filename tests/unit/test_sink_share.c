/* How much of a file one turn sends, and what the advisor is told of it. */
#include "httpd/conn/sink.h"

#include "httpd/limits.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SHARE     (256u << 10)
#define LONG_FILE (16u << 20)

struct fixture {
    struct sink sink;
    struct knob knob;
    struct block_pool pool;
    struct write_queue q;
    uint64_t takes; /* bytes that the peer takes in one call */
    uint64_t warm;
};

static struct fixture f;

static void release(void *owner)
{
    (void)owner;
}

static enum flow send_file(struct sink *s, const struct file_range *range,
                           uint64_t bytes_max, uint64_t *ret_sent)
{
    (void)s;
    uint64_t n = range->len < bytes_max ? range->len : bytes_max;
    *ret_sent = n < f.takes ? n : f.takes;
    return *ret_sent == n ? FLOW_DONE : FLOW_AGAIN;
}

static uint64_t warm(struct sink *s, const struct file_range *range,
                     uint64_t bytes_max)
{
    (void)s;
    (void)range;
    uint64_t n = f.warm < bytes_max ? f.warm : bytes_max;
    f.warm -= n;
    return n;
}

static const struct sink_ops fake_ops = {.send_file = send_file};

static int set_up(void **state)
{
    (void)state;
    f = (struct fixture){.takes = UINT64_MAX, .warm = UINT64_MAX};
    f.knob = (struct knob){.kind = KNOB_SIZE, .value = SHARE};
    f.sink = (struct sink){.ops = &fake_ops, .warm = warm, .share = &f.knob};
    test_pool_init(&f.pool, 4);
    write_queue_init(&f.q, &f.pool, 64u << 10, 16u << 10);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    write_queue_fini(&f.q);
    test_pool_fini(&f.pool);
    return 0;
}

static void push_file(uint64_t len)
{
    struct file_range range = {.fd = 3, .len = len, .release = release};
    assert_int_equal(write_queue_push_file(&f.q, &range), FLOW_DONE);
}

static void turn(enum flow wanted, uint64_t wanted_bytes)
{
    uint64_t sent;
    assert_int_equal(sink_flush(&f.sink, &f.q, &sent), wanted);
    assert_int_equal(sent, wanted_bytes);
    write_queue_check(&f.q);
}

static void assert_learnt(uint64_t turns, uint64_t full)
{
    assert_int_equal(f.knob.operations_n, turns);
    assert_int_equal(f.knob.full_n, full);
}

static void turn_sends_what_the_knob_says(void **state)
{
    (void)state;
    push_file(LONG_FILE);
    turn(FLOW_FULL, SHARE);
    f.knob.value = 2 * SHARE;
    turn(FLOW_FULL, 2 * SHARE);
    assert_learnt(2, 2);
}

static void without_a_knob_a_turn_has_its_fixed_share(void **state)
{
    (void)state;
    f.sink.share = NULL;
    push_file(LONG_FILE);
    turn(FLOW_FULL, TURN_FILE_BYTES);
}

static void slow_peer_is_told_as_a_turn_that_was_not_filled(void **state)
{
    (void)state;
    f.takes = 1000;
    push_file(LONG_FILE);
    turn(FLOW_AGAIN, 1000);
    assert_learnt(1, 0);
}

static void file_shorter_than_a_turn_tells_nothing(void **state)
{
    (void)state;
    push_file(SHARE - 1);
    turn(FLOW_DONE, SHARE - 1);
    assert_learnt(0, 0);
}

static void cold_file_tells_nothing_of_the_peer(void **state)
{
    (void)state;
    f.warm = 5000;
    push_file(LONG_FILE);
    turn(FLOW_FULL, 5000);
    assert_learnt(0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(turn_sends_what_the_knob_says),
        TEST(without_a_knob_a_turn_has_its_fixed_share),
        TEST(slow_peer_is_told_as_a_turn_that_was_not_filled),
        TEST(file_shorter_than_a_turn_tells_nothing),
        TEST(cold_file_tells_nothing_of_the_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
