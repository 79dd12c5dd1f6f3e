#include "httpd/streams/catch_up.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/hub_inner.h"

#include <stdlib.h>
#include <string.h>

struct catch_up {
    struct stream *stream;
    uint64_t pos;
    uint64_t to;
    bool array;
    bool opened; /* its '[' is out */
};

static enum flow pull_bytes(struct catch_up *c, struct exchange *x)
{
    struct stretch stretch;
    uint64_t room = exchange_room(x);
    uint64_t end = c->to - c->pos > room ? c->pos + room : c->to;
    if (stream_stretch(c->stream, c->pos, end, &stretch) != READ_DONE)
        return FLOW_FAILED;
    c->pos += stretch.len;
    enum flow r =
        exchange_push_block(x, stretch.block, stretch.at, stretch.len);
    if (r != FLOW_DONE)
        return FLOW_FAILED;
    return c->pos == c->to ? FLOW_END : FLOW_DONE;
}

/* Messages end with a line feed and hold none: what ends one separates it from
 * the next, or ends the array. */
static enum flow pull_array(struct catch_up *c, struct exchange *x)
{
    struct hub *h = x->worker->hub;
    size_t room = exchange_room(x);
    struct str buffer = {h->copied,
                         room < sizeof h->copied ? room : sizeof h->copied};
    if (!c->opened && exchange_push(x, STR("[")) != FLOW_DONE)
        return FLOW_FAILED;
    c->opened = true;
    if (stream_copy(c->stream, c->pos, c->to, buffer, &h->copy) != READ_DONE)
        return FLOW_FAILED;
    size_t len = h->copy.got.len;
    for (size_t i = 0; i < len; i++)
        if (h->copied[i] == '\n')
            h->copied[i] = ',';
    c->pos += len;
    if (c->pos == c->to)
        h->copied[len - 1] = ']';
    if (exchange_push(x, (struct str){h->copied, len}) != FLOW_DONE)
        return FLOW_FAILED;
    return c->pos == c->to ? FLOW_END : FLOW_DONE;
}

static enum flow pull(void *self, struct exchange *x)
{
    struct catch_up *c = self;
    return c->array ? pull_array(c, x) : pull_bytes(c, x);
}

static void stop(void *self)
{
    struct catch_up *c = self;
    stream_unref(c->stream);
    free(c);
}

static const struct source_ops catch_up_ops = {
    .name = "catch up", .pull = pull, .stop = stop};

void catch_up_send(struct exchange *x, struct stream *s, uint64_t from,
                   uint64_t to, bool array)
{
    if (from == to) {
        response_send_bytes(x, array ? STR("[]") : STR(""));
        return;
    }
    struct catch_up *c = malloc(sizeof *c);
    if (!c) {
        response_error(x, 503, "out of memory");
        return;
    }
    *c = (struct catch_up){
        .stream = stream_ref(s), .pos = from, .to = to, .array = array};
    response_send_source(x, &catch_up_ops, c, to - from + array);
}
