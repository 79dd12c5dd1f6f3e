/* Request bodies: lengths, chunks, trailers, 100-continue, early answers. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOST    "Host: x\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define HELLO_SHA                                                              \
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define BIG_BYTES (8u << 20)
#define QUIET_MS  300u

static struct server server;

static void check(const char *request, int status, const char *part)
{
    struct answer a;
    wire_ask(server.port, request, &a);
    if (a.status != status || !strstr(a.body, part))
        print_message("--- came:\n%s%s---\n", a.head, a.body);
    assert_int_equal(a.status, status);
    assert_non_null(strstr(a.body, part));
    answer_fini(&a);
}

/* The sink's answer holds its own duration, so only a part is compared. */
static void check_sink(const char *request, const char *part)
{
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        struct wire w;
        struct answer a;
        wire_open(&w, server.port);
        assert_true(wire_send(&w, request, strlen(request), d));
        wire_answer(&w, &a);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.body, part));
        answer_fini(&a);
        wire_close(&w);
    }
}

static void body_with_length_is_taken_whole(void **state)
{
    (void)state;
    check_sink("POST /lab/sink HTTP/1.1\r\n" HOST
               "Content-Length: 5\r\n\r\nhello",
               "{\"bytes\":5,\"sha256\":\"" HELLO_SHA "\"");
}

static void body_in_chunks_is_taken_whole(void **state)
{
    (void)state;
    check_sink("PUT /lab/sink HTTP/1.1\r\n" HOST CHUNKED
               "\r\n2\r\nhe\r\n1;x=y\r\nl\r\n02\r\nlo\r\n0\r\n\r\n",
               "{\"bytes\":5,\"sha256\":\"" HELLO_SHA "\"");
}

static void trailers_are_told(void **state)
{
    (void)state;
    check_sink("POST /lab/sink HTTP/1.1\r\n" HOST CHUNKED
               "\r\n5\r\nhello\r\n0\r\nX-Sum: 12\r\nX-Two:  b \r\n\r\n",
               "{\"name\":\"X-Sum\",\"value\":\"12\"}");
    check_sink("POST /lab/sink HTTP/1.1\r\n" HOST CHUNKED
               "\r\n5\r\nhello\r\n0\r\nX-Sum: 12\r\nX-Two:  b \r\n\r\n",
               "{\"name\":\"X-Two\",\"value\":\"b\"}");
}

static void body_on_http_1_0_is_taken(void **state)
{
    (void)state;
    check_sink("POST /lab/sink HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
               "\"bytes\":5,");
}

static void echo_gives_back_what_it_got(void **state)
{
    (void)state;
    check("POST /lab/echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
          200, "hello");
    check("PUT /lab/echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200,
          "");
    check("POST /lab/echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 200,
          "hello");
}

static void echo_of_chunks_with_trailers_is_whole(void **state)
{
    static const char text[] =
        "POST /lab/echo HTTP/1.1\r\n" HOST CHUNKED
        "\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 12\r\n\r\n";
    (void)state;
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        struct wire w;
        struct answer a;
        wire_open(&w, server.port);
        assert_true(wire_send(&w, text, strlen(text), d));
        wire_answer(&w, &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "hello");
        assert_true(a.chunked);
        answer_fini(&a);
        wire_close(&w);
    }
}

static void echo_answers_while_the_body_still_comes(void **state)
{
    struct wire w;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, "POST /lab/echo HTTP/1.1\r\n" HOST CHUNKED "\r\n");
    for (int i = 0; i < 3; i++) {
        size_t before = w.in_len;
        wire_text(&w, "4\r\nping\r\n");
        /* The head may come by itself, before the first of it. */
        while (!memmem(w.in + before, w.in_len - before, "ping", 4))
            assert_true(wire_read(&w, WIRE_MS));
    }
    wire_text(&w, "0\r\n\r\n");
    struct answer a;
    wire_answer(&w, &a);
    assert_string_equal(a.body, "pingpingping");
    answer_fini(&a);
    wire_close(&w);
}

/* More than all buffers hold: the server must read and write in turns. */
static void echo_of_much_comes_back_the_same(void **state)
{
    char head[128];
    char *body = malloc(BIG_BYTES);
    struct wire w;
    struct answer a;
    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < BIG_BYTES; i++)
        body[i] = (char)((i * 2654435761u) >> 13);
    snprintf(head, sizeof(head),
             "POST /lab/echo HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n",
             BIG_BYTES);
    wire_open(&w, server.port);
    wire_text(&w, head);
    assert_true(wire_send(&w, body, BIG_BYTES, DELIVER_WHOLE));
    wire_answer(&w, &a);
    assert_int_equal(a.body_len, BIG_BYTES);
    assert_memory_equal(a.body, body, BIG_BYTES);
    answer_fini(&a);
    wire_close(&w);
    free(body);
}

