#include "tests/support/feed.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_BYTES_MAX 1048576u

static const struct request_limits limits = {
    .head_bytes_max = FEED_HEAD_BYTES_MAX,
    .target_bytes_max = FEED_TARGET_BYTES_MAX,
    .chunk_ext_bytes_max = FEED_EXT_BYTES_MAX,
    .trailer_bytes_max = FEED_TRAILER_BYTES_MAX,
};

/* Where the bytes come from: in two pieces, or one by one. */
struct wire {
    struct str message;
    size_t cut;
    bool bytewise;
};

static size_t piece_len(const struct wire *wire, size_t pos)
{
    if (wire->bytewise)
        return 1;
    return pos < wire->cut ? wire->cut - pos : wire->message.len - pos;
}

/* Feeds one piece from memory of its size. */
static enum flow feed_piece(struct reading *r, bool *in_body, struct str piece)
{
    char *exact = malloc(piece.len);
    struct str payload = {NULL, 0};
    size_t used;
    enum flow flow;

    assert_non_null(exact);
    memcpy(exact, piece.at, piece.len);
    if (*in_body)
        flow = request_feed_body(&r->req, exact, piece.len, &used, &payload);
    else
        flow = request_feed_head(&r->req, exact, piece.len, &used);
    assert_int_not_equal(flow, FLOW_NO_MEMORY);
    assert_int_not_equal(flow, FLOW_FULL);
    assert_true(used <= piece.len);
    if (flow == FLOW_AGAIN)
        assert_int_equal(used, piece.len);
    assert_int_equal(bytes_append_str(&r->body, payload), FLOW_DONE);
    r->used += used;
    if (flow == FLOW_DONE && !*in_body) {
        *in_body = true;
        if (r->req.body_done)
            flow = FLOW_END;
    }
    free(exact);
    return flow;
}

static void print(struct bytes *text, const char *what, struct str s)
{
    assert_int_equal(bytes_printf(text, "%s=", what), FLOW_DONE);
    assert_int_equal(bytes_append_str(text, s), FLOW_DONE);
    assert_int_equal(bytes_append_str(text, STR("\n")), FLOW_DONE);
}

static void describe(struct reading *r)
{
    struct request *req = &r->req;
    struct bytes *t = &r->text;

    bytes_printf(t, "verdict=%s\n",
                 req->verdict.status ? req->verdict.name : "");
    print(t, "body", bytes_view(&r->body));
    if (req->verdict.status != 0)
        return;
    bytes_printf(t, "used=%zu complete=%d\n", r->used, r->complete);
    bytes_printf(t, "%s form=%d minor=%d keep=%d expect=%d chunked=%d\n",
                 method_name(req->method), (int)req->form, req->minor,
                 req->keep_alive, req->expect_continue, req->chunked);
    bytes_printf(t, "length=%d/%ju\n", req->has_length, (uintmax_t)req->length);
    print(t, "target", request_str(req, req->target));
    print(t, "path", request_str(req, req->path));
    print(t, "query", request_str(req, req->query));
    print(t, "authority", request_str(req, req->authority));
    bytes_printf(t, "headers=%d trailers=%d\n", req->headers_n,
                 req->trailers_n);
    for (int i = 1; i <= req->headers_n + req->trailers_n; i++) {
        bytes_printf(t, "id=%d next=%d\n", req->headers[i].id,
                     req->headers[i].next);
        print(t, "name", request_str(req, req->headers[i].name));
        print(t, "value", request_str(req, req->headers[i].value));
    }
}

static void read_message(const struct wire *wire, struct reading *r)
{
    bool in_body = false;
    enum flow flow = FLOW_AGAIN;

    *r = (struct reading){.complete = false};
    assert_true(request_init(&r->req, &limits));
    bytes_init(&r->body, TEXT_BYTES_MAX);
    bytes_init(&r->text, TEXT_BYTES_MAX);
    while ((flow == FLOW_DONE || flow == FLOW_AGAIN) &&
           r->used < wire->message.len) {
        struct str piece = str_skip(wire->message, r->used);
        piece.len = piece_len(wire, r->used);
        flow = feed_piece(r, &in_body, piece);
    }
    r->complete = flow == FLOW_END || (in_body && r->req.body_done);
    assert_true(!r->complete || r->req.body_done);
    assert_true((flow == FLOW_FAILED) == (r->req.verdict.status != 0));
    describe(r);
}

void feed_fini(struct reading *reading)
{
    request_fini(&reading->req);
    bytes_fini(&reading->body);
    bytes_fini(&reading->text);
}

static void expect_same(const struct wire *wire, const struct reading *whole)
{
    struct reading other;
    read_message(wire, &other);
    if (!str_equal(bytes_view(&other.text), bytes_view(&whole->text)))
        fail_msg("cut at %zu it reads\n%.*s\nwhole it reads\n%.*s", wire->cut,
                 (int)other.text.len, other.text.data, (int)whole->text.len,
                 whole->text.data);
    feed_fini(&other);
}

void feed_message(const char *data, size_t len, struct reading *ret)
{
    struct wire wire = {.message = {data, len}, .bytewise = true};

    assert(len > 0);
    read_message(&(struct wire){.message = {data, len}}, ret);
    expect_same(&wire, ret);
    wire.bytewise = false;
    for (wire.cut = 1; wire.cut < len; wire.cut++)
        expect_same(&wire, ret);
}

void feed_pad(struct bytes *message, size_t len)
{
    while (message->len < len)
        assert_int_equal(bytes_append_str(message, STR("a")), FLOW_DONE);
}

void feed_refused(const char *data, size_t len, const char *verdict, int status)
{
    struct reading r;
    feed_message(data, len, &r);
    if (r.req.verdict.status == 0)
        fail_msg("accepted: %.*s", (int)len, data);
    assert_string_equal(r.req.verdict.name, verdict);
    assert_int_equal(r.req.verdict.status, status);
    assert_true(strlen(r.req.verdict.text) > 0);
    feed_fini(&r);
}
