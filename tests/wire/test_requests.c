/* Requests one after the other: keep-alive, pipelines, methods, versions. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PIPELINED     3000u
#define TARGET_BYTES  9000u
#define REQUEST_BYTES 40000u
#define GET_A         "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"

static struct server server;

/* Sends text on an open connection and checks the next answer. */
static void on(struct wire *w, const char *text, int status, const char *body)
{
    struct answer a;
    assert_true(wire_text(w, text));
    wire_answer(w, &a);
    assert_int_equal(a.status, status);
    if (body)
        assert_string_equal(a.body, body);
    answer_fini(&a);
}

static void connection_is_kept_between_requests(void **state)
{
    struct wire w;
    (void)state;
    wire_open(&w, server.port);
    on(&w, GET_A, 200, "a");
    wire_expect_quiet(&w, 50);
    on(&w, "GET /missing HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL);
    on(&w, "GET /b.txt HTTP/1.1\r\nHost: x\r\n\r\n", 200, "bb");
    wire_expect_quiet(&w, 0);
    wire_close(&w);
}

static void answers_of_1_1_do_not_say_close(void **state)
{
    struct answer a;
    (void)state;
    wire_ask(server.port, GET_A, &a);
    assert_false(answer_lists(&a, "Connection", "close"));
    assert_string_equal(answer_field(&a, "Content-Length"), "1");
    answer_fini(&a);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct wire w;
    (void)state;
    wire_open(&w, server.port);
    on(&w, GET_A "GET /b.txt HTTP/1.1\r\nHost: x\r\n\r\n" GET_A, 200, "a");
    on(&w, "", 200, "bb");
    on(&w, "", 200, "a");
    wire_expect_quiet(&w, 0);
    wire_close(&w);
}

static void pipeline_cut_anywhere_gives_the_same_answers(void **state)
{
    static const char two[] =
        "POST /lab/echo HTTP/1.1\r\nHost: x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n" GET_A;
    (void)state;
    for (size_t cut = 1; cut + 1 < sizeof(two); cut++) {
        struct wire w;
        wire_open(&w, server.port);
        assert_true(wire_send(&w, two, cut, DELIVER_WHOLE));
        server_sleep(1);
        on(&w, two + cut, 200, "abc");
        on(&w, "", 200, "a");
        wire_close(&w);
    }
}

/* Far more than any read-ahead: both sides have to wait for each other. */
static void pipeline_beyond_the_read_ahead_is_answered_whole(void **state)
{
    const size_t each = strlen(GET_A);
    char *all = malloc(PIPELINED * each);
    struct wire w;
    (void)state;
    assert_non_null(all);
    for (size_t i = 0; i < PIPELINED; i++)
        memcpy(all + i * each, GET_A, each);
    wire_open(&w, server.port);
    assert_true(wire_send(&w, all, PIPELINED * each, DELIVER_WHOLE));
    for (size_t i = 0; i < PIPELINED; i++)
        on(&w, "", 200, "a");
    wire_expect_quiet(&w, 0);
    wire_close(&w);
    free(all);
}

static void requests_wait_behind_a_slow_answer(void **state)
{
    struct wire w;
    (void)state;
    wire_open(&w, server.port);
    on(&w, "GET /lab/delay/0.2 HTTP/1.1\r\nHost: x\r\n\r\n" GET_A GET_A, 200,
       NULL);
    on(&w, "", 200, "a");
    on(&w, "", 200, "a");
    wire_close(&w);
}

static void bytes_behind_connection_close_are_ignored(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        static const char text[] = "GET /a.txt HTTP/1.1\r\nHost: x\r\n"
                                   "Connection: close\r\n\r\n" GET_A "!\r\n";
        wire_open(&w, server.port);
        wire_send(&w, text, strlen(text), d);
        wire_answer(&w, &a);
        assert_int_equal(a.status, 200);
        assert_true(answer_lists(&a, "Connection", "close"));
        answer_fini(&a);
        wire_expect_end(&w);
        wire_close(&w);
    }
}

static void close_is_found_among_other_options(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/a.txt", "Connection: foo, CLOSE ,bar\r\n", &a);
    assert_true(answer_lists(&a, "Connection", "close"));
    answer_fini(&a);
    wire_get(server.port, "/a.txt", "Connection: foo\r\nConnection: close\r\n",
             &a);
    assert_true(answer_lists(&a, "Connection", "close"));
    answer_fini(&a);
}

static void http_1_0_closes_after_the_answer(void **state)
{
    struct wire w;
    (void)state;
    wire_open(&w, server.port);
    on(&w, "GET /a.txt HTTP/1.0\r\n\r\n", 200, "a");
    wire_expect_end(&w);
    wire_close(&w);
}

