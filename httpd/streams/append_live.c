#include "httpd/streams/append.h"

#include "buffers/socket_buffer.h"
#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/follower.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/limits.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/tap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_BYTES_MAX 4u /* of UTF-8 */

/* A publisher whose body has no end yet. What found no room although there was
 * some a moment ago is held until there is. */
struct live_body {
    struct tap_waiter waiter;
    struct hub_publisher publisher;
    struct exchange *x;
    struct stream *stream;
    struct bytes held;
    uint64_t tail;     /* behind what was appended */
    uint64_t until_ms; /* of the wait under way; 0: none */
    bool close;
    bool empty_fine;
    char open[OPEN_BYTES_MAX]; /* of text: a character that is not all there */
    size_t open_n;
    bool came; /* some of a body */
    bool over; /* answered */
};

static void wake(struct tap_waiter *waiter)
{
    struct live_body *b =
        (struct live_body *)((char *)waiter -
                             offsetof(struct live_body, waiter));
    exchange_wake(b->x);
}

/* What came before was appended, up to the offset that it names. */
static void refuse(struct live_body *b, const char *text)
{
    b->over = true;
    b->x->keep_alive = false;
    response_begin(b->x, 503);
    put_next_offset(b->x, b->tail);
    response_send_error(b->x, "%s", text);
}

static void wait_for_room(struct live_body *b)
{
    if (b->waiter.tap)
        return;
    b->waiter.wake = wake;
    if (b->until_ms == 0)
        b->until_ms = worker_now_ms(b->x->worker) + append_wait_ms(b->stream);
    b->waiter.deadline_ms = b->until_ms;
    if (!tap_wait_room(b->x, b->stream, &b->waiter))
        refuse(b, "out of memory");
}

static enum append_result append(struct live_body *b,
                                 const struct str *messages, size_t n,
                                 bool close, struct append_outcome *ret)
{
    struct worker *w = b->x->worker;
    struct append a = {
        .messages = messages,
        .messages_n = n,
        .close = close,
        .pool = &w->pool,
        .now_ms = hub_now_ms(w->hub),
    };
    enum append_result r = stream_append(b->stream, &a, ret);
    b->waiter.need = ret->need;
    b->tail = ret->tail;
    switch (r) {
    case APPEND_DONE:
        b->until_ms = 0;
        break;
    case APPEND_FULL:
        break;
    case APPEND_REFUSED:
        refuse(b, "the stream is full; what came before was appended");
        break;
    case APPEND_NO_MEMORY:
        refuse(b, "short of memory; what came before was appended");
        break;
    default:
        b->over = true;
        b->x->keep_alive = false;
        answer_append(b->x, b->stream, &a, r, ret);
    }
    return r;
}

/* One that is silent hears of an end, too. When the server goes, it goes on
 * elsewhere, from where this ended. */
static void look(struct hub_publisher *p)
{
    struct live_body *b =
        (struct live_body *)((char *)p - offsetof(struct live_body, publisher));
    struct stream_state now;
    struct append_outcome outcome;
    if (b->over)
        return;
    stream_look(b->stream, &now);
    if (b->x->worker->draining)
        refuse(b, "the server ends; what came before was appended");
    else if (now.gone || now.closed)
        (void)append(b, NULL, 0, false, &outcome);
    if (b->over)
        exchange_wake(b->x);
}

/* True: nothing is held any more. */
static bool let_go(struct live_body *b)
{
    struct append_outcome outcome;
    if (b->held.len == 0)
        return true;
    struct str held = bytes_view(&b->held);
    if (append(b, &held, 1, false, &outcome) != APPEND_DONE)
        return false;
    bytes_reset(&b->held);
    return true;
}

static void finish(struct live_body *b)
{
    struct append_outcome outcome;
    struct str rest = {b->open, b->open_n};
    if (!b->came && !b->close && !b->empty_fine) {
        b->over = true;
        answer_no_body(b->x);
        return;
    }
    enum append_result r = append(b, &rest, rest.len > 0, b->close, &outcome);
    if (r == APPEND_FULL)
        refuse(b, "the stream is full; the last bytes were not appended");
    if (r != APPEND_DONE)
        return;
    b->over = true;
    response_begin(b->x, 204);
    put_next_offset(b->x, outcome.tail);
    if (outcome.closed)
        put_closed(b->x);
    response_send_empty(b->x);
}

