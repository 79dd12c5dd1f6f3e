#include "tests/model/crowd_inner.h"

#include <sched.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef enum flow put_form(struct producer *p, const struct crowd_item *items,
                           size_t n, size_t *ret_n);
typedef enum flow get_form(struct consumer *c, struct crowd_item *items,
                           size_t n, size_t *ret_n);

struct put_way {
    put_form *run;
    bool waits; /* a block buffer never answers FULL */
};

struct get_way {
    get_form *run;
    bool waits; /* never answers AGAIN */
};

/* Producers. */

static enum flow put_add(struct producer *p, const struct crowd_item *items,
                         size_t n, size_t *ret_n)
{
    enum flow r = FLOW_DONE;
    for (*ret_n = 0; *ret_n < n; ++*ret_n) {
        r = buffer_add(p->crowd->b, &items[*ret_n]);
        if (r != FLOW_DONE)
            break;
    }
    return r;
}

static enum flow put_try_add(struct producer *p, const struct crowd_item *items,
                             size_t n, size_t *ret_n)
{
    enum flow r = FLOW_DONE;
    for (*ret_n = 0; *ret_n < n; ++*ret_n) {
        r = buffer_try_add(p->crowd->b, &items[*ret_n]);
        if (r != FLOW_DONE)
            break;
    }
    return r;
}

static enum flow put_add_until(struct producer *p,
                               const struct crowd_item *items, size_t n,
                               size_t *ret_n)
{
    enum flow r =
        buffer_add_until(p->crowd->b, items, crowd_deadline_ns(&p->dice));
    (void)n;
    *ret_n = r == FLOW_DONE ? 1 : 0;
    return r;
}

static enum flow put_write(struct producer *p, const struct crowd_item *items,
                           size_t n, size_t *ret_n)
{
    return buffer_write(p->crowd->b, items, n, ret_n);
}

static enum flow put_try_write(struct producer *p,
                               const struct crowd_item *items, size_t n,
                               size_t *ret_n)
{
    return buffer_try_write(p->crowd->b, items, n, ret_n);
}

static enum flow put_write_until(struct producer *p,
                                 const struct crowd_item *items, size_t n,
                                 size_t *ret_n)
{
    return buffer_write_until(p->crowd->b, items, n,
                              crowd_deadline_ns(&p->dice), ret_n);
}

/* Fills what it was given, or only a part of it. */
static enum flow fill(struct producer *p, enum flow r, void *room,
                      const struct crowd_item *items, size_t *ret_n)
{
    if (r != FLOW_DONE) {
        *ret_n = 0;
        return r;
    }
    if (dice_one_in(&p->dice, 4))
        *ret_n = dice_between(&p->dice, 0, *ret_n);
    memcpy(room, items, *ret_n * sizeof items[0]);
    if (dice_one_in(&p->dice, 16))
        sched_yield();
    buffer_commit(p->crowd->b, *ret_n);
    return r;
}

static enum flow put_reserve(struct producer *p, const struct crowd_item *items,
                             size_t n, size_t *ret_n)
{
    void *room;
    enum flow r = buffer_reserve(p->crowd->b, n, &room, ret_n);
    return fill(p, r, room, items, ret_n);
}

static enum flow put_try_reserve(struct producer *p,
                                 const struct crowd_item *items, size_t n,
                                 size_t *ret_n)
{
    void *room;
    enum flow r = buffer_try_reserve(p->crowd->b, n, &room, ret_n);
    return fill(p, r, room, items, ret_n);
}

static enum flow put_reserve_until(struct producer *p,
                                   const struct crowd_item *items, size_t n,
                                   size_t *ret_n)
{
    void *room;
    enum flow r = buffer_reserve_until(
        p->crowd->b, n, crowd_deadline_ns(&p->dice), &room, ret_n);
    return fill(p, r, room, items, ret_n);
}

/* First those that copy and wait, then those that copy, then all. */
static const struct put_way put_ways[] = {
    {put_try_add, false},
    {put_try_write, false},
    {put_add_until, false},
    {put_write_until, false},
    {put_add, true},
    {put_write, true},
    {put_reserve, true},
    {put_try_reserve, false},
    {put_reserve_until, false},
};

enum { PUTS_TRY = 2, PUTS_COPY = 6 };

