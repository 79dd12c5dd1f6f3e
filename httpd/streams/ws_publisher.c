#include "httpd/loop/worker.h"
#include "httpd/streams/append.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/ws_reader.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) static enum flow
refuse(struct ws_publisher *p, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(p->refusal.text, sizeof p->refusal.text, format, args);
    va_end(args);
    p->refusal.status = status;
    p->until_ms = 0;
    return FLOW_FAILED;
}

static void wake(struct tap_waiter *waiter)
{
    struct ws_publisher *p =
        (struct ws_publisher *)((char *)waiter -
                                offsetof(struct ws_publisher, waiter));
    p->outlet->ops->wake(p->outlet);
}

static enum flow wait_for_room(struct ws_publisher *p)
{
    if (p->until_ms == 0)
        p->until_ms =
            worker_now_ms(p->outlet->worker) + append_wait_ms(p->tap->stream);
    p->waiter.wake = wake;
    p->waiter.deadline_ms = p->until_ms;
    tap_wait_space(p->tap, &p->waiter);
    return FLOW_FULL;
}

static enum flow refuse_body(struct ws_publisher *p, const struct messages *m,
                             enum body_fault fault)
{
    switch (fault) {
    case BODY_FINE:
        break;
    case BODY_EMPTY_ARRAY:
        return refuse(p, 400, "an empty array holds no message to append");
    case BODY_BAD_JSON:
        return refuse(p, 400, "the message is no JSON (near byte %zu)",
                      m->fault_pos);
    case BODY_TOO_MANY:
        return refuse(p, 413, "the array has more than %u messages",
                      APPEND_MESSAGES_MAX);
    case BODY_NO_MEMORY:
        return refuse(p, 503, "short of memory; try again later");
    }
    return refuse(p, 400, "an empty message holds nothing to append");
}

static enum flow refuse_append(struct ws_publisher *p, enum append_result r)
{
    switch (r) {
    case APPEND_GONE:
        return refuse(p, 404, "the stream was deleted");
    case APPEND_CLOSED:
        return refuse(p, 409, "the stream is closed");
    case APPEND_TOO_LARGE:
        return refuse(p, 413, "the message is larger than the stream may be");
    case APPEND_FULL:
        return refuse(p, 503,
                      "the stream is full and its readers do not get on");
    case APPEND_REFUSED:
        return refuse(p, 503, "the stream is full");
    default:
        return refuse(p, 503, "short of memory; try again later");
    }
}

static enum flow append(struct ws_publisher *p, const struct messages *m)
{
    struct worker *w = p->outlet->worker;
    struct append_outcome outcome;
    struct append a = {
        .messages = m->many ? m->many : &m->one,
        .messages_n = m->n,
        .pool = &w->pool,
        .now_ms = hub_now_ms(w->hub),
    };
    enum append_result r = stream_append(p->tap->stream, &a, &outcome);
    p->waiter.need = outcome.need;
    if (r == APPEND_FULL && !p->waiter.timed_out)
        return wait_for_room(p);
    p->waiter.timed_out = false;
    if (r != APPEND_DONE)
        return refuse_append(p, r);
    p->until_ms = 0;
    return FLOW_DONE;
}

enum flow ws_publisher_append(struct ws_publisher *p,
                              const struct websocket_message *m)
{
    struct messages messages;
    struct gather_turn body = {.body = m->data, .len = m->len};
    assert(p->refusal.status == 0);
    enum body_fault fault =
        messages_read(&messages, stream_kind(p->tap->stream), &body);
    enum flow flow = fault == BODY_FINE && messages.n > 0
                         ? append(p, &messages)
                         : refuse_body(p, &messages, fault);
    messages_fini(&messages);
    return flow;
}
