#include "httpd/streams/strict.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/append.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/strict_create.h"
#include "parser/media_type.h"

struct stream *find_or_refuse(struct exchange *x, struct str name)
{
    struct hub *h = x->worker->hub;
    struct stream *s = NULL;
    enum registry_result r =
        registry_find(hub_registry(h), name, hub_now_ms(h), &s);
    if (r == REGISTRY_FOUND)
        return s;
    stream_unref(s);
    answer_registry(x, r, false);
    return NULL;
}

/* A producer may close again what it closed, whatever it sends with it. */
static bool has_what_it_needs(struct exchange *x, const struct append *a,
                              size_t len)
{
    if (len == 0 && !a->close) {
        answer_no_body(x);
        return false;
    }
    if (len > 0 && !a->content_type.at) {
        response_error(x, 400, "an append needs a Content-Type: the stream's");
        return false;
    }
    return true;
}

static enum gather_step post(struct exchange *x, struct gather_turn *turn)
{
    struct append a = {0};
    struct str name;
    if (!request_append(x, &a) || !request_stream_name(x, &name))
        return GATHER_ANSWERED;
    struct stream *s = find_or_refuse(x, name);
    if (!s)
        return GATHER_ANSWERED;
    enum gather_step step = GATHER_ANSWERED;
    if (turn->len > 0)
        a.content_type = request_header(&x->req, HEADER_CONTENT_TYPE);
    if (has_what_it_needs(x, &a, turn->len))
        step = append_body(x, s, &a, turn);
    stream_unref(s);
    return step;
}

static bool is_json(struct exchange *x)
{
    return media_type_is(request_header(&x->req, HEADER_CONTENT_TYPE),
                         STR("application/json"));
}

/* A chunked body of bytes without a claim is visible as it arrives. */
static bool appends_live(struct exchange *x)
{
    return x->req.chunked && !x->req.body_done && !is_json(x) &&
           !request_header(&x->req, HEADER_PRODUCER_ID).at &&
           !request_header(&x->req, HEADER_STREAM_SEQ).at;
}

static void post_live(struct exchange *x, struct str name)
{
    struct stream_state now;
    struct str type = request_header(&x->req, HEADER_CONTENT_TYPE);
    struct stream *s = find_or_refuse(x, name);
    if (!s)
        return;
    stream_look(s, &now);
    if (stream_kind(s) == STREAM_JSON || now.closed || !type.at ||
        !media_type_same(type, stream_content_type(s))) {
        /* Nothing of it can be taken as it comes: it is refused as a whole. */
        stream_unref(s);
        gather_body(x, x->route->config->append_bytes_max, false, post);
        return;
    }
    append_live(x, s, request_closes(x), false);
}

static void start_post(struct exchange *x, struct str name)
{
    if (appends_live(x))
        post_live(x, name);
    else
        gather_body(x, x->route->config->append_bytes_max, is_json(x), post);
}

static void get(struct exchange *x, struct str name)
{
    struct read_request want;
    struct stream *s = find_or_refuse(x, name);
    if (!s)
        return;
    if (!request_read(x, &want)) {
        stream_unref(s);
        return;
    }
    if (want.live == LIVE_RAW || want.live == LIVE_NDJSON) {
        stream_unref(s);
        response_error(x, 400,
                       "live is long-poll or sse here; raw and ndjson are of "
                       "a friendly mount");
        return;
    }
    strict_read(x, s, &want);
}

void answer_head_of(struct exchange *x, struct str name, bool ranges)
{
    struct stream *s = find_or_refuse(x, name);
    if (!s)
        return;
    answer_head(x, s, ranges);
    stream_unref(s);
}

void answer_delete(struct exchange *x, struct str name)
{
    struct hub *h = x->worker->hub;
    enum registry_result r =
        registry_delete(hub_registry(h), name, hub_now_ms(h));
    if (r != REGISTRY_FOUND) {
        answer_registry(x, r, false);
        return;
    }
    response_begin(x, 204);
    response_send_empty(x);
}

static bool writes(enum method m)
{
    return m != METHOD_GET && m != METHOD_HEAD;
}

void strict_handle(struct exchange *x)
{
    struct str name;
    enum method m = x->req.method;
    answers_begin(x);
    if (m == METHOD_OPTIONS) {
        answer_options(x);
        return;
    }
    if (!request_stream_name(x, &name) ||
        !request_allowed(x, writes(m) ? STREAM_WRITES : STREAM_READS, name))
        return;
    switch (m) {
    case METHOD_GET:
        get(x, name);
        return;
    case METHOD_HEAD:
        answer_head_of(x, name, false);
        return;
    case METHOD_POST:
        start_post(x, name);
        return;
    case METHOD_PUT:
        gather_body(x, x->route->config->append_bytes_max, true, strict_create);
        return;
    case METHOD_DELETE:
        answer_delete(x, name);
        return;
    default:
        response_not_allowed(x, "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        return;
    }
}
