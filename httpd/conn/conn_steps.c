#include "httpd/config/config.h"
#include "httpd/conn/conn.h"
#include "httpd/conn/conn_log.h"
#include "httpd/conn/socket_tuning.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/limits.h"
#include "parser/escape.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define SHORT_OF_MEMORY "short of memory; try again later"
#define ALLOW_ALL       "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"

static void release_exchange(struct conn *c)
{
    worker_exchange_put(c->worker, c->x);
    c->x = NULL;
}

/* The peer sends nothing more. Answers that are queued still leave. */
static void input_ended(struct conn *c)
{
    bool answered = c->state == CONN_IDLE || c->state == CONN_HEAD;
    if (!answered || write_queue_empty(&c->out)) {
        conn_close(c, c->state == CONN_LINGER ? CLOSE_DONE : CLOSE_PEER_CLOSED);
        return;
    }
    if (c->x)
        release_exchange(c);
    c->keep_alive = false;
    conn_enter(c, CONN_FLUSH);
}

/* One read. A short one has emptied the socket, and an edge will tell of more;
 * but after the peer's FIN only the end itself is the end. */
static bool read_some(struct conn *c, size_t bytes_max)
{
    char *buffer = c->worker->read_buffer;
    ssize_t n = recv(c->sink.fd, buffer, bytes_max, MSG_DONTWAIT);
    if (n > 0) {
        c->may_read = false;
        if (c->state == CONN_EXCHANGE)
            knob_observe_size(&c->worker->read_size, bytes_max, (size_t)n);
        c->readable = (size_t)n == bytes_max || c->half_closed;
        c->in_bytes += (uint64_t)n;
        c->in = (struct str){buffer, (size_t)n};
        return true;
    }
    c->readable = n < 0 && errno == EINTR;
    if (n == 0)
        input_ended(c);
    else if (errno != EAGAIN && errno != EINTR)
        conn_close(c, CLOSE_PEER_RESET);
    return false;
}

bool conn_take_input(struct conn *c, size_t bytes_max)
{
    if (c->in.len > 0)
        return true;
    if (c->read_ahead.len > 0) {
        c->in = str_skip(bytes_view(&c->read_ahead), c->read_ahead_used);
        return true;
    }
    return c->readable && c->may_read && read_some(c, bytes_max);
}

void conn_used_input(struct conn *c, size_t n)
{
    c->in = str_skip(c->in, n);
    if (c->read_ahead.len == 0)
        return;
    c->read_ahead_used += n;
    if (c->read_ahead_used == c->read_ahead.len)
        conn_drop_read_ahead(c);
}

static void wake(struct exchange *x)
{
    struct conn *c = x->carrier;
    worker_ready(c->worker, &c->ready);
}

