#include "httpd/observe/inventory.h"

#include "buffers/budget.h"
#include "httpd/config/config.h"
#include "httpd/conn/conn.h"
#include "httpd/files/file_cache.h"
#include "httpd/limits.h"
#include "httpd/loop/worker.h"
#include "httpd/observe/access_log.h"
#include "httpd/observe/status_form.h"
#include "httpd/sources/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT_BYTES (64u << 20)
#define HIGH_BYTES  (64u << 10)
#define LOW_BYTES   (16u << 10)
#define FILES_MAX   16u
#define START_MS    100000u

struct fixture {
    struct config config;
    struct budget budget;
    struct inventory *inventory;
    struct worker *worker;
    uint64_t now_ms;
};

static void init_worker(struct fixture *f)
{
    struct worker *w = calloc(1, sizeof *w);
    struct block_pool_config pool = {.name = "worker/0/pool",
                                     .budget = &f->budget};
    w->config = &f->config;
    w->read_size = (struct knob){.kind = KNOB_SIZE,
                                 .min = 16u << 10,
                                 .max = 256u << 10,
                                 .value = READ_BODY_BYTES};
    w->send_size = (struct knob){.kind = KNOB_SIZE,
                                 .min = 256u << 10,
                                 .max = 4u << 20,
                                 .value = TURN_FILE_BYTES};
    w->file_cache = file_cache_new(FILES_MAX, 500);
    w->files_max = FILES_MAX;
    assert_true(access_log_open(&w->access_log, "/dev/null"));
    pool.keep_max[BLOCK_4K] = 8;
    block_pool_init(&w->pool, &pool);
    f->worker = w;
}

static int set_up_with(void **state, uint64_t hit_rate)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->config.advisor = true;
    f->config.pool_keep = 4u << 20;
    f->config.pool_keep_max = 64u << 20;
    f->config.alert_memory = 90;
    f->config.alert_fill = 95;
    f->config.alert_hit_rate = hit_rate;
    f->now_ms = START_MS;
    budget_init(&f->budget, LIMIT_BYTES);
    f->inventory = inventory_new(&f->config, &f->budget);
    init_worker(f);
    assert_true(inventory_add_worker(f->inventory, f->worker));
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 50);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct worker *w = f->worker;
    inventory_remove_worker(f->inventory, w);
    inventory_free(f->inventory);
    file_cache_free(w->file_cache);
    access_log_close(w->access_log);
    block_pool_fini(&w->pool);
    assert_int_equal(f->budget.used, 0);
    free(w);
    free(f);
    return 0;
}

/* A sweep, later than the last one. */
static void pass(struct fixture *f, uint64_t ms)
{
    f->now_ms += ms;
    f->worker->on_sweep(f->worker->on_sweep_arg, f->now_ms);
}

struct found {
    const char *name;
    bool there;
    bool raised[ALERT_RULES];
    struct report report;
};

static bool look(void *arg, const struct monitor_entry *e,
                 const struct report *r)
{
    struct found *found = arg;
    if (strcmp(e->name, found->name) != 0)
        return true;
    found->there = true;
    found->report = *r;
    memcpy(found->raised, e->raised, sizeof found->raised);
    return false;
}

static struct found find(struct fixture *f, const char *name)
{
    struct found found = {.name = name};
    monitor_each(inventory_monitor(f->inventory), f->now_ms, look, &found);
    assert_true(found.there);
    return found;
}

static enum flow set_bound(struct fixture *f, const char *name, uint64_t bound)
{
    return monitor_set_bound(inventory_monitor(f->inventory), name, bound);
}

static struct conn *add_conn(struct fixture *f, size_t bytes, uint64_t ms)
{
    struct worker *w = f->worker;
    struct conn *c = calloc(1, sizeof *c);
    char *data = calloc(1, bytes ? bytes : 1);
    write_queue_init(&c->out, &w->pool, HIGH_BYTES, LOW_BYTES);
    if (bytes > 0)
        assert_int_equal(write_queue_push(&c->out, data, bytes), FLOW_DONE);
    c->out_ms = ms;
    c->next = w->conns;
    w->conns = c;
    free(data);
    return c;
}

static void drop_conns(struct fixture *f)
{
    while (f->worker->conns) {
        struct conn *c = f->worker->conns;
        f->worker->conns = c->next;
        write_queue_fini(&c->out);
        free(c);
    }
}

static void everything_of_a_worker_has_a_name(void **state)
{
    static const char *const names[] = {"memory",
                                        "worker/0/pool/4k",
                                        "worker/0/pool/64k",
                                        "worker/0/pool/1m",
                                        "worker/0/pool/4m",
                                        "worker/0/write-queues",
                                        "worker/0/access-log",
                                        "worker/0/file-cache",
                                        "worker/0/write-queues/fullest"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)find(*state, names[i]);
}

