#include "buffers/monitor.h"

#include <assert.h>
#include <string.h>

#define TOLD_MAX 32u /* alerts that are gathered before the lock is let go */

static_assert(TOLD_MAX >= ALERT_RULES, "one entry's alerts fit");

enum verdict {
    VERDICT_VALUE,
    VERDICT_LATER, /* too little was seen: nothing begins and nothing ends */
    VERDICT_NONE,  /* the rule does not apply: its alert ends */
};

struct told {
    struct alert alerts[TOLD_MAX];
    size_t n;
};

static uint64_t per_cent(uint64_t part, uint64_t whole)
{
    assert(whole > 0);
    if (part <= UINT64_MAX / 100)
        return part * 100 / whole;
    return whole >= 100 ? part / (whole / 100) : UINT64_MAX;
}

/* A counter that went back began anew. */
static uint64_t grown(uint64_t counter, uint64_t before)
{
    return counter >= before ? counter - before : counter;
}

static bool overwrites(const struct report *r)
{
    return r->policy && strcmp(r->policy, "ring") == 0;
}

static enum verdict measure_memory(struct monitor_entry *e,
                                   const struct report *r, uint64_t now_ms,
                                   uint64_t *ret_value)
{
    (void)e;
    (void)now_ms;
    if (r->kind != REPORT_BUDGET || r->bound == 0)
        return VERDICT_NONE;
    *ret_value = per_cent(r->used, r->bound);
    return VERDICT_VALUE;
}

static enum verdict measure_fill(struct monitor_entry *e,
                                 const struct report *r, uint64_t now_ms,
                                 uint64_t *ret_value)
{
    (void)e;
    (void)now_ms;
    if (r->kind != REPORT_BUFFER || r->bound == 0 || overwrites(r))
        return VERDICT_NONE;
    *ret_value = per_cent(r->used, r->bound);
    return VERDICT_VALUE;
}

static enum verdict measure_hit_rate(struct monitor_entry *e,
                                     const struct report *r, uint64_t now_ms,
                                     uint64_t *ret_value)
{
    if (r->kind != REPORT_POOL || r->bound == 0)
        return VERDICT_NONE; /* of a pool that is to keep nothing */
    if (e->judged_ms == 0)
        e->judged_ms = now_ms;
    uint64_t hits = grown(r->hits, e->hits_before);
    uint64_t gets = hits + grown(r->misses, e->misses_before);
    bool few = gets < MONITOR_GETS_MIN;
    if (few && now_ms < e->judged_ms + MONITOR_IDLE_MS)
        return VERDICT_LATER;
    e->judged_ms = now_ms;
    e->hits_before = r->hits;
    e->misses_before = r->misses;
    if (few)
        return VERDICT_NONE;
    *ret_value = per_cent(hits, gets);
    return VERDICT_VALUE;
}

static enum verdict measure_leak(struct monitor_entry *e,
                                 const struct report *r, uint64_t now_ms,
                                 uint64_t *ret_value)
{
    (void)e;
    (void)now_ms;
    *ret_value = r->suspects;
    return r->kind == REPORT_POOL ? VERDICT_VALUE : VERDICT_NONE;
}

static enum verdict measure_corruption(struct monitor_entry *e,
                                       const struct report *r, uint64_t now_ms,
                                       uint64_t *ret_value)
{
    (void)e;
    (void)now_ms;
    *ret_value = r->faults;
    return r->kind == REPORT_POOL ? VERDICT_VALUE : VERDICT_NONE;
}

static enum verdict measure_drops(struct monitor_entry *e,
                                  const struct report *r, uint64_t now_ms,
                                  uint64_t *ret_value)
{
    (void)now_ms;
    *ret_value = grown(r->drops, e->drops_before);
    e->drops_before = r->drops;
    return VERDICT_VALUE;
}

static enum verdict measure_refused(struct monitor_entry *e,
                                    const struct report *r, uint64_t now_ms,
                                    uint64_t *ret_value)
{
    (void)now_ms;
    *ret_value = grown(r->refused, e->refused_before);
    e->refused_before = r->refused;
    return r->kind == REPORT_BUDGET ? VERDICT_VALUE : VERDICT_NONE;
}

static enum verdict measure_age(struct monitor_entry *e, const struct report *r,
                                uint64_t now_ms, uint64_t *ret_value)
{
    (void)e;
    (void)now_ms;
    *ret_value = r->oldest_ms;
    return overwrites(r) ? VERDICT_NONE : VERDICT_VALUE;
}

static const struct rule {
    const char *name;
    const char *unit;
    enum verdict (*measure)(struct monitor_entry *e, const struct report *r,
                            uint64_t now_ms, uint64_t *ret_value);
    bool raised_below;
    uint64_t calm_ms; /* how long it must stand behind clear */
} rules[ALERT_RULES] = {
    [ALERT_MEMORY] = {"memory", "%", measure_memory, false, 0},
    [ALERT_FILL] = {"fill", "%", measure_fill, false, 0},
    [ALERT_HIT_RATE] = {"hit_rate", "%", measure_hit_rate, true, 0},
    [ALERT_LEAK] = {"leak", "blocks", measure_leak, false, 0},
    [ALERT_CORRUPTION] = {"corruption", "faults", measure_corruption, false, 0},
    [ALERT_REFUSED] = {"refused", "times", measure_refused, false,
                       MONITOR_CALM_MS},
    [ALERT_DROPS] = {"drops", "lost", measure_drops, false, MONITOR_CALM_MS},
    [ALERT_AGE] = {"age", "ms", measure_age, false, 0},
};

