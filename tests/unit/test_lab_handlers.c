#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/sources/lab.h"
#include "httpd/sources/pattern.h"
#include "tests/support/pool.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HIGH_BYTES 4096u
/* Heads and chunk framing may pass the high mark, bodies may not. */
#define SLACK_BYTES 1024u

/* The lab on a queue that nobody empties but the test. */
struct fixture {
    struct worker *worker;
    struct config config;
    struct route route;
    struct write_queue out;
    struct exchange *x;
    size_t fullest; /* bytes that were in the queue at once */
    char *wire;     /* what has left it */
    size_t wire_len;
};

static void on_wake(struct exchange *x)
{
    assert_non_null(x->carrier);
}

static const struct carrier_ops CARRIER = {.wake = on_wake};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct worker *w = calloc(1, sizeof(*w));

    f->config.head_bytes_max = 16384;
    f->config.target_bytes_max = 8192;
    f->config.chunk_ext_bytes_max = 4096;
    f->config.trailer_bytes_max = 8192;
    w->config = &f->config;
    w->base = event_base_new();
    memset(w->date, 'D', sizeof(w->date));
    bytes_init(&w->head, RESPONSE_HEAD_BYTES_MAX);
    test_pool_init(&w->pool, 16);
    f->worker = w;
    f->route.prefix = STR("/lab/");
    write_queue_init(&f->out, &w->pool, HIGH_BYTES, 0);
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
    event_base_free(f->worker->base);
    free(f->worker);
    free(f->wire);
    free(f);
    return 0;
}

static void ask(struct fixture *f, const char *line, const char *fields)
{
    struct exchange *x = f->x;
    char request[2048];
    size_t used = 0;
    const int n = snprintf(request, sizeof(request),
                           "%s HTTP/1.1\r\nHost: h\r\n%s\r\n", line, fields);

    assert_true(n > 0 && (size_t)n < sizeof(request));
    assert_int_equal(request_feed_head(&x->req, request, (size_t)n, &used),
                     FLOW_DONE);
    x->carrier = f;
    x->carrier_ops = &CARRIER;
    x->out = &f->out;
    x->route = &f->route;
    x->keep_alive = true;
    x->body_bytes_max = UINT64_MAX;
    lab_handle(x);
}

/* Moves what the queue holds to f->wire. */
static void drain(struct fixture *f)
{
    struct iovec iov[16];
    struct write_view view;

    if (f->out.len > f->fullest)
        f->fullest = f->out.len;
    f->wire = realloc(f->wire, f->wire_len + f->out.len + 1);
    while (!write_queue_empty(&f->out)) {
        write_queue_peek(&f->out, iov, 16, &view);
        for (int i = 0; i < view.iov_n; i++) {
            memcpy(f->wire + f->wire_len, iov[i].iov_base, iov[i].iov_len);
            f->wire_len += iov[i].iov_len;
            write_queue_skip(&f->out, iov[i].iov_len);
        }
    }
    write_queue_check(&f->out);
    f->wire[f->wire_len] = '\0';
}

static enum flow pump_to_end(struct fixture *f)
{
    enum flow flow = f->x->finished ? FLOW_END : FLOW_DONE;

    drain(f);
    while (flow == FLOW_DONE) {
        flow = exchange_pump(f->x);
        drain(f);
    }
    return flow;
}

