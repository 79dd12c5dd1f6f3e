#include "httpd/streams/append.h"

#include "buffers/socket_buffer.h"
#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/follower.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/limits.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/tap.h"

#include <assert.h>
#include <stdlib.h>

/* A publisher whose body has no end yet. What found no room although there was
 * some a moment ago is held until there is. */
struct live_body {
    struct tap_waiter waiter;
    struct hub_publisher publisher;
    struct exchange *x;
    struct stream *stream;
    struct bytes held;
    uint64_t tail;     /* behind what was appended */
    uint64_t until_ms; /* of the wait under way; 0: none */
    bool close;
    bool empty_fine;
    bool came; /* some of a body */
    bool over; /* answered */
};

static void wake(struct tap_waiter *waiter)
{
    struct live_body *b =
        (struct live_body *)((char *)waiter -
                             offsetof(struct live_body, waiter));
    exchange_wake(b->x);
}

/* What came before was appended, up to the offset that it names. */
static void refuse(struct live_body *b, const char *text)
{
    b->over = true;
    b->x->keep_alive = false;
    response_begin(b->x, 503);
    put_next_offset(b->x, b->tail);
    response_send_error(b->x, "%s", text);
}

/* The server ends: the publisher goes on elsewhere, from where this ended. */
static void leave(struct hub_publisher *p)
{
    struct live_body *b =
        (struct live_body *)((char *)p - offsetof(struct live_body, publisher));
    if (b->over)
        return;
    refuse(b, "the server ends; what came before was appended");
    exchange_wake(b->x);
}

static void wait_for_room(struct live_body *b)
{
    if (b->waiter.tap)
        return;
    b->waiter.wake = wake;
    if (b->until_ms == 0)
        b->until_ms = worker_now_ms(b->x->worker) + append_wait_ms(b->stream);
    b->waiter.deadline_ms = b->until_ms;
    if (!tap_wait_room(b->x, b->stream, &b->waiter))
        refuse(b, "out of memory");
}

static enum append_result append(struct live_body *b, struct str piece,
                                 bool close, struct append_outcome *ret)
{
    struct worker *w = b->x->worker;
    struct append a = {
        .messages = &piece,
        .messages_n = piece.len > 0,
        .close = close,
        .pool = &w->pool,
        .now_ms = hub_now_ms(w->hub),
    };
    enum append_result r = stream_append(b->stream, &a, ret);
    b->waiter.need = ret->need;
    b->tail = ret->tail;
    if (r == APPEND_DONE)
        b->until_ms = 0;
    if (r == APPEND_DONE || r == APPEND_FULL)
        return r;
    if (r == APPEND_REFUSED) {
        refuse(b, "the stream is full; what came before was appended");
        return r;
    }
    if (r == APPEND_NO_MEMORY) {
        refuse(b, "short of memory; what came before was appended");
        return r;
    }
    b->over = true;
    b->x->keep_alive = false;
    answer_append(b->x, b->stream, &a, r, ret);
    return r;
}

/* True: nothing is held any more. */
static bool let_go(struct live_body *b)
{
    struct append_outcome outcome;
    if (b->held.len == 0)
        return true;
    if (append(b, bytes_view(&b->held), false, &outcome) != APPEND_DONE)
        return false;
    bytes_reset(&b->held);
    return true;
}

static void finish(struct live_body *b)
{
    struct append_outcome outcome;
    struct str nothing = {0};
    if (!b->came && !b->close && !b->empty_fine) {
        b->over = true;
        answer_no_body(b->x);
        return;
    }
    if (append(b, nothing, b->close, &outcome) != APPEND_DONE)
        return;
    b->over = true;
    response_begin(b->x, 204);
    put_next_offset(b->x, outcome.tail);
    if (outcome.closed)
        put_closed(b->x);
    response_send_empty(b->x);
}

static size_t room(void *self, struct exchange *x)
{
    struct live_body *b = self;
    (void)x;
    if (b->over)
        return READ_BODY_BYTES;
    if (b->waiter.timed_out) {
        refuse(b, "the stream is full and its readers do not get on; "
                  "what came before was appended");
        return READ_BODY_BYTES;
    }
    uint64_t left = let_go(b) && !b->over ? stream_room(b->stream) : 0;
    if (left == 0 && !b->over) {
        if (b->held.len == 0)
            b->waiter.need = (struct stream_need){1, 1};
        wait_for_room(b);
    }
    /* A larger piece would be refused, whatever is dropped for it. */
    uint64_t most = stream_bounds(b->stream)->bytes_max;
    most = most < READ_BODY_BYTES ? most : READ_BODY_BYTES;
    return (size_t)(left < most ? left : most);
}

static bool hold(struct live_body *b, struct str piece)
{
    size_t cap = b->held.cap;
    return bytes_append_str(&b->held, piece) == FLOW_DONE &&
           (b->held.cap == cap ||
            exchange_charge_more(b->x, b->held.cap - cap));
}

static enum flow push(void *self, struct exchange *x, struct str piece)
{
    struct live_body *b = self;
    struct append_outcome outcome;
    (void)x;
    if (b->over || piece.len == 0)
        return FLOW_DONE;
    b->came = true;
    if (append(b, piece, false, &outcome) == APPEND_FULL && !hold(b, piece))
        refuse(b, "short of memory; what came before was appended");
    return FLOW_DONE;
}

/* What is held is not followed by the end: nothing is read meanwhile. */
static void end(void *self, struct exchange *x)
{
    struct live_body *b = self;
    (void)x;
    if (b->over)
        return;
    assert(b->held.len == 0);
    finish(b);
}

static void stop(void *self)
{
    struct live_body *b = self;
    tap_wait_stop(&b->waiter);
    hub_publisher_out(&b->publisher);
    stream_unref(b->stream);
    bytes_fini(&b->held);
    free(b);
}

static const struct body_ops live_ops = {"publish", room, push, end, stop};

void append_live(struct exchange *x, struct stream *s, bool close,
                 bool empty_fine)
{
    struct stream_state now;
    struct live_body *b = calloc(1, sizeof *b);
    if (!b) {
        stream_unref(s);
        response_error(x, 503, "out of memory");
        return;
    }
    stream_look(s, &now);
    b->x = x;
    b->stream = s;
    b->tail = now.tail;
    b->close = close;
    b->empty_fine = empty_fine;
    bytes_init(&b->held, READ_BODY_BYTES);
    b->publisher.leave = leave;
    hub_publisher_in(x->worker->hub, &b->publisher);
    x->body_pauses = true;
    if (x->route->config->user_timeout_ms > 0)
        (void)socket_set_keepalive(exchange_outlet(x)->fd,
                                   x->route->config->user_timeout_ms);
    (void)exchange_read_body(x, &live_ops, b);
}
