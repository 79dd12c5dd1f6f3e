/* Any bytes, read three ways: whole, one by one, and cut at places that the
 * input itself decides. Everything that can be observed must be the same, and
 * what is accepted must keep the promises of parser/request.h. A chunked body
 * is decoded a second time by a naive model. */
#include "parser/request.h"

#include "tests/fuzz/fuzz.h"

#define TEXT_BYTES_MAX 67108864u

static const struct request_limits limits = {
    .head_bytes_max = 2048,
    .target_bytes_max = 512,
    .chunk_ext_bytes_max = 48,
    .trailer_bytes_max = 256,
};

struct reader {
    struct request req;
    struct cut_input in;
    struct bytes text;
    struct bytes body; /* of the current message */
};

static void print(struct bytes *text, struct str s)
{
    check(bytes_printf(text, "%zu:", s.len) == FLOW_DONE, "room for text");
    check(bytes_append_str(text, s) == FLOW_DONE, "room for text");
}

/* What the caller may rely on */

static bool holds_byte(struct str s, char c)
{
    return s.len > 0 && memchr(s.at, c, s.len) != NULL;
}

static bool holds(struct str s, struct str part)
{
    return s.len > 0 && memmem(s.at, s.len, part.at, part.len) != NULL;
}

static bool ends(struct str s, struct str part)
{
    return s.len >= part.len && str_equal(str_skip(s, s.len - part.len), part);
}

static void check_path(const struct request *req)
{
    struct str path = request_str(req, req->path);
    if (req->form == TARGET_ASTERISK || req->form == TARGET_AUTHORITY) {
        check(path.len == 0, "no path in this form");
        return;
    }
    check(path.len > 0 && path.at[0] == '/', "path begins with a slash");
    check(!holds_byte(path, '\0'), "no NUL in the path");
    check(!holds(path, STR("//")), "no empty segment");
    check(!holds(path, STR("/./")) && !ends(path, STR("/.")), "no dot");
    check(!holds(path, STR("/../")) && !ends(path, STR("/..")), "no dots");
}

static void check_fields(const struct request *req)
{
    unsigned linked = 0;
    unsigned known = 0;
    check(req->headers_n + req->trailers_n <= REQUEST_HEADERS_MAX, "fields");
    for (uint16_t i = 1; i <= req->headers_n + req->trailers_n; i++) {
        const struct header *h = &req->headers[i];
        struct str value = request_str(req, h->value);
        check(h->name.len > 0, "a field has a name");
        check(!holds_byte(value, '\r') && !holds_byte(value, '\n') &&
                  !holds_byte(value, '\0'),
              "a value is one line");
        known += h->id != HEADER_OTHER && i <= req->headers_n;
    }
    for (enum header_id id = HEADER_OTHER + 1; id < HEADER_IDS; id++) {
        struct str value;
        uint16_t it = 0;
        while (request_header_next(req, id, &it, &value))
            linked++;
    }
    check(linked == known, "every known field is linked once");
}

static void check_head(const struct request *req)
{
    struct str host = request_header(req, HEADER_HOST);
    check(req->minor == 0 || host.at, "1.1 has a host");
    check(!(req->chunked && req->has_length), "one framing");
    check(req->body_done == (!req->chunked && req->length == 0), "body_done");
    check(!holds_byte(request_str(req, req->target), ' '), "target is a word");
    check_path(req);
}

/* The naive model: what a chunked message, already accepted, holds. */
static void check_chunks(struct str wire, struct str body)
{
    for (;;) {
        char digits[32] = {0};
        size_t n = 0;
        while (n < wire.len && n < 31 && wire.at[n] != '\r' &&
               wire.at[n] != ';') {
            digits[n] = wire.at[n];
            n++;
        }
        const char *lf = memchr(wire.at, '\n', wire.len);
        check(lf != NULL, "size line has an end");
        uint64_t size = strtoull(digits, NULL, 16);
        wire = str_skip(wire, (size_t)(lf - wire.at) + 1);
        if (size == 0)
            break;
        check(size <= body.len && size <= wire.len, "chunk is there");
        check(memcmp(wire.at, body.at, size) == 0, "chunk is the same");
        wire = str_skip(wire, size + 2);
        body = str_skip(body, size);
    }
    check(body.len == 0, "all of the body came from chunks");
}

/* Feeding */

