#include "buffers/monitor.h"
#include "tests/support/monitored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_MS   1000u
#define LONG_AGO_MS 1000000u

static enum flow set_bound(void *self, uint64_t bound)
{
    struct monitored_thing *t = self;
    if (bound == 0)
        return FLOW_FULL;
    t->bound = bound;
    return FLOW_DONE;
}

static void a_removed_entry_takes_its_alerts_along(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUDGET, "budget");
    t->report.used = 99;
    monitored_tick(f, SECOND_MS);
    monitored_told(f, ALERT_MEMORY, false);
    monitor_remove(&f->m, &t->entry);
    monitor_remove(&f->m, &t->entry);
    monitored_tick(f, SECOND_MS);
    monitored_silent(f);
    assert_int_equal(monitored_add(f, t, "thing"), FLOW_DONE);
    assert_false(t->entry.raised[ALERT_MEMORY]);
    monitored_tick(f, SECOND_MS);
    monitored_told(f, ALERT_MEMORY, false);
}

static void who_is_told_may_remove_the_entry(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUDGET, "budget");
    t->report.used = 99;
    f->remove_when_told = &t->entry;
    monitored_tick(f, SECOND_MS);
    monitored_told(f, ALERT_MEMORY, false);
    assert_int_equal(f->m.entries_n, 0);
}

static void a_name_is_taken_once(void **state)
{
    struct monitored *f = *state;
    assert_int_equal(monitored_add(f, &f->things[0], "same"), FLOW_DONE);
    assert_int_equal(monitored_add(f, &f->things[1], "same"), FLOW_FAILED);
    monitor_remove(&f->m, &f->things[1].entry);
    assert_int_equal(f->m.entries_n, 1);
    monitor_remove(&f->m, &f->things[0].entry);
    assert_int_equal(monitored_add(f, &f->things[1], "same"), FLOW_DONE);
}

static void a_full_monitor_refuses(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *many = calloc(MONITOR_ENTRIES_MAX, sizeof *many);
    assert_non_null(many);
    for (unsigned i = 0; i < MONITOR_ENTRIES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "%u", MONITOR_ENTRIES_MAX - i);
        assert_int_equal(monitored_add(f, &many[i], name), FLOW_DONE);
    }
    assert_int_equal(monitored_add(f, &f->things[0], "one more"), FLOW_FULL);
    for (unsigned i = 0; i < MONITOR_ENTRIES_MAX; i++)
        monitor_remove(&f->m, &many[i].entry);
    free(many);
    assert_int_equal(monitored_add(f, &f->things[0], "one more"), FLOW_DONE);
}

static void a_storm_of_alerts_is_told_whole(void **state)
{
    struct monitored *f = *state;
    for (int i = 0; i < MONITORED_THINGS; i++) {
        struct monitored_thing *t = &f->things[i];
        char name[32];
        snprintf(name, sizeof name, "pool %d", i);
        t->report = (struct report){
            .kind = REPORT_POOL, .suspects = 1, .faults = 1, .drops = 1};
        t->report.oldest_ms = 60000;
        assert_int_equal(monitored_add(f, t, name), FLOW_DONE);
    }
    monitored_tick(f, SECOND_MS);
    assert_int_equal(f->told_n, 4 * MONITORED_THINGS);
    for (int i = 0; i < MONITORED_THINGS; i++)
        assert_int_equal(f->things[i].looks_n, 1);
    monitored_tick(f, SECOND_MS);
    assert_int_equal(f->told_n, 4 * MONITORED_THINGS);
}

struct walk {
    char names[MONITORED_THINGS][MONITOR_NAME_BYTES];
    int n;
    int stop_after;
};

static bool note(void *arg, const struct monitor_entry *e,
                 const struct report *report)
{
    struct walk *w = arg;
    assert_int_equal(report->used,
                     ((struct monitored_thing *)e->self)->report.used);
    memcpy(w->names[w->n++], e->name, sizeof e->name);
    return w->n < w->stop_after;
}

