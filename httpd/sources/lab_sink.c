#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/worker.h"
#include "httpd/sources/digest.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_fields.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"
#include "httpd/sources/page.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

static const char *const hashes[] = {"sha256", "none"};

/* The body and the deferred answer hold it; the last one to stop frees it. */
struct sink {
    unsigned refs;
    bool body_done;
    uint64_t bytes;
    struct digest *digest; /* NULL when only counting */
};

static void unref(void *self)
{
    struct sink *s = self;

    assert(s->refs > 0);
    if (--s->refs > 0)
        return;
    digest_free(s->digest);
    free(s);
}

static size_t room(void *self, struct exchange *x)
{
    assert(self != NULL && x != NULL);
    return LAB_SINK_BYTES_MAX;
}

static enum flow push(void *self, struct exchange *x, struct str piece)
{
    struct sink *s = self;

    assert(x != NULL);
    s->bytes += piece.len;
    if (s->digest != NULL && !digest_add(s->digest, piece))
        return FLOW_FAILED;
    return FLOW_DONE;
}

static void end(void *self, struct exchange *x)
{
    struct sink *s = self;

    s->body_done = true;
    exchange_wake(x);
}

static void add_digest(struct page *p, struct digest *digest)
{
    char hex[DIGEST_HEX_BYTES];

    if (digest == NULL || !digest_hex(digest, hex))
        return;
    page_addf(p, "\"sha256\":\"%.*s\",", (int)DIGEST_HEX_BYTES, hex);
}

static void build(struct page *p, const struct sink *s,
                  const struct exchange *x)
{
    const uint64_t ms = worker_now_ms(x->worker) - x->started_ms;

    page_addf(p, "{\"bytes\":%" PRIu64 ",", s->bytes);
    add_digest(p, s->digest);
    page_addf(p,
              "\"seconds\":%" PRIu64 ".%03" PRIu64 ",\"trailers\":", ms / 1000,
              ms % 1000);
    lab_fields_json(p, &x->req, x->req.headers_n, x->req.trailers_n);
    page_add(p, "}\n");
}

/* The answer replaces this source, so self is left alone from there on. */
static enum flow pull(void *self, struct exchange *x)
{
    const struct sink *s = self;
    struct page page;

    if (!s->body_done)
        return FLOW_AGAIN;
    page_init(&page);
    build(&page, s, x);
    lab_begin(x, 200, LAB_TYPE_JSON);
    page_send(x, &page);
    return FLOW_DONE;
}

static const struct body_ops sink_body = {"sink", room, push, end, unref};
static const struct source_ops sink_source = {
    .name = "sink", .pull = pull, .stop = unref};

static struct sink *sink_new(bool hashed)
{
    struct sink *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->refs = 2;
    s->digest = hashed ? digest_new() : NULL;
    if (hashed && s->digest == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

void lab_sink(struct exchange *x, struct str part)
{
    size_t hash = 0;
    struct sink *s;

    assert(part.len == 0);
    if (!lab_param_word(x, "hash", hashes, 2, &hash))
        return;
    s = sink_new(hash == 0);
    if (s == NULL) {
        lab_out_of_memory(x);
        return;
    }
    if (!exchange_read_body(x, &sink_body, s)) {
        unref(s);
        return;
    }
    exchange_defer(x, &sink_source, s);
}
