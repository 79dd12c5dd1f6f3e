#include "httpd/streams/many.h"
#include "httpd/streams/live.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/http/websocket_handshake.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/many_inner.h"
#include "httpd/streams/stream_from.h"
#include "httpd/streams/strict.h"
#include "parser/number.h"
#include "parser/query.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BYTES_MAX 64u

/* Takes the text before the next comma off the front. */
static struct str take_item(struct str *rest)
{
    const char *comma = rest->len > 0 ? memchr(rest->at, ',', rest->len) : NULL;
    size_t n = comma ? (size_t)(comma - rest->at) : rest->len;
    struct str item = {rest->at, n};
    *rest = str_skip(*rest, comma ? n + 1 : n);
    return item;
}

/* Where each begins: what Last-Event-ID or offsets= has for it, else from=. */
struct begin {
    struct str offsets;
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
    if (!request_param(x, STR("from"), text, sizeof text, &word))
        return false;
    if (!word.at)
        word = str_from(x->route->config->burst);
    if (stream_from_read(word, &ret->from))
        return true;
    response_error(x, 400, "from is start, now, -64k or -10s");
    return false;
}

static bool position(struct exchange *x, struct stream *s, struct begin *begin,
                     uint64_t *ret)
{
    struct stream_state now;
    if (begin->offsets.len == 0) {
        *ret = stream_from_pos(s, &begin->from, hub_now_ms(x->worker->hub));
        return true;
    }
    stream_look(s, &now);
    if (number_read_u64(take_item(&begin->offsets), ret) && *ret <= now.tail)
        return true;
    response_error(x, 400,
                   "the offsets are numbers, one for each stream, as "
                   "the last id said");
    return false;
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
    if (m->n == MANY_STREAMS_MAX) {
        response_error(x, 400, "one connection follows at most %u streams",
                       MANY_STREAMS_MAX);
        return false;
    }
    if (!request_allowed(x, STREAM_READS, name))
        return false;
    struct stream *s = find_or_refuse(x, name);
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

static bool attach_all(struct exchange *x, struct many *m, struct str list)
{
    struct begin begin;
    if (!read_begin(x, &begin))
        return false;
    do {
        if (!attach(x, m, take_item(&list), &begin))
            return false;
    } while (list.len > 0);
    return true;
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

bool many_handle(struct exchange *x)
{
    struct str list =
        query_get(request_str(&x->req, x->req.query), STR("streams"));
    if (!list.at)
        return false;
    struct many *m = hub_allot(x->worker->hub, sizeof *m);
    if (!m) {
        live_refuse(x);
        return true;
    }
    m->outlet = exchange_outlet(x);
    m->heartbeat_ms = x->route->config->heartbeat_ms;
    m->said_ms = worker_now_ms(x->worker);
    if (attach_all(x, m, list))
        follow(x, m);
    else
        many_free(m);
    return true;
}
