#include "tests/support/audience.h"

#include "httpd/limits.h"
#include "httpd/streams/stream_append.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BUDGET_BYTES  (UINT64_C(1) << 30)
#define GOT_BYTES_MAX (64u << 20)
#define BEGIN_MS      1000000u

/* As a connection's. */
#define QUEUE_HIGH_BYTES (64u << 10)
#define QUEUE_LOW_BYTES  (16u << 10)

static void nothing(void *arg)
{
    (void)arg;
}

void audience_init(struct audience *a, uint64_t view_bytes)
{
    struct worker *w = &a->worker;
    struct block_pool_config pool = {
        .name = "test", .budget = &a->budget, .track_all = true};
    *a = (struct audience){.config.view_bytes = view_bytes};
    budget_init(&a->budget, BUDGET_BYTES);
    w->config = &a->config;
    w->budget = &a->budget;
    w->ready_tail = &w->ready_head;
    w->now_ms = BEGIN_MS;
    w->id = 1; /* the first one's hub sweeps the registry */
    budget_purse_init(&w->accepted, &a->budget, BUDGET_ACCEPTED);
    block_pool_init(&w->pool, &pool);
    w->base = event_base_new();
    assert_non_null(w->base);
    timer_init(&w->ready_timer, w, nothing, w);
    w->hub = hub_new(w, NULL);
    assert_non_null(w->hub);
    hub_own(w->hub);
}

void audience_fini(struct audience *a)
{
    struct worker *w = &a->worker;
    struct peer *next;
    for (struct peer *p = a->peers; p; p = next) {
        next = p->next;
        peer_free(p);
    }
    stream_unref(a->s);
    hub_free(w->hub);
    timer_fini(&w->ready_timer);
    event_base_free(w->base);
    block_pool_sweep(&w->pool, w->now_ms);
    block_pool_check(&w->pool);
    block_pool_fini(&w->pool);
    assert_int_equal(w->pool.faults, 0);
    budget_purse_fini(&w->accepted);
    assert_int_equal(a->budget.used, 0);
}

void audience_stream(struct audience *a, enum stream_policy policy,
                     const char *type, uint64_t bytes_max)
{
    struct stream_config c = {
        .name = STR("s"),
        .content_type = str_from(type),
        .bounds = {.policy = policy,
                   .bytes_max = bytes_max,
                   .slow_after_ms = 10000},
    };
    stream_unref(a->s);
    a->s = stream_new(&c, a->worker.now_ms);
    assert_non_null(a->s);
}

enum append_result audience_publish(struct audience *a, struct str message)
{
    struct append_outcome outcome;
    struct append append = {
        .messages = &message,
        .messages_n = 1,
        .pool = &a->worker.pool,
        .now_ms = a->worker.now_ms,
    };
    return stream_append(a->s, &append, &outcome);
}

void audience_close(struct audience *a)
{
    struct append_outcome outcome;
    struct append append = {.close = true, .now_ms = a->worker.now_ms};
    assert_int_equal(stream_append(a->s, &append, &outcome), APPEND_DONE);
}

struct live_request audience_want(const struct audience *a,
                                  enum render_form form, uint64_t pos)
{
    bool ws = form == RENDER_WS || form == RENDER_WS_DS;
    return (struct live_request){
        .style = {.form = form, .kind = stream_kind(a->s), .chunked = !ws},
        .slow_reader = stream_bounds(a->s)->slow_reader,
        .pos = pos,
    };
}

/* A fake connection. */

static struct peer *peer_of(struct outlet *o)
{
    return (struct peer *)((char *)o - offsetof(struct peer, outlet));
}

static void keep_text(struct peer *p, const char *text)
{
    snprintf(p->text, sizeof p->text, "%s", text);
}

static void wake(struct outlet *o)
{
    worker_ready(o->worker, &peer_of(o)->ready);
}

static void drop(struct outlet *o, const char *text)
{
    struct peer *p = peer_of(o);
    if (p->closing)
        return;
    keep_text(p, text);
    p->closing = true;
    p->fate = PEER_DROPPED;
    wake(o);
}

static void note(struct outlet *o, const char *text)
{
    keep_text(peer_of(o), text);
}

static const struct outlet_ops outlet_ops = {wake, drop, note};