static const struct put_way *choose_put(struct producer *p)
{
    const struct crowd_plan *plan = p->crowd->plan;
    size_t n = plan->in_place ? COUNT(put_ways) : PUTS_COPY;
    return &put_ways[dice_below(&p->dice, plan->by_ear ? PUTS_TRY : n)];
}

static void on_full(struct producer *p, const struct put_way *put)
{
    const struct crowd_plan *plan = p->crowd->plan;
    if (plan->kind == BUFFER_BLOCK && put->waits)
        crowd_complain(p->crowd, "a block buffer did not wait for room");
    if (plan->by_ear)
        crowd_wait(p->crowd, &p->crowd->writable, "WRITABLE");
    else
        sched_yield();
}

static enum flow put_some(struct producer *p)
{
    struct crowd_item items[CROWD_BATCH_MAX];
    const struct put_way *put = choose_put(p);
    uint64_t left = p->crowd->share - p->seq;
    size_t n = dice_between(&p->dice, 1, CROWD_BATCH_MAX);
    size_t k = SIZE_MAX;
    if (n > left)
        n = (size_t)left;
    for (size_t i = 0; i < n; i++)
        items[i] = crowd_item(p->id, p->seq + i);
    enum flow r = put->run(p, items, n, &k);
    if (k > n) {
        crowd_complain(p->crowd, "took %zu elements of %zu", k, n);
        return FLOW_FAILED;
    }
    p->seq += k;
    if (r == FLOW_FULL)
        on_full(p, put);
    return r;
}

void *crowd_produce(void *arg)
{
    struct producer *p = arg;
    p->end = FLOW_DONE;
    while (p->seq < p->crowd->share) {
        p->end = put_some(p);
        if (p->end != FLOW_DONE && p->end != FLOW_FULL)
            break;
    }
    return NULL;
}

/* Consumers. */

static enum flow get_next(struct consumer *c, struct crowd_item *items,
                          size_t n, size_t *ret_n)
{
    enum flow r = buffer_next(c->crowd->b, items);
    (void)n;
    *ret_n = r == FLOW_DONE ? 1 : 0;
    return r;
}

static enum flow get_try_next(struct consumer *c, struct crowd_item *items,
                              size_t n, size_t *ret_n)
{
    enum flow r = buffer_try_next(c->crowd->b, items);
    (void)n;
    *ret_n = r == FLOW_DONE ? 1 : 0;
    return r;
}

static enum flow get_next_until(struct consumer *c, struct crowd_item *items,
                                size_t n, size_t *ret_n)
{
    enum flow r =
        buffer_next_until(c->crowd->b, items, crowd_deadline_ns(&c->dice));
    (void)n;
    *ret_n = r == FLOW_DONE ? 1 : 0;
    return r;
}

static enum flow get_read(struct consumer *c, struct crowd_item *items,
                          size_t n, size_t *ret_n)
{
    return c->crowd->plan->ops->read(c->crowd->b, items, n, ret_n);
}

static enum flow get_try_read(struct consumer *c, struct crowd_item *items,
                              size_t n, size_t *ret_n)
{
    return c->crowd->plan->ops->try_read(c->crowd->b, items, n, ret_n);
}

static enum flow get_read_until(struct consumer *c, struct crowd_item *items,
                                size_t n, size_t *ret_n)
{
    return c->crowd->plan->ops->read_until(c->crowd->b, items, n,
                                           crowd_deadline_ns(&c->dice), ret_n);
}

/* Copies what is shown, leaves others their turn, and looks once more. */
static enum flow look(struct consumer *c, enum flow r, const void *shown,
                      struct crowd_item *items, size_t *ret_n)
{
    if (r != FLOW_DONE) {
        *ret_n = 0;
        return r;
    }
    memcpy(items, shown, *ret_n * sizeof items[0]);
    if (dice_one_in(&c->dice, 16))
        sched_yield();
    if (memcmp(items, shown, *ret_n * sizeof items[0]) != 0)
        crowd_complain(c->crowd, "what a peek shows has changed");
    *ret_n = dice_between(&c->dice, 0, *ret_n);
    buffer_consume(c->crowd->b, *ret_n);
    return r;
}

static enum flow get_peek(struct consumer *c, struct crowd_item *items,
                          size_t n, size_t *ret_n)
{
    const void *shown;
    enum flow r = buffer_peek(c->crowd->b, n, &shown, ret_n);
    return look(c, r, shown, items, ret_n);
}

