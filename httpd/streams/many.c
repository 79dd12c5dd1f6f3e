#include "httpd/streams/many.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/http/websocket_handshake.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/live.h"
#include "httpd/streams/many_inner.h"
#include "httpd/streams/stream_from.h"
#include "httpd/streams/strict.h"
#include "parser/number.h"
#include "parser/query.h"

#include <string.h>

#define WORD_BYTES_MAX 64u

/* Takes the text before the next comma off the front. */
static struct str take_item(struct str *rest, struct str comma)
{
    const char *at =
        rest->len > 0 ? memmem(rest->at, rest->len, comma.at, comma.len) : NULL;
    size_t n = at ? (size_t)(at - rest->at) : rest->len;
    struct str item = {rest->at, n};
    *rest = str_skip(*rest, at ? n + comma.len : n);
    return item;
}

/* Scripts that build a query encode the comma, too. In a list that has a plain
 * one it belongs to a name. */
static struct str comma_of(struct str list)
{
    static const struct str plain = {",", 1};
    static const struct str ways[] = {{"%2C", 3}, {"%2c", 3}};
    for (size_t i = 0; i < 2; i++)
        if (list.len > 0 && !memchr(list.at, ',', list.len) &&
            memmem(list.at, list.len, ways[i].at, ways[i].len))
            return ways[i];
    return plain;
}

/* Where each begins: what Last-Event-ID or offsets= has for it, else from=. */
struct begin {
    struct str offsets;
    struct str comma; /* between them */
    bool resumes;     /* there were offsets */
    struct stream_from from;
};

static bool read_begin(struct exchange *x, struct begin *ret)
{
    char text[WORD_BYTES_MAX];
    struct str query = request_str(&x->req, x->req.query);
    struct str word;
    ret->offsets = request_header(&x->req, HEADER_LAST_EVENT_ID);
    if (ret->offsets.len == 0)
        ret->offsets = query_get(query, STR("offsets"));
    ret->comma = comma_of(ret->offsets);
    ret->resumes = ret->offsets.len > 0;
    if (!request_param(x, STR("from"), text, sizeof text, &word))
        return false;
    if (!word.at)
        word = str_from(x->route->config->burst);
    if (stream_from_read(word, &ret->from))
        return true;
    response_error(x, 400, "from is start, now, -64k or -10s");
    return false;
}

static void refuse_offsets(struct exchange *x)
{
    response_error(x, 400,
                   "the offsets are numbers, one for each stream, as the last "
                   "id said");
}

static bool position(struct exchange *x, struct stream *s, struct begin *begin,
                     uint64_t *ret)
{
    struct stream_state now;
    if (!begin->resumes) {
        *ret = stream_from_pos(s, &begin->from, hub_now_ms(x->worker->hub));
        return true;
    }
    if (!number_read_u64(take_item(&begin->offsets, begin->comma), ret)) {
        refuse_offsets(x);
        return false;
    }
    stream_look(s, &now);
    if (*ret <= now.tail)
        return true;
    answer_beyond(x, &now);
    return false;
}

static struct stream *find(struct exchange *x, struct str name)
{
    struct hub *h = x->worker->hub;
    struct stream *s = NULL;
    enum registry_result r =
        registry_find(hub_registry(h), name, hub_now_ms(h), &s);
    if (r == REGISTRY_NOT_FOUND)
        response_error(x, 404, "there is no stream \"%.*s\"", (int)name.len,
                       name.at);
    else if (r != REGISTRY_FOUND)
        answer_registry(x, r, false);
    return s;
}

static bool attach(struct exchange *x, struct many *m, struct str raw,
                   struct begin *begin)
{
    char text[STREAM_NAME_BYTES_MAX];
    struct str name = {text, 0};
    uint64_t pos;
    if (!query_decode(raw, text, sizeof text, &name.len) || name.len == 0) {
        response_error(x, 400, "streams is a list of names, such as a,b,c");
        return false;
    }
    if (!request_allowed(x, STREAM_READS, name))
        return false;
    struct stream *s = find(x, name);
    if (!s)
        return false;
    bool ok = position(x, s, begin, &pos);
    if (ok && !many_attach(m, s, pos)) {
        live_refuse(x);
        ok = false;
    }
    if (ok)
        stream_touch(s, hub_now_ms(x->worker->hub));
    stream_unref(s);
    return ok;
}

