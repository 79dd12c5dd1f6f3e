#include "buffers/block_pool.h"

#include "buffers/block_inner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Where pages are larger, madvise() refuses, and free() is all there is. */
#define PAGE_BYTES 4096u

static_assert(sizeof(struct block) % 16 == 0,
              "data is aligned like malloc()'s");
static_assert(sizeof(struct block) <= BLOCK_ALIGN_BYTES, "one page of head");

static const uint32_t class_bytes[BLOCK_CLASSES] = {
    [BLOCK_4K] = BLOCK_4K_BYTES,
    [BLOCK_64K] = BLOCK_64K_BYTES,
    [BLOCK_1M] = BLOCK_1M_BYTES,
    [BLOCK_4M] = BLOCK_4M_BYTES,
};

/* Large blocks have a page in front, where the head is, and one behind. */
static const size_t cost_bytes[BLOCK_CLASSES] = {
    [BLOCK_4K] = 4u << 10,
    [BLOCK_64K] = 64u << 10,
    [BLOCK_1M] = BLOCK_1M_BYTES + 2 * BLOCK_ALIGN_BYTES,
    [BLOCK_4M] = BLOCK_4M_BYTES + 2 * BLOCK_ALIGN_BYTES,
};

/* Its address is different in each thread that lives. */
static _Thread_local char thread_token;

bool block_pool_is_owner(const struct block_pool *p)
{
    return atomic_load_explicit(&p->owner, memory_order_relaxed) ==
           &thread_token;
}

size_t block_class_bytes(enum block_class c)
{
    assert(c < BLOCK_CLASSES);
    return class_bytes[c];
}

size_t block_class_cost_bytes(enum block_class c)
{
    assert(c < BLOCK_CLASSES);
    return cost_bytes[c];
}

void block_pool_own(struct block_pool *p)
{
    assert(p->magic == BLOCK_POOL_MAGIC);
    atomic_store_explicit(&p->owner, &thread_token, memory_order_relaxed);
}

void block_pool_init(struct block_pool *p,
                     const struct block_pool_config *config)
{
    *p = (struct block_pool){
        .magic = BLOCK_POOL_MAGIC,
        .budget = config->budget,
        .leak_ms = config->leak_ms,
        .track_all = config->track_all,
        .on_fault = config->on_fault,
        .on_fault_arg = config->on_fault_arg,
    };
    const char *name = config->name ? config->name : "pool";
    strncpy(p->name, name, sizeof p->name - 1);
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++) {
        block_pool_set_keep(p, c, config->keep_max[c]);
        block_pool_set_lend(p, c, config->lend_max[c]);
    }
    block_pool_own(p);
}

/* The budget. */

/* The budget's atomics are everybody's; a block that is kept and lent again
 * changes its class there only now and then. What classes lost goes first, so
 * that none is below zero meanwhile. */
void block_pool_settle(struct block_pool *p)
{
    for (enum budget_class c = 0; c < BUDGET_CACHE; c++)
        if (p->moved[c] < 0)
            budget_move(p->budget, c, BUDGET_CACHE, (size_t)-p->moved[c]);
    for (enum budget_class c = 0; c < BUDGET_CACHE; c++)
        if (p->moved[c] > 0)
            budget_move(p->budget, BUDGET_CACHE, c, (size_t)p->moved[c]);
    memset(p->moved, 0, sizeof p->moved);
}

static void recharge(struct block_pool *p, struct block *b, enum budget_class c)
{
    int64_t bytes = (int64_t)cost_bytes[b->class];
    p->moved[b->budget] -= bytes;
    p->moved[c] += bytes;
    b->budget = (uint8_t)c;
}

/* Blocks come and go. */

static bool is_large(enum block_class c)
{
    return c >= BLOCK_1M;
}

size_t block_malloc_bytes(enum block_class c)
{
    size_t room = is_large(c) ? BLOCK_ALIGN_BYTES - 1 : 0;
    return sizeof(struct block) + room + class_bytes[c] + BLOCK_GUARD_BYTES;
}

