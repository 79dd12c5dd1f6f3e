#include "httpd/http/exchange.h"

#include "buffers/budget_purse.h"
#include "httpd/config/config.h"
#include "httpd/http/follower.h"
#include "httpd/http/gzip_filter.h"
#include "httpd/http/response.h"
#include "httpd/limits.h"
#include "httpd/loop/worker.h"
#include "parser/number.h"

#include <assert.h>
#include <stdlib.h>

#define TRAILERS_BYTES_MAX (4u << 10)

struct exchange *exchange_new(struct worker *w)
{
    const struct config *config = w->config;
    struct request_limits limits = {
        .head_bytes_max = config->head_bytes_max,
        .target_bytes_max = config->target_bytes_max,
        .chunk_ext_bytes_max = config->chunk_ext_bytes_max,
        .trailer_bytes_max = config->trailer_bytes_max,
    };
    struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    if (!request_init(&x->req, &limits)) {
        free(x);
        return NULL;
    }
    x->magic = EXCHANGE_MAGIC;
    x->worker = w;
    bytes_init(&x->trailers, TRAILERS_BYTES_MAX);
    return x;
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    exchange_reset(x);
    request_fini(&x->req);
    bytes_fini(&x->trailers);
    free(x);
}

static void stop_source(struct exchange *x)
{
    const struct source_ops *ops = x->source;
    x->source = NULL;
    if (ops)
        ops->stop(x->source_self);
}

static void stop_follower(struct exchange *x)
{
    const struct follower_ops *ops = x->follower;
    x->follower = NULL;
    if (ops)
        ops->stop(x->follower_self);
}

static void stop_body(struct exchange *x)
{
    const struct body_ops *ops = x->body;
    x->body = NULL;
    if (ops && ops->stop)
        ops->stop(x->body_self);
}

void exchange_charge(struct exchange *x)
{
    size_t bytes = sizeof *x + x->req.storage.max;
    struct worker *w = x->worker;
    assert(x->charged == 0);
    if (w->accepted.unused < bytes)
        (void)block_pool_make_way(&w->pool, BUDGET_ACCEPTED, bytes);
    if (budget_purse_take(&w->accepted, bytes))
        x->charged = bytes;
}

bool exchange_charge_more(struct exchange *x, size_t bytes)
{
    bool granted = budget_purse_take(&x->worker->accepted, bytes);
    if (granted)
        x->charged += bytes;
    return granted;
}

static void charge_less(struct exchange *x, size_t bytes)
{
    if (x->charged <= bytes)
        return;
    budget_purse_give(&x->worker->accepted, x->charged - bytes);
    x->charged = bytes;
}

void exchange_settle(struct exchange *x)
{
    charge_less(x, sizeof *x + x->req.storage.cap);
}

void exchange_reset(struct exchange *x)
{
    assert(x->magic == EXCHANGE_MAGIC);
    stop_body(x);
    stop_source(x);
    stop_follower(x);
    gzip_filter_free(x->gzip);
    x->gzip = NULL;
    x->gzip_bytes = 0;
    request_reset(&x->req);
    bytes_trim(&x->req.storage, REQUEST_KEEP_BYTES);
    charge_less(x, 0);
    bytes_reset(&x->trailers);
    x->route = NULL;
    x->carrier_ops = NULL;
    x->carrier = NULL;
    x->out = NULL;
    x->status = 0;
    x->body_pauses = false;
    x->continue_wanted = false;
    x->head_sent = false;
    x->finished = false;
    x->broken = false;
    x->length_known = false;
    x->length_unsaid = false;
    x->failure = FAILURE_RESET;
    x->sent = 0;
    x->always = (struct str){0};
}

size_t exchange_room(const struct exchange *x)
{
    return write_queue_room(x->out);
}

bool exchange_has_source(const struct exchange *x)
{
    return x->source != NULL;
}

/* What was refused cannot be sent later, so the response is over. */
static enum flow keep_or_break(struct exchange *x, enum flow r)
{
    if (r != FLOW_DONE)
        x->broken = true;
    return r;
}

/* More than the head promised would be taken for the next answer. */
static bool beyond_length(const struct exchange *x, uint64_t len)
{
    return x->framing == FRAMING_LENGTH && len > x->length - x->sent;
}

static enum flow push_framed(void *arg, struct str piece)
{
    struct exchange *x = arg;
    if (piece.len == 0 || x->framing == FRAMING_NONE)
        return FLOW_DONE;
    if (beyond_length(x, piece.len))
        return FLOW_FAILED;
    x->sent += piece.len;
    if (x->framing != FRAMING_CHUNKED)
        return write_queue_push(x->out, piece.at, piece.len);

