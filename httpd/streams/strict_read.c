#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/catch_up.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/live.h"
#include "httpd/streams/strict.h"
#include "parser/entity_tag.h"

#include "parser/query.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#define FRESH "max-age=60, stale-while-revalidate=300"

/* Jitter of a cursor that must move on: 1 to 3600 seconds of 20 s each. */
#define CURSOR_JITTER_MAX 180u

static void answer_lapped(struct exchange *x, uint64_t first)
{
    response_begin(x, 410);
    put_offset(x, "Stream-Earliest-Offset", first);
    response_send_error(x, "what stood at this offset was dropped; go on at "
                           "Stream-Earliest-Offset");
}

void answer_beyond(struct exchange *x, const struct stream_state *now)
{
    response_begin(x, 410);
    put_offset(x, "Stream-Earliest-Offset", now->first);
    put_next_offset(x, now->tail);
    response_send_error(x, "the offset lies beyond the stream's tail");
}

bool resolve_pos(struct exchange *x, struct stream *s,
                 const struct read_request *want, uint64_t *ret_pos)
{
    struct stream_state now;
    stream_look(s, &now);
    *ret_pos = want->from == READ_FROM_POS   ? want->pos
               : want->from == READ_FROM_NOW ? now.tail
                                             : now.first;
    if (want->from == READ_FROM_BEYOND || *ret_pos > now.tail) {
        answer_beyond(x, &now);
        return false;
    }
    if (*ret_pos < now.first) {
        answer_lapped(x, now.first);
        return false;
    }
    if (stream_kind(s) == STREAM_JSON && !stream_at_message(s, *ret_pos)) {
        response_error(x, 400,
                       "the offset lies within a message; send what "
                       "Stream-Next-Offset said");
        return false;
    }
    return true;
}

uint64_t next_cursor(struct exchange *x, uint64_t sent)
{
    uint64_t now = render_cursor(hub_now_ms(x->worker->hub));
    uint16_t dice = 0;
    if (sent < now)
        return now;
    /* Without randomness it still moves on. */
    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != sizeof dice)
        dice = 0;
    return sent + 1 + dice % CURSOR_JITTER_MAX;
}

/* What an answer of bytes [from, to) says of itself. */
struct span_answer {
    uint64_t from;
    uint64_t to;
    bool up_to_date;
    bool closed;
    bool now;    /* asked for the tail: not to be kept */
    bool varies; /* another Accept gets another answer */
};

size_t stream_tag(char out[STREAM_TAG_BYTES], const struct stream *s,
                  uint64_t from, uint64_t to, bool closed)
{
    int n = snprintf(out, STREAM_TAG_BYTES,
                     "\"%" PRIx64 ":%" PRIu64 ":%" PRIu64 "%s\"", stream_id(s),
                     from, to, closed ? ":c" : "");
    assert(n > 0 && (size_t)n < STREAM_TAG_BYTES);
    return (size_t)n;
}

static bool has_tag(struct exchange *x, struct str tag)
{
    uint16_t it = 0;
    struct str field;
    while (request_header_next(&x->req, HEADER_IF_NONE_MATCH, &it, &field))
        if (entity_tag_list_has(field, tag, false))
            return true;
    return false;
}

static void put_span(struct exchange *x, const struct span_answer *a)
{
    put_next_offset(x, a->to);
    if (a->up_to_date)
        response_header_lines(x, STR("Stream-Up-To-Date: true\r\n"));
    if (a->closed)
        put_closed(x);
}

/* Where tokens say who may read, shared caches keep nothing. The protocol wants
 * catch-up kept for a while; who looks at a friendly stream wants what is there
 * now. */
static struct str caching(struct exchange *x, const struct span_answer *a)
{
    if (a->now)
        return STR("no-store");
    if (strcmp(x->route->config->streams, "strict") != 0)
        return STR("no-cache");
    return x->route->tokens ? STR("private, " FRESH) : STR("public, " FRESH);
}

static void send_span(struct exchange *x, struct stream *s,
                      const struct span_answer *a, uint64_t cursor)
{
    char text[STREAM_TAG_BYTES];
    struct str tag = {text, stream_tag(text, s, a->from, a->to, a->closed)};
    bool same = !a->now && has_tag(x, tag);
    response_begin(x, same ? 304 : 200);
    if (!same)
        response_header(x, "Content-Type", stream_content_type(s));
    put_span(x, a);
    if (cursor > 0)
        put_number(x, "Stream-Cursor", cursor);
    response_header(x, "Cache-Control", caching(x, a));
    if (a->varies)
        response_header(x, "Vary", STR("Accept"));
    if (!a->now)
        response_header(x, "ETag", tag);
    if (same)
        response_send_empty(x);
    else
        catch_up_send(x, s, a->from, a->to, stream_kind(s) == STREAM_JSON);
}

/* Up to the limit, and of JSON whole messages, one at least. */
static void find_span(struct exchange *x, struct stream *s, uint64_t from,
                      struct span_answer *ret)
{
    struct stream_state now;
    uint64_t most = x->route->config->catch_up_bytes;
    stream_look(s, &now);
    uint64_t to = now.tail;
    if (to - from > most)
        to = stream_kind(s) == STREAM_JSON ? stream_align(s, from + most)
                                           : from + most;
    *ret = (struct span_answer){
        .from = from,
        .to = to,
        .up_to_date = to == now.tail,
        .closed = to == now.tail && now.closed,
    };
}

