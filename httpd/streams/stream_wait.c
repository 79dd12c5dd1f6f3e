#include "httpd/streams/stream_wait.h"

#include "httpd/http/exchange.h"
#include "httpd/loop/timer.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/live.h"
#include "httpd/streams/registry.h"

struct stream_wait {
    struct timer timer;
    struct exchange *x;
    struct str name;
    uint64_t until_ms;
    void (*then)(struct exchange *x, struct stream *s);
};

static void fire(void *arg)
{
    struct stream_wait *w = arg;
    exchange_wake(w->x);
}

static enum flow pull(void *self, struct exchange *x)
{
    struct stream_wait *w = self;
    struct hub *h = x->worker->hub;
    struct stream *s = NULL;
    bool found = registry_find(hub_registry(h), w->name, hub_now_ms(h), &s) ==
                 REGISTRY_FOUND;
    if (found || worker_now_ms(x->worker) >= w->until_ms ||
        x->worker->draining) {
        w->then(x, s);
        return FLOW_DONE;
    }
    timer_start(&w->timer, STREAM_WAIT_POLL_MS);
    return FLOW_AGAIN;
}

static void stop(void *self)
{
    struct stream_wait *w = self;
    timer_fini(&w->timer);
    hub_take_back(w->x->worker->hub, w, sizeof *w);
}

static const struct source_ops wait_ops = {
    .name = "stream wait", .pull = pull, .stop = stop};

void stream_wait(struct exchange *x, struct str name, uint64_t ms,
                 void (*then)(struct exchange *x, struct stream *s))
{
    struct stream_wait *w = hub_allot(x->worker->hub, sizeof *w);
    if (!w) {
        live_refuse(x);
        return;
    }
    w->x = x;
    w->name = name;
    w->until_ms = worker_now_ms(x->worker) + ms;
    w->then = then;
    timer_init(&w->timer, x->worker, fire, w);
    exchange_defer(x, &wait_ops, w);
}