static size_t count(struct str list)
{
    struct str comma = comma_of(list);
    size_t n = 0;
    do {
        (void)take_item(&list, comma);
        n++;
    } while (list.len > 0);
    return n;
}

static bool attach_all(struct exchange *x, struct many *m, struct str list)
{
    struct begin begin;
    struct str comma = comma_of(list);
    if (!read_begin(x, &begin))
        return false;
    do {
        if (!attach(x, m, take_item(&list, comma), &begin))
            return false;
    } while (list.len > 0);
    if (begin.offsets.len == 0)
        return true;
    refuse_offsets(x);
    return false;
}

static void follow_by_frames(struct exchange *x, struct many *m)
{
    size_t protocol;
    if (!websocket_accept(x, NULL, 0, &protocol)) {
        many_free(m);
        return;
    }
    m->websocket = true;
    websocket_init(&m->ws, WEBSOCKET_CONTROL_MAX, &many_message_ops, m,
                   &x->worker->accepted);
    response_follow(x, &many_websocket_ops, m);
}

static void follow(struct exchange *x, struct many *m)
{
    live_watch_peer(x);
    if (websocket_wanted(&x->req)) {
        follow_by_frames(x, m);
        return;
    }
    m->chunked = x->req.minor > 0;
    response_begin(x, 200);
    response_header(x, "Content-Type", STR("text/event-stream"));
    response_header(x, "Cache-Control", STR("no-cache"));
    response_header(x, "X-Accel-Buffering", STR("no"));
    response_follow(x, &many_ops, m);
}

/* As of one stream: an EventSource that has all is told not to come again. */
static bool has_all(struct exchange *x, const struct many *m)
{
    struct stream_state now;
    if (request_header(&x->req, HEADER_LAST_EVENT_ID).len == 0 ||
        websocket_wanted(&x->req))
        return false;
    for (size_t i = 0; i < m->n; i++) {
        stream_look(m->streams[i].tap->stream, &now);
        if (!now.closed || m->streams[i].pos != now.tail)
            return false;
    }
    response_begin(x, 204);
    response_header(x, "Cache-Control", STR("no-store"));
    response_send_empty(x);
    return true;
}

/* What says something of one stream is not passed over in silence. */
static bool takes_parameters(struct exchange *x)
{
    static const char *const of_one[] = {"offset", "wait",     "slow",
                                         "lag",    "lag_soft", "lag_soft_time",
                                         "burst",  "publish",  "cursor"};
    struct str query = request_str(&x->req, x->req.query);
    struct str live = query_get(query, STR("live"));
    for (size_t i = 0; i < sizeof of_one / sizeof of_one[0]; i++) {
        if (!query_get(query, str_from(of_one[i])).at)
            continue;
        response_error(x, 400,
                       "%s is for one stream; with streams= go from=, offsets= "
                       "and live=sse",
                       of_one[i]);
        return false;
    }
    if (!live.at || str_equal(live, STR("sse")))
        return true;
    response_error(x, 400,
                   "several streams are read as events (live=sse) or by a "
                   "WebSocket");
    return false;
}

static void read_all(struct exchange *x, struct str list)
{
    size_t most = count(list);
    if (most > MANY_STREAMS_MAX) {
        response_error(x, 400, "one connection follows at most %u streams",
                       MANY_STREAMS_MAX);
        return;
    }
    struct many *m = hub_allot(x->worker->hub, MANY_BYTES(most));
    if (!m) {
        live_refuse(x);
        return;
    }
    m->most = most;
    m->outlet = exchange_outlet(x);
    m->heartbeat_ms = x->route->config->heartbeat_ms;
    m->said_ms = worker_now_ms(x->worker);
    m->stuck_since_ms = m->said_ms;
    if (attach_all(x, m, list) && !has_all(x, m))
        follow(x, m);
    else
        many_free(m);
}

bool many_handle(struct exchange *x)
{
    struct str list =
        query_get(request_str(&x->req, x->req.query), STR("streams"));
    if (!list.at)
        return false;
    if (takes_parameters(x))
        read_all(x, list);
    return true;
}
