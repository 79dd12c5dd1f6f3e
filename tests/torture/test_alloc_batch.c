#include "buffers/batch.h"
#include "httpd/observe/access_log.h"
#include "tests/support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 100000u
#define STEPS     20000
#define RECORDS   3000u /* more than the log's batch holds */

/* Bytes carry their number in the order of accepting, so that what leaves can
 * be told to be right whatever was refused meanwhile. */
struct fixture {
    struct batch b;
    uint32_t accepted;
    uint32_t left;
};

static uint64_t now_us(void)
{
    return 1;
}

static enum flow check_order(void *arg, struct str bytes, uint64_t records_n,
                             size_t *ret_taken)
{
    struct fixture *f = arg;
    assert_true(records_n > 0);
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_equal((unsigned char)bytes.at[i], f->left++ % 251);
    *ret_taken = bytes.len;
    return FLOW_DONE;
}

static int set_up(void **state)
{
    static struct fixture f;
    struct batch_config config = {.bytes_max = BYTES_MAX,
                                  .now_us = now_us,
                                  .flush = check_order,
                                  .flush_arg = &f};
    f = (struct fixture){0};
    batch_init(&f.b, &config);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fail_alloc_off();
    batch_fini(&f->b);
    return 0;
}

static enum flow add(struct fixture *f, size_t n)
{
    char *room;
    enum flow r = batch_reserve(&f->b, n, &room);
    batch_check(&f->b);
    if (r != FLOW_DONE)
        return r;
    for (size_t i = 0; i < n; i++)
        room[i] = (char)(f->accepted++ % 251);
    r = batch_commit(&f->b, n);
    batch_check(&f->b);
    return r;
}

static void the_first_record_is_refused_and_welcome_later(void **state)
{
    struct fixture *f = *state;
    struct batch_stats stats;
    fail_alloc_from(0);
    assert_int_equal(add(f, 100), FLOW_NO_MEMORY);
    assert_true(fail_alloc_off());
    assert_int_equal(add(f, 100), FLOW_DONE);
    batch_flush(&f->b);
    batch_stats(&f->b, &stats);
    assert_int_equal(f->left, 100);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.records, 1);
}

static void storage_that_cannot_grow_is_used_again(void **state)
{
    struct fixture *f = *state;
    struct batch_stats stats;
    assert_int_equal(add(f, 200), FLOW_DONE);
    fail_alloc_from(0);
    assert_int_equal(add(f, 200), FLOW_DONE);
    assert_int_equal(f->left, 200);
    assert_int_equal(add(f, 1000), FLOW_NO_MEMORY);
    assert_int_equal(f->left, 400);
    assert_true(fail_alloc_off());
    batch_stats(&f->b, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.lost_bytes, 0);
    assert_int_equal(stats.flushes[BATCH_BYTES], 2);
}

static void order_holds_while_memory_comes_and_goes(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 20240615;
    int refused = 0;
    for (int i = 0; i < STEPS; i++) {
        size_t n = (size_t)rand_r(&seed) % (i % 50 == 0 ? 20000 : 500);
        fail_alloc_after((size_t)rand_r(&seed) % 2);
        refused += add(f, n) == FLOW_NO_MEMORY;
        fail_alloc_off();
        if (rand_r(&seed) % 100 == 0)
            batch_fini(&f->b); /* the storage is gone, the batch is not */
    }
    batch_flush(&f->b);
    assert_int_equal(f->left, f->accepted);
    assert_true(refused > 10);
}

static void an_access_log_loses_lines_and_goes_on(void **state)
{
    (void)state;
    struct access_log *log;
    struct access_entry entry = {.peer = "127.0.0.1",
                                 .method = "GET",
                                 .target = STR("/a\"b"),
                                 .user_agent = STR("curl")};
    struct batch_stats stats;
    assert_true(access_log_open(&log, "/dev/null"));
    fail_alloc_from(0);
    access_log_add(log, &entry);
    fail_alloc_off();
    access_log_tick(log);
    for (unsigned i = 0; i < RECORDS; i++) {
        fail_alloc_after(i % 3);
        access_log_add(log, &entry);
        fail_alloc_off();
    }
    batch_stats(access_log_batch(log), &stats);
    assert_true(stats.refused >= 1);
    assert_int_equal(stats.records + stats.refused, RECORDS + 1);
    access_log_close(log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_record_is_refused_and_welcome_later),
        TEST(storage_that_cannot_grow_is_used_again),
        TEST(order_holds_while_memory_comes_and_goes),
        TEST(an_access_log_loses_lines_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