static enum flow get_try_peek(struct consumer *c, struct crowd_item *items,
                              size_t n, size_t *ret_n)
{
    const void *shown;
    enum flow r = buffer_try_peek(c->crowd->b, n, &shown, ret_n);
    return look(c, r, shown, items, ret_n);
}

static enum flow get_peek_until(struct consumer *c, struct crowd_item *items,
                                size_t n, size_t *ret_n)
{
    const void *shown;
    enum flow r = buffer_peek_until(c->crowd->b, n, crowd_deadline_ns(&c->dice),
                                    &shown, ret_n);
    return look(c, r, shown, items, ret_n);
}

static const struct get_way get_ways[] = {
    {get_try_read, false},   {get_try_next, false}, {get_read_until, false},
    {get_next_until, false}, {get_read, true},      {get_next, true},
    {get_peek, true},        {get_try_peek, false}, {get_peek_until, false},
};

enum { GETS_TRY = 2, GETS_COPY = 6 };

static const struct get_way *choose_get(struct consumer *c)
{
    const struct crowd_plan *plan = c->crowd->plan;
    size_t n = plan->in_place ? COUNT(get_ways) : GETS_COPY;
    return &get_ways[dice_below(&c->dice, plan->by_ear ? GETS_TRY : n)];
}

static void on_nothing(struct consumer *c, const struct get_way *get)
{
    if (get->waits)
        crowd_complain(c->crowd, "a reader was not made to wait");
    if (c->crowd->plan->by_ear)
        crowd_wait(c->crowd, &c->crowd->readable, "READABLE");
    else
        sched_yield();
}

/* Only a ring may leave a gap, and only other consumers explain one else. */
static void check_order(struct consumer *c, const struct crowd_item *item)
{
    const struct crowd_plan *plan = c->crowd->plan;
    uint64_t *next_seq = &c->next_seq[item->producer];
    unsigned long long seq = item->seq;
    if (item->seq < *next_seq)
        crowd_complain(c->crowd, "element %llu came late", seq);
    if (item->seq != *next_seq && plan->consumers == 1 &&
        plan->kind != BUFFER_RING)
        crowd_complain(c->crowd, "a gap before element %llu", seq);
    *next_seq = item->seq + 1;
}

static void accept_item(struct consumer *c, const struct crowd_item *item)
{
    struct crowd *crowd = c->crowd;
    if (item->producer >= crowd->plan->producers || item->seq >= crowd->share ||
        item->check != crowd_item((unsigned)item->producer, item->seq).check) {
        crowd_complain(crowd, "an element is torn");
        return;
    }
    check_order(c, item);
    c->got++;
    size_t at = (size_t)(item->producer * crowd->share + item->seq);
    if (atomic_fetch_add_explicit(&crowd->seen[at], 1, memory_order_relaxed))
        crowd_complain(crowd, "element %llu of producer %llu came twice",
                       (unsigned long long)item->seq,
                       (unsigned long long)item->producer);
}

static enum flow get_some(struct consumer *c)
{
    struct crowd_item items[CROWD_BATCH_MAX];
    const struct get_way *get = choose_get(c);
    size_t n = dice_between(&c->dice, 1, CROWD_BATCH_MAX);
    size_t k = SIZE_MAX;
    enum flow r = get->run(c, items, n, &k);
    if (k > n || (r != FLOW_DONE && k > 0)) {
        crowd_complain(c->crowd, "gave %zu elements of %zu", k, n);
        return FLOW_FAILED;
    }
    for (size_t i = 0; i < k; i++)
        accept_item(c, &items[i]);
    if (r == FLOW_AGAIN)
        on_nothing(c, get);
    return r;
}

/* In a ring only, where what is missing is a count already. */
static void discard_some(struct consumer *c)
{
    size_t n;
    buffer_discard(c->crowd->b, CROWD_BATCH_MAX, &n);
    c->discarded += n;
}

void *crowd_consume(void *arg)
{
    struct consumer *c = arg;
    bool discards = c->crowd->plan->kind == BUFFER_RING;
    do {
        if (discards && dice_one_in(&c->dice, 64))
            discard_some(c);
        c->end = get_some(c);
    } while (c->end == FLOW_DONE || c->end == FLOW_AGAIN);
    return NULL;
}