static struct block *block_new(enum block_class c)
{
    struct block *b = malloc(block_malloc_bytes(c));
    if (!b)
        return NULL;
    char *data = (char *)(b + 1);
    if (is_large(c))
        data += -(uintptr_t)data % BLOCK_ALIGN_BYTES;
    *b = (struct block){
        .class = (uint8_t)c, .cap = class_bytes[c], .data = data};
    block_guard_set(b);
    return b;
}

static void destroy(struct block_pool *p, struct block *b)
{
    block_pool_settle(p);
    budget_give(p->budget, b->budget, cost_bytes[b->class]);
    figure_add(&p->class[b->class].destroyed, 1);
    block_unpoison(b);
    block_set_state(b, BLOCK_GONE);
    free(b);
}

static void quarantine(struct block_pool *p, enum block_class c,
                       struct block *b)
{
    figure_add(&p->class[c].quarantined, 1);
    block_quarantine(b);
}

static size_t pattern_bytes(const struct block_pool *p, const struct block *b)
{
    bool whole = p->track_all || b->cap < BLOCK_POOL_PATTERN_BYTES;
    return whole ? b->cap : BLOCK_POOL_PATTERN_BYTES;
}

static void keep(struct block_pool *p, struct block *b)
{
    struct block_class_state *s = &p->class[b->class];
    if (b->tracked)
        block_pattern_fill(b, pattern_bytes(p, b));
    block_set_state(b, b->tracked ? BLOCK_KEPT_PATTERN : BLOCK_KEPT);
    block_poison(b);
    recharge(p, b, BUDGET_CACHE);
    b->next = s->kept;
    s->kept = b;
    figure_add(&s->kept_n, 1);
}

/* A block that was kept, when it leaves the list. */
static bool kept_whole(struct block_pool *p, enum block_class c,
                       struct block *b)
{
    enum block_state state = block_state(b);
    block_unpoison(b);
    if (state == BLOCK_BAD)
        return false;
    if ((state != BLOCK_KEPT && state != BLOCK_KEPT_PATTERN) || b->class != c ||
        b->cap != class_bytes[c] || b->pool != p) {
        block_report_head(p, b);
        return false;
    }
    if (!block_guard_whole(b) ||
        (state == BLOCK_KEPT_PATTERN &&
         !block_pattern_whole(b, pattern_bytes(p, b)))) {
        block_report(p, BLOCK_USE_AFTER_PUT, c, b);
        return false;
    }
    return true;
}

/* The block kept last, for it is the one in the processor's cache. */
static struct block *take_kept(struct block_pool *p, enum block_class c)
{
    struct block_class_state *s = &p->class[c];
    while (s->kept) {
        struct block *b = s->kept;
        s->kept = b->next;
        figure_subtract(&s->kept_n, 1);
        if (figure(&s->kept_n) < s->kept_low)
            s->kept_low--;
        if (kept_whole(p, c, b))
            return b;
        quarantine(p, c, b);
    }
    return NULL;
}

/* free() alone gives back only what lies at the heap's end: the pages of a
 * block in the midst of it would stay. */