static enum flow fake_send(struct sink *s, const struct iovec *iov, int iov_n,
                           bool more, size_t *ret_sent)
{
    struct peer *p = (struct peer *)((char *)s - offsetof(struct peer, sink));
    size_t want = 0;
    (void)more;
    *ret_sent = 0;
    p->sends_n++;
    p->wronged = p->wronged || !p->outlet.writable;
    if (p->broken)
        return FLOW_FAILED;
    for (int i = 0; i < iov_n; i++) {
        size_t n = iov[i].iov_len < p->takes ? iov[i].iov_len : p->takes;
        want += iov[i].iov_len;
        p->wronged = bytes_append(&p->got, iov[i].iov_base, n) != FLOW_DONE ||
                     p->wronged;
        p->takes -= p->takes == SIZE_MAX ? 0 : n;
        *ret_sent += n;
        if (n < iov[i].iov_len)
            break;
    }
    p->wronged = p->wronged || want == 0;
    return *ret_sent == want ? FLOW_DONE : FLOW_AGAIN;
}

static const struct sink_ops fake_ops = {.send = fake_send};

static void stop(struct peer *p)
{
    if (!p->follows)
        return;
    p->follows = false;
    reader_fini(&p->reader);
}

static bool may_pull(struct peer *p)
{
    if (write_queue_room(&p->out) == 0)
        p->above_high = true;
    if (p->above_high && !write_queue_low(&p->out))
        return false;
    p->above_high = false;
    return true;
}

static void pull(struct peer *p)
{
    enum flow r = FLOW_DONE;
    unsigned pulls = 0;
    if (!p->follows)
        return;
    if (may_pull(p))
        while (r == FLOW_DONE && !p->closing && write_queue_room(&p->out) > 0 &&
               pulls++ < TURN_PULLS_MAX)
            r = reader_pull(&p->reader);
    p->pull_again = r == FLOW_DONE;
    p->pull_when_empty = r == FLOW_FULL;
    if (p->closing || (r != FLOW_END && r != FLOW_FAILED))
        return;
    p->fate = r == FLOW_END ? PEER_ENDED : PEER_CUT;
    p->pull_again = false;
    stop(p);
}

static void flush(struct peer *p)
{
    uint64_t sent;
    if (write_queue_empty(&p->out) || !p->outlet.writable)
        return;
    enum flow r = sink_flush(&p->sink, &p->out, &sent);
    if (r == FLOW_AGAIN)
        p->outlet.writable = false;
    if (r == FLOW_FAILED) {
        p->closing = true;
        p->fate = PEER_LEFT;
    }
}

static void turn(struct ready *ready)
{
    struct peer *p =
        (struct peer *)((char *)ready - offsetof(struct peer, ready));
    bool broken = p->broken && p->outlet.writable;
    if (!p->closing)
        pull(p);
    if (broken && p->fate == PEER_CUT)
        p->fate = PEER_LEFT;
    if (!p->closing)
        flush(p);
    bool empty = write_queue_empty(&p->out);
    if (p->closing)
        stop(p);
    else if ((!empty && p->outlet.writable) ||
             (p->pull_again && write_queue_low(&p->out)) ||
             (p->pull_when_empty && empty && p->follows))
        worker_ready(&p->a->worker, &p->ready);
}

struct peer *peer_new(struct audience *a, const struct live_request *want,
                      size_t takes)
{
    struct peer *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->a = a;
    p->takes = takes;
    p->sink.ops = &fake_ops;
    p->ready.run = turn;
    bytes_init(&p->got, GOT_BYTES_MAX);
    write_queue_init(&p->out, &a->worker.pool, QUEUE_HIGH_BYTES,
                     QUEUE_LOW_BYTES);
    p->outlet = (struct outlet){.ops = &outlet_ops,
                                .worker = &a->worker,
                                .out = &p->out,
                                .sink = &p->sink,
                                .fd = -1,
                                .writable = true};
    p->next = a->peers;
    a->peers = p;
    p->follows = reader_init(&p->reader, &p->outlet, a->s, want);
    assert_true(p->follows);
    worker_ready(&a->worker, &p->ready);
    return p;
}

void peer_free(struct peer *p)
{
    struct peer **link = &p->a->peers;
    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    stop(p);
    worker_unready(&p->a->worker, &p->ready);
    write_queue_fini(&p->out);
    bytes_fini(&p->got);
    free(p);
}