static bool is_loopback(const struct sockaddr_in6 *peer)
{
    struct sockaddr_in in;
    if (peer->sin6_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&peer->sin6_addr);
    memcpy(&in, peer, sizeof in);
    return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool from_loopback(const struct exchange *x)
{
    const struct conn *c = x->carrier;
    return is_loopback(&c->peer);
}

static struct outlet *outlet(struct exchange *x)
{
    struct conn *c = x->carrier;
    return &c->outlet;
}

static const struct carrier_ops carrier_ops = {
    .wake = wake,
    .from_loopback = from_loopback,
    .outlet = outlet,
};

static bool attach_exchange(struct conn *c)
{
    struct exchange *x = worker_exchange_get(c->worker);
    if (!x)
        return false;
    x->carrier = c;
    x->carrier_ops = &carrier_ops;
    x->out = &c->out;
    x->started_ms = c->worker->now_ms;
    c->x = x;
    return true;
}

/* The server is going; what is queued still leaves. */
static bool leave_idle(struct conn *c)
{
    if (write_queue_empty(&c->out)) {
        conn_close(c, CLOSE_DRAINED);
        return false;
    }
    c->keep_alive = false;
    conn_enter(c, CONN_FLUSH);
    return true;
}

bool step_idle(struct conn *c)
{
    assert(!c->x);
    if (c->worker->draining)
        return leave_idle(c);
    if (!conn_take_input(c, READ_HEAD_BYTES))
        return false;
    if (!attach_exchange(c)) {
        conn_close(c, CLOSE_NO_MEMORY);
        return false;
    }
    conn_enter(c, CONN_HEAD);
    if (c->x->charged == 0 && !conn_spare(c))
        conn_refuse(c, 503, SHORT_OF_MEMORY);
    return true;
}

void conn_refuse(struct conn *c, int status, const char *text)
{
    conn_log_refusal(c, status, text);
    c->out.budget = BUDGET_VITAL;
    if (!c->x && !attach_exchange(c)) {
        conn_close(c, CLOSE_NO_MEMORY);
        return;
    }
    exchange_refuse(c->x, status, text);
    conn_enter(c, CONN_EXCHANGE);
}

static void redirect_to_folder(struct exchange *x)
{
    struct bytes location;
    struct str path = request_str(&x->req, x->req.path);
    struct str query = request_str(&x->req, x->req.query);
    bytes_init(&location, RESPONSE_HEAD_BYTES_MAX);
    if (escape_url(&location, path, true) == FLOW_DONE &&
        bytes_printf(&location, "/%s%.*s", query.len ? "?" : "", (int)query.len,
                     query.at) == FLOW_DONE) {
        response_begin(x, 301);
        response_header(x, "Location", bytes_view(&location));
        response_send_empty(x);
    } else {
        response_error(x, 414,
                       "this path ends in '/', and the target is too "
                       "long to redirect; ask with the slash");
    }
    bytes_fini(&location);
}

/* Asked of the server itself, not of a path. RFC 9110 section 9.3.6 to 9.3.8 */
static bool answer_server_wide(struct exchange *x)
{
    enum method m = x->req.method;
    if (m == METHOD_CONNECT || m == METHOD_TRACE) {
        response_not_allowed(x, ALLOW_ALL);
        return true;
    }
    if (x->req.form != TARGET_ASTERISK)
        return false;
    response_options(x, ALLOW_ALL);
    return true;
}

static void adopt_route(struct conn *c, const struct route *route)
{
    struct exchange *x = c->x;
    x->route = route;
    x->body_bytes_max = route->config->body_bytes_max;
    /* Never below what is queued already, for another route. */
    c->out.high = route->config->queue_high > c->out.len
                      ? route->config->queue_high
                      : c->out.len;
    c->out.low = route->config->queue_low;
    c->out.budget = route->config->status ? BUDGET_VITAL : BUDGET_LEAVING;
    if (c->tuned != route) {
        socket_tune(c->sink.fd, route->config,
                    c->tuned ? c->tuned->config : NULL);
        c->tuned = route;
    }
}

/* From here on the handler of the route decides. */
static void dispatch(struct conn *c)
{
    struct exchange *x = c->x;
    x->keep_alive = x->req.keep_alive;
    x->continue_wanted = x->req.expect_continue && !x->req.body_done;
    x->body_bytes_max = BODY_DISCARD_BYTES_MAX;
    struct str path = request_str(&x->req, x->req.path);
    const struct route *route = route_find(c->worker->routes, path);
    if (c->short_of_memory) {
        x->keep_alive = false;
        if (!route || !route->config->status) {
            conn_refuse(c, 503, SHORT_OF_MEMORY);
            return;
        }
    }
    if (answer_server_wide(x))
        return;
    if (route_is_folder_of(c->worker->routes, path)) {
        redirect_to_folder(x);
    } else if (!route) {
        response_error(x, 404, "nothing is served at this path");
    } else {
        adopt_route(c, route);
        route->handle(x);
    }
    assert(x->head_sent || x->source || x->body);
}

bool step_head(struct conn *c)
{
    struct exchange *x = c->x;
    size_t used = 0;
    if (!conn_take_input(c, READ_HEAD_BYTES))
        return false;
    enum flow r = request_feed_head(&x->req, c->in.at, c->in.len, &used);
    conn_used_input(c, used);
    switch (r) {
    case FLOW_AGAIN:
        return false;
    case FLOW_DONE:
        conn_enter(c, CONN_EXCHANGE);
        exchange_settle(x);
        dispatch(c);
        if (x->req.body_done && x->body)
            (void)exchange_feed_body(x, NULL, 0, &used);
        return true;
    case FLOW_FAILED:
        conn_refuse(c, x->req.verdict.status, x->req.verdict.text);
        return true;
    default:
        conn_close(c, CLOSE_NO_MEMORY);
        return false;
    }
}

/* Reads what the body has room for. */
static void read_body(struct conn *c)
{
    struct exchange *x = c->x;
    size_t room = exchange_body_room(x);
    size_t size = knob_value(&c->worker->read_size);
    size_t want = room < size ? room : size;
    if (room == 0 || !conn_take_input(c, want))
        return;
    size_t used = 0;
    enum flow r = exchange_feed_body(x, c->in.at, c->in.len, &used);
    conn_used_input(c, used);
    if (r == FLOW_FAILED && x->req.verdict.status)
        conn_log_refusal(c, x->req.verdict.status, x->req.verdict.text);
}

static void end_exchange(struct conn *c)
{
    conn_log_access(c, 0);
    release_exchange(c);
}

/* With an access log the exchange stays until its file ranges have left: the
 * log tells what left, and how long it took. */
static void complete(struct conn *c)
{
    c->keep_alive = c->x->keep_alive && !c->worker->draining;
    c->pull_again = false;
    c->starved = false;
    c->reading.since_ms = 0;
    if (c->x->follower) {
        conn_follow(c);
        return;
    }
    conn_enter(c, CONN_FLUSH);
    if (!c->worker->access_log || c->out.file_len == 0)
        end_exchange(c);
}

/* The response cannot be completed: the peer must not take it for whole. */
static bool give_up(struct conn *c)
{
    if (c->x->failure == FAILURE_CUT) {
        c->x->keep_alive = false;
        complete(c);
        return true;
    }
    c->reset = true;
    conn_close(c, CLOSE_BROKEN);
    return false;
}

/* A source is not asked for what there is no memory for; it waits for the next
 * sweep. What leaves from a file needs none. */
static bool starves(const struct conn *c)
{
    const struct source_ops *source = c->follower ? NULL : c->x->source;
    return (c->follower || (source && !source->file_backed)) &&
           c->out.budget == BUDGET_LEAVING &&
           budget_short(c->worker->budget, BUDGET_ACCEPTED);
}

/* A source that was stopped by the high mark rests until the low one. */
bool conn_may_pull(struct conn *c)
{
    c->starved = starves(c);
    if (c->starved)
        return false;
    if (write_queue_room(&c->out) == 0)
        c->above_high = true;
    if (c->above_high && !write_queue_low(&c->out))
        return false;
    c->above_high = false;
    return true;
}

bool step_exchange(struct conn *c)
{
    struct exchange *x = c->x;
    bool discards = x->finished && !x->keep_alive;
    if (!x->req.body_done && !discards)
        read_body(c);
    if (c->closing)
        return false;
    enum flow r = FLOW_DONE;
    if (x->broken)
        r = FLOW_FAILED;
    else if (conn_may_pull(c))
        r = exchange_pump(x);
    c->pull_again = r == FLOW_DONE && exchange_has_source(x) && !c->starved;
    if (r == FLOW_FAILED)
        return give_up(c);
    if (!x->finished || (!x->req.body_done && x->keep_alive))
        return false;
    complete(c);
    return true;
}

bool step_flush(struct conn *c)
{
    bool room = c->out.file_len == 0 && write_queue_room(&c->out) > 0;
    if (c->x && c->out.file_len == 0)
        end_exchange(c);
    if (c->keep_alive && room) {
        conn_enter(c, CONN_IDLE);
        return true;
    }
    if (!write_queue_empty(&c->out))
        return false;
    if (c->keep_alive) {
        conn_enter(c, CONN_IDLE);
        return true;
    }
    /* Closing at once could reset the connection under the answer. */
    shutdown(c->sink.fd, SHUT_WR);
    conn_enter(c, CONN_LINGER);
    return true;
}

bool step_linger(struct conn *c)
{
    if (!conn_take_input(c, READ_BODY_BYTES))
        return false;
    c->lingered_bytes += c->in.len;
    conn_used_input(c, c->in.len);
    if (c->lingered_bytes > LINGER_BYTES_MAX)
        conn_close(c, CLOSE_LINGER_END);
    return c->read_ahead.len > 0;
}

bool conn_wants_read(struct conn *c)
{
    switch (c->state) {
    case CONN_IDLE:
    case CONN_HEAD:
    case CONN_LINGER:
        return true;
    case CONN_EXCHANGE:
        return !c->x->req.body_done && exchange_body_room(c->x) > 0;
    case CONN_FOLLOW:
        return c->follower && c->follower->room &&
               c->follower->room(c->follower_self) > 0;
    case CONN_FLUSH:
        return false;
    }
    return false;
}