static void give_back_pages(const struct block *b)
{
    uintptr_t begin = (uintptr_t)b->data + PAGE_BYTES - 1;
    uintptr_t end = (uintptr_t)b->data + b->cap;
    begin -= begin % PAGE_BYTES;
    end -= end % PAGE_BYTES;
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* Frees the n blocks that were kept for longest. */
void block_pool_let_go(struct block_pool *p, enum block_class c, uint64_t n)
{
    struct block_class_state *s = &p->class[c];
    uint64_t kept_n = figure(&s->kept_n);
    assert(n <= kept_n);
    if (n == 0)
        return;
    struct block **link = &s->kept;
    for (uint64_t i = n; i < kept_n; i++)
        link = &(*link)->next;
    struct block *b = *link;
    *link = NULL;
    figure_subtract(&s->kept_n, n);
    if (s->kept_low > kept_n - n)
        s->kept_low = (uint32_t)(kept_n - n);
    while (b) {
        struct block *next = b->next;
        if (kept_whole(p, c, b)) {
            give_back_pages(b);
            destroy(p, b);
        } else {
            quarantine(p, c, b);
        }
        b = next;
    }
}

/* Lending and returning. */

static void track(struct block_pool *p, struct block *b)
{
    b->lent_ms = p->now_ms;
    b->lent_next = p->lent;
    b->lent_link = &p->lent;
    if (p->lent)
        p->lent->lent_link = &b->lent_next;
    p->lent = b;
}

static void untrack(struct block *b)
{
    assert(*b->lent_link == b);
    *b->lent_link = b->lent_next;
    if (b->lent_next)
        b->lent_next->lent_link = b->lent_link;
}

/* Owner: a block has come home. */
static void take_back(struct block_pool *p, struct block *b)
{
    enum block_class c = b->class;
    struct block_class_state *s = &p->class[c];
    if (b->tracked)
        untrack(b);
    figure_subtract(&s->in_use, 1);
    figure_add(&s->returned, 1);
    if (block_state(b) == BLOCK_BAD)
        quarantine(p, c, b);
    else if (figure(&s->kept_n) <
                 atomic_load_explicit(&s->keep_max, memory_order_relaxed) &&
             !budget_short(p->budget, BUDGET_CACHE))
        keep(p, b);
    else
        destroy(p, b);
}

/* Takes all that other threads returned, in one exchange: nothing is ever
 * popped singly, so a block that comes back in between does no harm. */
void block_pool_collect(struct block_pool *p)
{
    if (!atomic_load_explicit(&p->returned_stack, memory_order_relaxed))
        return;
    struct block *b = atomic_exchange_explicit(&p->returned_stack, NULL,
                                               memory_order_acquire);
    while (b) {
        struct block *next = b->next;
        figure_add(&p->class[b->class].foreign, 1);
        block_unpoison(b);
        take_back(p, b);
        b = next;
    }
}

static void push_returned(struct block_pool *p, struct block *b)
{
    b->next = atomic_load_explicit(&p->returned_stack, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&p->returned_stack, &b->next,
                                                  b, memory_order_release,
                                                  memory_order_relaxed))
        continue;
}

/* The last reference is gone. Two threads that both believe to have held it
 * find the state changed by the first. */
static void put(struct block *b)
{
    struct block_pool *p = b->pool;
    bool whole = block_guard_whole(b);
    bool own = block_pool_is_owner(p);
    uint32_t state = BLOCK_LENT;
    if (!whole || !own) {
        enum block_state next = whole ? BLOCK_BACK : BLOCK_BAD;
        if (!atomic_compare_exchange_strong_explicit(&b->state, &state, next,
                                                     memory_order_relaxed,
                                                     memory_order_relaxed)) {
            block_misput(p, b);
            return;
        }
    }
    if (!whole)
        block_report(p, BLOCK_OVERRUN, b->class, b);
    if (own) {
        take_back(p, b);
        return;
    }
    block_poison(b);
    push_returned(p, b);
}

/* A head that is not whole says too little to go on. */
static bool head_whole(const struct block *b)
{
    return block_state(b) == BLOCK_LENT && b->class < BLOCK_CLASSES &&
           b->cap == class_bytes[b->class];
}

