#include "httpd/streams/tap.h"

#include "httpd/http/exchange.h"
#include "httpd/streams/hub_inner.h"
#include "httpd/streams/reader.h"
#include "httpd/streams/view.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOWN_BYTES_MAX 200

static struct tap **bucket_of(struct hub *h, const struct stream *s)
{
    return &h->buckets[stream_id(s) % HUB_BUCKETS];
}

/* A publisher that waits needs one, too, so it is no newcomer's. */
static struct tap *tap_new(struct hub *h)
{
    struct budget_purse *purse = &h->worker->accepted;
    if (!budget_purse_take(purse, sizeof(struct tap)))
        return NULL;
    struct tap *t = calloc(1, sizeof *t);
    if (!t)
        budget_purse_give(purse, sizeof *t);
    return t;
}

struct tap *tap_of(struct hub *h, struct stream *s)
{
    struct tap **bucket = bucket_of(h, s);
    for (struct tap *t = *bucket; t; t = t->next)
        if (t->stream == s)
            return t;
    struct tap *t = tap_new(h);
    if (!t)
        return NULL;
    t->stream = stream_ref(s);
    t->hub = h;
    t->next = *bucket;
    t->link = bucket;
    if (t->next)
        t->next->link = &t->next;
    *bucket = t;
    stream_add_tap(s, t);
    return t;
}

static void free_tap(struct tap *t)
{
    stream_unref(t->stream);
    budget_purse_give(&t->hub->worker->accepted, sizeof *t);
    free(t);
}

void tap_free_dead(struct tap *t)
{
    assert(t->dead && !atomic_load(&t->queued));
    free_tap(t);
}

/* A reader on its way to one finds it where it was. */
static void settle_views(struct tap *t)
{
    struct view **link = &t->views;
    bool followed = atomic_load(&t->readers_n) > 0;
    while (*link) {
        struct view *v = *link;
        bool idle = view_idle(v);
        if (!idle || (followed && !v->ended)) {
            if (idle)
                view_rest(v);
            link = &v->next;
            continue;
        }
        *link = v->next;
        view_free(v);
    }
}

void tap_settle(struct tap *t)
{
    if (t->busy)
        return;
    settle_views(t);
    if (t->dead || atomic_load(&t->readers_n) > 0 || t->views || t->behind ||
        t->waiting || t->waiters)
        return;
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    stream_remove_tap(t->stream, t);
    /* Nobody tells it anything any more; the hub may still have it. */
    t->dead = true;
    if (!atomic_load(&t->queued))
        free_tap(t);
}

static uint64_t least_of(const struct reader *list, uint64_t floor)
{
    for (const struct reader *r = list; r; r = r->next) {
        uint64_t pos = reader_floor(r);
        floor = pos < floor ? pos : floor;
    }
    return floor;
}

static bool blocks(const struct tap *t)
{
    return stream_bounds(t->stream)->policy == POLICY_BLOCK;
}

void tap_floor_begins(struct tap *t, uint64_t pos)
{
    if (blocks(t) && pos < t->floor)
        stream_tap_floor(t->stream, t, pos);
}

void tap_floor_moved(struct tap *t)
{
    if (blocks(t))
        tap_news(t);
}

void tap_hold_in(struct tap *t, struct tap_hold *hold, uint64_t pos)
{
    hold->pos = pos;
    hold->next = t->holds;
    hold->link = &t->holds;
    if (hold->next)
        hold->next->link = &hold->next;
    t->holds = hold;
    atomic_fetch_add(&t->readers_n, 1);
    atomic_fetch_add(&t->hub->readers_n, 1);
    tap_floor_begins(t, pos);
}

void tap_hold_out(struct tap *t, struct tap_hold *hold)
{
    *hold->link = hold->next;
    if (hold->next)
        hold->next->link = hold->link;
    atomic_fetch_sub(&t->readers_n, 1);
    atomic_fetch_sub(&t->hub->readers_n, 1);
    tap_floor_moved(t);
    tap_settle(t);
}

static void update_floor(struct tap *t)
{
    if (!blocks(t))
        return;
    uint64_t floor = UINT64_MAX;
    for (const struct view *v = t->views; v; v = v->next) {
        uint64_t pos = view_floor(v);
        floor = pos < floor ? pos : floor;
    }
    floor = least_of(t->behind, floor);
    floor = least_of(t->waiting, floor);
    for (const struct tap_hold *h = t->holds; h; h = h->next)
        floor = h->pos < floor ? h->pos : floor;
    stream_tap_floor(t->stream, t, floor);
}

bool tap_stops_publishers(const struct tap *t, uint64_t since_ms,
                          uint64_t now_ms)
{
    return blocks(t) &&
           now_ms - since_ms >= stream_bounds(t->stream)->slow_after_ms &&
           stream_holds_publishers(t->stream);
}

