#include "httpd/conn/conn.h"
#include "httpd/conn/conn_log.h"

#include "httpd/http/exchange.h"
#include "httpd/limits.h"

#include <assert.h>
#include <stdio.h>

#define NOTE_BYTES_MAX 512u

static struct conn *conn_of(struct outlet *o)
{
    return (struct conn *)((char *)o - offsetof(struct conn, outlet));
}

static void wake(struct outlet *o)
{
    worker_ready(o->worker, &conn_of(o)->ready);
}

static void drop(struct outlet *o, const char *text)
{
    struct conn *c = conn_of(o);
    char line[NOTE_BYTES_MAX];
    if (c->closing)
        return;
    snprintf(line, sizeof line, "lagged: %s", text);
    conn_log_note(c, line);
    c->told = true;
    c->reset = true;
    conn_close(c, CLOSE_LAGGED);
    worker_ready(c->worker, &c->ready);
}

static void note(struct outlet *o, const char *text)
{
    conn_log_note(conn_of(o), text);
}

const struct outlet_ops conn_outlet_ops = {
    .wake = wake,
    .drop = drop,
    .note = note,
};

enum flow outlet_send(struct outlet *o, const struct iovec *iov, int iov_n,
                      size_t *ret_sent)
{
    enum flow r = o->sink->ops->send(o->sink, iov, iov_n, false, ret_sent);
    o->direct_bytes += *ret_sent;
    if (*ret_sent > 0)
        o->direct_ms = o->worker->now_ms;
    if (r == FLOW_AGAIN)
        o->writable = false;
    return r;
}

struct outlet *exchange_outlet(struct exchange *x)
{
    return x->carrier_ops->outlet(x);
}

void conn_follow(struct conn *c)
{
    struct exchange *x = c->x;
    assert(x->follower && !c->follower);
    c->follower = x->follower;
    c->follower_self = x->follower_self;
    x->follower = NULL;
    c->follow_base = conn_sent_bytes(c) + c->out.len;
    conn_enter(c, CONN_FOLLOW);
    if (c->worker->access_log)
        return;
    worker_exchange_put(c->worker, x);
    c->x = NULL;
}

void conn_stop_follower(struct conn *c)
{
    const struct follower_ops *ops = c->follower;
    if (!ops)
        return;
    c->follower = NULL;
    c->pull_when_empty = false;
    ops->stop(c->follower_self);
    if (c->x)
        c->x->sent = conn_sent_bytes(c) + c->out.len - c->follow_base;
}

static void end_follow(struct conn *c, bool whole)
{
    conn_stop_follower(c);
    if (c->x) {
        conn_log_access(c, 0);
        worker_exchange_put(c->worker, c->x);
        c->x = NULL;
    }
    c->keep_alive = c->keep_alive && whole && !c->worker->draining;
    c->pull_again = false;
    c->starved = false;
    conn_enter(c, CONN_FLUSH);
}

static bool feed(struct conn *c)
{
    size_t room = c->follower->room(c->follower_self);
    size_t most = room < READ_BODY_BYTES ? room : READ_BODY_BYTES;
    if (room == 0 || !conn_take_input(c, most) || c->closing)
        return !c->closing;
    struct str piece = c->in;
    if (piece.len > room)
        piece.len = room;
    enum flow r = c->follower->push(c->follower_self, piece);
    conn_used_input(c, piece.len);
    if (r != FLOW_DONE)
        conn_close(c, CLOSE_BROKEN);
    return r == FLOW_DONE;
}

static enum flow pump(struct conn *c)
{
    enum flow r = FLOW_DONE;
    unsigned pulls = 0;
    while (r == FLOW_DONE && !c->closing && write_queue_room(&c->out) > 0 &&
           pulls++ < TURN_PULLS_MAX)
        r = c->follower->pull(c->follower_self);
    return r;
}

bool step_follow(struct conn *c)
{
    enum flow r = FLOW_DONE;
    if (c->follower->room && !feed(c))
        return false;
    if (conn_may_pull(c))
        r = pump(c);
    c->pull_again = r == FLOW_DONE && !c->starved;
    c->pull_when_empty = r == FLOW_FULL;
    if (r == FLOW_DONE || r == FLOW_AGAIN || r == FLOW_FULL)
        return false;
    if (!c->closing)
        end_follow(c, r == FLOW_END);
    return !c->closing;
}
