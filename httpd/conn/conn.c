#include "httpd/conn/conn.h"
#include "httpd/conn/conn_log.h"

#include "httpd/config/config.h"
#include "httpd/guard/conn_count.h"
#include "httpd/http/exchange.h"
#include "httpd/limits.h"

#include <assert.h>
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

/* Gives back what admit() took. */
static void dismiss(struct worker *w, uint64_t key)
{
    budget_give(w->budget, BUDGET_NEW, sizeof(struct conn));
    conn_count_leave(w->conn_count, key);
}

/* Whether the peer could take what it got for a whole answer. */
static bool cut_off(const struct conn *c)
{
    const struct exchange *x = c->x;
    return !write_queue_empty(&c->out) || c->follower ||
           (x && x->head_sent && !x->finished);
}

void conn_drop_read_ahead(struct conn *c)
{
    budget_purse_give(&c->worker->accepted, c->read_ahead.len);
    bytes_reset(&c->read_ahead);
    bytes_trim(&c->read_ahead, 0);
    c->read_ahead_used = 0;
}

static void conn_free(struct conn *c)
{
    struct worker *w = c->worker;
    assert(c->magic == CONN_MAGIC);
    if (c->reset || cut_off(c)) {
        struct linger hard = {.l_onoff = 1, .l_linger = 0};
        setsockopt(c->sink.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    cold_read_stop(c);
    io_watch_stop(&c->io);
    worker_unready(w, &c->ready);
    conn_log_close(c);
    conn_stop_follower(c);
    if (c->x) {
        conn_log_access(c, c->out.len + c->out.file_len);
        worker_exchange_put(w, c->x);
    }
    write_queue_fini(&c->out);
    conn_drop_read_ahead(c);
    close(c->sink.fd);
    if (c->admitted)
        dismiss(w, count_key(c));
    if (!c->admitted || c->spare)
        w->refused_n--;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    w->conns_n--;
    c->magic = 0;
    free(c);
}

static uint64_t warm(struct sink *s, const struct file_range *range,
                     uint64_t bytes_max)
{
    struct conn *c = (struct conn *)((char *)s - offsetof(struct conn, sink));
    return cold_read_warm(c, range, bytes_max);
}

/* What was read but not used yet waits until it is its turn. */
static void stash(struct conn *c)
{
    struct budget_purse *purse = &c->worker->accepted;
    struct str rest = c->in;
    bool stands_there = c->read_ahead.len > 0;
    bool unwanted = c->state == CONN_FLUSH && !c->keep_alive;
    c->in = (struct str){0};
    if (rest.len == 0 || stands_there || unwanted)
        return;
    if (budget_purse_take(purse, rest.len)) {
        if (bytes_append_str(&c->read_ahead, rest) == FLOW_DONE)
            return;
        budget_purse_give(purse, rest.len);
    }
    conn_close(c, CLOSE_NO_MEMORY);
}

static void flush(struct conn *c)
{
    if (write_queue_empty(&c->out) || !c->outlet.writable)
        return;
    uint64_t sent;
    enum flow r = sink_flush(&c->sink, &c->out, &sent);
    if (sent > 0) {
        c->out_bytes += sent;
        c->out_ms = c->worker->now_ms;
    }
    if (write_queue_empty(&c->out))
        c->writing.since_ms = 0;
    if (r == FLOW_AGAIN) {
        c->outlet.writable = false;
    } else if (r == FLOW_END) {
        conn_close(c, CLOSE_FILE_SHRANK);
    } else if (r == FLOW_FAILED) {
        conn_close(c, CLOSE_PEER_RESET);
    }
}

/* True when the turn's share of steps was used up before they came to rest. */
static bool run_steps(struct conn *c)
{
    for (unsigned n = 0; n < TURN_STEPS_MAX; n++) {
        if (c->closing || !steps[c->state](c))
            return false;
    }
    return true;
}

/* Whether there is something to do that no event will announce: the kernel
 * tells a change once. This follows from the state, here and nowhere else. */
static bool goes_on(struct conn *c)
{
    bool empty = write_queue_empty(&c->out);
    bool flushes = !empty && c->outlet.writable && !cold_read_waits(&c->cold);
    bool flushed = empty && c->state == CONN_FLUSH;
    bool pulls = (c->pull_again && write_queue_low(&c->out)) ||
                 (c->pull_when_empty && empty);
    bool reads = (c->readable || c->read_ahead.len > 0) && conn_wants_read(c);
    return flushes || flushed || pulls || reads;
}

static void turn(struct conn *c)
{
    assert(c->magic == CONN_MAGIC);
    c->may_read = true;
    bool cut_short = run_steps(c);
    stash(c);
    if (!c->closing || c->closing == CLOSE_BROKEN)
        flush(c);
    if (!c->closing && c->state == CONN_FLUSH)
        (void)step_flush(c);
    if (c->closing)
        conn_free(c);
    else if (cut_short || goes_on(c))
        worker_ready(c->worker, &c->ready);
}

/* Something came while nothing is wanted: it stays where it is, but a peer
 * that is gone must be noticed, also behind bytes or a FIN. */
static void look_for_reset(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(c->sink.fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error)
        conn_close(c, CLOSE_PEER_RESET);
}

static void on_change(unsigned edges, void *arg)
{
    struct conn *c = arg;
    worker_tick(c->worker);
    if (edges & (IO_READABLE | IO_CLOSED)) {
        c->readable = true;
        if (!conn_wants_read(c))
            look_for_reset(c);
    }
    if (edges & IO_WRITABLE)
        c->outlet.writable = true;
    if (edges & IO_CLOSED)
        c->half_closed = true;
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
    c->sink = (struct sink){
        .ops = &sink_plain_ops, .warm = warm, .fd = fd, .share = &w->send_size};
    c->ready.run = on_ready;
    memcpy(&c->peer, peer, sizeof c->peer);
    write_queue_init(&c->out, &w->pool, QUEUE_HIGH_BYTES, QUEUE_LOW_BYTES);
    bytes_init(&c->read_ahead, w->read_buffer_bytes);
    c->outlet = (struct outlet){.ops = &conn_outlet_ops,
                                .worker = w,
                                .out = &c->out,
                                .sink = &c->sink,
                                .fd = fd,
                                .writable = true};
    c->next = w->conns;
    c->link = &w->conns;
    if (c->next)
        c->next->link = &c->next;
    w->conns = c;
    w->conns_n++;
    conn_enter(c, CONN_IDLE);
    return c;
}

bool conn_spare(struct conn *c)
{
    struct worker *w = c->worker;
    if (c->short_of_memory)
        return true;
    if (w->refused_n >= w->refused_max)
        return false;
    w->refused_n++;
    c->spare = true;
    c->short_of_memory = true;
    return true;
}

static void refuse_peer(struct conn *c, enum conn_admission why)
{
    if (why == CONN_TOO_MANY)
        conn_refuse(c, 503, "too many connections; try again later");
    else if (why == CONN_SHORT_OF_MEMORY)
        c->short_of_memory = true; /* unless it asks what the operator asks */
    else
        conn_refuse(c, 429, "too many connections from your address");
}

static enum conn_admission admit(struct worker *w, uint64_t key)
{
    enum conn_admission why = conn_count_enter(w->conn_count, key);
    (void)block_pool_make_way(&w->pool, BUDGET_NEW, sizeof(struct conn));
    if (why != CONN_ADMITTED ||
        budget_take(w->budget, BUDGET_NEW, sizeof(struct conn)))
        return why;
    conn_count_leave(w->conn_count, key);
    return CONN_SHORT_OF_MEMORY;
}

void conn_open(struct worker *w, int fd, const struct sockaddr_storage *peer)
{
    uint64_t key = conn_count_key(peer);
    enum conn_admission why = admit(w, key);
    bool crowded = why != CONN_ADMITTED && w->refused_n >= w->refused_max;
    struct conn *c = crowded ? NULL : conn_new(w, fd, peer);
    if (!c) {
        if (why == CONN_ADMITTED)
            dismiss(w, key);
        close(fd);
        return;
    }
    c->admitted = why == CONN_ADMITTED;
    if (!c->admitted) {
        w->refused_n++;
        refuse_peer(c, why);
    }
    if (!io_watch_start(&c->io, w, fd, on_change, c))
        conn_close(c, CLOSE_NO_MEMORY);
    if (!c->admitted || c->closing)
        turn(c);
}

void conn_sweep(struct worker *w)
{
    struct conn *next;
    conn_log_sweep(w);
    for (struct conn *c = w->conns; c; c = next) {
        next = c->next;
        conn_check_deadline(c);
        cold_read_sweep(c);
        if (c->closing)
            turn(c);
        else if (c->starved)
            worker_ready(w, &c->ready);
    }
}

void conn_close_all(struct worker *w)
{
    struct conn *next;
    for (struct conn *c = w->conns; c; c = next) {
        next = c->next;
        conn_close(c, CLOSE_DRAINED);
        conn_free(c);
    }
}