static const char *body(const struct fixture *f)
{
    const char *end = strstr(f->wire, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static void no_body_fills_the_queue_beyond_its_high_mark(void **state)
{
    static const char *const PATHS[] = {
        "GET /lab/bytes/1m",
        "GET /lab/stream-bytes/1m?chunk=1m",
        "GET /lab/stream-bytes/100k?chunk=1",
        "GET /lab/lines/100000",
        "GET /lab/range/1m",
        "GET /lab/trailers?bytes=1m",
        "GET /lab/",
    };

    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        struct fixture *f = *state;

        ask(f, PATHS[i], "");
        assert_int_equal(pump_to_end(f), FLOW_END);
        if (strcmp(PATHS[i], "GET /lab/") != 0)
            assert_true(f->fullest <= HIGH_BYTES + SLACK_BYTES);
        exchange_reset(f->x);
    }
}

static void chunk_larger_than_the_queue_is_one_chunk(void **state)
{
    struct fixture *f = *state;
    char want[300];

    ask(f, "GET /lab/chunks?sizes=1m,300&seed=4", "");
    assert_int_equal(pump_to_end(f), FLOW_END);
    const char *at = body(f);
    assert_memory_equal(at, "100000\r\n", 8);
    at += 8 + (1u << 20);
    assert_memory_equal(at, "\r\n12c\r\n", 7);
    pattern_fill(4, 1u << 20, want, sizeof(want));
    assert_memory_equal(at + 7, want, sizeof(want));
    assert_string_equal(at + 7 + sizeof(want), "\r\n0\r\n\r\n");
}

static void range_gives_the_bytes_of_that_place(void **state)
{
    struct fixture *f = *state;
    char want[100];

    ask(f, "GET /lab/range/1m?seed=2", "Range: bytes=1000-1099\r\n");
    assert_int_equal(f->x->status, 206);
    assert_int_equal(pump_to_end(f), FLOW_END);
    pattern_fill(2, 1000, want, sizeof(want));
    assert_memory_equal(body(f), want, sizeof(want));
}

static void paced_line_waits_for_its_time(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /lab/lines/2?interval=1s", "");
    assert_int_equal(pump_to_end(f), FLOW_AGAIN);
    assert_string_equal(body(f), "7\r\nline 1\n\r\n");
    f->worker->now_ms += 999;
    assert_int_equal(pump_to_end(f), FLOW_AGAIN);
    f->worker->now_ms += 1;
    assert_int_equal(pump_to_end(f), FLOW_END);
    assert_string_equal(body(f), "7\r\nline 1\n\r\n7\r\nline 2\n\r\n0\r\n\r\n");
}

static void stuck_reader_gets_no_burst_of_lines(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /lab/lines/9?interval=1s", "");
    assert_int_equal(pump_to_end(f), FLOW_AGAIN);
    f->worker->now_ms += 5500;
    assert_int_equal(pump_to_end(f), FLOW_AGAIN);
    assert_string_equal(body(f), "7\r\nline 1\n\r\n7\r\nline 2\n\r\n");
}

static void drip_keeps_its_end_when_the_reader_was_late(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /lab/drip?bytes=10&duration=10s", "");
    assert_int_equal(pump_to_end(f), FLOW_AGAIN);
    assert_string_equal(body(f), "*");
    f->worker->now_ms += 9000;
    assert_int_equal(pump_to_end(f), FLOW_END);
    assert_string_equal(body(f), "**********");
}

static void stall_is_cut_only_after_its_silence(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /lab/stall?after=5&duration=1m", "");
    assert_int_equal(pump_to_end(f), FLOW_AGAIN);
    assert_int_equal(strlen(body(f)), 5);
    f->worker->now_ms += 59999;
    assert_int_equal(pump_to_end(f), FLOW_AGAIN);
    f->worker->now_ms += 1;
    assert_int_equal(pump_to_end(f), FLOW_FAILED);
    assert_int_equal(f->x->failure, FAILURE_CUT);
}

static void reset_waits_until_the_queue_is_empty(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /lab/reset?after=100", "");
    assert_int_equal(exchange_pump(f->x), FLOW_AGAIN);
    f->worker->now_ms += 5000;
    assert_int_equal(exchange_pump(f->x), FLOW_AGAIN);
    drain(f);
    assert_int_equal(exchange_pump(f->x), FLOW_AGAIN);
    f->worker->now_ms += 1000;
    assert_int_equal(exchange_pump(f->x), FLOW_FAILED);
    assert_int_equal(f->x->failure, FAILURE_RESET);
}

static void reset_does_not_wait_for_ever(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /lab/reset?after=100", "");
    assert_int_equal(exchange_pump(f->x), FLOW_AGAIN);
    f->worker->now_ms += 10000;
    assert_int_equal(exchange_pump(f->x), FLOW_AGAIN);
    f->worker->now_ms += 1000;
    assert_int_equal(exchange_pump(f->x), FLOW_FAILED);
}

static void echo_reads_no_more_than_the_queue_takes(void **state)
{
    struct fixture *f = *state;
    char piece[HIGH_BYTES + 1000];
    size_t used = 0;

    memset(piece, 'x', sizeof(piece));
    ask(f, "PUT /lab/echo", "Content-Length: 100000\r\n");
    drain(f);
    assert_int_equal(exchange_feed_body(f->x, piece, sizeof(piece), &used),
                     FLOW_FULL);
    assert_true(used > 0 && used <= HIGH_BYTES);
    assert_int_equal(f->out.len, used);
}

static void echo_to_head_swallows_the_body(void **state)
{
    struct fixture *f = *state;
    size_t used = 0;

    ask(f, "HEAD /lab/echo", "Content-Length: 3\r\n");
    drain(f);
    assert_int_equal(exchange_feed_body(f->x, "abc", 3, &used), FLOW_END);
    assert_int_equal(f->out.len, 0);
    assert_string_equal(body(f), "");
}

static void sink_answers_when_the_body_is_complete(void **state)
{
    struct fixture *f = *state;
    size_t used = 0;

    ask(f, "PUT /lab/sink", "Content-Length: 3\r\n");
    assert_int_equal(exchange_pump(f->x), FLOW_AGAIN);
    assert_true(write_queue_empty(&f->out));
    assert_int_equal(exchange_feed_body(f->x, "abc", 3, &used), FLOW_END);
    (void)exchange_pump(f->x);
    drain(f);
    assert_non_null(strstr(body(f), "{\"bytes\":3,\"sha256\":\"ba7816bf"));
}

static const char *const EXAMPLES[] = {
#define ENDPOINT(function, name, part, methods, example, text) example,
#include "httpd/sources/lab_endpoints.def"
#undef ENDPOINT
};

#define EXAMPLES_N (sizeof(EXAMPLES) / sizeof(EXAMPLES[0]))

static void ask_example(struct fixture *f, const char *method, size_t i)
{
    char line[200];
    const char *bar = strchr(EXAMPLES[i], '|');

    assert_non_null(bar);
    (void)snprintf(line, sizeof(line), "%s /lab/%s", method, bar + 1);
    ask(f, line, "");
}

static void every_example_of_the_index_is_right(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < EXAMPLES_N; i++) {
        ask_example(f, "GET", i);
        assert_int_not_equal(f->x->status, 400);
        assert_int_not_equal(f->x->status, 404);
        drain(f);
        exchange_reset(f->x);
    }
}

