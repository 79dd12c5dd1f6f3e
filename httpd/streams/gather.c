#include "httpd/streams/gather.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/limits.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/tap.h"

#include <assert.h>
#include <stdlib.h>

/* Both ends of the exchange may hold it: the body, and the wait behind it. */
struct gather {
    struct tap_waiter waiter;
    struct exchange *x;
    struct stream *stream; /* waited for */
    struct bytes body;
    size_t charged;
    uint64_t until_ms; /* of the wait; 0: none began */
    unsigned refs;
    bool copies;
    bool over; /* then() has answered */
    enum gather_step (*then)(struct exchange *x, struct gather_turn *turn);
};

static void gather_unref(void *self)
{
    struct gather *g = self;
    assert(g->refs > 0);
    if (--g->refs > 0)
        return;
    tap_wait_stop(&g->waiter);
    stream_unref(g->stream);
    bytes_fini(&g->body);
    free(g);
}

static size_t room(void *self, struct exchange *x)
{
    (void)self;
    (void)x;
    return READ_BODY_BYTES;
}

static void refuse(struct gather *g, int status, const char *text)
{
    g->over = true;
    response_error(g->x, status, "%s", text);
}

static bool keep(struct gather *g, struct str piece)
{
    size_t cap = g->body.cap;
    enum flow r = bytes_append_str(&g->body, piece);
    if (r == FLOW_FULL) {
        g->x->keep_alive = false;
        refuse(g, 413, "the body is larger than one append may be here");
        return false;
    }
    bool charged =
        r == FLOW_DONE &&
        (g->body.cap == cap || exchange_charge_more(g->x, g->body.cap - cap));
    if (!charged)
        refuse(g, 503, "short of memory; try again later");
    return charged;
}

static void wake(struct tap_waiter *waiter)
{
    struct gather *g =
        (struct gather *)((char *)waiter - offsetof(struct gather, waiter));
    exchange_wake(g->x);
}

static void begin_wait(struct gather *g, const struct gather_turn *turn)
{
    uint64_t now_ms = worker_now_ms(g->x->worker);
    stream_unref(g->stream);
    g->stream = turn->stream;
    if (g->until_ms == 0)
        g->until_ms = now_ms + turn->wait_ms;
    g->waiter.wake = wake;
    g->waiter.deadline_ms = g->until_ms;
    g->waiter.need = turn->need;
    if (!tap_wait_room(g->x, g->stream, &g->waiter))
        refuse(g, 503, "out of memory");
}

static void call(struct gather *g, struct gather_turn *turn)
{
    if (g->then(g->x, turn) == GATHER_ANSWERED)
        g->over = true;
    else
        begin_wait(g, turn);
}

static enum flow pull(void *self, struct exchange *x)
{
    struct gather *g = self;
    (void)x;
    assert(!g->over);
    if (g->waiter.tap)
        return FLOW_AGAIN;
    struct gather_turn turn = {
        .body = g->body.data,
        .len = g->body.len,
        .copied = true,
        .timed_out = g->waiter.timed_out,
    };
    call(g, &turn);
    return g->over ? FLOW_DONE : FLOW_AGAIN;
}

static const struct source_ops wait_ops = {
    .name = "gather", .pull = pull, .stop = gather_unref};

/* The first call; what it waits with must be its own. */
static void first_call(struct gather *g, struct str body, bool copied)
{
    struct gather_turn turn = {
        .body = (char *)body.at, .len = body.len, .copied = copied};
    call(g, &turn);
    if (g->over || (!copied && !keep(g, body)))
        return;
    g->refs++;
    exchange_defer(g->x, &wait_ops, g);
}

static enum flow push(void *self, struct exchange *x, struct str piece)
{
    struct gather *g = self;
    if (g->over)
        return FLOW_DONE;
    bool whole = x->req.has_length && piece.len == x->req.length;
    if (whole && !g->copies)
        first_call(g, piece, false);
    else
        (void)keep(g, piece);
    return FLOW_DONE;
}

static void end(void *self, struct exchange *x)
{
    struct gather *g = self;
    if (!g->over && !x->source)
        first_call(g, bytes_view(&g->body), true);
}

static const struct body_ops gather_ops = {"gather", room, push, end,
                                           gather_unref};

void gather_body(struct exchange *x, size_t bytes_max, bool copies,
                 enum gather_step (*then)(struct exchange *x,
                                          struct gather_turn *turn))
{
    struct gather *g = calloc(1, sizeof *g);
    if (!g) {
        response_error(x, 503, "out of memory");
        return;
    }
    g->x = x;
    g->refs = 1;
    g->copies = copies;
    g->then = then;
    bytes_init(&g->body, bytes_max);
    /* A longer one is refused here, with its head. */
    if (x->body_bytes_max > bytes_max)
        x->body_bytes_max = bytes_max;
    if (x->req.has_length || x->req.chunked) {
        (void)exchange_read_body(x, &gather_ops, g);
        return;
    }
    /* "curl -X PUT" has no body and no length: RFC 9112 section 6.3. */
    first_call(g, (struct str){0}, true);
    gather_unref(g);
}
