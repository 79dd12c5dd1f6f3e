#include "buffers/socket_buffer.h"
#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/follower.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/http/websocket.h"
#include "httpd/http/websocket_handshake.h"
#include "httpd/loop/worker.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"

#include <assert.h>
#include <stdlib.h>

static const struct lab_bound max_bound = {"max", LAB_SIZE, 0,
                                           LAB_WEBSOCKET_BYTES_MAX};
static const struct lab_bound close_bound = {"close", LAB_COUNT, 1000, 4999};

struct echo {
    struct websocket ws;
    struct outlet *outlet;
    uint64_t heard_ms;
    uint64_t pinged_ms;
};

static bool say(void *self, struct str bytes)
{
    const struct echo *e = self;

    e->outlet->ops->wake(e->outlet);
    return write_queue_push(e->outlet->out, bytes.at, bytes.len) == FLOW_DONE;
}

static enum flow on_message(void *self, const struct websocket_message *m)
{
    struct echo *e = self;
    const struct str data = {m->data, m->len};

    (void)websocket_send(&e->ws, m->text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY,
                         data);
    return FLOW_DONE;
}

static const struct websocket_ops echo_ops = {on_message, say};

/* A message that began before, and all that one read may hold, fit into the
 * queue and its slack: what is echoed is never longer than it came. */
static size_t room(void *self)
{
    const struct echo *e = self;
    const size_t free_bytes = write_queue_room(e->outlet->out);

    if (e->ws.over)
        return 0;
    return free_bytes < WEBSOCKET_PIECE_BYTES_MAX ? free_bytes
                                                  : WEBSOCKET_PIECE_BYTES_MAX;
}

static enum flow push(void *self, struct str piece)
{
    struct echo *e = self;

    e->heard_ms = e->outlet->worker->now_ms;
    return websocket_feed(&e->ws, piece);
}

static enum flow pull(void *self)
{
    const struct echo *e = self;

    if (e->ws.broken)
        return FLOW_FAILED;
    return e->ws.over ? FLOW_END : FLOW_AGAIN;
}

static void tick(void *self, uint64_t now_ms)
{
    struct echo *e = self;

    if (e->outlet->worker->draining) {
        websocket_close(&e->ws, WEBSOCKET_GOING_AWAY,
                        "the server is going away");
    } else if (room(e) == 0) {
        e->heard_ms = now_ms; /* it may have said something */
        websocket_tick(&e->ws, now_ms, true);
    } else if (now_ms - e->heard_ms >= LAB_WEBSOCKET_QUIET_MS) {
        websocket_close(&e->ws, WEBSOCKET_POLICY, "pings are not answered");
    } else {
        websocket_tick(&e->ws, now_ms, false);
        if (now_ms - e->heard_ms >= LAB_WEBSOCKET_PING_MS &&
            now_ms - e->pinged_ms >= LAB_WEBSOCKET_PING_MS) {
            e->pinged_ms = now_ms;
            (void)websocket_send(&e->ws, WEBSOCKET_PING, (struct str){0});
        }
    }
}

static void stop(void *self)
{
    struct echo *e = self;

    websocket_fini(&e->ws);
    free(e);
}

static const struct follower_ops follower_ops = {
    .name = "echo",
    .pull = pull,
    .room = room,
    .push = push,
    .tick = tick,
    .stop = stop,
};

static void follow(struct exchange *x, uint64_t bytes_max, uint64_t code)
{
    struct echo *e = calloc(1, sizeof(*e));

    if (e == NULL) {
        lab_out_of_memory(x);
        return;
    }
    e->outlet = exchange_outlet(x);
    e->heard_ms = worker_now_ms(x->worker);
    websocket_init(&e->ws, (size_t)bytes_max, &echo_ops, e,
                   &x->worker->accepted);
    (void)socket_set_user_timeout(e->outlet->fd,
                                  x->route->config->user_timeout_ms);
    response_follow(x, &follower_ops, e);
    if (code != 0 && x->follower == &follower_ops)
        websocket_close(&e->ws, (unsigned)code, "as you asked");
}

void lab_websocket(struct exchange *x, struct str part)
{
    uint64_t bytes_max = LAB_WEBSOCKET_BYTES_MAX;
    uint64_t code = 0;
    size_t protocol;

    assert(part.len == 0);
    if (!lab_param(x, &max_bound, &bytes_max) ||
        !lab_param(x, &close_bound, &code))
        return;
    if (!websocket_wanted(&x->req))
        websocket_require(x);
    else if (websocket_accept(x, NULL, 0, &protocol))
        follow(x, bytes_max, code);
}
