#include "httpd/streams/stream_request.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/hub.h"
#include "parser/ascii.h"
#include "parser/number.h"
#include "parser/stream_offset.h"
#include "parser/target.h"

#include <string.h>

#define SOURCE_PATH_BYTES_MAX (STREAM_NAME_BYTES_MAX + 256u)

/* The mount that a path is on, as it stands in a URL, decoded into out; NULL
 * when it names no stream. */
static const struct route *source_route(struct exchange *x, struct str path,
                                        char out[SOURCE_PATH_BYTES_MAX],
                                        struct str *ret_name)
{
    size_t len;
    if (!ascii_at(path, '/') || path.len > SOURCE_PATH_BYTES_MAX ||
        target_decode_path(path, out, &len) != VERDICT_NONE)
        return NULL;
    struct str decoded = {out, len};
    const struct route *r = route_find(x->worker->routes, decoded);
    if (!r || r->config->streams[0] == '\0')
        return NULL;
    *ret_name = route_rest(r, decoded);
    bool named = ret_name->len > 0 && ret_name->len <= STREAM_NAME_BYTES_MAX;
    return named ? r : NULL;
}

static bool find_source(struct exchange *x, struct str path,
                        struct stream **ret)
{
    char text[SOURCE_PATH_BYTES_MAX];
    struct str name;
    struct hub *h = x->worker->hub;
    const struct route *route = source_route(x, path, text, &name);
    if (!route) {
        response_error(x, 404,
                       "Stream-Forked-From names no stream; it is a "
                       "whole path such as /v1/stream/NAME");
        return false;
    }
    if (!request_allowed_at(x, route, STREAM_READS, name))
        return false;
    enum registry_result r =
        registry_find(hub_registry(h), name, hub_now_ms(h), ret);
    if (r == REGISTRY_FOUND)
        return true;
    if (r == REGISTRY_SOFT_DELETED)
        response_error(x, 409, "the stream to fork from was deleted");
    else
        response_error(x, 404, "there is no such stream to fork from");
    return false;
}

static bool fork_offset(struct exchange *x, struct fork_request *ret)
{
    struct stream_state now;
    struct str text = request_header_named(&x->req, STR("Stream-Fork-Offset"));
    stream_look(ret->source, &now);
    ret->pos = now.tail;
    ret->offset_given = text.at != NULL;
    if (!text.at)
        return true;
    enum stream_offset_kind kind = stream_offset_read(text, &ret->pos);
    if (kind == OFFSET_START)
        ret->pos = now.first;
    if (kind == OFFSET_NOW)
        ret->pos = now.tail;
    if (kind == OFFSET_MALFORMED) {
        response_error(x, 400, "Stream-Fork-Offset is malformed");
        return false;
    }
    if (kind == OFFSET_BEYOND || ret->pos > now.tail) {
        response_error(x, 400,
                       "Stream-Fork-Offset lies beyond the source's "
                       "tail");
        return false;
    }
    if (ret->pos < now.first) {
        response_error(x, 410,
                       "Stream-Fork-Offset lies before what the source "
                       "still has");
        return false;
    }
    return true;
}

/* So many messages of JSON, or bytes, further on. */
static bool go_forward(const struct fork_request *f, uint64_t *pos)
{
    struct stream_state now;
    uint64_t found;
    uint64_t n = f->sub_offset;
    if (stream_kind(f->source) == STREAM_JSON) {
        *pos = stream_skip_messages(f->source, *pos, n, &found);
        return found == n;
    }
    stream_look(f->source, &now);
    if (n > now.tail - *pos)
        return false;
    *pos += n;
    return true;
}

static bool fork_sub_offset(struct exchange *x, struct str text,
                            struct fork_request *ret)
{
    if (!text.at)
        return true;
    bool padded = text.len > 1 && text.at[0] == '0';
    if (text.len == 0 || padded || !number_read_u64(text, &ret->sub_offset)) {
        response_error(x, 400, "Stream-Fork-Sub-Offset is a whole number");
        return false;
    }
    if (ret->sub_offset == 0 || go_forward(ret, &ret->pos))
        return true;
    response_error(x, 400,
                   "Stream-Fork-Sub-Offset goes beyond the source's "
                   "tail");
    return false;
}

bool request_fork(struct exchange *x, struct fork_request *ret)
{
    struct str from = request_header_named(&x->req, STR("Stream-Forked-From"));
    struct str sub =
        request_header_named(&x->req, STR("Stream-Fork-Sub-Offset"));
    struct str offset =
        request_header_named(&x->req, STR("Stream-Fork-Offset"));
    *ret = (struct fork_request){0};
    if (!from.at && !sub.at && !offset.at)
        return true;
    if (!from.at) {
        response_error(x, 400,
                       "Stream-Fork-Offset and Stream-Fork-Sub-Offset "
                       "need Stream-Forked-From");
        return false;
    }
    if (!find_source(x, from, &ret->source))
        return false;
    if (fork_offset(x, ret) && fork_sub_offset(x, sub, ret))
        return true;
    stream_unref(ret->source);
    ret->source = NULL;
    return false;
}
