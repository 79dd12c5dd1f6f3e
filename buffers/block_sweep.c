#include "buffers/block_inner.h"

const char *block_class_name(enum block_class c)
{
    static const char *const names[BLOCK_CLASSES] = {
        [BLOCK_4K] = "4k",
        [BLOCK_64K] = "64k",
        [BLOCK_1M] = "1m",
        [BLOCK_4M] = "4m",
    };
    assert(c < BLOCK_CLASSES);
    return names[c];
}

static uint32_t bound(const _Atomic uint32_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

void block_pool_set_keep(struct block_pool *p, enum block_class c,
                         uint32_t keep_max)
{
    assert(c < BLOCK_CLASSES);
    atomic_store_explicit(&p->class[c].keep_max, keep_max,
                          memory_order_relaxed);
}

void block_pool_set_lend(struct block_pool *p, enum block_class c,
                         uint32_t lend_max)
{
    assert(c < BLOCK_CLASSES);
    atomic_store_explicit(&p->class[c].lend_max, lend_max,
                          memory_order_relaxed);
}

/* Sweep. */

/* How many blocks should go: all when caches are short of memory, what is
 * beyond the bound, and when it is time half of what nobody needed. */
static uint64_t surplus(const struct block_pool *p, enum block_class c,
                        bool aged)
{
    const struct block_class_state *s = &p->class[c];
    uint64_t kept = figure(&s->kept_n);
    uint64_t keep_max = bound(&s->keep_max);
    uint64_t n = aged ? s->kept_low - s->kept_low / 2 : 0;
    if (kept > keep_max && kept - keep_max > n)
        n = kept - keep_max;
    if (budget_short(p->budget, BUDGET_CACHE))
        n = kept;
    return n < BLOCK_POOL_SWEEP_MAX ? n : BLOCK_POOL_SWEEP_MAX;
}

static void shrink(struct block_pool *p)
{
    bool aged = p->now_ms - p->aged_ms >= BLOCK_POOL_AGE_MS;
    for (enum block_class c = BLOCK_CLASSES; c-- > 0;) {
        block_pool_let_go(p, c, surplus(p, c, aged));
        if (aged)
            p->class[c].kept_low = (uint32_t)figure(&p->class[c].kept_n);
    }
    if (aged)
        p->aged_ms = p->now_ms;
}

/* Whether the head can be followed to the next tracked block. */
static bool is_out(const struct block *b)
{
    enum block_state s = block_state(b);
    return s == BLOCK_LENT || s == BLOCK_BACK || s == BLOCK_BAD;
}

/* What streams keep is out for as long as they keep it. */
static bool is_suspect(const struct block_pool *p, const struct block *b)
{
    return p->leak_ms > 0 && p->now_ms - b->lent_ms >= p->leak_ms &&
           b->budget != BUDGET_STREAM;
}

static void look_for_leaks(struct block_pool *p)
{
    uint64_t n[BLOCK_CLASSES] = {0};
    const struct block *oldest[BLOCK_CLASSES] = {0};
    for (const struct block *b = p->lent; b && is_out(b); b = b->lent_next) {
        if (!is_suspect(p, b))
            continue;
        n[b->class]++;
        if (!oldest[b->class] || b->lent_ms <= oldest[b->class]->lent_ms)
            oldest[b->class] = b;
    }
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++) {
        const char *who = oldest[c] ? oldest[c]->borrower : NULL;
        figure_set(&p->class[c].suspects, n[c]);
        atomic_store_explicit(&p->class[c].suspect, who, memory_order_relaxed);
    }
}

/* Before the first sweep there is no clock: what was lent so early counts from
 * there. */
static void begin_time(struct block_pool *p, uint64_t now_ms)
{
    for (struct block *b = p->lent; b && is_out(b); b = b->lent_next)
        b->lent_ms = now_ms;
}

void block_pool_sweep(struct block_pool *p, uint64_t now_ms)
{
    assert(block_pool_is_owner(p));
    assert(now_ms >= p->now_ms);
    if (p->now_ms == 0)
        begin_time(p, now_ms);
    p->now_ms = now_ms;
    block_pool_collect(p);
    shrink(p);
    look_for_leaks(p);
    block_pool_settle(p);
}

/* The end. */