static void body_without_a_length_needs_one(void **state)
{
    (void)state;
    check("POST /lab/sink HTTP/1.1\r\n" HOST "\r\n", 411, "");
    check("POST /lab/echo HTTP/1.0\r\n\r\n", 411, "");
}

static void body_beyond_the_route_limit_is_too_large(void **state)
{
    (void)state;
    check("POST /small/sink HTTP/1.1\r\n" HOST "Content-Length: 1025\r\n\r\n",
          413, "");
}

static void chunks_beyond_the_route_limit_are_too_large(void **state)
{
    char text[8192];
    struct wire w;
    struct answer a;
    (void)state;
    int n = snprintf(text, sizeof(text),
                     "POST /small/sink HTTP/1.1\r\n" HOST CHUNKED
                     "\r\n400\r\n%1024s\r\n1\r\na\r\n0\r\n\r\n",
                     "");
    wire_ask_bytes(server.port, text, (size_t)n, &a);
    assert_int_equal(a.status, 413);
    answer_fini(&a);
    wire_open(&w, server.port);
    wire_text(&w, text);
    wire_answer(&w, &a);
    assert_true(answer_lists(&a, "Connection", "close"));
    answer_fini(&a);
    wire_expect_end(&w);
    wire_close(&w);
}

#define GET_A "GET /a.txt HTTP/1.1\r\n" HOST

/* Takes an answer "a"; whether the connection is kept. */
static bool take_a(struct wire *w)
{
    struct answer a;
    wire_answer(w, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "a");
    bool kept = !answer_lists(&a, "Connection", "close");
    answer_fini(&a);
    return kept;
}

static void unwanted_short_body_keeps_the_connection(void **state)
{
    static const char text[] =
        GET_A "Content-Length: 5\r\n\r\nhello" GET_A "\r\n";
    (void)state;
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        struct wire w;
        wire_open(&w, server.port);
        assert_true(wire_send(&w, text, strlen(text), d));
        assert_true(take_a(&w));
        assert_true(take_a(&w));
        wire_close(&w);
    }
}

/* How long it will be is not known while it comes, so the server may close:
 * what it must not do is take the body for a request. */
static void unwanted_chunks_are_never_a_request(void **state)
{
    static const char text[] =
        GET_A CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n" GET_A "\r\n";
    (void)state;
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        struct wire w;
        wire_open(&w, server.port);
        wire_send(&w, text, strlen(text), d);
        if (take_a(&w))
            take_a(&w);
        else
            wire_expect_end(&w);
        wire_close(&w);
    }
}

/* Expect: 100-continue. */

static void begin_expect(struct wire *w, const char *line, const char *length)
{
    char text[512];
    snprintf(text, sizeof(text),
             "%s\r\nHost: x\r\n%s\r\nExpect: 100-continue\r\n\r\n", line,
             length);
    wire_open(w, server.port);
    wire_text(w, text);
}

static void check_continue(const char *line, const char *length,
                           const char *body, const char *part)
{
    struct wire w;
    struct answer a;
    begin_expect(&w, line, length);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 100);
    answer_fini(&a);
    wire_text(&w, body);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, part));
    answer_fini(&a);
    wire_expect_quiet(&w, 0);
    wire_close(&w);
}

static void continue_is_sent_when_the_body_is_wanted(void **state)
{
    (void)state;
    check_continue("POST /lab/sink HTTP/1.1", "Content-Length: 5", "hello",
                   HELLO_SHA);
    check_continue("POST /lab/sink HTTP/1.1", "Transfer-Encoding: chunked",
                   "5\r\nhello\r\n0\r\n\r\n", HELLO_SHA);
    check_continue("PUT /lab/echo HTTP/1.1", "Content-Length: 5", "hello",
                   "hello");
}

/* The first answer is the final one, and the body is not waited for. */
static void check_withheld(const char *line, const char *length, int status)
{
    struct wire w;
    struct answer a;
    begin_expect(&w, line, length);
    wire_answer(&w, &a);
    assert_int_equal(a.status, status);
    answer_fini(&a);
    wire_close(&w);
}

static void continue_is_withheld_when_the_body_is_not_wanted(void **state)
{
    (void)state;
    check_withheld("POST /lab/none HTTP/1.1", "Content-Length: 5", 404);
    check_withheld("PUT /a.txt HTTP/1.1", "Content-Length: 5", 405);
    check_withheld("POST /small/sink HTTP/1.1", "Content-Length: 9999", 413);
    check_withheld("GET /a.txt HTTP/1.1", "Content-Length: 5", 200);
}

/* It is not known whether the client will send the body: only the end of the
 * connection makes clear what its next bytes are. */
static void withheld_continue_ends_the_connection(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    begin_expect(&w, "PUT /a.txt HTTP/1.1", "Content-Length: 5");
    wire_answer(&w, &a);
    assert_true(answer_lists(&a, "Connection", "close"));
    answer_fini(&a);
    wire_expect_end(&w);
    wire_close(&w);
}