    char size[NUMBER_DIGITS_MAX + 2];
    size_t n = number_write_hex(size, piece.len);
    size[n++] = '\r';
    size[n++] = '\n';
    struct str chunk[] = {{size, n}, piece, STR("\r\n")};
    return write_queue_push_all(x->out, chunk, 3);
}

enum flow exchange_push(struct exchange *x, struct str piece)
{
    assert(x->head_sent && !x->finished);
    if (x->broken)
        return FLOW_FAILED;
    if (!x->gzip)
        return keep_or_break(x, push_framed(x, piece));
    x->gzip_bytes += piece.len;
    return keep_or_break(x, gzip_filter_push(x->gzip, piece, push_framed, x));
}

enum flow exchange_push_file(struct exchange *x, const struct file_range *range)
{
    assert(x->head_sent && !x->finished);
    assert(!x->gzip && x->framing != FRAMING_CHUNKED);
    if (beyond_length(x, range->len))
        x->broken = true;
    if (x->broken || x->framing == FRAMING_NONE) {
        range->release(range->owner);
        return x->broken ? FLOW_FAILED : FLOW_DONE;
    }
    x->sent += range->len;
    return keep_or_break(x, write_queue_push_file(x->out, range));
}

enum flow exchange_push_block(struct exchange *x, struct block *block,
                              size_t at, size_t len)
{
    assert(x->head_sent && !x->finished);
    assert(!x->gzip && x->framing != FRAMING_CHUNKED);
    if (beyond_length(x, len))
        x->broken = true;
    if (x->broken || x->framing == FRAMING_NONE) {
        block_unref(block);
        return x->broken ? FLOW_FAILED : FLOW_DONE;
    }
    x->sent += len;
    return keep_or_break(x, write_queue_push_block(x->out, block, at, len));
}

enum flow exchange_push_raw(struct exchange *x, struct str piece)
{
    assert(x->head_sent && !x->finished);
    if (x->broken)
        return FLOW_FAILED;
    if (x->framing == FRAMING_NONE)
        return FLOW_DONE;
    x->sent += piece.len;
    return keep_or_break(x, write_queue_push(x->out, piece.at, piece.len));
}

enum flow exchange_trailer(struct exchange *x, struct str name,
                           struct str value)
{
    assert(!x->finished);
    if (x->framing != FRAMING_CHUNKED)
        return FLOW_DONE;
    struct bytes *out = &x->trailers;
    return keep_or_break(x, bytes_printf(out, "%.*s: %.*s\r\n", (int)name.len,
                                         name.at, (int)value.len, value.at));
}

void exchange_wake(struct exchange *x)
{
    assert(x->carrier_ops);
    x->carrier_ops->wake(x);
}

/* The length that is promised in a head is the length that must come. */
static enum flow finish(struct exchange *x)
{
    enum flow r = FLOW_DONE;
    if (x->gzip)
        r = gzip_filter_finish(x->gzip, push_framed, x);
    if (r == FLOW_DONE && x->framing == FRAMING_CHUNKED) {
        struct str last[] = {STR("0\r\n"), bytes_view(&x->trailers),
                             STR("\r\n")};
        r = write_queue_push_all(x->out, last, 3);
    }
    if (x->framing == FRAMING_LENGTH && x->sent != x->length)
        r = FLOW_FAILED;
    stop_source(x);
    if (keep_or_break(x, r) != FLOW_DONE)
        return FLOW_FAILED;
    x->finished = true;
    return FLOW_END;
}

/* Pulls a source that has yet to answer. It may put another in its place, so
 * it is out of the exchange while it is called. */
static enum flow pull_deferred(struct exchange *x)
{
    const struct source_ops *ops = x->source;
    void *self = x->source_self;
    x->source = NULL;
    enum flow r = ops->pull(self, x);
    if (x->head_sent || x->source || x->broken || r == FLOW_FAILED) {
        bool goes_on = (x->head_sent || x->source) && !x->broken;
        ops->stop(self);
        return goes_on ? FLOW_DONE : FLOW_FAILED;
    }
    assert(r == FLOW_AGAIN);
    x->source = ops;
    x->source_self = self;
    return FLOW_AGAIN;
}

static enum flow pull(struct exchange *x)
{
    if (!x->head_sent)
        return pull_deferred(x);
    enum flow r = x->source->pull(x->source_self, x);
    return x->broken ? FLOW_FAILED : r;
}