static void queues_are_summed_once_a_second(void **state)
{
    struct fixture *f = *state;
    add_conn(f, 1000, START_MS);
    add_conn(f, 0, START_MS);
    add_conn(f, 3000, START_MS);
    pass(f, 1500);
    struct report r = find(f, "worker/0/write-queues").report;
    assert_int_equal(r.used, 4000);
    assert_int_equal(r.bound, 2 * (HIGH_BYTES + WRITE_QUEUE_SLACK_BYTES));
    assert_int_equal(r.oldest_ms, 1500);
    drop_conns(f);
    pass(f, 10);
    assert_int_equal(find(f, "worker/0/write-queues").report.used, 4000);
    pass(f, 1000);
    r = find(f, "worker/0/write-queues").report;
    assert_int_equal(r.used, 0);
    assert_int_equal(r.used_max, 4000);
}

static void fullest_queue_stands_alone(void **state)
{
    struct fixture *f = *state;
    add_conn(f, 1000, START_MS);
    add_conn(f, 60000, START_MS);
    add_conn(f, 2000, START_MS - 5000);
    pass(f, 1000);
    struct report r = find(f, "worker/0/write-queues/fullest").report;
    assert_int_equal(r.used, 60000);
    assert_int_equal(r.bound, HIGH_BYTES + WRITE_QUEUE_SLACK_BYTES);
    assert_int_equal(r.oldest_ms, 1000);
    drop_conns(f);
}

static void stopped_source_counts_as_blocked(void **state)
{
    struct fixture *f = *state;
    pass(f, 1000);
    add_conn(f, HIGH_BYTES, f->now_ms)->above_high = true;
    pass(f, 2000);
    struct report r = find(f, "worker/0/write-queues").report;
    assert_int_equal(r.blocked_us, 2000000);
    drop_conns(f);
}

static void pool_tells_what_it_did(void **state)
{
    struct fixture *f = *state;
    struct block *b = block_pool_get(&f->worker->pool, BLOCK_4K, BUDGET_LEAVING,
                                     "test_inventory");
    assert_non_null(b);
    struct report r = find(f, "worker/0/pool/4k").report;
    assert_int_equal(r.kind, REPORT_POOL);
    assert_int_equal(r.used, 1);
    assert_int_equal(r.created, 1);
    assert_int_equal(r.misses, 1);
    block_unref(b);
    assert_int_equal(find(f, "worker/0/pool/4k").report.kept, 1);
}

static void memory_nearly_used_raises_an_alert_that_ends(void **state)
{
    struct fixture *f = *state;
    pass(f, 1000);
    assert_false(find(f, "memory").raised[ALERT_MEMORY]);
    assert_true(
        budget_take(&f->budget, BUDGET_LEAVING, LIMIT_BYTES / 100 * 95));
    pass(f, 1000);
    assert_true(find(f, "memory").raised[ALERT_MEMORY]);
    budget_give(&f->budget, BUDGET_LEAVING, LIMIT_BYTES / 100 * 95);
    pass(f, 1000);
    pass(f, 1000);
    assert_false(find(f, "memory").raised[ALERT_MEMORY]);
}

static void memory_has_another_bound_while_it_runs(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(set_bound(f, "memory", 2u << 20), FLOW_DONE);
    assert_int_equal(find(f, "memory").report.bound, 2u << 20);
    assert_int_not_equal(set_bound(f, "memory", 1), FLOW_DONE);
    assert_int_equal(find(f, "memory").report.bound, 2u << 20);
}

static bool find_knob(void *arg, const struct knob_view *view)
{
    struct knob_view *ret = arg;
    if (strcmp(view->knob->name, "worker/0/pool/4k/keep") != 0)
        return true;
    *ret = *view;
    return false;
}

static void operator_sets_what_a_pool_keeps(void **state)
{
    struct fixture *f = *state;
    struct knob_view view = {0};
    assert_int_equal(set_bound(f, "worker/0/pool/4k", 123), FLOW_DONE);
    assert_int_equal(find(f, "worker/0/pool/4k").report.bound, 123);
    inventory_each_knob(f->inventory, find_knob, &view);
    assert_non_null(view.knob);
    assert_int_equal(knob_value(view.knob), 123);
    assert_int_equal(set_bound(f, "worker/0/pool/4k", 1u << 30), FLOW_FULL);
    assert_int_equal(find(f, "worker/0/pool/4k").report.bound, 123);
}

static void burst(struct fixture *f, unsigned n)
{
    struct block *blocks[512];
    assert_true(n <= 512);
    for (unsigned i = 0; i < n; i++)
        blocks[i] = block_pool_get(&f->worker->pool, BLOCK_4K, BUDGET_LEAVING,
                                   "test_inventory");
    for (unsigned i = 0; i < n; i++)
        block_unref(blocks[i]);
}

