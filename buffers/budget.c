#include "buffers/budget.h"

#include <assert.h>

#define SHARES 16u

/* Sixteenths of the limit that a class leaves to those before it. */
static const uint64_t left_free[BUDGET_CLASSES] = {
    [BUDGET_VITAL] = 0, [BUDGET_LEAVING] = 0, [BUDGET_ACCEPTED] = 1,
    [BUDGET_NEW] = 2,   [BUDGET_STREAM] = 3,  [BUDGET_CACHE] = 4,
};

static uint64_t read_now(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

void budget_init(struct budget *b, uint64_t limit_bytes)
{
    assert(limit_bytes > 0);
    *b = (struct budget){.limit = limit_bytes};
}

uint64_t budget_limit_of(const struct budget *b, enum budget_class c)
{
    assert(c < BUDGET_CLASSES);
    uint64_t limit = read_now(&b->limit);
    return limit - limit / SHARES * left_free[c];
}

uint64_t budget_lacking(const struct budget *b, enum budget_class c,
                        size_t bytes)
{
    if (!b || (c == BUDGET_VITAL &&
               read_now(&b->used_by[c]) + bytes <= BUDGET_VITAL_BYTES))
        return 0;
    uint64_t max = budget_limit_of(b, c);
    uint64_t used = read_now(&b->used);
    uint64_t room = used < max ? max - used : 0;
    uint64_t over = used > max ? used - max : 0;
    return bytes > room ? over + (bytes - room) : over;
}

bool budget_short(const struct budget *b, enum budget_class c)
{
    return budget_lacking(b, c, 0) > 0;
}

static void raise_max(struct budget *b, uint64_t used)
{
    uint64_t max = read_now(&b->used_max);
    while (used > max)
        if (atomic_compare_exchange_weak_explicit(&b->used_max, &max, used,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed))
            break;
}

static void add(_Atomic uint64_t *at, uint64_t n)
{
    atomic_fetch_add_explicit(at, n, memory_order_relaxed);
}

static void subtract(_Atomic uint64_t *at, uint64_t n)
{
    uint64_t before = atomic_fetch_sub_explicit(at, n, memory_order_relaxed);
    assert(before >= n);
}

static bool take_beyond(struct budget *b, uint64_t bytes)
{
    uint64_t had = read_now(&b->used_by[BUDGET_VITAL]);
    do {
        if (bytes > BUDGET_VITAL_BYTES || had > BUDGET_VITAL_BYTES - bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &b->used_by[BUDGET_VITAL], &had, had + bytes, memory_order_relaxed,
        memory_order_relaxed));
    add(&b->used, bytes);
    raise_max(b, read_now(&b->used));
    return true;
}

bool budget_take(struct budget *b, enum budget_class c, size_t bytes)
{
    if (!b)
        return true;
    uint64_t max = budget_limit_of(b, c);
    uint64_t used = read_now(&b->used);
    do {
        if (bytes > max || used > max - bytes) {
            bool granted = c == BUDGET_VITAL && take_beyond(b, bytes);
            add(&b->refused[c], !granted);
            return granted;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &b->used, &used, used + bytes, memory_order_relaxed,
        memory_order_relaxed));
    add(&b->used_by[c], bytes);
    raise_max(b, used + bytes);
    return true;
}

void budget_give(struct budget *b, enum budget_class c, size_t bytes)
{
    if (!b)
        return;
    assert(c < BUDGET_CLASSES);
    subtract(&b->used_by[c], bytes);
    subtract(&b->used, bytes);
}

void budget_move(struct budget *b, enum budget_class from, enum budget_class to,
                 size_t bytes)
{
    if (!b)
        return;
    assert(from < BUDGET_CLASSES && to < BUDGET_CLASSES);
    subtract(&b->used_by[from], bytes);
    add(&b->used_by[to], bytes);
}

void budget_set_limit(struct budget *b, uint64_t limit_bytes)
{
    assert(limit_bytes > 0);
    atomic_store_explicit(&b->limit, limit_bytes, memory_order_relaxed);
}

const char *budget_class_name(enum budget_class c)
{
    static const char *const names[BUDGET_CLASSES] = {
        [BUDGET_VITAL] = "vital",       [BUDGET_LEAVING] = "leaving",
        [BUDGET_ACCEPTED] = "accepted", [BUDGET_NEW] = "new",
        [BUDGET_STREAM] = "stream",     [BUDGET_CACHE] = "cache",
    };
    assert(c < BUDGET_CLASSES);
    return names[c];
}
