#include "httpd/streams/strict_create.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/append.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/strict.h"
#include "parser/escape.h"
#include "parser/media_type.h"

#include <string.h>

#define LOCATION_BYTES_MAX (8u << 10)

/* What a PUT asks for. */
struct creation {
    struct stream_config config;
    struct fork_request fork;
    struct messages messages;
    bool life_given;
};

struct str creation_type(struct exchange *x, struct stream *source)
{
    struct str type = request_header(&x->req, HEADER_CONTENT_TYPE);
    bool usable =
        media_type_essence(type).len > 0 && type.len <= STREAM_TYPE_BYTES_MAX;
    if (usable)
        return type;
    return source ? stream_content_type(source)
                  : STR("application/octet-stream");
}

static bool fits_source(struct exchange *x, struct creation *c)
{
    struct stream *source = c->fork.source;
    if (!source)
        return true;
    if (!media_type_same(c->config.content_type, stream_content_type(source))) {
        response_error(x, 409, "a fork has the type of its source");
        return false;
    }
    if (!c->life_given)
        c->config.life = *stream_life(source);
    c->config.source = source;
    c->config.fork_pos = c->fork.pos;
    return true;
}

static enum stream_kind kind_of(struct str type)
{
    return media_type_is(type, STR("application/json")) ? STREAM_JSON
                                                        : STREAM_BINARY;
}

static bool read_content(struct exchange *x, struct creation *c,
                         const struct gather_turn *turn)
{
    enum body_fault fault =
        messages_read(&c->messages, kind_of(c->config.content_type), turn);
    if (fault == BODY_FINE || fault == BODY_EMPTY_ARRAY)
        return true;
    answer_body_fault(x, &c->messages, fault);
    return false;
}

static bool read_creation(struct exchange *x, const struct gather_turn *turn,
                          struct creation *c)
{
    struct append claim = {0};
    c->config.closed = request_closes(x);
    if (!request_stream_name(x, &c->config.name) ||
        !request_append(x, &claim) ||
        !request_life(x, &c->config.life, &c->life_given) ||
        !request_bounds(x, &c->config.bounds) || !request_fork(x, &c->fork))
        return false;
    c->config.content_type = creation_type(x, c->fork.source);
    return fits_source(x, c) && read_content(x, c, turn);
}

static bool same_life(const struct life_span *a, const struct life_span *b)
{
    return a->kind == b->kind && a->ttl_s == b->ttl_s &&
           strcmp(a->expires_text, b->expires_text) == 0;
}

static bool same_fork(const struct stream *s, const struct fork_request *f)
{
    struct stream *source = stream_source(s);
    if (source != f->source)
        return false;
    return !f->offset_given || stream_fork_pos(s) == f->pos;
}

static bool same_as_asked(struct exchange *x, struct stream *s,
                          const struct creation *c,
                          const struct stream_state *now)
{
    return media_type_same(stream_content_type(s), c->config.content_type) &&
           same_life(stream_life(s), &c->config.life) &&
           now->closed == c->config.closed && same_fork(s, &c->fork) &&
           request_bounds_hold(x, &c->config.bounds, stream_bounds(s));
}

static void put_location(struct exchange *x)
{
    struct bytes location;
    struct str host = request_str(&x->req, x->req.authority);
    struct str path = request_str(&x->req, x->req.path);
    bytes_init(&location, LOCATION_BYTES_MAX);
    if (host.len > 0 &&
        bytes_printf(&location, "http://%.*s", (int)host.len, host.at) ==
            FLOW_DONE &&
        escape_url(&location, path, true) == FLOW_DONE)
        response_header(x, "Location", bytes_view(&location));
    bytes_fini(&location);
}

static void answer_created(struct exchange *x, struct stream *s, int status)
{
    struct stream_state now;
    stream_look(s, &now);
    response_begin(x, status);
    put_location(x);
    response_header(x, "Content-Type", stream_content_type(s));
    put_next_offset(x, now.tail);
    put_life(x, s);
    if (now.closed)
        put_closed(x);
    response_send_empty(x);
}

static void answer_existing(struct exchange *x, struct stream *s,
                            const struct creation *c)
{
    struct stream_state now;
    stream_look(s, &now);
    if (!same_as_asked(x, s, c, &now)) {
        answer_registry(x, REGISTRY_EXISTS, true);
        return;
    }
    stream_touch(s, hub_now_ms(x->worker->hub));
    answer_created(x, s, 200);
}

/* The first content. What has no room is answered, and false. */
static bool fill(struct exchange *x, struct stream *s, const struct creation *c)
{
    struct append_outcome outcome;
    struct worker *w = x->worker;
    struct append a = {
        .messages = c->messages.many ? c->messages.many : &c->messages.one,
        .messages_n = c->messages.n,
        .close = c->config.closed,
        .pool = &w->pool,
        .now_ms = hub_now_ms(w->hub),
    };
    if (a.messages_n == 0 && !a.close)
        return true;
    enum append_result r = stream_append(s, &a, &outcome);
    if (r == APPEND_DONE)
        return true;
    answer_append(x, s, &a, r, &outcome);
    return false;
}

/* It is whole before anybody sees it, and closed behind its first content. */
static void create(struct exchange *x, const struct creation *c)
{
    struct hub *h = x->worker->hub;
    struct stream_config config = c->config;
    struct stream *there = NULL;
    config.closed = false;
    struct stream *s = stream_new(&config, hub_now_ms(h));
    if (!s) {
        answer_registry(x, REGISTRY_NO_MEMORY, true);
        return;
    }
    if (fill(x, s, c)) {
        enum registry_result r =
            registry_add(hub_registry(h), s, hub_now_ms(h), &there);
        if (r == REGISTRY_CREATED)
            answer_created(x, s, 201);
        else if (r == REGISTRY_EXISTS)
            answer_existing(x, there, c);
        else
            answer_registry(x, r, true);
    }
    stream_unref(there);
    stream_unref(s);
}

static void create_or_ensure(struct exchange *x, const struct creation *c)
{
    struct hub *h = x->worker->hub;
    struct stream *s = NULL;
    enum registry_result r =
        registry_find(hub_registry(h), c->config.name, hub_now_ms(h), &s);
    if (r == REGISTRY_FOUND)
        answer_existing(x, s, c);
    else if (r == REGISTRY_NOT_FOUND)
        create(x, c);
    else
        answer_registry(x, r, true);
    stream_unref(s);
}

enum gather_step strict_create(struct exchange *x, struct gather_turn *turn)
{
    struct creation c = {0};
    if (read_creation(x, turn, &c))
        create_or_ensure(x, &c);
    stream_unref(c.fork.source);
    messages_fini(&c.messages);
    return GATHER_ANSWERED;
}
