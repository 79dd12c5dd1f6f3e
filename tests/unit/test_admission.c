/* What a request takes from the budget, and that it gives it back. */
#include "buffers/budget_purse.h"
#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/worker.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD_BYTES    (16u << 10)
#define TARGET_BYTES  (8u << 10)
#define TRAILER_BYTES (8u << 10)
#define PLENTY        (16u << 20)
#define GET           "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

struct fixture {
    struct config config;
    struct budget budget;
    struct worker *worker;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct worker *w = calloc(1, sizeof *w);
    f->config.head_bytes_max = HEAD_BYTES;
    f->config.target_bytes_max = TARGET_BYTES;
    f->config.chunk_ext_bytes_max = 4096;
    f->config.trailer_bytes_max = TRAILER_BYTES;
    budget_init(&f->budget, PLENTY);
    w->config = &f->config;
    w->budget = &f->budget;
    budget_purse_init(&w->accepted, &f->budget, BUDGET_ACCEPTED);
    bytes_init(&w->head, RESPONSE_HEAD_BYTES_MAX);
    f->worker = w;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct worker *w = f->worker;
    while (w->free_exchanges) {
        struct exchange *x = w->free_exchanges;
        w->free_exchanges = x->next;
        exchange_free(x);
    }
    budget_purse_fini(&w->accepted);
    assert_int_equal(f->budget.used, 0);
    bytes_fini(&w->head);
    free(w);
    free(f);
    return 0;
}

/* By requests; the rest is the purse's advance. */
static uint64_t taken(const struct fixture *f)
{
    return f->budget.used - f->worker->accepted.unused;
}

static void feed(struct exchange *x, const char *text)
{
    size_t used = 0;
    struct str s = str_from(text);
    assert_int_equal(request_feed_head(&x->req, s.at, s.len, &used), FLOW_DONE);
}

static void request_that_begins_takes_all_that_it_may_come_to_hold(void **state)
{
    struct fixture *f = *state;
    struct exchange *x = worker_exchange_get(f->worker);
    assert_non_null(x);
    assert_in_range(taken(f), HEAD_BYTES + TARGET_BYTES + TRAILER_BYTES,
                    HEAD_BYTES + TARGET_BYTES + TRAILER_BYTES + 8192);
    assert_int_equal(f->budget.used_by[BUDGET_ACCEPTED], f->budget.used);
    worker_exchange_put(f->worker, x);
    assert_int_equal(taken(f), 0);
}

static void complete_head_takes_no_more_than_it_holds(void **state)
{
    struct fixture *f = *state;
    struct exchange *x = worker_exchange_get(f->worker);
    feed(x, GET);
    exchange_settle(x);
    assert_int_equal(taken(f), sizeof *x + x->req.storage.cap);
    assert_int_equal(x->charged, taken(f));
    worker_exchange_put(f->worker, x);
}

static void what_was_taken_comes_back_over_many_requests(void **state)
{
    struct fixture *f = *state;
    struct exchange *under_way[8];
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 8; i++) {
            under_way[i] = worker_exchange_get(f->worker);
            if (i % 2)
                feed(under_way[i], GET);
            if (i % 4 == 1)
                exchange_settle(under_way[i]);
        }
        for (int i = 0; i < 8; i++)
            worker_exchange_put(f->worker, under_way[i]);
        assert_int_equal(taken(f), 0);
    }
    assert_true(f->budget.used_max > 0);
}

static void request_is_told_when_there_is_no_memory_for_it(void **state)
{
    struct fixture *f = *state;
    assert_true(budget_take(&f->budget, BUDGET_LEAVING, PLENTY - 1000));
    uint64_t before = f->budget.used;
    struct exchange *x = worker_exchange_get(f->worker);
    assert_non_null(x);
    assert_int_equal(x->charged, 0);
    assert_true(f->budget.refused[BUDGET_ACCEPTED] > 0);
    worker_exchange_put(f->worker, x);
    assert_int_equal(f->budget.used, before);
    budget_give(&f->budget, BUDGET_LEAVING, PLENTY - 1000);
    x = worker_exchange_get(f->worker);
    assert_true(x->charged > 0);
    worker_exchange_put(f->worker, x);
}

static void pool_keeps_an_equal_share_of_bytes_of_each_class(void **state)
{
    (void)state;
    assert_int_equal(worker_pool_keep(0, BLOCK_4K), 0);
    assert_int_equal(worker_pool_keep(16u << 20, BLOCK_4M), 1);
    assert_int_equal(worker_pool_keep(16u << 20, BLOCK_1M), 4);
    assert_in_range(worker_pool_keep(16u << 20, BLOCK_64K), 64, 65);
    assert_in_range(worker_pool_keep(16u << 20, BLOCK_4K), 1024, 1080);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(request_that_begins_takes_all_that_it_may_come_to_hold),
        TEST(complete_head_takes_no_more_than_it_holds),
        TEST(what_was_taken_comes_back_over_many_requests),
        TEST(request_is_told_when_there_is_no_memory_for_it),
        TEST(pool_keeps_an_equal_share_of_bytes_of_each_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
