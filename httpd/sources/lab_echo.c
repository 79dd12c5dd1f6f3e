#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_limits.h"

#include <assert.h>
#include <stdlib.h>

/* Both ends of the exchange hold it; the last one to stop frees it. */
struct echo {
    unsigned refs;
    bool body_done;
    bool source_stopped; /* nobody to send to: the rest is swallowed */
};

static void echo_unref(void *self)
{
    struct echo *e = self;

    assert(e->refs > 0);
    if (--e->refs == 0)
        free(e);
}

/* The queue is the only buffer, so what it cannot take is not read. */
static size_t room(void *self, struct exchange *x)
{
    const struct echo *e = self;

    return e->source_stopped ? LAB_PULL_BYTES_MAX : exchange_room(x);
}

static enum flow push(void *self, struct exchange *x, struct str piece)
{
    const struct echo *e = self;

    if (e->source_stopped || piece.len == 0)
        return FLOW_DONE;
    return exchange_push(x, piece) == FLOW_DONE ? FLOW_DONE : FLOW_FAILED;
}

static void end(void *self, struct exchange *x)
{
    struct echo *e = self;

    e->body_done = true;
    if (!e->source_stopped)
        exchange_wake(x);
}

static enum flow pull(void *self, struct exchange *x)
{
    const struct echo *e = self;

    assert(x != NULL && e->refs > 0);
    return e->body_done ? FLOW_END : FLOW_AGAIN;
}

static void stop(void *self)
{
    struct echo *e = self;

    e->source_stopped = true;
    echo_unref(e);
}

static const struct body_ops echo_body = {"echo", room, push, end, echo_unref};
static const struct source_ops echo_source = {
    .name = "echo", .pull = pull, .stop = stop};

static void begin(struct exchange *x)
{
    const struct str type = request_header(&x->req, HEADER_CONTENT_TYPE);
    /* A longer one may not fit into the head of the answer. */
    const bool same = type.at != NULL && type.len <= LAB_TYPE_BYTES_MAX;

    lab_begin(x, 200, same ? NULL : LAB_TYPE_BYTES);
    if (same)
        response_header(x, "Content-Type", type);
}

void lab_echo(struct exchange *x, struct str part)
{
    const uint64_t known = x->req.has_length ? x->req.length : 0;
    struct echo *e = calloc(1, sizeof(*e));

    assert(part.len == 0);
    if (e == NULL) {
        lab_out_of_memory(x);
        return;
    }
    e->refs = 2;
    if (!exchange_read_body(x, &echo_body, e)) {
        echo_unref(e);
        return;
    }
    begin(x);
    response_send_source(x, &echo_source, e,
                         x->req.chunked ? RESPONSE_LENGTH_UNKNOWN : known);
}