enum flow exchange_pump(struct exchange *x)
{
    assert(x->magic == EXCHANGE_MAGIC);
    enum flow r = x->broken ? FLOW_FAILED : FLOW_DONE;
    unsigned pulls = 0;
    uint64_t gzip_end = x->gzip_bytes + TURN_GZIP_BYTES;
    while (r == FLOW_DONE && x->source && write_queue_room(x->out) > 0 &&
           pulls++ < TURN_PULLS_MAX && x->gzip_bytes < gzip_end)
        r = pull(x);
    if (r == FLOW_AGAIN && x->gzip &&
        keep_or_break(x, gzip_filter_flush(x->gzip, push_framed, x)) !=
            FLOW_DONE)
        r = FLOW_FAILED;
    if (r == FLOW_END)
        r = finish(x);
    if (r == FLOW_FAILED || r == FLOW_NO_MEMORY || r == FLOW_FULL) {
        x->broken = true;
        return FLOW_FAILED;
    }
    return x->finished ? FLOW_END : r;
}

void exchange_defer(struct exchange *x, const struct source_ops *ops,
                    void *self)
{
    assert(!x->head_sent && !x->source);
    x->source = ops;
    x->source_self = self;
}

static bool needs_length(const struct request *req)
{
    bool sends = req->method == METHOD_POST || req->method == METHOD_PUT ||
                 req->method == METHOD_PATCH;
    return sends && !req->has_length && !req->chunked;
}

bool exchange_read_body(struct exchange *x, const struct body_ops *ops,
                        void *self)
{
    assert(!x->body && !x->head_sent);
    x->body = ops;
    x->body_self = self;
    if (needs_length(&x->req)) {
        stop_body(x);
        response_error(x, 411,
                       "a body needs Content-Length or "
                       "Transfer-Encoding: chunked");
        return false;
    }
    if (x->req.has_length && x->req.length > x->body_bytes_max) {
        stop_body(x);
        response_error(x, 413, "the body is larger than %llu bytes",
                       (unsigned long long)x->body_bytes_max);
        return false;
    }
    if (x->continue_wanted) {
        struct str interim = STR("HTTP/1.1 100 Continue\r\n\r\n");
        x->continue_wanted = false;
        keep_or_break(x, write_queue_push(x->out, interim.at, interim.len));
    }
    return true;
}

size_t exchange_body_room(struct exchange *x)
{
    return x->body ? x->body->room(x->body_self, x) : READ_BODY_BYTES;
}

void exchange_refuse(struct exchange *x, int status, const char *text)
{
    stop_body(x);
    stop_source(x);
    x->keep_alive = false;
    response_error(x, status, "%s", text);
}

/* Gives up on the body: an error is answered where that is still possible. */
static enum flow refuse_body(struct exchange *x, int status, const char *text)
{
    if (x->head_sent) {
        stop_body(x);
        x->broken = true;
    } else {
        exchange_refuse(x, status, text);
    }
    return FLOW_FAILED;
}

static enum flow take_piece(struct exchange *x, struct str piece)
{
    if (x->req.body_bytes > x->body_bytes_max)
        return refuse_body(x, 413, "the body is larger than this route takes");
    if (!x->body)
        return FLOW_DONE;
    if (x->body->push(x->body_self, x, piece) == FLOW_DONE && !x->broken)
        return FLOW_DONE;
    return refuse_body(x, 500, "the body could not be taken");
}

static enum flow end_body(struct exchange *x)
{
    const struct body_ops *ops = x->body;
    if (ops)
        ops->end(x->body_self, x);
    return FLOW_END;
}

enum flow exchange_feed_body(struct exchange *x, const char *data, size_t len,
                             size_t *ret_used)
{
    *ret_used = 0;
    for (;;) {
        size_t left = len - *ret_used;
        size_t room = exchange_body_room(x);
        if (left > 0 && room == 0 && !x->req.body_done)
            return FLOW_FULL;
        size_t give = left < room ? left : room;
        struct str piece = {0};
        size_t used = 0;
        enum flow r =
            request_feed_body(&x->req, data + *ret_used, give, &used, &piece);
        *ret_used += used;
        if (r == FLOW_DONE)
            r = take_piece(x, piece);
        if (r == FLOW_END)
            return end_body(x);
        if (r == FLOW_NO_MEMORY)
            return refuse_body(x, 503, "out of memory");
        if (r == FLOW_FAILED && x->req.verdict.status)
            return refuse_body(x, x->req.verdict.status, x->req.verdict.text);
        if (r == FLOW_FAILED)
            return FLOW_FAILED;
        if (r == FLOW_AGAIN && *ret_used == len)
            return FLOW_DONE;
    }
}
