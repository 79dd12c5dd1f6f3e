#include "httpd/streams/stream_list.h"

#include "buffers/bytes.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/registry.h"
#include "httpd/streams/stream_request.h"
#include "parser/escape.h"

#include <inttypes.h>

#define WORD_BYTES_MAX 16u

struct list {
    struct bytes out;
    size_t n;
    bool json;
    bool failed;
};

static const char *state_name(const struct stream_state *now)
{
    if (now->gone)
        return "deleted";
    return now->closed ? "closed" : "open";
}

/* A name may hold any byte but NUL. */
static enum flow put_name(struct bytes *out, struct str name)
{
    return escape_json(out, name);
}

static enum flow add_text(struct bytes *out, struct stream *s,
                          const struct stream_state *now)
{
    const struct stream_bounds *b = stream_bounds(s);
    enum flow r = bytes_printf(
        out,
        "%-7s %-11s %12" PRIu64 " %12" PRIu64 " %9" PRIu64 " %12" PRIu64
        " %7zu  ",
        state_name(now), stream_policy_name(b->policy), now->tail - now->first,
        b->bytes_max, now->messages_n, now->first, stream_readers_n(s));
    if (r == FLOW_DONE)
        r = put_name(out, stream_name(s));
    return r == FLOW_DONE ? bytes_append_str(out, STR("\n")) : r;
}

static enum flow add_json(struct list *l, struct stream *s,
                          const struct stream_state *now)
{
    const struct stream_bounds *b = stream_bounds(s);
    struct bytes *out = &l->out;
    enum flow r = bytes_append_str(out, l->n ? STR(",\n{\"name\":\"")
                                             : STR("[{\"name\":\""));
    if (r == FLOW_DONE)
        r = put_name(out, stream_name(s));
    if (r == FLOW_DONE)
        r = bytes_append_str(out, STR("\",\"content_type\":\""));
    if (r == FLOW_DONE)
        r = escape_json(out, stream_content_type(s));
    if (r != FLOW_DONE)
        return r;
    return bytes_printf(
        out,
        "\",\"state\":\"%s\",\"policy\":\"%s\",\"bytes\":%" PRIu64
        ",\"bytes_max\":%" PRIu64 ",\"messages\":%" PRIu64
        ",\"dropped_bytes\":%" PRIu64 ",\"readers\":%zu}",
        state_name(now), stream_policy_name(b->policy), now->tail - now->first,
        b->bytes_max, now->messages_n, now->first, stream_readers_n(s));
}

static bool add(void *arg, struct stream *s)
{
    struct list *l = arg;
    struct stream_state now;
    stream_look(s, &now);
    enum flow r = l->json ? add_json(l, s, &now) : add_text(&l->out, s, &now);
    l->failed = r != FLOW_DONE;
    l->n++;
    return !l->failed;
}

static enum flow begin(struct list *l)
{
    if (l->json)
        return FLOW_DONE;
    return bytes_printf(&l->out, "%-7s %-11s %12s %12s %9s %12s %7s  %s\n",
                        "state", "policy", "bytes", "bound", "messages",
                        "dropped", "readers", "name");
}

static enum flow end(struct list *l, uint64_t all)
{
    if (l->json)
        return bytes_append_str(&l->out, l->n ? STR("]\n") : STR("[]\n"));
    if (all <= l->n)
        return FLOW_DONE;
    return bytes_printf(&l->out, "and %" PRIu64 " more\n", all - l->n);
}

void stream_list(struct exchange *x)
{
    char text[WORD_BYTES_MAX];
    struct str format;
    struct registry *registry = hub_registry(x->worker->hub);
    struct list l = {0};
    if (!request_allowed(x, STREAM_READS, STR("")) ||
        !request_param(x, STR("format"), text, sizeof text, &format))
        return;
    l.json = str_equal(format, STR("json"));
    bytes_init(&l.out, STREAM_LIST_BYTES_MAX);
    l.failed = begin(&l) != FLOW_DONE;
    if (!l.failed)
        registry_each(registry, STREAM_LIST_MAX, add, &l);
    uint64_t all = registry_streams_n(registry);
    if (l.failed || end(&l, all) != FLOW_DONE) {
        response_error(x, 503, "out of memory");
    } else {
        response_begin(x, 200);
        response_header(x, "Content-Type",
                        l.json ? STR("application/json")
                               : STR("text/plain; charset=utf-8"));
        response_header(x, "Cache-Control", STR("no-store"));
        if (l.json && all > l.n)
            response_header(x, "Stream-List-Truncated", STR("true"));
        response_send_bytes(x, bytes_view(&l.out));
    }
    bytes_fini(&l.out);
}