static void http_1_0_is_kept_when_it_asks(void **state)
{
    static const char text[] =
        "GET /a.txt HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    struct wire w;
    struct answer a;
    (void)state;
    wire_ask(server.port, text, &a);
    assert_true(answer_lists(&a, "Connection", "keep-alive"));
    answer_fini(&a);
    wire_open(&w, server.port);
    on(&w, text, 200, "a");
    on(&w, text, 200, "a");
    wire_close(&w);
}

static void http_1_0_gets_a_stream_until_close(void **state)
{
    static const char *const heads[] = {
        "GET /lab/lines/3 HTTP/1.0\r\n\r\n",
        "GET /lab/lines/3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"};
    struct answer a;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        wire_ask(server.port, heads[i], &a);
        assert_true(a.until_close);
        assert_string_equal(a.body, "line 1\nline 2\nline 3\n");
        answer_fini(&a);
    }
}

static void head_has_the_fields_of_get_and_no_body(void **state)
{
    static const char *const targets[] = {"/a.txt", "/lab/bytes/1m",
                                          "/lab/lines/5", "/", "/missing"};
    char head[256];
    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct answer of_get;
        struct answer of_head;
        wire_get(server.port, targets[i], "", &of_get);
        snprintf(head, sizeof(head), "HEAD %s HTTP/1.1\r\nHost: test\r\n\r\n",
                 targets[i]);
        wire_ask(server.port, head, &of_head);
        assert_true(answer_same_head(&of_get, &of_head));
        answer_fini(&of_get);
        answer_fini(&of_head);
    }
}

static void head_keeps_the_connection(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, "HEAD /b.txt HTTP/1.1\r\nHost: x\r\n\r\n" GET_A);
    wire_answer_to_head(&w, &a);
    assert_string_equal(answer_field(&a, "Content-Length"), "2");
    answer_fini(&a);
    on(&w, "", 200, "a");
    wire_close(&w);
}

static void check_options(const char *request)
{
    struct answer a;
    wire_ask(server.port, request, &a);
    assert_true(a.status == 200 || a.status == 204);
    assert_true(answer_lists(&a, "Allow", "GET"));
    assert_true(answer_lists(&a, "Allow", "HEAD"));
    assert_true(answer_lists(&a, "Allow", "OPTIONS"));
    assert_int_equal(a.body_len, 0);
    answer_fini(&a);
}