static void answer_nothing_new(struct exchange *x, struct stream *s,
                               uint64_t cursor)
{
    struct stream_state now;
    stream_look(s, &now);
    response_begin(x, 204);
    put_next_offset(x, now.tail);
    response_header_lines(x, STR("Stream-Up-To-Date: true\r\n"));
    if (now.closed)
        put_closed(x);
    put_number(x, "Stream-Cursor", cursor);
    response_header(x, "Cache-Control", STR("no-store"));
    response_send_empty(x);
}

/* arg is where the client wants to read from. */
static void answer_poll(struct exchange *x, struct stream *s,
                        enum live_news news, uint64_t arg)
{
    struct read_request want;
    struct span_answer a;
    struct stream_state now;
    if (!request_read(x, &want))
        return;
    uint64_t cursor = next_cursor(x, want.cursor);
    switch (news) {
    case LIVE_DATA:
        stream_look(s, &now);
        if (arg < now.first) {
            answer_lapped(x, now.first);
            return;
        }
        find_span(x, s, arg, &a);
        send_span(x, s, &a, cursor);
        return;
    case LIVE_CLOSED:
    case LIVE_TIMEOUT:
        answer_nothing_new(x, s, cursor);
        return;
    case LIVE_GONE:
        answer_registry(x, REGISTRY_NOT_FOUND, false);
        return;
    }
}

static bool needs_offset(struct exchange *x, const struct read_request *want)
{
    if (want->from != READ_FROM_UNSAID)
        return false;
    response_error(x, 400,
                   "a live read needs an offset; send offset=-1 or "
                   "offset=now");
    return true;
}

static void follow_sse(struct exchange *x, struct stream *s,
                       const struct read_request *want, uint64_t pos)
{
    const struct route_config *config = x->route->config;
    struct live_request live;
    uint64_t now = render_cursor(hub_now_ms(x->worker->hub));
    bool ahead = want->cursor >= now;
    live_begin(&live, s);
    live.style.form = RENDER_SSE_DS;
    live.pos = pos;
    live.cursor = ahead ? next_cursor(x, want->cursor) : 0;
    live.end_after_ms = config->sse_time_ms;
    live.heartbeat_ms = config->heartbeat_ms;
    response_begin(x, 200);
    response_header(x, "Content-Type", STR("text/event-stream"));
    response_header(x, "Cache-Control", STR("no-cache"));
    response_header(x, "X-Accel-Buffering", STR("no"));
    if (stream_kind(s) == STREAM_BINARY)
        response_header(x, "Stream-SSE-Data-Encoding", STR("base64"));
    live_follow(x, s, &live);
}

static void catch_up(struct exchange *x, struct stream *s,
                     const struct read_request *want, uint64_t pos)
{
    struct span_answer a;
    find_span(x, s, pos, &a);
    a.now = want->from == READ_FROM_NOW || want->relative;
    a.varies = want->by_accept;
    send_span(x, s, &a, 0);
    stream_unref(s);
}

void strict_read(struct exchange *x, struct stream *s,
                 const struct read_request *want)
{
    uint64_t pos;
    bool live = want->live == LIVE_LONG_POLL || want->live == LIVE_SSE;
    if ((live && needs_offset(x, want)) || !resolve_pos(x, s, want, &pos)) {
        stream_unref(s);
        return;
    }
    stream_touch(s, hub_now_ms(x->worker->hub));
    if (want->live == LIVE_SSE)
        follow_sse(x, s, want, pos);
    else if (want->live == LIVE_LONG_POLL)
        live_wait(x, s, pos, x->route->config->long_poll_ms, answer_poll, pos);
    else
        catch_up(x, s, want, pos);
}

/* GET of which HEAD does not know the length beforehand. */
static bool asks_for_part(const struct exchange *x)
{
    struct str query = request_str(&x->req, x->req.query);
    return query_get(query, STR("offset")).at ||
           query_get(query, STR("from")).at ||
           query_get(query, STR("live")).at || request_asks_events(x);
}

void answer_head(struct exchange *x, struct stream *s, bool ranges)
{
    struct span_answer a;
    struct stream_state now;
    stream_look(s, &now);
    response_begin(x, 200);
    response_header(x, "Content-Type", stream_content_type(s));
    put_next_offset(x, now.tail);
    put_offset(x, "Stream-Earliest-Offset", now.first);
    put_life(x, s);
    if (now.closed)
        put_closed(x);
    response_header(x, "Cache-Control", STR("no-store"));
    if (ranges && stream_kind(s) != STREAM_JSON)
        response_header(x, "Accept-Ranges", STR("bytes"));
    if (asks_for_part(x)) {
        response_send_head(x);
        return;
    }
    /* The length is that of GET; the bytes stay here. */
    find_span(x, s, now.first, &a);
    catch_up_send(x, s, a.from, a.to, stream_kind(s) == STREAM_JSON);
}