/* Of a name, in a line of the log. */
static int shown_len(const struct tap *t)
{
    struct str name = stream_name(t->stream);
    return name.len < SHOWN_BYTES_MAX ? (int)name.len : SHOWN_BYTES_MAX;
}

void tap_lag_text(const struct tap *t, const char *what, uint64_t lag,
                  char out[TAP_TEXT_BYTES])
{
    snprintf(out, TAP_TEXT_BYTES,
             "stream \"%.*s\": %s, %" PRIu64 " bytes behind", shown_len(t),
             stream_name(t->stream).at, what, lag);
}

void tap_gap_text(const struct tap *t, uint64_t from, uint64_t to,
                  char out[TAP_TEXT_BYTES])
{
    snprintf(out, TAP_TEXT_BYTES,
             "stream \"%.*s\": bytes %" PRIu64 " to %" PRIu64
             " were dropped before they could be sent",
             shown_len(t), stream_name(t->stream).at, from, to);
}

/* What a waiter waits for is there, or will never be. */
static bool is_due(struct tap *t, const struct tap_waiter *w,
                   const struct stream_state *now)
{
    if (now->gone || now->closed)
        return true;
    return w->room ? stream_fits(t->stream, &w->need) : now->tail > w->pos;
}

static void wake_waiters(struct tap *t, const struct stream_state *now)
{
    struct tap_waiter *next;
    for (struct tap_waiter *w = t->waiters; w; w = next) {
        next = w->next;
        if (!is_due(t, w, now))
            continue;
        tap_wait_stop(w);
        w->wake(w);
    }
}

bool tap_turn(struct tap *t, size_t *sends_left)
{
    struct stream_state now;
    bool more = false;
    stream_look(t->stream, &now);
    for (struct view *v = t->views; v; v = v->next)
        more = view_turn(v, sends_left) || more;
    for (struct reader *r = t->waiting; r; r = r->next)
        r->outlet->ops->wake(r->outlet);
    wake_waiters(t, &now);
    update_floor(t);
    return more;
}

/* Without readers no room will come for a publisher. */
static bool waits_alone(struct tap *t, struct tap_waiter *w, uint64_t now_ms)
{
    if (!w->room || stream_readers_n(t->stream) > 0) {
        w->alone_ms = 0;
        return false;
    }
    if (w->alone_ms == 0)
        w->alone_ms = now_ms;
    return now_ms - w->alone_ms >= stream_bounds(t->stream)->slow_after_ms;
}

static bool is_late(struct tap *t, struct tap_waiter *w, uint64_t now_ms)
{
    return t->hub->worker->draining ||
           (w->deadline_ms > 0 && now_ms >= w->deadline_ms) ||
           waits_alone(t, w, now_ms);
}

void tap_sweep(struct tap *t, uint64_t now_ms)
{
    struct tap_waiter *next;
    for (struct view *v = t->views; v; v = v->next)
        view_sweep(v, now_ms);
    for (struct tap_waiter *w = t->waiters; w; w = next) {
        next = w->next;
        if (!is_late(t, w, now_ms))
            continue;
        tap_wait_stop(w);
        w->timed_out = true;
        w->wake(w);
    }
}

static void arm(struct tap *t, struct tap_waiter *w)
{
    assert(!w->tap);
    w->tap = t;
    w->timed_out = false;
    w->alone_ms = 0;
    w->next = t->waiters;
    w->link = &t->waiters;
    if (w->next)
        w->next->link = &w->next;
    t->waiters = w;
    if (w->room)
        stream_count_waiting(t->stream, true);
    /* It may have come between the caller's look and now. */
    tap_news(t);
}

void tap_wait_more(struct tap *t, uint64_t pos, struct tap_waiter *w)
{
    w->room = false;
    w->pos = pos;
    arm(t, w);
}

void tap_wait_space(struct tap *t, struct tap_waiter *w)
{
    w->room = true;
    arm(t, w);
}

bool tap_wait_room(struct exchange *x, struct stream *s, struct tap_waiter *w)
{
    struct tap *t = tap_of(x->worker->hub, s);
    if (!t)
        return false;
    tap_wait_space(t, w);
    return true;
}

bool tap_wait_news(struct exchange *x, struct stream *s, uint64_t pos,
                   struct tap_waiter *w)
{
    struct tap *t = tap_of(x->worker->hub, s);
    if (!t)
        return false;
    tap_wait_more(t, pos, w);
    return true;
}

void tap_wait_stop(struct tap_waiter *w)
{
    struct tap *t = w->tap;
    if (!t)
        return;
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->tap = NULL;
    if (w->room)
        stream_count_waiting(t->stream, false);
    tap_settle(t);
}