static void the_walk_is_in_the_order_of_names(void **state)
{
    struct monitored *f = *state;
    static const char *const names[] = {"worker/10/pool", "budget",
                                        "worker/2/pool", "worker/2/batch"};
    static const char *const sorted[] = {"budget", "worker/2/batch",
                                         "worker/2/pool", "worker/10/pool"};
    struct walk w = {.stop_after = MONITORED_THINGS};
    for (size_t i = 0; i < 4; i++) {
        f->things[i].report.used = i;
        assert_int_equal(monitored_add(f, &f->things[i], names[i]), FLOW_DONE);
    }
    monitor_each(&f->m, f->now_ms, note, &w);
    assert_int_equal(w.n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(w.names[i], sorted[i]);
    w = (struct walk){.stop_after = 2};
    monitor_each(&f->m, f->now_ms, note, &w);
    assert_int_equal(w.n, 2);
}

static void a_bound_is_set_by_name(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = &f->things[0];
    t->entry.set_bound = set_bound;
    assert_int_equal(monitored_add(f, t, "b"), FLOW_DONE);
    assert_int_equal(monitored_add(f, &f->things[1], "a"), FLOW_DONE);
    assert_int_equal(monitor_set_bound(&f->m, "b", 7), FLOW_DONE);
    assert_int_equal(t->bound, 7);
    assert_int_equal(monitor_set_bound(&f->m, "b", 0), FLOW_FULL);
    assert_int_equal(monitor_set_bound(&f->m, "a", 7), FLOW_END);
    assert_int_equal(monitor_set_bound(&f->m, "aa", 7), FLOW_END);
    assert_int_equal(monitor_set_bound(&f->m, "c", 7), FLOW_END);
}

static void everything_has_a_name(void **state)
{
    (void)state;
    for (int s = 0; s <= ALERT_CRITICAL; s++)
        assert_non_null(alert_severity_name((enum alert_severity)s));
    for (int k = 0; k <= REPORT_BUDGET; k++)
        assert_non_null(report_kind_name((enum report_kind)k));
}

static void *come_and_go(void *arg)
{
    struct monitored *f = arg;
    for (int i = 0; i < 2000; i++) {
        struct monitored_thing *t = &f->things[i % 8];
        char name[32];
        snprintf(name, sizeof name, "thing %d", i % 8);
        if (t->entry.link)
            monitor_remove(&f->m, &t->entry);
        t->report = (struct report){.kind = REPORT_POOL};
        t->report.suspects = (uint64_t)i % 3;
        if (monitored_add(f, t, name) != FLOW_DONE)
            return f;
    }
    return NULL;
}

static void ignore(void *arg, const struct alert *alert)
{
    (void)arg;
    (void)alert;
}

static bool count(void *arg, const struct monitor_entry *e,
                  const struct report *report)
{
    (void)e;
    (void)report;
    ++*(int *)arg;
    return true;
}

static void entries_come_and_go_while_it_looks(void **state)
{
    struct monitored *f = *state;
    pthread_t other;
    void *failed;
    f->m.on_alert = ignore;
    assert_int_equal(pthread_create(&other, NULL, come_and_go, f), 0);
    for (unsigned i = 0; i < 2000; i++) {
        int n = 0;
        monitor_tick(&f->m, LONG_AGO_MS + i);
        monitor_each(&f->m, LONG_AGO_MS + i, count, &n);
        assert_true(n <= 8);
    }
    pthread_join(other, &failed);
    assert_null(failed);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, monitored_set_up, monitored_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_removed_entry_takes_its_alerts_along),
        TEST(who_is_told_may_remove_the_entry),
        TEST(a_name_is_taken_once),
        TEST(a_full_monitor_refuses),
        TEST(a_storm_of_alerts_is_told_whole),
        TEST(the_walk_is_in_the_order_of_names),
        TEST(a_bound_is_set_by_name),
        TEST(everything_has_a_name),
        TEST(entries_come_and_go_while_it_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
