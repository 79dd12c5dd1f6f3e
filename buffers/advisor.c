#include "buffers/advisor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static uint64_t load(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static uint64_t within(const struct knob *k, uint64_t value)
{
    if (value < k->min)
        return k->min;
    return value > k->max ? k->max : value;
}

static uint64_t per_cent(uint64_t part, uint64_t whole)
{
    assert(part <= whole && whole > 0);
    return part > UINT64_MAX / 100 ? part / (whole / 100) : part * 100 / whole;
}

void advisor_init(struct advisor *a, uint64_t window_ms,
                  void (*on_advice)(void *arg, const struct advice *advice),
                  void *arg)
{
    assert(window_ms > 0 && on_advice);
    *a = (struct advisor){
        .window_ms = window_ms, .on_advice = on_advice, .on_advice_arg = arg};
    atomic_init(&a->enabled, true);
    pthread_mutex_init(&a->lock, NULL);
}

void advisor_fini(struct advisor *a)
{
    assert(!a->knobs && a->knobs_n == 0);
    pthread_mutex_destroy(&a->lock);
}

bool advisor_add(struct advisor *a, struct knob *k)
{
    assert(k->name && !k->link);
    assert(k->min <= k->max);
    assert(k->kind == KNOB_LEVEL || k->min > 0);
    pthread_mutex_lock(&a->lock);
    bool fits = a->knobs_n < ADVISOR_KNOBS_MAX;
    if (fits) {
        atomic_store(&k->value, within(k, knob_value(k)));
        k->began_ms = a->window_began_ms;
        k->operations_before = load(&k->operations_n);
        k->full_before = load(&k->full_n);
        k->half_before = load(&k->half_n);
        k->next = a->knobs;
        k->link = &a->knobs;
        if (k->next)
            k->next->link = &k->next;
        a->knobs = k;
        a->knobs_n++;
    }
    pthread_mutex_unlock(&a->lock);
    return fits;
}

void advisor_remove(struct advisor *a, struct knob *k)
{
    pthread_mutex_lock(&a->lock);
    if (k->link) {
        assert(a->knobs_n > 0 && *k->link == k);
        *k->link = k->next;
        if (k->next)
            k->next->link = k->link;
        k->next = NULL;
        k->link = NULL;
        k->windows_n = 0;
        a->knobs_n--;
    }
    pthread_mutex_unlock(&a->lock);
}

void advisor_pin(struct advisor *a, struct knob *k, uint64_t value)
{
    pthread_mutex_lock(&a->lock);
    atomic_store(&k->min, value);
    atomic_store(&k->max, value);
    atomic_store(&k->value, value);
    if (k->apply)
        k->apply(k->self, value);
    pthread_mutex_unlock(&a->lock);
}

void advisor_enable(struct advisor *a, bool enabled)
{
    atomic_store(&a->enabled, enabled);
}

void knob_observe_level(struct knob *k, uint64_t demand)
{
    uint64_t seen = load(&k->demand_max);
    while (demand > seen && !atomic_compare_exchange_weak_explicit(
                                &k->demand_max, &seen, demand,
                                memory_order_relaxed, memory_order_relaxed))
        ;
}

/* The window is over: what it showed is the latest of the history. */
static void remember(struct knob *k, uint64_t seen, uint64_t now_ms)
{
    size_t older = (ADVISOR_WINDOWS - 1) * sizeof k->history[0];
    memmove(k->history + 1, k->history, older);
    memmove(k->history_ms + 1, k->history_ms, older);
    k->history[0] = seen;
    k->history_ms[0] = k->began_ms;
    k->began_ms = now_ms;
    if (k->windows_n < ADVISOR_WINDOWS)
        k->windows_n++;
}

static uint64_t highest(const struct knob *k)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < k->windows_n; i++) {
        if (k->history[i] > found)
            found = k->history[i];
    }
    return found;
}

/* How far the history reaches back. */
static unsigned long long seconds_watched(const struct knob *k, uint64_t now_ms)
{
    uint64_t from_ms =
        k->windows_n > 0 ? k->history_ms[k->windows_n - 1] : k->began_ms;
    uint64_t s = now_ms > from_ms ? (now_ms - from_ms + 500) / 1000 : 0;
    return s > 0 ? s : 1;
}

static const char *unit_of(const struct knob *k)
{
    if (k->unit)
        return k->unit;
    return k->kind == KNOB_SIZE ? "bytes" : "blocks";
}

static const char *limit_of(const struct knob *k, uint64_t to)
{
    if (to == k->max)
        return ", the most that is allowed";
    return to == k->min ? ", the least that is allowed" : "";
}

static bool may_turn(const struct advisor *a, const struct knob *k, uint64_t to)
{
    return to != knob_value(k) && atomic_load(&a->enabled);
}

static void turn(struct advisor *a, struct knob *k, uint64_t to,
                 const char *reason)
{
    assert(to >= k->min && to <= k->max);
    struct advice advice = {
        .knob = k->name, .from = knob_value(k), .to = to, .reason = reason};
    a->on_advice(a->on_advice_arg, &advice);
    atomic_store_explicit(&k->value, to, memory_order_relaxed);
    if (k->apply)
        k->apply(k->self, to);
    atomic_fetch_add_explicit(&a->changes_n, 1, memory_order_relaxed);
}

