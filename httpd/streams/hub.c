#include "httpd/streams/hub_inner.h"

#include "httpd/streams/registry.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Its address names the thread. */
static _Thread_local char this_thread;

#define REGISTRY_SWEEP_MS 1000u

uint64_t hub_now_ms(struct hub *h)
{
    struct timespec now;
    (void)h;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct registry *hub_registry(struct hub *h)
{
    return h->registry;
}

void tap_news(struct tap *t)
{
    struct hub *h = t->hub;
    if (atomic_exchange(&t->queued, true))
        return;
    struct tap *head = atomic_load(&h->news);
    do {
        t->next_news = head;
    } while (!atomic_compare_exchange_weak(&h->news, &head, t));
    if (atomic_load(&h->owner) == &this_thread)
        worker_ready(h->worker, &h->ready);
    else if (!head)
        (void)eventfd_write(h->wake_fd, 1);
}

/* What was pushed last is told first; turns are in the order of the news. */
static void collect(struct hub *h)
{
    struct tap *news = atomic_exchange(&h->news, NULL);
    struct tap *ordered = NULL;
    while (news) {
        struct tap *t = news;
        news = t->next_news;
        t->next_news = ordered;
        ordered = t;
    }
    while (ordered) {
        struct tap *t = ordered;
        ordered = t->next_news;
        t->next_news = NULL;
        *h->turns_tail = t;
        h->turns_tail = &t->next_news;
    }
}

static struct tap *next_turn(struct hub *h)
{
    struct tap *t = h->turns;
    if (!t)
        return NULL;
    h->turns = t->next_news;
    if (!h->turns)
        h->turns_tail = &h->turns;
    t->next_news = NULL;
    return t;
}

static void turn(struct hub *h)
{
    size_t sends_left = TAP_TURN_SENDS;
    collect(h);
    struct tap *t;
    while (sends_left > 0 && (t = next_turn(h))) {
        /* Before it is looked at: what comes from now on queues it again. */
        atomic_store(&t->queued, false);
        if (t->dead) {
            tap_free_dead(t);
            continue;
        }
        t->busy = true;
        bool more = tap_turn(t, &sends_left);
        t->busy = false;
        if (more)
            tap_news(t);
        tap_settle(t);
    }
    if (h->turns || atomic_load(&h->news))
        worker_ready(h->worker, &h->ready);
}

static void on_ready(struct ready *r)
{
    turn((struct hub *)((char *)r - offsetof(struct hub, ready)));
}

static void on_wake(unsigned edges, void *arg)
{
    struct hub *h = arg;
    eventfd_t value;
    if (!(edges & IO_READABLE))
        return;
    worker_tick(h->worker);
    (void)eventfd_read(h->wake_fd, &value);
    turn(h);
}

void hub_input(struct hub *h, uint64_t pos, struct render_input *ret)
{
    const struct stream_copy *copy = &h->copy;
    *ret = (struct render_input){
        .data = {h->copied, copy->got.len},
        .ends = copy->got.ends,
        .ends_n = copy->got.ends_n,
        .pos = pos,
        .tail = copy->state.tail,
        .closed = copy->state.closed,
        .cursor = render_cursor(hub_now_ms(h)),
    };
}

void hub_advance(struct hub *h, struct render_input *in, size_t used)
{
    uint32_t *ends = h->copy.got.ends + (in->ends - h->copy.got.ends);
    size_t passed = 0;
    while (passed < in->ends_n && ends[passed] <= used)
        passed++;
    for (size_t i = passed; i < in->ends_n; i++)
        ends[i] -= (uint32_t)used;
    in->ends += passed;
    in->ends_n -= passed;
    in->pos += used;
    in->data = str_skip(in->data, used);
}

static bool take(struct hub *h, size_t bytes)
{
    if (h->newcomers.unused < bytes)
        (void)block_pool_make_way(&h->worker->pool, BUDGET_NEW, bytes);
    return budget_purse_take(&h->newcomers, bytes);
}

void *hub_allot(struct hub *h, size_t bytes)
{
    if (!take(h, bytes))
        return NULL;
    void *what = calloc(1, bytes);
    if (!what)
        budget_purse_give(&h->newcomers, bytes);
    return what;
}

void hub_take_back(struct hub *h, void *what, size_t bytes)
{
    if (!what)
        return;
    free(what);
    budget_purse_give(&h->newcomers, bytes);
}

bool hub_charge_view(struct hub *h, size_t bytes)
{
    if (!budget_take(h->worker->budget, BUDGET_LEAVING, bytes))
        return false;
    atomic_fetch_add(&h->views_bytes, bytes);
    return true;
}

void hub_discharge_view(struct hub *h, size_t bytes)
{
    budget_give(h->worker->budget, BUDGET_LEAVING, bytes);
    atomic_fetch_sub(&h->views_bytes, bytes);
}

void hub_own(struct hub *h)
{
    atomic_store(&h->owner, &this_thread);
}

struct hub *hub_new(struct worker *w, struct registry *registry)
{
    struct hub *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->worker = w;
    h->registry = registry;
    h->turns_tail = &h->turns;
    h->ready.run = on_ready;
    budget_purse_init(&h->newcomers, w->budget, BUDGET_NEW);
    bytes_init(&h->rendered, RENDER_OUT_BYTES_MAX);
    h->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (h->wake_fd < 0 ||
        !io_watch_start(&h->watch, w, h->wake_fd, on_wake, h)) {
        if (h->wake_fd >= 0)
            close(h->wake_fd);
        free(h);
        return NULL;
    }
    return h;
}

/* Nobody is at any of them, so that each settles. */
static void settle_all(struct hub *h)
{
    for (size_t i = 0; i < HUB_BUCKETS; i++) {
        struct tap *next;
        for (struct tap *t = h->buckets[i]; t; t = next) {
            next = t->next;
            tap_settle(t);
        }
        assert(!h->buckets[i]);
    }
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    assert(!h->publishers);
    settle_all(h);
    /* Those that were in the list when they were settled. */
    collect(h);
    struct tap *t;
    while ((t = next_turn(h))) {
        atomic_store(&t->queued, false);
        tap_free_dead(t);
    }
    assert(atomic_load(&h->views_bytes) == 0);
    budget_purse_fini(&h->newcomers);
    worker_unready(h->worker, &h->ready);
    io_watch_stop(&h->watch);
    close(h->wake_fd);
    bytes_fini(&h->rendered);
    free(h);
}

void hub_publisher_in(struct hub *h, struct hub_publisher *p)
{
    p->next = h->publishers;
    p->link = &h->publishers;
    if (p->next)
        p->next->link = &p->next;
    h->publishers = p;
}

void hub_publisher_out(struct hub_publisher *p)
{
    if (!p->link)
        return;
    *p->link = p->next;
    if (p->next)
        p->next->link = p->link;
    p->link = NULL;
}

/* None goes out while it looks. */
static void look_at_publishers(struct hub *h)
{
    for (struct hub_publisher *p = h->publishers; p; p = p->next)
        p->look(p);
}

void hub_sweep(struct hub *h, uint64_t now_ms)
{
    budget_purse_settle(&h->newcomers);
    look_at_publishers(h);
    for (size_t i = 0; i < HUB_BUCKETS; i++) {
        struct tap *next;
        for (struct tap *t = h->buckets[i]; t; t = next) {
            next = t->next;
            t->busy = true;
            tap_sweep(t, now_ms);
            t->busy = false;
            tap_settle(t);
        }
    }
    if (h->worker->id != 0 || now_ms < h->swept_ms + REGISTRY_SWEEP_MS)
        return;
    h->swept_ms = now_ms;
    registry_sweep(h->registry, hub_now_ms(h));
}
