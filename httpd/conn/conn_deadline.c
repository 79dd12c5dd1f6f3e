#include "httpd/conn/conn.h"

#include "buffers/socket_buffer.h"
#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/limits.h"

#include <assert.h>

/* Whether less than rate_min bytes a second have moved over a whole window. */
static bool too_slow(struct rate_window *window, uint64_t bytes,
                     uint64_t now_ms, uint64_t rate_min,
                     const struct config *config)
{
    if (rate_min == 0)
        return false;
    if (window->since_ms == 0) {
        *window = (struct rate_window){now_ms, bytes};
        return false;
    }
    uint64_t took_ms = now_ms - window->since_ms;
    if (took_ms < config->rate_window_ms)
        return false;
    bool slow = (bytes - window->bytes) * 1000 / took_ms < rate_min;
    *window = (struct rate_window){now_ms, bytes};
    return slow;
}

/* Bytes that the peer has acknowledged: what left, less what the kernel still
 * holds. With large kernel buffers what left moves in jumps only. */
static uint64_t acknowledged(const struct conn *c)
{
    uint64_t held;
    uint64_t sent = conn_sent_bytes(c);
    if (!socket_unacknowledged(c->sink.fd, &held))
        return sent;
    return held < sent ? sent - held : 0;
}

static void check_reader(struct conn *c)
{
    const struct config *config = c->worker->config;
    if (write_queue_empty(&c->out) || cold_read_waits(&c->cold)) {
        c->writing.since_ms = 0;
        return;
    }
    uint64_t now_ms = c->worker->now_ms;
    bool due = c->writing.since_ms == 0 ||
               now_ms - c->writing.since_ms >= config->rate_window_ms;
    if (due && too_slow(&c->writing, acknowledged(c), now_ms,
                        config->write_rate_min, config)) {
        conn_close(c, CLOSE_READER_TOO_SLOW);
    }
}

/* While we ourselves do not read, the peer cannot be late. */
static void check_body(struct conn *c)
{
    const struct config *config = c->worker->config;
    if (c->x->req.body_done || c->x->body_pauses || !conn_wants_read(c)) {
        c->reading.since_ms = 0;
        return;
    }
    if (!too_slow(&c->reading, c->in_bytes, c->worker->now_ms,
                  config->body_rate_min, config))
        return;
    if (c->x->head_sent && !c->x->finished) {
        conn_close(c, CLOSE_BODY_TOO_SLOW);
        return;
    }
    if (c->x->finished)
        c->x->keep_alive = false; /* answered: the rest is not waited for */
    else
        conn_refuse(c, 408, "the request body came too slowly");
    worker_ready(c->worker, &c->ready);
}

/* The peer has shut down its side and has all there is: it may be gone. */
static void check_half_closed(struct conn *c)
{
    uint64_t last_ms = c->out_ms > c->since_ms ? c->out_ms : c->since_ms;
    if (last_ms < c->outlet.direct_ms)
        last_ms = c->outlet.direct_ms;
    bool rests = write_queue_empty(&c->out) || cold_read_waits(&c->cold);
    if (!c->half_closed || !rests || acknowledged(c) < conn_sent_bytes(c))
        return;
    if (c->worker->now_ms - last_ms >= HALF_CLOSED_MS)
        conn_close(c, CLOSE_PEER_CLOSED);
}

static bool late(const struct conn *c, uint64_t limit_ms)
{
    return c->worker->now_ms - c->since_ms >= limit_ms;
}

/* A connection is idle only once its last answer has left. */
static void check_idle(struct conn *c)
{
    if (!write_queue_empty(&c->out)) {
        check_reader(c);
        c->since_ms = c->worker->now_ms;
    } else if (c->worker->draining) {
        conn_close(c, CLOSE_DRAINED);
    } else if (late(c, c->short_of_memory
                           ? c->worker->config->linger_timeout_ms
                           : c->worker->config->idle_timeout_ms)) {
        conn_close(c, CLOSE_IDLE_TIMEOUT);
    }
}

/* Empty lines before a request do not begin one. */
static void check_head(struct conn *c)
{
    if (!request_begun(&c->x->req)) {
        check_idle(c);
    } else if (late(c, c->worker->config->head_timeout_ms)) {
        conn_refuse(c, 408, "the request head took too long");
        worker_ready(c->worker, &c->ready);
    }
}

void conn_check_deadline(struct conn *c)
{
    const struct config *config = c->worker->config;
    switch (c->state) {
    case CONN_IDLE:
        check_idle(c);
        break;
    case CONN_HEAD:
        check_head(c);
        break;
    case CONN_EXCHANGE:
        check_body(c);
        check_reader(c);
        check_half_closed(c);
        break;
    case CONN_FOLLOW:
        c->follower->tick(c->follower_self, c->worker->now_ms);
        check_reader(c);
        check_half_closed(c);
        break;
    case CONN_FLUSH:
        check_reader(c);
        check_half_closed(c);
        break;
    case CONN_LINGER:
        if (late(c, config->linger_timeout_ms))
            conn_close(c, CLOSE_LINGER_END);
        break;
    }
}
