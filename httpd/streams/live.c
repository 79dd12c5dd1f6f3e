#include "httpd/streams/live.h"

#include "buffers/socket_buffer.h"
#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/reader.h"

#include <assert.h>

static enum flow pull(void *self)
{
    return reader_pull(self);
}

static void tick(void *self, uint64_t now_ms)
{
    reader_tick(self, now_ms);
}

static void stop(void *self)
{
    struct reader *r = self;
    struct hub *h = r->outlet->worker->hub;
    reader_fini(r);
    hub_take_back(h, r, sizeof *r);
}

static const struct follower_ops reader_ops = {
    .name = "stream",
    .pull = pull,
    .tick = tick,
    .stop = stop,
};

void live_begin(struct live_request *ret, const struct stream *s)
{
    const struct stream_bounds *bounds = stream_bounds(s);
    *ret = (struct live_request){
        .style = {.kind = stream_kind(s)},
        .slow_reader = bounds->slow_reader,
        .lag_hard = bounds->lag_hard,
        .lag_soft = bounds->lag_soft,
        .lag_soft_ms = bounds->lag_soft_ms,
    };
}

void live_watch_peer(struct exchange *x)
{
    int fd = exchange_outlet(x)->fd;
    uint64_t patience_ms = x->route->config->user_timeout_ms;
    if (patience_ms == 0)
        return;
    (void)socket_set_user_timeout(fd, patience_ms);
    (void)socket_set_keepalive(fd, patience_ms);
}

void live_refuse(struct exchange *x)
{
    struct outlet *o = exchange_outlet(x);
    o->ops->note(o, "503 short of memory; a reader was refused");
    response_error(x, 503, "short of memory; try again later");
}

void live_follow(struct exchange *x, struct stream *s,
                 const struct live_request *want)
{
    struct hub *h = x->worker->hub;
    struct outlet *o = exchange_outlet(x);
    struct live_request mine = *want;
    struct reader *r = hub_allot(h, sizeof *r);
    mine.style.chunked = x->req.minor > 0;
    bool begun = r && reader_init(r, o, s, &mine);
    stream_unref(s);
    if (!begun) {
        hub_take_back(h, r, sizeof *r);
        live_refuse(x);
        return;
    }
    live_watch_peer(x);
    response_follow(x, &reader_ops, r);
}

struct wait {
    struct tap_waiter waiter;
    struct exchange *x;
    struct stream *stream;
    uint64_t pos;
    uint64_t until_ms;
    void (*answer)(struct exchange *x, struct stream *s, enum live_news news,
                   uint64_t arg);
    uint64_t arg;
};

static void wake(struct tap_waiter *waiter)
{
    struct wait *w =
        (struct wait *)((char *)waiter - offsetof(struct wait, waiter));
    exchange_wake(w->x);
}

static bool news_of(struct wait *w, enum live_news *ret_news)
{
    struct stream_state now;
    stream_look(w->stream, &now);
    if (now.gone)
        *ret_news = LIVE_GONE;
    else if (now.tail > w->pos)
        *ret_news = LIVE_DATA;
    else if (now.closed)
        *ret_news = LIVE_CLOSED;
    else if (worker_now_ms(w->x->worker) >= w->until_ms ||
             w->x->worker->draining)
        *ret_news = LIVE_TIMEOUT;
    else
        return false;
    return true;
}

static enum flow pull_wait(void *self, struct exchange *x)
{
    struct wait *w = self;
    enum live_news news;
    if (news_of(w, &news)) {
        tap_wait_stop(&w->waiter);
        w->answer(x, w->stream, news, w->arg);
        return FLOW_DONE;
    }
    if (!w->waiter.tap && !tap_wait_news(x, w->stream, w->pos, &w->waiter)) {
        live_refuse(x);
        return FLOW_DONE;
    }
    return FLOW_AGAIN;
}

static void stop_wait(void *self)
{
    struct wait *w = self;
    tap_wait_stop(&w->waiter);
    stream_unref(w->stream);
    hub_take_back(w->x->worker->hub, w, sizeof *w);
}

static const struct source_ops wait_ops = {
    .name = "long poll", .pull = pull_wait, .stop = stop_wait};

void live_wait(struct exchange *x, struct stream *s, uint64_t pos, uint64_t ms,
               void (*answer)(struct exchange *x, struct stream *s,
                              enum live_news news, uint64_t arg),
               uint64_t arg)
{
    struct wait *w = hub_allot(x->worker->hub, sizeof *w);
    if (!w) {
        stream_unref(s);
        live_refuse(x);
        return;
    }
    w->x = x;
    w->stream = s;
    w->pos = pos;
    w->until_ms = worker_now_ms(x->worker) + ms;
    w->answer = answer;
    w->arg = arg;
    w->waiter.wake = wake;
    w->waiter.deadline_ms = w->until_ms;
    exchange_defer(x, &wait_ops, w);
}
