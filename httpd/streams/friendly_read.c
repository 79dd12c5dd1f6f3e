#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/http/websocket_handshake.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/friendly.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/live.h"
#include "httpd/streams/stream_from.h"
#include "httpd/streams/stream_wait.h"
#include "httpd/streams/strict.h"
#include "parser/number.h"
#include "parser/query.h"
#include "parser/stream_offset.h"

#include <string.h>

#define WORD_BYTES_MAX 64u

static bool read_word(struct exchange *x, struct read_request *want,
                      struct stream *s, struct str word)
{
    struct stream_from from;
    want->from = READ_FROM_POS;
    if (stream_offset_read(word, &want->pos) == OFFSET_AT)
        return true;
    if (!stream_from_read(word, &from)) {
        response_error(x, 400, "from is start, now, an offset, -64k or -10s");
        return false;
    }
    want->relative = from.kind != FROM_START;
    want->pos = stream_from_pos(s, &from, hub_now_ms(x->worker->hub));
    return true;
}

/* from= of a read of what is there. */
static bool read_finite_from(struct exchange *x, struct read_request *want,
                             struct stream *s)
{
    char text[WORD_BYTES_MAX];
    struct str word;
    if (want->live != LIVE_NONE || want->from != READ_FROM_UNSAID)
        return true;
    if (!request_param(x, STR("from"), text, sizeof text, &word))
        return false;
    return !word.at || read_word(x, want, s, word);
}

/* from=, burst= or Last-Event-ID in place of an offset. */
static bool read_from(struct exchange *x, struct read_request *want,
                      struct stream *s)
{
    char text[WORD_BYTES_MAX];
    struct str word;
    if (!request_param(x, STR("from"), text, sizeof text, &word))
        return false;
    if (!word.at && !request_param(x, STR("burst"), text, sizeof text, &word))
        return false;
    if (!word.at && !want->waited)
        word = str_from(x->route->config->burst);
    struct str offset = request_header(&x->req, HEADER_LAST_EVENT_ID);
    if (offset.len > 0) {
        /* The browser knows better than the address that it connects to. */
        if (stream_offset_read(offset, &want->pos) == OFFSET_AT) {
            want->from = READ_FROM_POS;
            want->resumes = true;
            return true;
        }
        response_error(x, 400, "Last-Event-ID is no offset of a stream");
        return false;
    }
    if (want->from != READ_FROM_UNSAID)
        return true;
    if (!word.at) {
        /* Not the earliest: what it missed while it waited, it is told of. */
        want->from = READ_FROM_POS;
        want->resumes = true;
        want->pos = 0;
        return true;
    }
    return read_word(x, want, s, word);
}

static bool read_lag(struct exchange *x, const char *name, enum bound_unit unit,
                     uint64_t *value)
{
    char text[WORD_BYTES_MAX];
    struct str word;
    if (!request_param(x, str_from(name), text, sizeof text, &word))
        return false;
    return !word.at || request_less(x, name, word, unit, value);
}

static bool read_slow(struct exchange *x, struct live_request *live)
{
    char text[WORD_BYTES_MAX];
    struct str word;
    if (!request_param(x, STR("slow"), text, sizeof text, &word))
        return false;
    if (word.at && !slow_reader_read(word, &live->slow_reader)) {
        response_error(x, 400, "slow is disconnect or skip");
        return false;
    }
    return read_lag(x, "lag", BOUND_BYTES, &live->lag_hard) &&
           read_lag(x, "lag_soft", BOUND_BYTES, &live->lag_soft) &&
           read_lag(x, "lag_soft_time", BOUND_MS, &live->lag_soft_ms);
}

static void fill_live(struct exchange *x, struct stream *s,
                      struct live_request *live)
{
    live_begin(live, s);
    live->heartbeat_ms = x->route->config->heartbeat_ms;
}

static void follow(struct exchange *x, struct stream *s,
                   const struct live_request *live, struct str type)
{
    response_begin(x, 200);
    response_header(x, "Content-Type", type);
    response_header(x, "Cache-Control", STR("no-cache"));
    response_header(x, "X-Accel-Buffering", STR("no"));
    put_next_offset(x, live->pos);
    live_follow(x, s, live);
}

/* An EventSource gives up at anything but 200, so that what it has lost is told
 * as an event. */
static bool resume(struct stream *s, const struct read_request *want,
                   struct live_request *live)
{
    struct stream_state now;
    stream_look(s, &now);
    if (!want->resumes || want->live != LIVE_SSE || want->pos >= now.first)
        return false;
    live->pos = now.first;
    live->lost = now.first - want->pos;
    return true;
}

/* An EventSource connects again whatever the end was, unless it is told by 204
 * that nothing will come. WHATWG HTML section 9.2 */
static bool has_all(struct exchange *x, struct stream *s,
                    const struct read_request *want, uint64_t pos)
{
    struct stream_state now;
    stream_look(s, &now);
    if (want->live != LIVE_SSE || !want->resumes || want->waited ||
        !now.closed || pos != now.tail)
        return false;
    response_begin(x, 204);
    put_next_offset(x, now.tail);
    put_closed(x);
    response_header(x, "Cache-Control", STR("no-store"));
    response_send_empty(x);
    return true;
}