static size_t room(void *self, struct exchange *x)
{
    struct live_body *b = self;
    (void)x;
    if (b->over)
        return READ_BODY_BYTES;
    if (b->waiter.timed_out) {
        refuse(b, "the stream is full and its readers do not get on; "
                  "what came before was appended");
        return READ_BODY_BYTES;
    }
    uint64_t left = let_go(b) && !b->over ? stream_room(b->stream) : 0;
    if (left == 0 && !b->over) {
        if (b->held.len == 0)
            b->waiter.need = (struct stream_need){1, 1};
        wait_for_room(b);
    }
    /* A larger piece would be refused, whatever is dropped for it. */
    uint64_t most = stream_bounds(b->stream)->bytes_max;
    most = most < READ_BODY_BYTES ? most : READ_BODY_BYTES;
    return (size_t)(left < most ? left : most);
}

static bool hold(struct live_body *b, struct str piece)
{
    size_t cap = b->held.cap;
    return bytes_append_str(&b->held, piece) == FLOW_DONE &&
           (b->held.cap == cap ||
            exchange_charge_more(b->x, b->held.cap - cap));
}

/* Of a character that begins with it. */
static size_t character_bytes(char first)
{
    unsigned char c = (unsigned char)first;
    return c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes at the end that begin a character and do not end it. */
static size_t open_bytes(struct str text)
{
    for (size_t n = 1; n < OPEN_BYTES_MAX && n <= text.len; n++) {
        char c = text.at[text.len - n];
        if (!continues(c))
            return character_bytes(c) > n ? n : 0;
    }
    return 0;
}

/* Completes the character that the last piece left open; false: it lacks
 * more. */
static bool close_character(struct live_body *b, struct str *piece)
{
    if (b->open_n == 0)
        return true;
    size_t whole = character_bytes(b->open[0]);
    while (b->open_n < whole && piece->len > 0 && continues(piece->at[0])) {
        b->open[b->open_n++] = piece->at[0];
        *piece = str_skip(*piece, 1);
    }
    return b->open_n == whole || piece->len > 0;
}

/* Text is appended in whole characters, wherever it was cut on its way: each
 * piece is shown by itself. */
static enum flow push(void *self, struct exchange *x, struct str piece)
{
    struct live_body *b = self;
    struct append_outcome outcome;
    struct str messages[2];
    size_t n = 0;
    (void)x;
    if (b->over || piece.len == 0)
        return FLOW_DONE;
    b->came = true;
    bool text = stream_kind(b->stream) == STREAM_TEXT;
    if (text && !close_character(b, &piece))
        return FLOW_DONE;
    size_t open = text ? open_bytes(piece) : 0;
    struct str whole = {piece.at, piece.len - open};
    if (b->open_n > 0)
        messages[n++] = (struct str){b->open, b->open_n};
    if (whole.len > 0)
        messages[n++] = whole;
    if (n > 0 && append(b, messages, n, false, &outcome) == APPEND_FULL &&
        !(hold(b, messages[0]) && (n == 1 || hold(b, messages[1]))))
        refuse(b, "short of memory; what came before was appended");
    b->open_n = open;
    if (open > 0)
        memcpy(b->open, piece.at + whole.len, open);
    return FLOW_DONE;
}

/* What is held is not followed by the end: nothing is read meanwhile. */
static void end(void *self, struct exchange *x)
{
    struct live_body *b = self;
    (void)x;
    if (b->over)
        return;
    assert(b->held.len == 0);
    finish(b);
}

static void stop(void *self)
{
    struct live_body *b = self;
    tap_wait_stop(&b->waiter);
    hub_publisher_out(&b->publisher);
    stream_unref(b->stream);
    bytes_fini(&b->held);
    free(b);
}

static const struct body_ops live_ops = {"publish", room, push, end, stop};

void append_live(struct exchange *x, struct stream *s, bool close,
                 bool empty_fine)
{
    struct stream_state now;
    struct live_body *b = calloc(1, sizeof *b);
    if (!b) {
        stream_unref(s);
        response_error(x, 503, "out of memory");
        return;
    }
    stream_look(s, &now);
    b->x = x;
    b->stream = s;
    b->tail = now.tail;
    b->close = close;
    b->empty_fine = empty_fine;
    bytes_init(&b->held, READ_BODY_BYTES);
    b->publisher.look = look;
    hub_publisher_in(x->worker->hub, &b->publisher);
    x->body_pauses = true;
    if (x->route->config->user_timeout_ms > 0)
        (void)socket_set_keepalive(exchange_outlet(x)->fd,
                                   x->route->config->user_timeout_ms);
    (void)exchange_read_body(x, &live_ops, b);
}