static void report_leaks(struct block_pool *p)
{
    uint64_t named[BLOCK_CLASSES] = {0};
    for (const struct block *b = p->lent; b && is_out(b); b = b->lent_next) {
        named[b->class]++;
        block_report(p, BLOCK_LEAKED, b->class, b);
    }
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++)
        for (uint64_t n = figure(&p->class[c].in_use); n > named[c]; n--)
            block_report(p, BLOCK_LEAKED, c, NULL);
}

void block_pool_fini(struct block_pool *p)
{
    assert(p->magic == BLOCK_POOL_MAGIC);
    assert(block_pool_is_owner(p));
    block_pool_collect(p);
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++)
        block_pool_let_go(p, c, figure(&p->class[c].kept_n));
    block_pool_settle(p);
    report_leaks(p);
    p->magic = 0;
}

/* Statistics. */

static void class_stats(struct block_class_state *s, bool restart_window,
                        struct block_class_stats *ret_stats)
{
    *ret_stats = (struct block_class_stats){
        .created = figure(&s->created),
        .retrieved = figure(&s->retrieved),
        .returned = figure(&s->returned),
        .destroyed = figure(&s->destroyed),
        .hits = figure(&s->hits),
        .misses = figure(&s->misses),
        .refused = figure(&s->refused),
        .foreign = figure(&s->foreign),
        .in_use = figure(&s->in_use),
        .peak = figure(&s->peak),
        .kept = figure(&s->kept_n),
        .quarantined = figure(&s->quarantined),
        .keep_max = bound(&s->keep_max),
        .lend_max = bound(&s->lend_max),
        .window_peak = figure(&s->window_peak),
        .suspects = figure(&s->suspects),
        .suspect = atomic_load_explicit(&s->suspect, memory_order_relaxed),
    };
    if (restart_window)
        figure_set(&s->window_peak, ret_stats->in_use);
}

void block_pool_stats(struct block_pool *p, bool restart_window,
                      struct block_pool_stats *ret_stats)
{
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++) {
        struct block_class_stats *s = &ret_stats->class[c];
        class_stats(&p->class[c], restart_window, s);
        s->bytes = (s->in_use + s->kept) * block_class_cost_bytes(c);
    }
    ret_stats->faults = figure(&p->faults);
}

/* Invariants. */

static void check_kept(const struct block_pool *p, enum block_class c)
{
    const struct block_class_state *s = &p->class[c];
    uint64_t n = 0;
    for (const struct block *b = s->kept; b; b = b->next) {
        enum block_state state = block_state(b);
        assert(state == BLOCK_KEPT || state == BLOCK_KEPT_PATTERN ||
               state == BLOCK_BAD);
        assert(b->pool == p && b->class == c);
        assert(b->budget == BUDGET_CACHE);
        assert(block_guard_whole(b));
        n++;
    }
    assert(n == figure(&s->kept_n));
    assert(s->kept_low <= n);
}

static void check_figures(const struct block_class_state *s)
{
    uint64_t held = figure(&s->in_use) + figure(&s->kept_n);
    uint64_t gone = figure(&s->destroyed) + figure(&s->quarantined);
    assert(figure(&s->created) == held + gone);
    assert(figure(&s->retrieved) == figure(&s->returned) + figure(&s->in_use));
    assert(figure(&s->retrieved) == figure(&s->hits) + figure(&s->created));
    assert(figure(&s->in_use) <= figure(&s->peak));
    assert(figure(&s->window_peak) <= figure(&s->peak));
}

static void check_lent(const struct block_pool *p)
{
    uint64_t n = 0;
    uint64_t in_use = 0;
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++)
        in_use += figure(&p->class[c].in_use);
    for (const struct block *b = p->lent; b && is_out(b); b = b->lent_next) {
        assert(b->tracked && b->pool == p);
        assert(*b->lent_link == b);
        n++;
    }
    bool all = p->track_all && figure(&p->faults) == 0;
    assert(all ? n == in_use : n <= in_use);
}

void block_pool_check(struct block_pool *p)
{
    int64_t moved = 0;
    assert(p->magic == BLOCK_POOL_MAGIC);
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++) {
        check_kept(p, c);
        check_figures(&p->class[c]);
    }
    for (enum budget_class c = 0; c < BUDGET_CLASSES; c++)
        moved += p->moved[c];
    assert(moved == 0);
    check_lent(p);
}
