#include "httpd/streams/friendly.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/append.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/many.h"
#include "httpd/streams/stream_list.h"
#include "httpd/streams/strict.h"
#include "httpd/streams/strict_create.h"
#include "parser/media_type.h"

static bool is_form(struct str type)
{
    return media_type_is(type, STR("application/x-www-form-urlencoded")) ||
           media_type_is(type, STR("multipart/form-data"));
}

/* What the client says of the type, when it means it: curl -d sends a form's.
 */
static struct str said_type(struct exchange *x)
{
    struct str type = request_header(&x->req, HEADER_CONTENT_TYPE);
    bool means_it = media_type_essence(type).len > 0 && !is_form(type) &&
                    type.len <= STREAM_TYPE_BYTES_MAX;
    return means_it ? type : (struct str){0};
}

static struct str first_type(struct exchange *x)
{
    struct str said = said_type(x);
    if (said.at)
        return said;
    return is_form(request_header(&x->req, HEADER_CONTENT_TYPE))
               ? STR("text/plain; charset=utf-8")
               : STR("application/octet-stream");
}

/* What a first write makes of it; false when that was answered. */
static bool first_config(struct exchange *x, struct str name,
                         struct stream_config *ret)
{
    bool life_given;
    if (request_header_named(&x->req, STR("Stream-Forked-From")).at) {
        response_error(x, 400, "forks are made by PUT of a strict mount");
        return false;
    }
    *ret = (struct stream_config){.name = name, .content_type = first_type(x)};
    return request_life(x, &ret->life, &life_given) &&
           request_bounds(x, &ret->bounds);
}

/* The stream, made if it is not there. */
static struct stream *find_or_make(struct exchange *x, struct str name)
{
    struct hub *h = x->worker->hub;
    struct stream_config config;
    struct stream *s = NULL;
    uint64_t now_ms = hub_now_ms(h);
    enum registry_result r = registry_find(hub_registry(h), name, now_ms, &s);
    if (r == REGISTRY_NOT_FOUND) {
        if (!first_config(x, name, &config))
            return NULL;
        r = registry_create(hub_registry(h), &config, now_ms, &s);
    }
    if (r == REGISTRY_FOUND || r == REGISTRY_CREATED || r == REGISTRY_EXISTS)
        return s;
    answer_registry(x, r, true);
    return NULL;
}

/* A first write that is refused makes no stream. */
static enum gather_step write_first(struct exchange *x, struct str name,
                                    struct append *a, struct gather_turn *turn)
{
    struct stream_config config;
    if (!first_config(x, name, &config))
        return GATHER_ANSWERED;
    struct stream *s = stream_new(&config, hub_now_ms(x->worker->hub));
    if (!s) {
        answer_registry(x, REGISTRY_NO_MEMORY, true);
        return GATHER_ANSWERED;
    }
    enum gather_step step = append_first(x, s, a, turn);
    stream_unref(s);
    return step;
}

static enum gather_step write_whole(struct exchange *x,
                                    struct gather_turn *turn)
{
    struct hub *h = x->worker->hub;
    struct append a = {0};
    struct stream *s = NULL;
    struct str name;
    enum gather_step step = GATHER_ANSWERED;
    if (!request_append(x, &a) || !request_stream_name(x, &name))
        return GATHER_ANSWERED;
    if (turn->len > 0)
        a.content_type = said_type(x);
    enum registry_result r =
        registry_find(hub_registry(h), name, hub_now_ms(h), &s);
    if (r == REGISTRY_FOUND)
        step = append_body(x, s, &a, turn);
    else if (r == REGISTRY_NOT_FOUND)
        step = write_first(x, name, &a, turn);
    else
        answer_registry(x, r, true);
    stream_unref(s);
    return step;
}

static bool claims(struct exchange *x)
{
    return request_header(&x->req, HEADER_PRODUCER_ID).at ||
           request_header(&x->req, HEADER_STREAM_SEQ).at;
}

/* A body without an end is appended as it comes, but JSON, which is checked. */
static void write_stream(struct exchange *x, struct str name)
{
    struct stream_state now;
    size_t most = x->route->config->append_bytes_max;
    struct str type = said_type(x);
    bool endless = x->req.chunked && !x->req.body_done && !claims(x) &&
                   !media_type_is(type, STR("application/json"));
    if (!endless) {
        gather_body(x, most, true, write_whole);
        return;
    }
    struct stream *s = find_or_make(x, name);
    if (!s)
        return;
    stream_look(s, &now);
    if (stream_kind(s) == STREAM_JSON || now.closed ||
        (type.at && !media_type_same(type, stream_content_type(s)))) {
        stream_unref(s);
        gather_body(x, most, true, write_whole);
        return;
    }
    append_live(x, s, request_closes(x), true);
}

/* The mount itself, with no name behind it. */
static bool is_root(struct exchange *x)
{
    return request_str(&x->req, x->req.path).len == x->route->prefix.len;
}

void friendly_handle(struct exchange *x)
{
    struct str name;
    enum method m = x->req.method;
    bool reads = m == METHOD_GET || m == METHOD_HEAD;
    answers_begin(x);
    if (m == METHOD_OPTIONS) {
        answer_options(x);
        return;
    }
    if (reads && is_root(x)) {
        if (m == METHOD_HEAD || !many_handle(x))
            stream_list(x);
        return;
    }
    if (!request_stream_name(x, &name) ||
        !request_allowed(x, reads ? STREAM_READS : STREAM_WRITES, name))
        return;
    switch (m) {
    case METHOD_GET:
        friendly_read(x, name);
        return;
    case METHOD_HEAD:
        answer_head_of(x, name, true);
        return;
    case METHOD_POST:
    case METHOD_PUT:
        write_stream(x, name);
        return;
    case METHOD_DELETE:
        answer_delete(x, name);
        return;
    default:
        response_not_allowed(x, "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        return;
    }
}