static void read_live(struct exchange *x, struct stream *s,
                      struct read_request *want)
{
    struct live_request live;
    struct str type = stream_content_type(s);
    fill_live(x, s, &live);
    if (want->live == LIVE_NDJSON && live.style.kind != STREAM_JSON) {
        stream_unref(s);
        response_error(x, 406,
                       "only a stream of application/json is read by "
                       "live=ndjson; take live=raw");
        return;
    }
    if (!read_from(x, want, s) || !read_slow(x, &live) ||
        (!resume(s, want, &live) && !resolve_pos(x, s, want, &live.pos)) ||
        has_all(x, s, want, live.pos)) {
        stream_unref(s);
        return;
    }
    if (want->live == LIVE_SSE) {
        live.style.form = RENDER_SSE;
        type = STR("text/event-stream");
    }
    if (live.style.kind == STREAM_JSON && want->live != LIVE_SSE)
        type = STR("application/x-ndjson");
    stream_touch(s, hub_now_ms(x->worker->hub));
    follow(x, s, &live, type);
}

/* publish=1, for who may. */
static bool read_publish(struct exchange *x, struct stream *s, bool *ret)
{
    char text[WORD_BYTES_MAX];
    struct str word;
    if (!request_param(x, STR("publish"), text, sizeof text, &word))
        return false;
    *ret = str_equal(word, STR("1"));
    if (word.at && !*ret) {
        response_error(x, 400, "publish is 1, or left out");
        return false;
    }
    return !*ret || request_allowed(x, STREAM_WRITES, stream_name(s));
}

static void read_websocket(struct exchange *x, struct stream *s,
                           struct read_request *want)
{
    struct live_request live;
    bool publishes;
    fill_live(x, s, &live);
    if (!read_publish(x, s, &publishes) || !read_from(x, want, s) ||
        !read_slow(x, &live) || !resolve_pos(x, s, want, &live.pos)) {
        stream_unref(s);
        return;
    }
    stream_touch(s, hub_now_ms(x->worker->hub));
    live_websocket(x, s, &live, publishes);
}

static void read_finite(struct exchange *x, struct stream *s,
                        struct read_request *want)
{
    if (want->live == LIVE_NONE && friendly_range(x, s))
        return;
    if (read_finite_from(x, want, s))
        strict_read(x, s, want);
    else
        stream_unref(s);
}

/* Whether it came before its publisher, or as it came: it wants all. */
static bool asks_to_wait(const struct exchange *x)
{
    return query_get(request_str(&x->req, x->req.query), STR("wait")).at;
}

/* A reader that waited for the stream has missed nothing of it. */
static void read_found(struct exchange *x, struct stream *s, bool waited)
{
    struct read_request want;
    if (!request_read(x, &want)) {
        stream_unref(s);
        return;
    }
    want.waited = waited || asks_to_wait(x);
    if (websocket_wanted(&x->req)) {
        read_websocket(x, s, &want);
        return;
    }
    want.by_accept = want.live == LIVE_NONE;
    if (want.live == LIVE_NONE && request_asks_events(x))
        want.live = LIVE_SSE;
    if (want.live == LIVE_NONE || want.live == LIVE_LONG_POLL) {
        read_finite(x, s, &want);
        return;
    }
    read_live(x, s, &want);
}

static void read_waited(struct exchange *x, struct stream *s)
{
    if (s)
        read_found(x, s, true);
    else if (x->worker->draining)
        response_error(x, 503, "the server ends; come again");
    else
        response_error(x, 404, "the stream did not come in time");
}

/* Milliseconds that ?wait= allows; false: an answer was given. */
static bool read_wait(struct exchange *x, uint64_t *ret_ms)
{
    char text[WORD_BYTES_MAX];
    struct str word;
    uint64_t most = x->route->config->wait_max_ms;
    *ret_ms = 0;
    if (!request_param(x, STR("wait"), text, sizeof text, &word))
        return false;
    if (!word.at)
        return true;
    if (!number_read_ms(word, ret_ms)) {
        response_error(x, 400, "wait is a time, such as 10s");
        return false;
    }
    if (*ret_ms > most)
        *ret_ms = most;
    return true;
}

void friendly_read(struct exchange *x, struct str name)
{
    struct hub *h = x->worker->hub;
    struct stream *s = NULL;
    uint64_t wait_ms;
    if (!read_wait(x, &wait_ms))
        return;
    enum registry_result r =
        registry_find(hub_registry(h), name, hub_now_ms(h), &s);
    if (r == REGISTRY_FOUND) {
        read_found(x, s, false);
        return;
    }
    stream_unref(s);
    if (r == REGISTRY_NOT_FOUND && wait_ms > 0)
        stream_wait(x, name, wait_ms, read_waited);
    else if (r == REGISTRY_NOT_FOUND)
        response_error(x, 404,
                       "there is no such stream; the first write makes "
                       "one, and ?wait=10s waits for it");
    else
        answer_registry(x, r, false);
}
