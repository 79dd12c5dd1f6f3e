#include "httpd/observe/inventory.h"

#include "buffers/budget.h"
#include "httpd/config/config.h"
#include "httpd/loop/worker.h"
#include "httpd/observe/log.h"
#include "httpd/observe/worker_gauges.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A budget below this could not even answer that it is short. */
#define BUDGET_BYTES_MIN (1u << 20)

/* An alert ends this far behind the level that raised it, in per cent. */
#define ALERT_HYSTERESIS 10u

#define ALERT_FILL_HOLD_MS 5000u
#define ALERT_HIT_HOLD_MS  10000u

struct worker_part {
    struct inventory *inventory;
    struct worker_gauges *gauges;
    uint64_t sampled_ms;
    char reasons[WORKER_KNOBS][INVENTORY_REASON_BYTES]; /* under the lock */
};

struct inventory {
    struct monitor monitor;
    struct advisor advisor;
    struct budget *budget;
    struct monitor_entry memory;
    pthread_mutex_t lock; /* of the reasons */
    struct worker_part *parts[INVENTORY_WORKERS_MAX];
    size_t parts_n;
};

static enum log_level level_of(const struct alert *alert)
{
    if (alert->ended)
        return LOG_INFO;
    return alert->severity == ALERT_CRITICAL ? LOG_ERROR : LOG_WARN;
}

static void on_alert(void *arg, const struct alert *alert)
{
    unsigned long long value = alert->value;
    const char *unit = alert_unit(alert->rule);
    (void)arg;
    if (alert->ended) {
        log_line(level_of(alert), "alert over: %s of %s at %llu %s",
                 alert->rule_name, alert->entry, value, unit);
        return;
    }
    log_line(level_of(alert), "alert (%s): %s of %s at %llu %s%s%s: %s; %s",
             alert_severity_name(alert->severity), alert->rule_name,
             alert->entry, value, unit, alert->suspect ? ", borrowed by " : "",
             alert->suspect ? alert->suspect : "", alert->means, alert->cure);
}

static void keep_reason(struct inventory *i, const struct advice *advice)
{
    for (size_t n = 0; n < i->parts_n * WORKER_KNOBS; n++) {
        struct worker_part *part = i->parts[n / WORKER_KNOBS];
        size_t knob = n % WORKER_KNOBS;
        const char *name = worker_gauges_knob(part->gauges, knob)->name;
        if (strcmp(name, advice->knob) == 0)
            snprintf(part->reasons[knob], INVENTORY_REASON_BYTES, "%s",
                     advice->reason);
    }
}

static void on_advice(void *arg, const struct advice *advice)
{
    struct inventory *i = arg;
    pthread_mutex_lock(&i->lock);
    keep_reason(i, advice);
    pthread_mutex_unlock(&i->lock);
    log_line(LOG_INFO, "advisor: %s: %s", advice->knob, advice->reason);
}

static void report_memory(void *self, uint64_t now_ms, struct report *ret)
{
    const struct budget *b = self;
    (void)now_ms;
    ret->kind = REPORT_BUDGET;
    ret->policy = "refuse";
    ret->unit = "bytes";
    ret->used = atomic_load(&b->used);
    ret->bound = atomic_load(&b->limit);
    ret->used_max = atomic_load(&b->used_max);
    for (unsigned c = 0; c < BUDGET_CLASSES; c++)
        ret->refused += atomic_load(&b->refused[c]);
}

static enum flow set_memory(void *self, uint64_t bound)
{
    if (bound < BUDGET_BYTES_MIN)
        return FLOW_FULL;
    budget_set_limit(self, bound);
    return FLOW_DONE;
}

static uint64_t below(uint64_t level)
{
    return level > ALERT_HYSTERESIS ? level - ALERT_HYSTERESIS : 0;
}

static uint64_t above(uint64_t level)
{
    return level < 100 - ALERT_HYSTERESIS ? level + ALERT_HYSTERESIS : 100;
}

static void set_thresholds(struct monitor *m, const struct config *config)
{
    uint64_t memory = config->alert_memory;
    uint64_t fill = config->alert_fill;
    uint64_t hit_rate = config->alert_hit_rate;
    monitor_set_threshold(m, ALERT_MEMORY, memory, below(memory), 0);
    monitor_set_threshold(m, ALERT_FILL, fill, below(fill), ALERT_FILL_HOLD_MS);
    monitor_set_threshold(m, ALERT_HIT_RATE, hit_rate, above(hit_rate),
                          ALERT_HIT_HOLD_MS);
}