static void describe(struct reader *r, enum flow flow)
{
    const struct request *req = &r->req;
    check((flow == FLOW_FAILED) == (req->verdict.status != 0), "verdict");
    bytes_printf(&r->text, "flow %d verdict %s body", (int)flow,
                 req->verdict.status ? req->verdict.name : "-");
    print(&r->text, bytes_view(&r->body));
    if (flow != FLOW_END)
        return;
    bytes_printf(&r->text, " rest %zu %s %d %d %d %d %d %ju %d %d",
                 r->in.rest.len, method_name(req->method), (int)req->form,
                 req->minor, req->keep_alive, req->expect_continue,
                 req->chunked, (uintmax_t)req->length, req->headers_n,
                 req->trailers_n);
    print(&r->text, request_str(req, req->target));
    print(&r->text, request_str(req, req->path));
    print(&r->text, request_str(req, req->query));
    print(&r->text, request_str(req, req->authority));
    for (int i = 1; i <= req->headers_n + req->trailers_n; i++) {
        print(&r->text, request_str(req, req->headers[i].name));
        print(&r->text, request_str(req, req->headers[i].value));
    }
    check_fields(req);
}

/* One call with memory of exactly the piece's size. */
static enum flow feed(struct reader *r, bool in_body)
{
    size_t n = cut_len(&r->in);
    size_t used;
    struct str payload = {NULL, 0};
    char *piece = exact_copy((struct str){r->in.rest.at, n});
    enum flow flow = in_body
                         ? request_feed_body(&r->req, piece, n, &used, &payload)
                         : request_feed_head(&r->req, piece, n, &used);

    check(used <= n, "used no more than was given");
    check(flow != FLOW_AGAIN || used == n, "AGAIN takes all");
    check(flow != FLOW_NO_MEMORY && flow != FLOW_FULL, "result");
    check(!in_body || (flow == FLOW_DONE) == (payload.len > 0), "payload");
    check(payload.len == 0 ||
              (payload.at >= piece && payload.at + payload.len <= piece + used),
          "payload is a view");
    check(bytes_append_str(&r->body, payload) == FLOW_DONE, "room for body");
    r->in.rest = str_skip(r->in.rest, used);
    free(piece);
    return flow;
}

static enum flow read_head(struct reader *r)
{
    enum flow flow = FLOW_AGAIN;
    while (flow == FLOW_AGAIN && r->in.rest.len > 0)
        flow = feed(r, false);
    if (flow == FLOW_DONE)
        check_head(&r->req);
    return flow;
}

static enum flow read_body(struct reader *r)
{
    enum flow flow = FLOW_AGAIN;
    struct str wire = r->in.rest;
    while ((flow == FLOW_AGAIN || flow == FLOW_DONE) &&
           (r->in.rest.len > 0 || r->req.body_done)) {
        uint64_t left = request_body_left(&r->req);
        size_t before = r->body.len;
        flow = feed(r, true);
        if (r->req.has_length)
            check(request_body_left(&r->req) == left - (r->body.len - before),
                  "body_left counts down");
    }
    check(r->req.body_bytes == r->body.len, "body_bytes");
    check((flow == FLOW_END) == r->req.body_done, "END is body_done");
    if (r->req.chunked && flow == FLOW_END) {
        wire.len -= r->in.rest.len;
        check_chunks(wire, bytes_view(&r->body));
    }
    return flow;
}

static void read_all(struct reader *r, struct str input, enum cutting cutting)
{
    *r = (struct reader){0};
    cut_init(&r->in, input, cutting);
    check(request_init(&r->req, &limits), "memory");
    bytes_init(&r->text, TEXT_BYTES_MAX);
    bytes_init(&r->body, TEXT_BYTES_MAX);

    enum flow flow = FLOW_END;
    while (flow == FLOW_END && r->in.rest.len > 0) {
        request_reset(&r->req);
        bytes_reset(&r->body);
        flow = read_head(r);
        if (flow == FLOW_DONE)
            flow = read_body(r);
        describe(r, flow);
    }
}

static void reader_fini(struct reader *r)
{
    request_fini(&r->req);
    bytes_fini(&r->text);
    bytes_fini(&r->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct reader whole;
    static struct reader other;
    struct str input = {(const char *)data, len};

    read_all(&whole, input, WHOLE);
    for (enum cutting cutting = BYTEWISE; cutting <= RANDOM; cutting++) {
        read_all(&other, input, cutting);
        check(str_equal(bytes_view(&whole.text), bytes_view(&other.text)),
              "the same however it is cut up");
        reader_fini(&other);
    }
    reader_fini(&whole);
    return 0;
}