static void continue_is_not_for_http_1_0(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    begin_expect(&w, "POST /lab/sink HTTP/1.0", "Content-Length: 5");
    wire_expect_quiet(&w, QUIET_MS);
    wire_text(&w, "hello");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
    wire_close(&w);
}

static void other_expectations_fail(void **state)
{
    (void)state;
    check("POST /lab/sink HTTP/1.1\r\n" HOST
          "Content-Length: 5\r\nExpect: 200-maybe\r\n\r\nhello",
          417, "");
}

/* Answers before the body has come. */

/* Sends much, reads only then: all of it is taken, and no reset overtakes the
 * answer. */
static void check_early(const char *head, int status)
{
    char *body = calloc(1, BIG_BYTES);
    struct wire w;
    struct answer a;
    assert_non_null(body);
    wire_open(&w, server.port);
    wire_text(&w, head);
    server_sleep(50);
    assert_true(wire_send(&w, body, BIG_BYTES, DELIVER_WHOLE));
    wire_answer(&w, &a);
    assert_int_equal(a.status, status);
    assert_true(answer_lists(&a, "Connection", "close"));
    answer_fini(&a);
    wire_expect_end(&w);
    assert_false(w.reset);
    wire_close(&w);
    free(body);
}

static void early_answers_arrive_while_the_client_still_sends(void **state)
{
    (void)state;
    check_early("POST /a.txt HTTP/1.1\r\n" HOST
                "Content-Length: 1000000000\r\n\r\n",
                405);
    check_early("POST /lab/none HTTP/1.1\r\n" HOST
                "Content-Length: 1000000000\r\n\r\n",
                404);
    check_early("POST /small/sink HTTP/1.1\r\n" HOST
                "Content-Length: 1000000000\r\n\r\n",
                413);
    check_early("POST /lab/sink HTTP/1.1\r\n"
                "Content-Length: 1000000000\r\n\r\n",
                400);
    check_early("POST /lab/sink HTTP/1.1\r\n" HOST
                "Content-Length: 1000000000\r\nExpect: x\r\n\r\n",
                417);
}

static void refused_client_that_sends_for_ever_is_cut_off(void **state)
{
    char block[65536] = {0};
    uint64_t end = server_now_ms() + WIRE_MS;
    struct wire w;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, "POST /a.txt HTTP/1.1\r\n" HOST
                  "Content-Length: 100000000000\r\n\r\n");
    while (wire_send(&w, block, sizeof(block), DELIVER_WHOLE) &&
           server_now_ms() < end)
        ;
    assert_true(server_now_ms() < end);
    wire_close(&w);
}

static void client_that_leaves_in_mid_body_does_no_harm(void **state)
{
    struct wire w;
    (void)state;
    for (int i = 0; i < 20; i++) {
        wire_open(&w, server.port);
        wire_text(&w, i % 2 ? "POST /lab/sink HTTP/1.1\r\n" HOST
                              "Content-Length: 100\r\n\r\nhello"
                            : "POST /lab/echo HTTP/1.1\r\n" HOST CHUNKED
                              "\r\n5\r\nhel");
        wire_close(&w);
    }
    check("POST /lab/echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nok", 200,
          "ok");
}

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    server_text(&server, "www/a.txt", "a");
    server_start(&server,
                 "linger_timeout = \"2s\"\n"
                 "route \"/small/\" { lab = true\n body_bytes_max = 1k }",
                 "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_fini(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_with_length_is_taken_whole),
        cmocka_unit_test(body_in_chunks_is_taken_whole),
        cmocka_unit_test(trailers_are_told),
        cmocka_unit_test(body_on_http_1_0_is_taken),
        cmocka_unit_test(echo_gives_back_what_it_got),
        cmocka_unit_test(echo_of_chunks_with_trailers_is_whole),
        cmocka_unit_test(echo_answers_while_the_body_still_comes),
        cmocka_unit_test(echo_of_much_comes_back_the_same),
        cmocka_unit_test(body_without_a_length_needs_one),
        cmocka_unit_test(body_beyond_the_route_limit_is_too_large),
        cmocka_unit_test(chunks_beyond_the_route_limit_are_too_large),
        cmocka_unit_test(unwanted_short_body_keeps_the_connection),
        cmocka_unit_test(unwanted_chunks_are_never_a_request),
        cmocka_unit_test(continue_is_sent_when_the_body_is_wanted),
        cmocka_unit_test(continue_is_withheld_when_the_body_is_not_wanted),
        cmocka_unit_test(withheld_continue_ends_the_connection),
        cmocka_unit_test(continue_is_not_for_http_1_0),
        cmocka_unit_test(other_expectations_fail),
        cmocka_unit_test(early_answers_arrive_while_the_client_still_sends),
        cmocka_unit_test(refused_client_that_sends_for_ever_is_cut_off),
        cmocka_unit_test(client_that_leaves_in_mid_body_does_no_harm),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