static void turn_level(struct advisor *a, struct knob *k, uint64_t demand,
                       uint64_t to, uint64_t now_ms)
{
    char reason[ADVISOR_REASON_BYTES];
    if (!may_turn(a, k, to))
        return;
    snprintf(reason, sizeof reason,
             "at most %llu %s were in use in the last %llu s; %llu are kept "
             "instead of %llu%s",
             (unsigned long long)demand, unit_of(k), seconds_watched(k, now_ms),
             (unsigned long long)to, (unsigned long long)knob_value(k),
             limit_of(k, to));
    turn(a, k, to, reason);
}

/* A quarter more than was needed. */
static uint64_t prepared_for(const struct knob *k, uint64_t demand)
{
    uint64_t more = demand / 4 + (demand % 4 > 0);
    return within(k, demand > UINT64_MAX - more ? UINT64_MAX : demand + more);
}

static void tick_level(struct advisor *a, struct knob *k, bool over,
                       uint64_t now_ms)
{
    uint64_t demand = load(&k->demand_max);
    if (over) {
        demand =
            atomic_exchange_explicit(&k->demand_max, 0, memory_order_relaxed);
        remember(k, demand, now_ms);
    }
    if (demand < highest(k))
        demand = highest(k);
    uint64_t value = knob_value(k);
    uint64_t to = prepared_for(k, demand);
    uint64_t eighth = value / 8 + (value % 8 > 0);
    bool agreed = k->windows_n == ADVISOR_WINDOWS;
    if (demand > value || (agreed && to < value && value - to >= eighth))
        turn_level(a, k, demand, to, now_ms);
}

static uint64_t doubled(const struct knob *k)
{
    uint64_t value = knob_value(k);
    return within(k, value > UINT64_MAX / 2 ? UINT64_MAX : value * 2);
}

static void grow_size(struct advisor *a, struct knob *k, uint64_t full,
                      uint64_t ops)
{
    char reason[ADVISOR_REASON_BYTES];
    uint64_t to = doubled(k);
    if (!may_turn(a, k, to))
        return;
    snprintf(reason, sizeof reason,
             "%llu of %llu operations used all of their %llu %s; %llu are "
             "asked for from now on%s",
             (unsigned long long)full, (unsigned long long)ops,
             (unsigned long long)knob_value(k), unit_of(k),
             (unsigned long long)to, limit_of(k, to));
    turn(a, k, to, reason);
}

static void shrink_size(struct advisor *a, struct knob *k, uint64_t now_ms)
{
    char reason[ADVISOR_REASON_BYTES];
    uint64_t to = within(k, knob_value(k) / 2);
    if (!may_turn(a, k, to))
        return;
    snprintf(reason, sizeof reason,
             "in the last %llu s at most %llu %% of the operations used half "
             "or more of their %llu %s; %llu are asked for from now on%s",
             seconds_watched(k, now_ms), (unsigned long long)highest(k),
             (unsigned long long)knob_value(k), unit_of(k),
             (unsigned long long)to, limit_of(k, to));
    turn(a, k, to, reason);
    k->windows_n = 0; /* it tells of another size */
}

/* The counters are read while they are written: no part exceeds the whole. */
static uint64_t part_since(const _Atomic uint64_t *counter, uint64_t *before,
                           uint64_t whole)
{
    uint64_t now = load(counter);
    uint64_t part = now - *before;
    *before = now;
    return part > whole ? whole : part;
}

static void tick_size(struct advisor *a, struct knob *k, uint64_t now_ms)
{
    uint64_t ops = load(&k->operations_n) - k->operations_before;
    if (ops < ADVISOR_OPERATIONS_MIN)
        return;
    k->operations_before += ops;
    uint64_t full = part_since(&k->full_n, &k->full_before, ops);
    uint64_t half = part_since(&k->half_n, &k->half_before, ops);
    remember(k, per_cent(half, ops), now_ms);
    if (per_cent(full, ops) >= ADVISOR_MANY_PERCENT)
        grow_size(a, k, full, ops);
    else if (k->windows_n == ADVISOR_WINDOWS &&
             highest(k) <= ADVISOR_FEW_PERCENT)
        shrink_size(a, k, now_ms);
}

static void start(struct advisor *a, uint64_t now_ms)
{
    a->ticked = true;
    a->window_began_ms = now_ms;
    for (struct knob *k = a->knobs; k; k = k->next)
        k->began_ms = now_ms;
}

/* A clock that went back starts the window again. */
static bool window_over(const struct advisor *a, uint64_t now_ms)
{
    return now_ms < a->window_began_ms ||
           now_ms - a->window_began_ms >= a->window_ms;
}

void advisor_tick(struct advisor *a, uint64_t now_ms)
{
    pthread_mutex_lock(&a->lock);
    if (!a->ticked)
        start(a, now_ms);
    bool over = window_over(a, now_ms);
    if (over)
        a->window_began_ms = now_ms;
    for (struct knob *k = a->knobs; k; k = k->next) {
        if (k->kind == KNOB_LEVEL)
            tick_level(a, k, over, now_ms);
        else if (over)
            tick_size(a, k, now_ms);
    }
    pthread_mutex_unlock(&a->lock);
}