void block_unref(struct block *b)
{
    if (!b)
        return;
    struct block_pool *p = b->pool;
    assert(p && p->magic == BLOCK_POOL_MAGIC);
    /* Only a holder may add one, so the sole holder need not lock. */
    unsigned refs = atomic_load_explicit(&b->refs, memory_order_acquire);
    if (refs > 1 &&
        atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (refs > 0)
        atomic_store_explicit(&b->refs, 0, memory_order_relaxed);
    if (refs > 0 && head_whole(b))
        put(b);
    else
        block_misput(p, b);
}

struct block *block_ref(struct block *b)
{
    unsigned refs =
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    assert(refs > 0 && block_state(b) == BLOCK_LENT);
    (void)refs;
    return b;
}

/* Of this pool, caches yield before anybody is refused; the largest first. */
bool block_pool_make_way(struct block_pool *p, enum budget_class budget,
                         size_t bytes)
{
    uint64_t lacking = budget_lacking(p->budget, budget, bytes);
    for (enum block_class c = BLOCK_CLASSES; c-- > 0 && lacking > 0;) {
        uint64_t kept_n = figure(&p->class[c].kept_n);
        uint64_t n = lacking / cost_bytes[c] + (lacking % cost_bytes[c] > 0);
        if (n > kept_n)
            n = kept_n;
        block_pool_let_go(p, c, n);
        lacking -= lacking < n * cost_bytes[c] ? lacking : n * cost_bytes[c];
    }
    return lacking == 0;
}

static bool charge(struct block_pool *p, enum block_class c,
                   enum budget_class budget)
{
    (void)block_pool_make_way(p, budget, cost_bytes[c]);
    return budget_take(p->budget, budget, cost_bytes[c]);
}

static struct block *create(struct block_pool *p, enum block_class c,
                            enum budget_class budget)
{
    if (!charge(p, c, budget))
        return NULL;
    struct block *b = block_new(c);
    if (!b) {
        budget_give(p->budget, budget, cost_bytes[c]);
        return NULL;
    }
    b->pool = p;
    b->budget = (uint8_t)budget;
    figure_add(&p->class[c].created, 1);
    return b;
}

static bool may_lend(struct block_class_state *s)
{
    uint32_t lend_max =
        atomic_load_explicit(&s->lend_max, memory_order_relaxed);
    return lend_max == 0 || figure(&s->in_use) < lend_max;
}

static bool is_sample(struct block_pool *p)
{
    if (p->track_all)
        return true;
    if (p->until_sample > 0) {
        p->until_sample--;
        return false;
    }
    p->until_sample = BLOCK_POOL_SAMPLE - 1;
    return true;
}

static void count_lent(struct block_class_state *s)
{
    uint64_t in_use = figure(&s->in_use) + 1;
    figure_set(&s->in_use, in_use);
    figure_add(&s->retrieved, 1);
    if (in_use > figure(&s->peak))
        figure_set(&s->peak, in_use);
    if (in_use > figure(&s->window_peak))
        figure_set(&s->window_peak, in_use);
}

static struct block *lend(struct block_pool *p, struct block *b,
                          const char *borrower)
{
    count_lent(&p->class[b->class]);
    b->len = 0;
    b->next = NULL;
    b->borrower = borrower;
    b->tracked = is_sample(p);
    if (b->tracked)
        track(p, b);
    block_set_state(b, BLOCK_LENT);
    atomic_store_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

static struct block *refuse(struct block_class_state *s)
{
    figure_add(&s->refused, 1);
    return NULL;
}

struct block *block_pool_get(struct block_pool *p, enum block_class c,
                             enum budget_class budget, const char *borrower)
{
    assert(block_pool_is_owner(p));
    assert(c < BLOCK_CLASSES && budget < BUDGET_CLASSES && borrower);
    struct block_class_state *s = &p->class[c];
    if (!s->kept || !may_lend(s))
        block_pool_collect(p);
    if (!may_lend(s) || !block_pool_make_way(p, budget, 0))
        return refuse(s);
    struct block *b = take_kept(p, c);
    if (b) {
        figure_add(&s->hits, 1);
        recharge(p, b, budget);
        return lend(p, b, borrower);
    }
    figure_add(&s->misses, 1);
    b = create(p, c, budget);
    return b ? lend(p, b, borrower) : refuse(s);
}