void peer_drain(struct peer *p, size_t bytes)
{
    if (p->takes != SIZE_MAX)
        p->takes = bytes == SIZE_MAX ? SIZE_MAX : p->takes + bytes;
    if (p->outlet.writable || p->takes == 0)
        return;
    p->outlet.writable = true;
    worker_ready(&p->a->worker, &p->ready);
}

void peer_break(struct peer *p)
{
    p->broken = true;
    p->outlet.writable = true;
    worker_ready(&p->a->worker, &p->ready);
}

bool audience_step(struct audience *a)
{
    struct worker *w = &a->worker;
    size_t n = 0;
    for (struct ready *r = w->ready_head; r; r = r->next)
        n++;
    while (n-- > 0 && w->ready_head) {
        struct ready *r = w->ready_head;
        worker_unready(w, r);
        r->run(r);
        a->turns_n++;
    }
    audience_check(a);
    return w->ready_head != NULL;
}

void audience_run(struct audience *a)
{
    size_t begun = a->turns_n;
    while (audience_step(a))
        if (a->turns_n - begun > AUDIENCE_TURNS_MAX)
            fail_msg("it does not come to rest");
}

void audience_wait(struct audience *a, uint64_t ms)
{
    a->worker.now_ms += ms;
    for (struct peer *p = a->peers; p; p = p->next)
        if (p->follows && !p->closing)
            reader_tick(&p->reader, a->worker.now_ms);
    hub_sweep(a->worker.hub, a->worker.now_ms);
    audience_run(a);
}

struct view *audience_view(struct audience *a)
{
    for (size_t i = 0; i < HUB_BUCKETS; i++)
        for (struct tap *t = a->worker.hub->buckets[i]; t; t = t->next)
            if (t->views)
                return t->views;
    return NULL;
}

/* What must hold. */

static void check_frames(const struct view *v)
{
    uint64_t end = v->begin;
    uint64_t pos = v->before.pos;
    assert_true(v->begin <= v->end && v->end - v->begin <= v->cap);
    assert_true(v->cap <= v->ring_max && v->frames_n <= VIEW_FRAMES_MAX);
    assert_int_equal(v->before.end, v->begin);
    for (size_t i = 0; i < v->frames_n; i++) {
        const struct frame *f =
            &v->frames[(v->frames_head + i) % v->frames_cap];
        assert_true(f->end > end && f->pos >= pos);
        end = f->end;
        pos = f->pos;
    }
    assert_int_equal(end, v->end);
    assert_int_equal(pos, v->pos);
}

static void check_view(const struct view *v)
{
    check_frames(v);
    assert_true(v->cursor <= v->slots_n);
    for (size_t i = 0; i < v->slots_n; i++) {
        const struct slot *slot = &v->slots[i];
        assert_int_equal(slot->reader->place, READER_TAIL);
        assert_int_equal(slot->reader->slot, i);
        assert_ptr_equal(slot->reader->view, v);
        assert_true(slot->pos >= v->begin && slot->pos <= v->end);
        assert_true(slot->pos >= v->served || slot->pos == v->end);
        if (i < v->cursor)
            assert_int_equal(slot->pos, v->end);
    }
    for (const struct reader *r = v->blocked; r; r = r->next) {
        assert_int_equal(r->place, READER_BLOCKED);
        assert_ptr_equal(r->view, v);
        assert_true(r->view_pos >= v->begin && r->view_pos <= v->end);
    }
}

static void check_peer(const struct peer *p, const struct stream_state *now)
{
    const struct reader *r = &p->reader;
    assert_false(p->wronged);
    write_queue_check(&p->out);
    if (!p->follows)
        return;
    assert_int_equal(r->magic, READER_MAGIC);
    if (r->place != READER_BEHIND) {
        assert_true(write_queue_empty(&p->out));
        assert_null(r->remnant);
    }
    assert_true(reader_floor(r) <= now->tail);
}

void audience_check(const struct audience *a)
{
    struct stream_state now;
    const struct hub *h = a->worker.hub;
    for (size_t i = 0; i < HUB_BUCKETS; i++)
        for (const struct tap *t = h->buckets[i]; t; t = t->next)
            for (const struct view *v = t->views; v; v = v->next)
                check_view(v);
    if (!a->s)
        return;
    stream_look(a->s, &now);
    for (const struct peer *p = a->peers; p; p = p->next)
        check_peer(p, &now);
}