/* The address sanitizer would see what is left behind. */
static void every_example_may_be_stopped_at_once(void **state)
{
    static const char *const METHODS[] = {"GET", "HEAD", "OPTIONS", "DELETE"};
    struct fixture *f = *state;

    for (size_t i = 0; i < EXAMPLES_N * 4; i++) {
        ask_example(f, METHODS[i % 4], i / 4);
        if (f->x->source != NULL && i / 4 % 2 == 0)
            (void)exchange_pump(f->x);
        exchange_reset(f->x);
        drain(f);
    }
}

static void method_that_is_not_taken_is_told_which_are(void **state)
{
    struct fixture *f = *state;

    ask(f, "DELETE /lab/bytes/10", "");
    drain(f);
    assert_int_equal(f->x->status, 405);
    assert_non_null(strstr(f->wire, "Allow: GET, HEAD, OPTIONS\r\n"));
}

static void what_takes_no_part_has_no_page_below_it(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /lab/headers/x", "");
    assert_int_equal(f->x->status, 404);
}

static void host_cannot_write_into_the_index_page(void **state)
{
    struct fixture *f = *state;
    static const char REQUEST[] = "GET http://h'h/lab/ HTTP/1.1\r\nHost: "
                                  "h'h\r\nAccept: text/html\r\n\r\n";
    size_t used = 0;

    assert_int_equal(
        request_feed_head(&f->x->req, REQUEST, sizeof(REQUEST) - 1, &used),
        FLOW_DONE);
    f->x->carrier = f;
    f->x->carrier_ops = &CARRIER;
    f->x->out = &f->out;
    f->x->route = &f->route;
    lab_handle(f->x);
    (void)pump_to_end(f);
    assert_null(strstr(body(f), "h'h"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(no_body_fills_the_queue_beyond_its_high_mark),
        TEST(chunk_larger_than_the_queue_is_one_chunk),
        TEST(range_gives_the_bytes_of_that_place),
        TEST(paced_line_waits_for_its_time),
        TEST(stuck_reader_gets_no_burst_of_lines),
        TEST(drip_keeps_its_end_when_the_reader_was_late),
        TEST(stall_is_cut_only_after_its_silence),
        TEST(reset_waits_until_the_queue_is_empty),
        TEST(reset_does_not_wait_for_ever),
        TEST(echo_reads_no_more_than_the_queue_takes),
        TEST(echo_to_head_swallows_the_body),
        TEST(sink_answers_when_the_body_is_complete),
        TEST(every_example_of_the_index_is_right),
        TEST(every_example_may_be_stopped_at_once),
        TEST(method_that_is_not_taken_is_told_which_are),
        TEST(what_takes_no_part_has_no_page_below_it),
        TEST(host_cannot_write_into_the_index_page),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
