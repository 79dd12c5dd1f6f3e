#include "httpd/streams/stream_append.h"
#include "httpd/streams/stream_request.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The head of a request on a route of streams. */
struct fixture {
    struct worker *worker;
    struct config config;
    struct route_config route_config;
    struct route route;
    struct write_queue out;
    struct exchange *x;
    bool from_afar;
    char *allowed[2];
};

static bool from_loopback(const struct exchange *x)
{
    const struct fixture *f = x->carrier;
    return !f->from_afar;
}

static const struct carrier_ops carrier = {.from_loopback = from_loopback};

static char strict[] = "strict";
static char unsaid[] = "";
static char skip[] = "skip";
static char block[] = "block";
static char reject[] = "reject";

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct worker *w = calloc(1, sizeof *w);
    f->config.head_bytes_max = 16384;
    f->config.target_bytes_max = 8192;
    f->config.chunk_ext_bytes_max = 4096;
    f->config.trailer_bytes_max = 8192;
    f->route_config.streams = strict;
    f->route_config.policy = unsaid;
    f->route_config.slow_reader = skip;
    f->route_config.stream_bytes = 1 << 20;
    f->route_config.stream_bytes_max = 4 << 20;
    f->route_config.stream_messages = 1000;
    w->config = &f->config;
    memset(w->date, 'D', sizeof w->date);
    bytes_init(&w->head, RESPONSE_HEAD_BYTES_MAX);
    test_pool_init(&w->pool, 16);
    f->worker = w;
    f->route.prefix = STR("/v1/stream/");
    f->route.config = &f->route_config;
    write_queue_init(&f->out, &w->pool, 64u << 10, 16u << 10);
    f->x = exchange_new(w);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    exchange_free(f->x);
    write_queue_fini(&f->out);
    test_pool_fini(&f->worker->pool);
    bytes_fini(&f->worker->head);
    free(f->worker);
    free(f);
    return 0;
}

/* A new request; what was answered before is forgotten. */
static struct exchange *ask(struct fixture *f, const char *target,
                            const char *fields)
{
    char request[4096];
    size_t used;
    struct exchange *x = f->x;
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", target,
                     fields);
    assert_true(n > 0 && (size_t)n < sizeof request);
    exchange_reset(x);
    write_queue_fini(&f->out);
    write_queue_init(&f->out, &f->worker->pool, 64u << 10, 16u << 10);
    assert_int_equal(request_feed_head(&x->req, request, (size_t)n, &used),
                     FLOW_DONE);
    x->carrier = f;
    x->carrier_ops = &carrier;
    x->out = &f->out;
    x->route = &f->route;
    x->keep_alive = true;
    return x;
}

/* Answered with that status when it was refused, not at all when it was not. */
static void expect(const struct exchange *x, bool accepted, int status)
{
    assert_int_equal(x->status, status);
    assert_int_equal(accepted, status == 0);
    assert_int_equal(x->finished, status != 0);
}

static void expect_read(struct fixture *f, const char *query, int status,
                        struct read_request *ret)
{
    char target[1024];
    snprintf(target, sizeof target, "/v1/stream/a?%s", query);
    struct exchange *x = ask(f, target, "");
    expect(x, request_read(x, ret), status);
}

static void name_is_what_stands_behind_the_prefix(void **state)
{
    struct fixture *f = *state;
    struct str name;
    struct exchange *x = ask(f, "/v1/stream/a/b%20c?offset=-1", "");
    expect(x, request_stream_name(x, &name), 0);
    assert_true(str_equal(name, STR("a/b c")));
    x = ask(f, "/v1/stream/", "");
    expect(x, request_stream_name(x, &name), 404);
    x = ask(f, "/v1/stream/__ds/subscriptions", "");
    expect(x, request_stream_name(x, &name), 404);
}

static void name_has_a_longest_length(void **state)
{
    struct fixture *f = *state;
    struct str name;
    char target[STREAM_NAME_BYTES_MAX + 64] = "/v1/stream/";
    size_t prefix = strlen(target);
    memset(target + prefix, 'n', STREAM_NAME_BYTES_MAX);
    struct exchange *x = ask(f, target, "");
    expect(x, request_stream_name(x, &name), 0);
    assert_int_equal(name.len, STREAM_NAME_BYTES_MAX);
    target[prefix + STREAM_NAME_BYTES_MAX] = 'n';
    x = ask(f, target, "");
    expect(x, request_stream_name(x, &name), 414);
}

