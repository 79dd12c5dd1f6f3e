#include "httpd/streams/ws_reader.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/http/websocket_handshake.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/hub.h"

#include <stdio.h>

#define ERROR_BYTES_MAX (WS_REFUSAL_BYTES_MAX + 64u)

static bool say(void *self, struct str bytes)
{
    struct ws_reader *w = self;
    return reader_say(&w->reader, bytes) == FLOW_DONE;
}

/* Whether it was told; not within a message that is under way. */
static bool say_error(struct ws_reader *w)
{
    char text[ERROR_BYTES_MAX];
    struct ws_refusal *refusal = &w->publisher->refusal;
    if (!reader_leave_view(&w->reader) || w->reader.state.in_message)
        return false;
    int n = snprintf(text, sizeof text,
                     "{\"error\":{\"status\":%d,\"text\":\"%s\"}}",
                     refusal->status, refusal->text);
    refusal->status = 0;
    (void)websocket_send(&w->ws, WEBSOCKET_TEXT, (struct str){text, (size_t)n});
    return true;
}

static void refuse(struct ws_reader *w)
{
    struct ws_refusal *refusal = &w->publisher->refusal;
    if (w->reader.style.form == RENDER_WS_DS) {
        (void)say_error(w);
        return;
    }
    websocket_close(
        &w->ws, refusal->status == 503 ? WEBSOCKET_TRY_LATER : WEBSOCKET_POLICY,
        refusal->text);
}

static enum flow on_message(void *self, const struct websocket_message *m)
{
    struct ws_reader *w = self;
    struct ws_publisher *p = w->publisher;
    if (p->refusal.status != 0)
        return FLOW_FULL;
    enum flow flow = ws_publisher_append(p, m);
    if (flow != FLOW_FAILED)
        return flow;
    refuse(w);
    return FLOW_DONE;
}

static const struct websocket_ops reads = {.say = say};
static const struct websocket_ops publishes = {on_message, say};

/* Behind a close frame the stream's frames have no place. */
static enum flow settle(struct ws_reader *w)
{
    if (w->ws.over)
        w->reader.finished = true;
    return w->ws.broken ? FLOW_FAILED : FLOW_DONE;
}

static size_t room(void *self)
{
    const struct ws_reader *w = self;
    bool takes = !w->ws.over && !w->reader.finished &&
                 !websocket_held(&w->ws) &&
                 write_queue_room(w->reader.outlet->out) > 0;
    return takes ? WS_READ_BYTES : 0;
}

static enum flow push(void *self, struct str piece)
{
    struct ws_reader *w = self;
    (void)websocket_feed(&w->ws, piece);
    return settle(w);
}

/* What was held back goes on. */
static void go_on(struct ws_reader *w)
{
    struct ws_publisher *p = w->publisher;
    if (w->reader.finished || !p)
        return;
    if (p->refusal.status != 0 && !say_error(w))
        return;
    if (!p->waiter.tap)
        (void)websocket_resume(&w->ws);
}

static enum flow pull(void *self)
{
    struct ws_reader *w = self;
    go_on(w);
    if (settle(w) != FLOW_DONE)
        return FLOW_FAILED;
    return reader_pull(&w->reader);
}

static void tick(void *self, uint64_t now_ms)
{
    struct ws_reader *w = self;
    reader_tick(&w->reader, now_ms);
    if (w->reader.finished)
        return;
    websocket_tick(&w->ws, now_ms, room(w) == 0);
    (void)settle(w);
}

static void stop(void *self)
{
    struct ws_reader *w = self;
    struct hub *h = w->reader.outlet->worker->hub;
    if (w->publisher)
        tap_wait_stop(&w->publisher->waiter);
    websocket_fini(&w->ws);
    reader_fini(&w->reader);
    hub_take_back(h, w->publisher, sizeof *w->publisher);
    hub_take_back(h, w, sizeof *w);
}

static const struct follower_ops ws_reader_ops = {
    .name = "websocket",
    .pull = pull,
    .room = room,
    .push = push,
    .tick = tick,
    .stop = stop,
};

static struct ws_reader *ws_reader_new(struct exchange *x, struct stream *s,
                                       const struct live_request *want,
                                       bool may_publish)
{
    struct hub *h = x->worker->hub;
    struct outlet *o = exchange_outlet(x);
    struct ws_reader *w = hub_allot(h, sizeof *w);
    struct ws_publisher *p = may_publish ? hub_allot(h, sizeof *p) : NULL;
    if (!w || (may_publish && !p) || !reader_init(&w->reader, o, s, want)) {
        hub_take_back(h, w, sizeof *w);
        hub_take_back(h, p, sizeof *p);
        return NULL;
    }
    websocket_init(&w->ws, x->route->config->append_bytes_max,
                   p ? &publishes : &reads, w, &o->worker->accepted);
    w->publisher = p;
    if (p) {
        p->outlet = o;
        p->tap = w->reader.tap;
    }
    return w;
}

void live_websocket(struct exchange *x, struct stream *s,
                    const struct live_request *want, bool may_publish)
{
    static const char *const protocols[] = {"ds.v1"};
    struct live_request mine = *want;
    size_t protocol;
    if (!websocket_accept(x, protocols, 1, &protocol)) {
        stream_unref(s);
        return;
    }
    mine.style.form = protocol == 0 ? RENDER_WS_DS : RENDER_WS;
    mine.style.chunked = false;
    put_next_offset(x, mine.pos);
    struct ws_reader *w = ws_reader_new(x, s, &mine, may_publish);
    stream_unref(s);
    if (!w) {
        live_refuse(x);
        return;
    }
    live_watch_peer(x);
    response_follow(x, &ws_reader_ops, w);
}
