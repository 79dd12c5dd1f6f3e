#include "tests/support/monitored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define START_MS 1000000u

static void on_alert(void *arg, const struct alert *alert)
{
    struct monitored *f = arg;
    assert_true(f->told_n < MONITORED_TOLD_MAX);
    f->told[f->told_n++] = *alert;
    if (f->remove_when_told)
        monitor_remove(&f->m, f->remove_when_told);
}

static void report_thing(void *self, uint64_t now_ms, struct report *ret_report)
{
    struct monitored_thing *t = self;
    (void)now_ms;
    t->looks_n++;
    *ret_report = t->report;
}

enum flow monitored_add(struct monitored *f, struct monitored_thing *t,
                        const char *name)
{
    snprintf(t->entry.name, sizeof t->entry.name, "%s", name);
    t->entry.self = t;
    t->entry.report = report_thing;
    return monitor_add(&f->m, &t->entry);
}

int monitored_set_up(void **state)
{
    struct monitored *f = calloc(1, sizeof *f);
    assert_non_null(f);
    monitor_init(&f->m, on_alert, f);
    f->now_ms = START_MS;
    *state = f;
    return 0;
}

int monitored_tear_down(void **state)
{
    struct monitored *f = *state;
    for (int i = 0; i < MONITORED_THINGS; i++)
        monitor_remove(&f->m, &f->things[i].entry);
    monitor_fini(&f->m);
    free(f);
    return 0;
}

void monitored_tick(struct monitored *f, uint64_t later_ms)
{
    f->now_ms += later_ms;
    monitor_tick(&f->m, f->now_ms);
}

struct monitored_thing *
monitored_thing(struct monitored *f, enum report_kind kind, const char *policy)
{
    struct monitored_thing *t = &f->things[0];
    t->report.kind = kind;
    t->report.policy = policy;
    t->report.bound = 100;
    assert_int_equal(monitored_add(f, t, "thing"), FLOW_DONE);
    return t;
}

const struct alert *monitored_told(struct monitored *f, enum alert_rule rule,
                                   bool ended)
{
    assert_int_equal(f->told_n, 1);
    f->told_n = 0;
    assert_int_equal(f->told[0].rule, rule);
    assert_int_equal(f->told[0].ended, ended);
    return &f->told[0];
}

void monitored_silent(struct monitored *f)
{
    assert_int_equal(f->told_n, 0);
}