static void without_tokens_only_this_machine_may(void **state)
{
    struct fixture *f = *state;
    struct exchange *x = ask(f, "/v1/stream/a", "");
    expect(x, request_allowed(x, STREAM_WRITES, STR("a")), 0);
    f->from_afar = true;
    x = ask(f, "/v1/stream/a", "");
    expect(x, request_allowed(x, STREAM_READS, STR("a")), 403);
}

static void offset_says_where_reading_begins(void **state)
{
    struct fixture *f = *state;
    struct read_request r;
    expect_read(f, "", 0, &r);
    assert_int_equal(r.from, READ_FROM_UNSAID);
    expect_read(f, "offset=-1", 0, &r);
    assert_int_equal(r.from, READ_FROM_START);
    expect_read(f, "unknown=1&offset=now", 0, &r);
    assert_int_equal(r.from, READ_FROM_NOW);
    expect_read(f, "offset=0000000000000000_0000000000000042", 0, &r);
    assert_int_equal(r.from, READ_FROM_POS);
    assert_int_equal(r.pos, 42);
    expect_read(f, "offset=9999999999999999_9999999999999999", 0, &r);
    assert_int_equal(r.from, READ_FROM_BEYOND);
}

static void offset_is_decoded_before_it_is_judged(void **state)
{
    struct fixture *f = *state;
    struct read_request r;
    expect_read(f, "offset=%2D1", 0, &r);
    assert_int_equal(r.from, READ_FROM_START);
    static const char *const bad[] = {
        "offset=",      "offset=-1%0A", "offset=now%0D%0A", "offset=-1%00",
        "offset=%20-1", "offset=0,1",   "offset=../now",    "offset=%2",
        "offset=NOW",   "offset=-2",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_read(f, bad[i], 400, &r);
}

static void parameter_that_is_given_twice_is_refused(void **state)
{
    struct fixture *f = *state;
    struct read_request r;
    expect_read(f, "offset=-1&offset=-1", 400, &r);
    expect_read(f, "offset=-1&live=sse&live=sse", 400, &r);
    expect_read(f, "unknown=1&unknown=1", 0, &r);
}

static void parameter_has_a_longest_length(void **state)
{
    struct fixture *f = *state;
    char out[4];
    struct str value;
    struct exchange *x = ask(f, "/v1/stream/a?w=abcd", "");
    expect(x, request_param(x, STR("w"), out, sizeof out, &value), 0);
    assert_true(str_equal(value, STR("abcd")));
    x = ask(f, "/v1/stream/a?w=abcde", "");
    expect(x, request_param(x, STR("w"), out, sizeof out, &value), 400);
    x = ask(f, "/v1/stream/a?W=abc", "");
    expect(x, request_param(x, STR("w"), out, sizeof out, &value), 0);
    assert_null(value.at);
}

static void live_is_one_of_the_modes(void **state)
{
    struct fixture *f = *state;
    struct read_request r;
    expect_read(f, "live=long-poll", 0, &r);
    assert_int_equal(r.live, LIVE_LONG_POLL);
    expect_read(f, "live=sse", 0, &r);
    assert_int_equal(r.live, LIVE_SSE);
    expect_read(f, "live=SSE", 400, &r);
    expect_read(f, "live=", 400, &r);
}

static void cursor_of_somebody_else_says_nothing(void **state)
{
    struct fixture *f = *state;
    struct read_request r;
    expect_read(f, "cursor=123", 0, &r);
    assert_int_equal(r.cursor, 123);
    expect_read(f, "cursor=abc", 0, &r);
    assert_int_equal(r.cursor, 0);
}

static void only_true_closes(void **state)
{
    struct fixture *f = *state;
    assert_true(
        request_closes(ask(f, "/v1/stream/a", "Stream-Closed: TrUe\r\n")));
    assert_false(
        request_closes(ask(f, "/v1/stream/a", "Stream-Closed: 1\r\n")));
    assert_false(request_closes(ask(f, "/v1/stream/a", "")));
}

static void expect_append(struct fixture *f, const char *fields, int status,
                          struct append *ret)
{
    *ret = (struct append){0};
    struct exchange *x = ask(f, "/v1/stream/a", fields);
    expect(x, request_append(x, ret), status);
}

static void producer_claims_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct append a;
    expect_append(f, "", 0, &a);
    assert_null(a.producer.id.at);
    expect_append(
        f, "Producer-Id: p\r\nProducer-Epoch: 3\r\nProducer-Seq: 4\r\n", 0, &a);
    assert_true(str_equal(a.producer.id, STR("p")));
    assert_int_equal(a.producer.epoch, 3);
    assert_int_equal(a.producer.seq, 4);
    expect_append(f, "Producer-Id: p\r\n", 400, &a);
    expect_append(f, "Producer-Epoch: 0\r\nProducer-Seq: 0\r\n", 400, &a);
    expect_append(f, "Producer-Id:\r\nProducer-Epoch: 0\r\nProducer-Seq: 0\r\n",
                  400, &a);
}

