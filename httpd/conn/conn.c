#include "httpd/conn/conn.h"
#include "httpd/conn/conn_log.h"

#include "httpd/config/config.h"
#include "httpd/guard/conn_count.h"
#include "httpd/http/exchange.h"
#include "httpd/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Marks of a queue that no route has set yet. */
#define QUEUE_HIGH_BYTES (64u << 10)
#define QUEUE_LOW_BYTES  (16u << 10)

static bool (*const steps[])(struct conn *) = {
#define STATE(name, step, leaves) [CONN_##name] = step,
#include "httpd/conn/conn_state.def"
#undef STATE
};

void conn_enter(struct conn *c, enum conn_state state)
{
    c->state = state;
    c->since_ms = c->worker->now_ms;
}

void conn_close(struct conn *c, enum close_reason reason)
{
    assert(reason != CLOSE_NOT);
    if (c->closing == CLOSE_NOT)
        c->closing = reason;
}

static uint64_t count_key(const struct conn *c)
{
    struct sockaddr_storage addr = {0};
    memcpy(&addr, &c->peer, sizeof c->peer);
    return conn_count_key(&addr);
}

static void conn_free(struct conn *c)
{
    struct worker *w = c->worker;
    assert(c->magic == CONN_MAGIC);
    if (c->reset) {
        struct linger hard = {.l_onoff = 1, .l_linger = 0};
        setsockopt(c->sink.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    io_watch_set(&c->io, false, false);
    worker_unready(w, &c->ready);
    conn_log_close(c);
    if (c->x) {
        conn_log_access(c);
        worker_exchange_put(w, c->x);
    }
    write_queue_fini(&c->out);
    bytes_fini(&c->read_ahead);
    close(c->sink.fd);
    if (c->admitted)
        conn_count_leave(w->conn_count, count_key(c));
    else
        w->refused_n--;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    w->conns_n--;
    c->magic = 0;
    free(c);
}

/* What was read but not used yet waits until it is its turn. */
static void stash(struct conn *c)
{
    if (c->in.len == 0)
        return;
    if (bytes_append_str(&c->read_ahead, c->in) != FLOW_DONE)
        conn_close(c, CLOSE_NO_MEMORY);
    c->in = (struct str){0};
}

static void flush(struct conn *c)
{
    if (write_queue_empty(&c->out))
        return;
    uint64_t sent;
    enum flow r = sink_flush(&c->sink, &c->out, &sent);
    if (sent > 0) {
        c->out_bytes += sent;
        c->out_ms = c->worker->now_ms;
    }
    if (r == FLOW_END) {
        c->reset = true;
        conn_close(c, CLOSE_FILE_SHRANK);
    } else if (r == FLOW_FAILED) {
        conn_close(c, CLOSE_PEER_RESET);
    }
}

/* What to wait for follows from the state, here and nowhere else. Reading that
 * is not wanted stays armed until something comes: most peers send nothing
 * while they are answered. */
static void arm(struct conn *c)
{
    bool wants_read = conn_wants_read(c);
    if (wants_read)
        c->read_muted = false;
    bool reads = wants_read || (c->io.reads && !c->read_muted);
    bool writes = !write_queue_empty(&c->out) || c->pull_again;
    if (!io_watch_set(&c->io, reads, writes))
        conn_close(c, CLOSE_NO_MEMORY);
}

static void run_steps(struct conn *c)
{
    unsigned n = 0;
    while (!c->closing && n++ < TURN_STEPS_MAX && steps[c->state](c))
        ;
}

/* Whether there is something to do that no event will announce. */
static bool goes_on(struct conn *c)
{
    bool flushed = c->state == CONN_FLUSH && write_queue_empty(&c->out);
    bool waiting = c->read_ahead.len > 0 &&
                   (c->state == CONN_IDLE || c->state == CONN_HEAD ||
                    (c->state == CONN_EXCHANGE && !c->x->req.body_done &&
                     exchange_body_room(c->x) > 0));
    return flushed || waiting;
}

static void turn(struct conn *c)
{
    assert(c->magic == CONN_MAGIC);
    run_steps(c);
    stash(c);
    if (!c->closing || c->closing == CLOSE_BROKEN)
        flush(c);
    if (!c->closing && c->state == CONN_FLUSH)
        (void)step_flush(c);
    c->readable = false;
    if (!c->closing && goes_on(c))
        worker_ready(c->worker, &c->ready);
    if (!c->closing)
        arm(c);
    if (c->closing)
        conn_free(c);
}

/* Something came while nothing is wanted: find out whether the peer is gone,
 * and do not ask again until reading is wanted. */
static void mute(struct conn *c)
{
    char byte;
    ssize_t n = recv(c->sink.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        conn_close(c, CLOSE_PEER_RESET);
    if (n == 0)
        c->half_closed = true;
    c->read_muted = true;
}

static void on_readable(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct conn *c = arg;
    worker_tick(c->worker);
    if (conn_wants_read(c))
        c->readable = true;
    else
        mute(c);
    turn(c);
}

static void on_writable(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct conn *c = arg;
    worker_tick(c->worker);
    turn(c);
}

static void on_ready(struct ready *r)
{
    struct conn *c = (struct conn *)((char *)r - offsetof(struct conn, ready));
    turn(c);
}

static struct conn *conn_new(struct worker *w, int fd,
                             const struct sockaddr_storage *peer)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->magic = CONN_MAGIC;
    c->worker = w;
    c->sink = (struct sink){.ops = &sink_plain_ops, .fd = fd};
    c->ready.run = on_ready;
    memcpy(&c->peer, peer, sizeof c->peer);
    write_queue_init(&c->out, &w->pool, QUEUE_HIGH_BYTES, QUEUE_LOW_BYTES);
    bytes_init(&c->read_ahead, READ_BODY_BYTES);
    io_watch_init(&c->io, w, fd, on_readable, on_writable, c);
    c->next = w->conns;
    c->link = &w->conns;
    if (c->next)
        c->next->link = &c->next;
    w->conns = c;
    w->conns_n++;
    conn_enter(c, CONN_IDLE);
    return c;
}

static void refuse_peer(struct conn *c, enum conn_admission why)
{
    if (why == CONN_TOO_MANY)
        conn_refuse(c, 503, "too many connections; try again later");
    else
        conn_refuse(c, 429, "too many connections from your address");
}

void conn_open(struct worker *w, int fd, const struct sockaddr_storage *peer)
{
    uint64_t key = conn_count_key(peer);
    enum conn_admission why = conn_count_enter(w->conn_count, key);
    bool crowded = why != CONN_ADMITTED && w->refused_n >= REFUSED_MAX;
    struct conn *c = crowded ? NULL : conn_new(w, fd, peer);
    if (!c) {
        if (why == CONN_ADMITTED)
            conn_count_leave(w->conn_count, key);
        close(fd);
        return;
    }
    c->admitted = why == CONN_ADMITTED;
    if (!c->admitted) {
        w->refused_n++;
        refuse_peer(c, why);
    }
    turn(c);
}

void conn_sweep(struct worker *w)
{
    struct conn *next;
    conn_log_sweep(w);
    for (struct conn *c = w->conns; c; c = next) {
        next = c->next;
        conn_check_deadline(c);
        if (c->closing)
            turn(c);
    }
}

void conn_close_all(struct worker *w)
{
    while (w->conns) {
        conn_close(w->conns, CLOSE_DRAINED);
        conn_free(w->conns);
    }
}