static const struct words {
    enum alert_severity severity;
    uint64_t raise;
    uint64_t clear;
    uint64_t hold_ms;
    const char *means;
    const char *cure;
} words[ALERT_RULES] = {
#define ALERT(name, severity, raise, clear, hold_ms, means, cure)              \
    [ALERT_##name] = {severity, raise, clear, hold_ms, means, cure},
#include "buffers/alert.def"
#undef ALERT
};

void monitor_init(struct monitor *m,
                  void (*on_alert)(void *arg, const struct alert *alert),
                  void *arg)
{
    assert(on_alert);
    *m = (struct monitor){.on_alert = on_alert, .on_alert_arg = arg};
    pthread_mutex_init(&m->lock, NULL);
    for (int r = 0; r < ALERT_RULES; r++) {
        assert(rules[r].measure);
        bool told = monitor_set_threshold(m, (enum alert_rule)r, words[r].raise,
                                          words[r].clear, words[r].hold_ms);
        assert(told);
        m->calm_ms[r] = rules[r].calm_ms;
    }
}

void monitor_fini(struct monitor *m)
{
    assert(!m->entries && m->entries_n == 0);
    pthread_mutex_destroy(&m->lock);
}

bool monitor_set_threshold(struct monitor *m, enum alert_rule rule,
                           uint64_t raise, uint64_t clear, uint64_t hold_ms)
{
    assert(rule < ALERT_RULES);
    if (rules[rule].raised_below ? raise >= clear : raise <= clear)
        return false;
    pthread_mutex_lock(&m->lock);
    m->raise[rule] = raise;
    m->clear[rule] = clear;
    m->hold_ms[rule] = hold_ms;
    pthread_mutex_unlock(&m->lock);
    return true;
}

/* The list is kept in the order of names. */
static struct monitor_entry **place_of(struct monitor *m, const char *name)
{
    struct monitor_entry **link = &m->entries;
    while (*link && strverscmp((*link)->name, name) < 0)
        link = &(*link)->next;
    return link;
}

static void insert(struct monitor_entry **link, struct monitor_entry *e)
{
    e->next = *link;
    e->link = link;
    if (e->next)
        e->next->link = &e->next;
    *link = e;
}

static enum flow add(struct monitor *m, struct monitor_entry *e)
{
    struct monitor_entry **link = place_of(m, e->name);
    if (*link && strcmp((*link)->name, e->name) == 0)
        return FLOW_FAILED;
    if (m->entries_n == MONITOR_ENTRIES_MAX)
        return FLOW_FULL;
    e->ticks_n = m->ticks_n;
    insert(link, e);
    m->entries_n++;
    return FLOW_DONE;
}

enum flow monitor_add(struct monitor *m, struct monitor_entry *e)
{
    assert(e->name[0] && memchr(e->name, '\0', sizeof e->name));
    assert(e->report && !e->link);
    pthread_mutex_lock(&m->lock);
    enum flow r = add(m, e);
    pthread_mutex_unlock(&m->lock);
    return r;
}

/* Nothing of it stays, so that it may be added again. */
static void forget(struct monitor_entry *e)
{
    struct monitor_entry kept = *e;
    *e = (struct monitor_entry){
        .self = kept.self, .report = kept.report, .set_bound = kept.set_bound};
    memcpy(e->name, kept.name, sizeof e->name);
}

void monitor_remove(struct monitor *m, struct monitor_entry *e)
{
    pthread_mutex_lock(&m->lock);
    if (e->link) {
        assert(m->entries_n > 0 && *e->link == e);
        *e->link = e->next;
        if (e->next)
            e->next->link = e->link;
        m->entries_n--;
        forget(e);
    }
    pthread_mutex_unlock(&m->lock);
}

static void report_of(struct monitor_entry *e, uint64_t now_ms,
                      struct report *ret_report)
{
    *ret_report = (struct report){0};
    e->report(e->self, now_ms, ret_report);
}

static bool beyond(const struct monitor *m, const struct monitor_entry *e,
                   enum alert_rule rule, uint64_t value)
{
    bool raised = e->raised[rule];
    uint64_t level = raised ? m->clear[rule] : m->raise[rule];
    bool upwards = raised == rules[rule].raised_below;
    return upwards ? value >= level : value <= level;
}

/* Whether the value has stood long enough beyond the level that counts now. */
static bool turns(const struct monitor *m, struct monitor_entry *e,
                  enum alert_rule rule, uint64_t value, uint64_t now_ms)
{
    uint64_t wait_ms = e->raised[rule] ? m->calm_ms[rule] : m->hold_ms[rule];
    uint64_t *since_ms = &e->beyond_ms[rule];
    if (!beyond(m, e, rule, value)) {
        *since_ms = 0;
        return false;
    }
    if (*since_ms == 0 || *since_ms > now_ms)
        *since_ms = now_ms;
    return now_ms - *since_ms >= wait_ms;
}

static void turn(struct monitor_entry *e, enum alert_rule rule,
                 const struct report *r, uint64_t now_ms)
{
    struct alert *alert = &e->alerts[rule];
    e->beyond_ms[rule] = 0;
    e->raised[rule] = !e->raised[rule];
    alert->ended = !e->raised[rule];
    if (alert->ended)
        return;
    alert->rule = rule;
    alert->severity = words[rule].severity;
    alert->rule_name = rules[rule].name;
    alert->means = words[rule].means;
    alert->cure = words[rule].cure;
    memcpy(alert->entry, e->name, sizeof alert->entry);
    alert->suspect = rule == ALERT_LEAK ? r->suspect : NULL;
    alert->since_ms = now_ms;
}

/* Whether an alert of this rule began or ended. */
static bool judge(const struct monitor *m, struct monitor_entry *e,
                  enum alert_rule rule, const struct report *r, uint64_t now_ms)
{
    uint64_t value = e->alerts[rule].value;
    enum verdict verdict = rules[rule].measure(e, r, now_ms, &value);
    if (verdict == VERDICT_LATER)
        return false;
    if (verdict == VERDICT_NONE) {
        e->beyond_ms[rule] = 0;
        if (!e->raised[rule])
            return false;
    } else if (!turns(m, e, rule, value, now_ms)) {
        return false;
    }
    turn(e, rule, r, now_ms);
    if (verdict == VERDICT_VALUE)
        e->alerts[rule].value = value;
    return true;
}

static void look_at(struct monitor *m, struct monitor_entry *e, uint64_t now_ms,
                    struct told *told)
{
    struct report report;
    report_of(e, now_ms, &report);
    e->ticks_n = m->ticks_n;
    for (int i = 0; i < ALERT_RULES; i++) {
        if (!judge(m, e, (enum alert_rule)i, &report, now_ms))
            continue;
        assert(told->n < TOLD_MAX);
        told->alerts[told->n++] = e->alerts[i];
    }
}

/* Looks at entries until all alerts of one more might not fit; false when
 * there are none left. */
static bool look_at_some(struct monitor *m, uint64_t now_ms, struct told *told)
{
    told->n = 0;
    for (struct monitor_entry *e = m->entries; e; e = e->next) {
        if (e->ticks_n == m->ticks_n)
            continue;
        if (told->n > TOLD_MAX - ALERT_RULES)
            return true;
        look_at(m, e, now_ms, told);
    }
    return false;
}

void monitor_tick(struct monitor *m, uint64_t now_ms)
{
    struct told told;
    bool more = true;
    if (now_ms == 0)
        now_ms = 1; /* 0 stands for never */
    pthread_mutex_lock(&m->lock);
    m->ticks_n++;
    pthread_mutex_unlock(&m->lock);
    while (more) {
        pthread_mutex_lock(&m->lock);
        more = look_at_some(m, now_ms, &told);
        pthread_mutex_unlock(&m->lock);
        for (size_t i = 0; i < told.n; i++)
            m->on_alert(m->on_alert_arg, &told.alerts[i]);
    }
}

void monitor_each(struct monitor *m, uint64_t now_ms,
                  bool (*fn)(void *arg, const struct monitor_entry *e,
                             const struct report *report),
                  void *arg)
{
    bool more = true;
    assert(fn);
    pthread_mutex_lock(&m->lock);
    for (struct monitor_entry *e = m->entries; e && more; e = e->next) {
        struct report report;
        report_of(e, now_ms, &report);
        more = fn(arg, e, &report);
    }
    pthread_mutex_unlock(&m->lock);
}

enum flow monitor_set_bound(struct monitor *m, const char *name, uint64_t bound)
{
    enum flow r = FLOW_END;
    pthread_mutex_lock(&m->lock);
    struct monitor_entry *e = *place_of(m, name);
    if (e && strcmp(e->name, name) == 0 && e->set_bound)
        r = e->set_bound(e->self, bound);
    pthread_mutex_unlock(&m->lock);
    return r;
}

const char *alert_unit(enum alert_rule r)
{
    assert(r < ALERT_RULES);
    return rules[r].unit;
}

const char *alert_severity_name(enum alert_severity s)
{
    static const char *const names[] = {
        [ALERT_NOTICE] = "notice",
        [ALERT_WARNING] = "warning",
        [ALERT_CRITICAL] = "critical",
    };
    assert(s <= ALERT_CRITICAL);
    return names[s];
}

const char *report_kind_name(enum report_kind k)
{
    static const char *const names[] = {
        [REPORT_BUFFER] = "buffer", [REPORT_BATCH] = "batch",
        [REPORT_POOL] = "pool",     [REPORT_BUDGET] = "budget",
        [REPORT_CACHE] = "cache",
    };
    assert(k <= REPORT_CACHE);
    return names[k];
}