struct inventory *inventory_new(const struct config *config,
                                struct budget *budget)
{
    assert(budget);
    struct inventory *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    monitor_init(&i->monitor, on_alert, i);
    advisor_init(&i->advisor, ADVISOR_WINDOW_MS, on_advice, i);
    advisor_enable(&i->advisor, config->advisor);
    pthread_mutex_init(&i->lock, NULL);
    set_thresholds(&i->monitor, config);
    i->budget = budget;
    i->memory = (struct monitor_entry){.name = "memory",
                                       .self = budget,
                                       .report = report_memory,
                                       .set_bound = set_memory};
    (void)monitor_add(&i->monitor, &i->memory); /* the first finds room */
    return i;
}

void inventory_free(struct inventory *i)
{
    if (!i)
        return;
    assert(i->parts_n == 0);
    monitor_remove(&i->monitor, &i->memory);
    monitor_fini(&i->monitor);
    advisor_fini(&i->advisor);
    pthread_mutex_destroy(&i->lock);
    free(i);
}

struct monitor *inventory_monitor(struct inventory *i)
{
    return &i->monitor;
}

struct budget *inventory_budget(struct inventory *i)
{
    return i->budget;
}

/* The first worker also looks at everything. */
static void on_sweep(void *arg, uint64_t now_ms)
{
    struct worker_part *part = arg;
    struct inventory *i = part->inventory;
    worker_gauges_observe(part->gauges);
    if (part == i->parts[0])
        advisor_tick(&i->advisor, now_ms);
    if (now_ms - part->sampled_ms < INVENTORY_TICK_MS)
        return;
    part->sampled_ms = now_ms;
    worker_gauges_sample(part->gauges, now_ms);
    if (part == i->parts[0])
        monitor_tick(&i->monitor, now_ms);
}

bool inventory_add_worker(struct inventory *i, struct worker *w)
{
    assert(!w->inventory);
    if (i->parts_n == INVENTORY_WORKERS_MAX)
        return false;
    struct worker_part *part = calloc(1, sizeof *part);
    if (!part)
        return false;
    part->inventory = i;
    part->gauges = worker_gauges_new(w, &i->monitor, &i->advisor);
    if (!part->gauges) {
        free(part);
        return false;
    }
    i->parts[i->parts_n++] = part;
    w->inventory = i;
    w->on_sweep = on_sweep;
    w->on_sweep_arg = part;
    return true;
}

void inventory_remove_worker(struct inventory *i, struct worker *w)
{
    for (size_t n = 0; n < i->parts_n; n++) {
        struct worker_part *part = i->parts[n];
        if (worker_gauges_worker(part->gauges) != w)
            continue;
        w->on_sweep = NULL;
        w->inventory = NULL;
        worker_gauges_free(part->gauges);
        free(part);
        i->parts[n] = i->parts[--i->parts_n];
        return;
    }
}

bool inventory_advisor_enabled(const struct inventory *i)
{
    return atomic_load(&i->advisor.enabled);
}

void inventory_enable_advisor(struct inventory *i, bool enabled)
{
    advisor_enable(&i->advisor, enabled);
    log_line(LOG_INFO, "advisor: switched %s", enabled ? "on" : "off");
}

uint64_t inventory_advisor_changes(const struct inventory *i)
{
    return atomic_load(&i->advisor.changes_n);
}

static void view_knob(struct inventory *i, size_t n, struct knob_view *ret)
{
    struct worker_part *part = i->parts[n / WORKER_KNOBS];
    ret->knob = worker_gauges_knob(part->gauges, n % WORKER_KNOBS);
    pthread_mutex_lock(&i->lock);
    memcpy(ret->reason, part->reasons[n % WORKER_KNOBS], sizeof ret->reason);
    pthread_mutex_unlock(&i->lock);
}

void inventory_each_knob(struct inventory *i,
                         bool (*fn)(void *arg, const struct knob_view *view),
                         void *arg)
{
    for (size_t n = 0; n < i->parts_n * WORKER_KNOBS; n++) {
        struct knob_view view;
        view_knob(i, n, &view);
        if (!fn(arg, &view))
            return;
    }
}