static void producer_numbers_are_what_a_double_holds(void **state)
{
    struct fixture *f = *state;
    struct append a;
    static const struct {
        const char *seq;
        int status;
    } cases[] = {
        {"9007199254740991", 0},
        {"9007199254740992", 400},
        {"1e3", 400},
        {"0xyz", 400},
        {"-1", 400},
        {"", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char fields[256];
        snprintf(fields, sizeof fields,
                 "Producer-Id: p\r\nProducer-Epoch: 0\r\nProducer-Seq: %s\r\n",
                 cases[i].seq);
        expect_append(f, fields, cases[i].status, &a);
    }
}

static void stream_seq_has_a_longest_length(void **state)
{
    struct fixture *f = *state;
    struct append a;
    char fields[STREAM_SEQ_BYTES_MAX + 64];
    snprintf(fields, sizeof fields, "Stream-Seq: %0*d\r\n",
             (int)STREAM_SEQ_BYTES_MAX, 1);
    expect_append(f, fields, 0, &a);
    assert_int_equal(a.seq.len, STREAM_SEQ_BYTES_MAX);
    snprintf(fields, sizeof fields, "Stream-Seq: %0*d\r\n",
             (int)STREAM_SEQ_BYTES_MAX + 1, 1);
    expect_append(f, fields, 400, &a);
}

static void expect_life(struct fixture *f, const char *fields, int status,
                        struct life_span *ret)
{
    bool given;
    struct exchange *x = ask(f, "/v1/stream/a", fields);
    expect(x, request_life(x, ret, &given), status);
    if (status == 0)
        assert_int_equal(given, fields[0] != '\0');
}

static void life_span_is_seconds_or_a_moment(void **state)
{
    struct fixture *f = *state;
    struct life_span life;
    expect_life(f, "", 0, &life);
    assert_int_equal(life.kind, LIFE_ENDLESS);
    expect_life(f, "Stream-TTL: 3600\r\n", 0, &life);
    assert_int_equal(life.kind, LIFE_TTL);
    assert_int_equal(life.ttl_s, 3600);
    expect_life(f, "Stream-TTL: 0\r\n", 0, &life);
    expect_life(f, "Stream-Expires-At: 1970-01-01T01:00:01.5+01:00\r\n", 0,
                &life);
    assert_int_equal(life.kind, LIFE_EXPIRES_AT);
    assert_int_equal(life.expires_at_ms, 1500);
    assert_string_equal(life.expires_text, "1970-01-01T01:00:01.5+01:00");
}

static void life_span_is_written_strictly(void **state)
{
    struct fixture *f = *state;
    struct life_span life;
    static const char *const bad[] = {
        "Stream-TTL: 060\r\n",
        "Stream-TTL: +60\r\n",
        "Stream-TTL: 60.5\r\n",
        "Stream-TTL: 1e3\r\n",
        "Stream-TTL: -1\r\n",
        "Stream-TTL:\r\n",
        "Stream-TTL: 100000000001\r\n",
        "Stream-Expires-At: tomorrow\r\n",
        "Stream-Expires-At: 2030-02-30T00:00:00Z\r\n",
        "Stream-TTL: 1\r\nStream-Expires-At: 2030-01-01T00:00:00Z\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_life(f, bad[i], 400, &life);
}

static void expect_bounds(struct fixture *f, const char *fields, int status,
                          struct stream_bounds *ret)
{
    struct exchange *x = ask(f, "/v1/stream/a", fields);
    expect(x, request_bounds(x, ret), status);
}

static void bounds_are_the_routes(void **state)
{
    struct fixture *f = *state;
    struct stream_bounds b;
    expect_bounds(f, "", 0, &b);
    assert_int_equal(b.policy, POLICY_GROW);
    assert_int_equal(b.slow_reader, SLOW_SKIP);
    assert_int_equal(b.bytes_max, 1 << 20);
    assert_int_equal(b.messages_max, 1000);
    f->route_config.policy = block;
    expect_bounds(f, "", 0, &b);
    assert_int_equal(b.policy, POLICY_BLOCK);
}

static void creator_chooses_within_what_the_operator_allows(void **state)
{
    struct fixture *f = *state;
    struct stream_bounds b;
    expect_bounds(f,
                  "Stream-Policy: reject\r\nStream-Capacity: 4m\r\n"
                  "Stream-Max-Age: 10s\r\nStream-Max-Messages: 1000\r\n"
                  "Stream-Slow-Reader: disconnect\r\n",
                  0, &b);
    assert_int_equal(b.policy, POLICY_REJECT);
    assert_int_equal(b.bytes_max, 4 << 20);
    assert_int_equal(b.age_ms, 10000);
    assert_int_equal(b.messages_max, 1000);
    assert_int_equal(b.slow_reader, SLOW_DISCONNECT);
    expect_bounds(f, "Stream-Policy: forget\r\n", 400, &b);
    expect_bounds(f, "Stream-Capacity: 5m\r\n", 400, &b);
    expect_bounds(f, "Stream-Capacity: 0\r\n", 400, &b);
    expect_bounds(f, "Stream-Max-Messages: 1001\r\n", 400, &b);
    expect_bounds(f, "Stream-Max-Age: soon\r\n", 400, &b);
    expect_bounds(f, "Stream-Slow-Reader: wait\r\n", 400, &b);
}

static void policy_that_is_not_allowed_is_told_which_are(void **state)
{
    struct fixture *f = *state;
    struct stream_bounds b;
    char answer[2048];
    struct iovec iov[8];
    struct write_view view;
    size_t n = 0;
    f->allowed[0] = block;
    f->allowed[1] = reject;
    f->route_config.policies.at = f->allowed;
    f->route_config.policies.n = 2;
    expect_bounds(f, "Stream-Policy: block\r\n", 0, &b);
    expect_bounds(f, "Stream-Policy: grow\r\n", 400, &b);
    write_queue_peek(&f->out, iov, 8, &view);
    for (int i = 0; i < view.iov_n; i++) {
        memcpy(answer + n, iov[i].iov_base, iov[i].iov_len);
        n += iov[i].iov_len;
    }
    answer[n] = '\0';
    assert_non_null(strstr(answer, "Stream-Policy is block or reject here"));
}

static void only_bounds_that_are_asked_for_are_compared(void **state)
{
    struct fixture *f = *state;
    struct stream_bounds asked;
    struct exchange *x = ask(f, "/v1/stream/a", "Stream-Policy: block\r\n");
    assert_true(request_bounds(x, &asked));
    struct stream_bounds b = {.policy = POLICY_BLOCK, .bytes_max = 5};
    assert_true(request_bounds_hold(x, &asked, &b));
    b.policy = POLICY_GROW;
    assert_false(request_bounds_hold(x, &asked, &b));
    x = ask(f, "/v1/stream/a", "Stream-Capacity: 64k\r\n");
    assert_true(request_bounds(x, &asked));
    assert_false(request_bounds_hold(x, &asked, &b));
    b.bytes_max = 64 << 10;
    assert_true(request_bounds_hold(x, &asked, &b));
}

static void fork_words_need_a_source(void **state)
{
    struct fixture *f = *state;
    struct fork_request fork;
    struct exchange *x = ask(f, "/v1/stream/a", "");
    expect(x, request_fork(x, &fork), 0);
    assert_null(fork.source);
    x = ask(f, "/v1/stream/a", "Stream-Fork-Sub-Offset: 0\r\n");
    expect(x, request_fork(x, &fork), 400);
    x = ask(f, "/v1/stream/a", "Stream-Fork-Offset: -1\r\n");
    expect(x, request_fork(x, &fork), 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(name_is_what_stands_behind_the_prefix),
        TEST(name_has_a_longest_length),
        TEST(without_tokens_only_this_machine_may),
        TEST(offset_says_where_reading_begins),
        TEST(offset_is_decoded_before_it_is_judged),
        TEST(parameter_that_is_given_twice_is_refused),
        TEST(parameter_has_a_longest_length),
        TEST(live_is_one_of_the_modes),
        TEST(cursor_of_somebody_else_says_nothing),
        TEST(only_true_closes),
        TEST(producer_claims_all_or_nothing),
        TEST(producer_numbers_are_what_a_double_holds),
        TEST(stream_seq_has_a_longest_length),
        TEST(life_span_is_seconds_or_a_moment),
        TEST(life_span_is_written_strictly),
        TEST(bounds_are_the_routes),
        TEST(creator_chooses_within_what_the_operator_allows),
        TEST(policy_that_is_not_allowed_is_told_which_are),
        TEST(only_bounds_that_are_asked_for_are_compared),
        TEST(fork_words_need_a_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