static void advisor_lets_the_pool_keep_what_a_burst_needed(void **state)
{
    struct fixture *f = *state;
    struct knob_view view = {0};
    pass(f, 1000);
    for (int i = 0; i < 12; i++) {
        burst(f, 400);
        pass(f, 1000);
    }
    assert_in_range(find(f, "worker/0/pool/4k").report.bound, 400, 1000);
    assert_true(inventory_advisor_changes(f->inventory) > 0);
    inventory_each_knob(f->inventory, find_knob, &view);
    assert_true(strlen(view.reason) > 0);
}

static void advisor_that_is_off_changes_nothing(void **state)
{
    struct fixture *f = *state;
    inventory_enable_advisor(f->inventory, false);
    assert_false(inventory_advisor_enabled(f->inventory));
    for (int i = 0; i < 12; i++) {
        burst(f, 400);
        pass(f, 1000);
    }
    assert_int_equal(find(f, "worker/0/pool/4k").report.bound, 8);
    assert_int_equal(inventory_advisor_changes(f->inventory), 0);
}

static bool selects(const char *wanted, const char *name)
{
    struct status_view v = {.name = str_from(wanted)};
    return status_selects(&v, name);
}

static void name_selects_itself_and_what_is_below(void **state)
{
    (void)state;
    assert_true(selects("", "worker/0/pool/4k"));
    assert_true(selects("worker/0", "worker/0/pool/4k"));
    assert_true(selects("worker/0/", "worker/0/pool/4k"));
    assert_true(selects("worker/0/pool/4k", "worker/0/pool/4k"));
    assert_false(selects("worker/1", "worker/10/pool/4k"));
    assert_false(selects("worker/0/pool/4", "worker/0/pool/4k"));
    assert_false(selects("pool", "worker/0/pool/4k"));
}

static void status_is_written_within_its_page(void **state)
{
    struct fixture *f = *state;
    struct status_view v = {.inventory = f->inventory, .now_ms = f->now_ms};
    struct page page;
    page_init(&page);
    status_write_text(&v, &page);
    status_write_json(&v, &page);
    assert_int_equal(page.built, FLOW_DONE);
    page_fini(&page);
    page_init(&page);
    page.text.max = 300;
    status_write_json(&v, &page);
    assert_int_not_equal(page.built, FLOW_DONE);
    page_fini(&page);
}

/* The other worker read its clock before this one's tick. */
static void alert_that_is_younger_than_the_asker_has_no_age(void **state)
{
    struct fixture *f = *state;
    struct page page;
    assert_true(
        budget_take(&f->budget, BUDGET_LEAVING, LIMIT_BYTES / 100 * 95));
    pass(f, 1000);
    assert_true(find(f, "memory").raised[ALERT_MEMORY]);
    struct status_view v = {.inventory = f->inventory, .now_ms = f->now_ms - 4};
    page_init(&page);
    status_write_text(&v, &page);
    status_write_json(&v, &page);
    assert_int_equal(page.built, FLOW_DONE);
    assert_int_equal(bytes_append(&page.text, "", 1), FLOW_DONE);
    assert_non_null(strstr(page.text.data, "memory at 94 %, for -\n"));
    assert_non_null(strstr(page.text.data, "\"age_ms\":0,"));
    page_fini(&page);
    budget_give(&f->budget, BUDGET_LEAVING, LIMIT_BYTES / 100 * 95);
}

static void use_the_pool(struct fixture *f, unsigned kept_n)
{
    for (int i = 0; i < 15; i++) {
        burst(f, kept_n);
        pass(f, 1000);
    }
}

/* A tenth above the level would be more than all. */
static void strict_hit_rate_still_ends_its_alert(void **state)
{
    tear_down(state);
    set_up_with(state, 95);
    struct fixture *f = *state;
    inventory_enable_advisor(f->inventory, false);
    use_the_pool(f, 400);
    assert_true(find(f, "worker/0/pool/4k").raised[ALERT_HIT_RATE]);
    for (int i = 0; i < 100; i++)
        use_the_pool(f, 8);
    assert_false(find(f, "worker/0/pool/4k").raised[ALERT_HIT_RATE]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_of_a_worker_has_a_name),
        TEST(queues_are_summed_once_a_second),
        TEST(fullest_queue_stands_alone),
        TEST(stopped_source_counts_as_blocked),
        TEST(pool_tells_what_it_did),
        TEST(memory_nearly_used_raises_an_alert_that_ends),
        TEST(memory_has_another_bound_while_it_runs),
        TEST(operator_sets_what_a_pool_keeps),
        TEST(advisor_lets_the_pool_keep_what_a_burst_needed),
        TEST(advisor_that_is_off_changes_nothing),
        TEST(name_selects_itself_and_what_is_below),
        TEST(status_is_written_within_its_page),
        TEST(alert_that_is_younger_than_the_asker_has_no_age),
        TEST(strict_hit_rate_still_ends_its_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