static void options_names_what_is_allowed(void **state)
{
    (void)state;
    check_options("OPTIONS /a.txt HTTP/1.1\r\nHost: x\r\n\r\n");
    check_options("OPTIONS /lab/bytes/1 HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void options_of_the_server_as_a_whole_is_answered(void **state)
{
    (void)state;
    check_options("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void absolute_form_goes_to_the_same_place(void **state)
{
    static const char *const targets[] = {
        "http://other/b.txt", "http://other:81/b.txt?q", "HTTP://Other/b.txt",
        "http://[::1]:8080/b.txt"};
    struct answer a;
    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        wire_get(server.port, targets[i], "", &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "bb");
        answer_fini(&a);
    }
}

static void absolute_form_without_a_path_is_the_root(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "http://other", "Accept: text/plain\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "a.txt"));
    answer_fini(&a);
}

static void methods_are_refused_with_what_is_allowed(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH"};
    char request[256];
    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct answer a;
        snprintf(request, sizeof(request),
                 "%s /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
                 methods[i]);
        wire_ask(server.port, request, &a);
        assert_int_equal(a.status, 405);
        assert_true(answer_lists(&a, "Allow", "GET"));
        assert_false(answer_lists(&a, "Allow", methods[i]));
        answer_fini(&a);
    }
}

static void connect_and_trace_are_never_obeyed(void **state)
{
    struct answer a;
    (void)state;
    wire_ask(server.port, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", &a);
    assert_true(a.status == 405 || a.status == 501);
    answer_fini(&a);
    wire_ask(server.port,
             "TRACE /a.txt HTTP/1.1\r\nHost: x\r\nSecret: s3cret\r\n\r\n", &a);
    assert_true(a.status == 405 || a.status == 501);
    assert_null(strstr(a.body, "s3cret"));
    answer_fini(&a);
}

static void unknown_methods_are_not_implemented(void **state)
{
    (void)state;
    wire_expect_status(server.port, "BREW /a.txt HTTP/1.1\r\nHost: x\r\n\r\n",
                       501);
    wire_expect_status(server.port, "get /a.txt HTTP/1.1\r\nHost: x\r\n\r\n",
                       501);
}

/* "GET /" and n letters, then fields. */
static char *long_request(size_t target_n, const char *field, size_t field_n)
{
    char *request = malloc(REQUEST_BYTES);
    assert_non_null(request);
    memcpy(request, "GET /", 5);
    memset(request + 5, 'a', target_n);
    int n = snprintf(request + 5 + target_n, REQUEST_BYTES - 5 - target_n,
                     " HTTP/1.1\r\nHost: x\r\n");
    size_t at = 5 + target_n + (size_t)n;
    for (size_t left = field_n; left > 0; left--) {
        n = snprintf(request + at, REQUEST_BYTES - at, "%s", field);
        at += (size_t)n;
        assert_true(at + 8 < REQUEST_BYTES);
    }
    memcpy(request + at, "\r\n", 3);
    return request;
}

static void check_long(size_t target_n, const char *field, size_t field_n,
                       int status)
{
    char *request = long_request(target_n, field, field_n);
    wire_expect_status(server.port, request, status);
    free(request);
}

static void target_beyond_its_limit_is_too_long(void **state)
{
    (void)state;
    check_long(TARGET_BYTES, "", 0, 414);
    check_long(7000, "", 0, 404);
}

static void target_beyond_the_whole_head_is_too_long(void **state)
{
    (void)state;
    check_long(30000, "", 0, 414);
}

static void head_beyond_its_limit_is_too_large(void **state)
{
    static const char field[] =
        "Name-of-a-field: 012345678901234567890123456789"
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "\r\n";
    (void)state;
    check_long(1, field, 70, 431);
    check_long(1, field, 40, 404);
}

static void too_many_fields_are_too_large(void **state)
{
    (void)state;
    check_long(1, "A: b\r\n", 101, 431);
    check_long(1, "A: b\r\n", 98, 404);
}

static void empty_lines_before_a_request_end_somewhere(void **state)
{
    char request[4096] = "";
    (void)state;
    for (size_t i = 0; i < 1000; i++)
        memcpy(request + 2 * i, "\r\n", 3);
    strcat(request, GET_A);
    wire_expect_status(server.port, request, 400);
}

static void errors_say_what_would_be_right(void **state)
{
    struct answer a;
    (void)state;
    wire_ask(server.port, "GET /a.txt HTTP/1.1\r\n\r\n", &a);
    assert_int_equal(a.status, 400);
    assert_non_null(strstr(answer_field(&a, "Content-Type"), "text/plain"));
    assert_non_null(strstr(a.body, "Host"));
    answer_fini(&a);
}

static void half_closed_client_gets_its_answer(void **state)
{
    struct wire w;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, GET_A);
    wire_end(&w);
    on(&w, "", 200, "a");
    wire_expect_end(&w);
    wire_close(&w);
}

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    server_text(&server, "www/a.txt", "a");
    server_text(&server, "www/b.txt", "bb");
    server_start(&server, "", "");
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
        cmocka_unit_test(connection_is_kept_between_requests),
        cmocka_unit_test(answers_of_1_1_do_not_say_close),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(pipeline_cut_anywhere_gives_the_same_answers),
        cmocka_unit_test(pipeline_beyond_the_read_ahead_is_answered_whole),
        cmocka_unit_test(requests_wait_behind_a_slow_answer),
        cmocka_unit_test(bytes_behind_connection_close_are_ignored),
        cmocka_unit_test(close_is_found_among_other_options),
        cmocka_unit_test(http_1_0_closes_after_the_answer),
        cmocka_unit_test(http_1_0_is_kept_when_it_asks),
        cmocka_unit_test(http_1_0_gets_a_stream_until_close),
        cmocka_unit_test(head_has_the_fields_of_get_and_no_body),
        cmocka_unit_test(head_keeps_the_connection),
        cmocka_unit_test(options_names_what_is_allowed),
        cmocka_unit_test(options_of_the_server_as_a_whole_is_answered),
        cmocka_unit_test(absolute_form_goes_to_the_same_place),
        cmocka_unit_test(absolute_form_without_a_path_is_the_root),
        cmocka_unit_test(methods_are_refused_with_what_is_allowed),
        cmocka_unit_test(connect_and_trace_are_never_obeyed),
        cmocka_unit_test(unknown_methods_are_not_implemented),
        cmocka_unit_test(target_beyond_its_limit_is_too_long),
        cmocka_unit_test(target_beyond_the_whole_head_is_too_long),
        cmocka_unit_test(head_beyond_its_limit_is_too_large),
        cmocka_unit_test(too_many_fields_are_too_large),
        cmocka_unit_test(empty_lines_before_a_request_end_somewhere),
        cmocka_unit_test(errors_say_what_would_be_right),
        cmocka_unit_test(half_closed_client_gets_its_answer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
