/* The strict mount where the protocol's suite does not look: bounds that a
 * creator asks for, policies that are full, bytes that were dropped, tokens. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES      "Content-Type: application/octet-stream\r\n"
#define QUIET_MS   300u
#define MAX_BYTES  (128u << 10)
#define BODY_4096  4096
#define READ_TOKEN "aaaaaaaaaaaaaaaaaaaaaaaa"
#define BOTH_TOKEN "bbbbbbbbbbbbbbbbbbbbbbbb"

static const char routes[] = "}\n"
                             "route \"/v1/stream/\" {\n"
                             "    streams = \"strict\"\n"
                             "}\n"
                             "route \"/s/\" {\n"
                             "    streams = \"friendly\"\n"
                             "}\n"
                             "route \"/guarded/\" {\n"
                             "    streams = \"strict\"\n"
                             "    tokens = \"tokens\"\n";

static struct server server;

static int start(void **state)
{
    (void)state;
    server_init(&server);
    server_text(&server, "tokens",
                "both " BOTH_TOKEN " mine/\nread " READ_TOKEN " theirs/\n"
                "both cccccccccccccccccccccccc theirs/\n");
    server_start(&server, "", routes);
    return 0;
}

static int end(void **state)
{
    (void)state;
    server_fini(&server);
    return 0;
}

/* A request with a body of body_len bytes 'x'. */
static size_t write_request(char *out, const char *line, const char *fields,
                            size_t body_len)
{
    int n = snprintf(
        out, MAX_BYTES,
        "%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n", line,
        fields, body_len);
    assert_true(n > 0 && (size_t)n + body_len < MAX_BYTES);
    memset(out + n, 'x', body_len);
    out[(size_t)n + body_len] = '\0';
    return (size_t)n + body_len;
}

static void ask(const char *line, const char *fields, size_t body_len,
                struct answer *ret)
{
    static char request[MAX_BYTES];
    write_request(request, line, fields, body_len);
    wire_ask_by(server.port, request, DELIVER_WHOLE, ret);
}

static void expect(const char *line, const char *fields, size_t body_len,
                   int status)
{
    struct answer a;
    ask(line, fields, body_len, &a);
    if (a.status != status)
        print_message("--- %s: %s%s\n", line, a.head, a.body);
    assert_int_equal(a.status, status);
    answer_fini(&a);
}

static void send_append(struct wire *w, const char *path, size_t len)
{
    static char request[MAX_BYTES];
    char line[256];
    snprintf(line, sizeof line, "POST %s", path);
    wire_open(w, server.port);
    assert_true(wire_send(w, request, write_request(request, line, BYTES, len),
                          DELIVER_WHOLE));
}

static void expect_answer(struct wire *w, int status)
{
    struct answer a;
    wire_answer(w, &a);
    assert_int_equal(a.status, status);
    answer_fini(&a);
    wire_close(w);
}

/* Follows a stream from its tail, until its head and first event are there. */
static void open_reader(struct wire *w, const char *path)
{
    char request[512];
    snprintf(request, sizeof request,
             "GET %s?offset=now&live=sse HTTP/1.1\r\nHost: localhost\r\n\r\n",
             path);
    wire_open(w, server.port);
    assert_true(wire_text(w, request));
    while (!w->in || !memmem(w->in, w->in_len, "upToDate", 8))
        assert_true(wire_read(w, WIRE_MS));
}

static void bounds_are_a_creators_to_choose(void **state)
{
    (void)state;
    const char *path = "PUT /v1/stream/chosen";
    expect(path, BYTES "Stream-Policy: reject\r\nStream-Capacity: 4k\r\n", 0,
           201);
    expect(path, BYTES, 0, 200);
    expect(path, BYTES "Stream-Policy: reject\r\n", 0, 200);
    expect(path, BYTES "Stream-Policy: block\r\n", 0, 409);
    expect(path, BYTES "Stream-Capacity: 8k\r\n", 0, 409);
    expect("PUT /v1/stream/other", BYTES "Stream-Capacity: 1t\r\n", 0, 400);
    expect("HEAD /v1/stream/other", "", 0, 404);
}

static void refused_creation_leaves_nothing_behind(void **state)
{
    (void)state;
    expect("PUT /v1/stream/large",
           BYTES "Stream-Policy: reject\r\nStream-Capacity: 4k\r\n",
           BODY_4096 + 1, 413);
    expect("GET /v1/stream/large", "", 0, 404);
    expect("PUT /v1/stream/large",
           BYTES "Stream-Policy: reject\r\nStream-Capacity: 4k\r\n", BODY_4096,
           201);
}

static void full_stream_rejects_and_stays_as_it_was(void **state)
{
    struct answer a;
    (void)state;
    expect("PUT /v1/stream/full",
           BYTES "Stream-Policy: reject\r\nStream-Capacity: 4k\r\n", 4000, 201);
    ask("POST /v1/stream/full", BYTES, 97, &a);
    assert_int_equal(a.status, 503);
    assert_non_null(answer_field(&a, "Retry-After"));
    assert_string_equal(answer_field(&a, "X-Content-Type-Options"), "nosniff");
    answer_fini(&a);
    expect("POST /v1/stream/full", BYTES, 96, 204);
    ask("GET /v1/stream/full", "", 0, &a);
    assert_int_equal(a.body_len, BODY_4096);
    answer_fini(&a);
}

static void lapped_reader_is_told_where_to_go_on(void **state)
{
    struct answer a;
    (void)state;
    expect("PUT /v1/stream/lapped",
           BYTES "Stream-Policy: drop-oldest\r\nStream-Capacity: 4k\r\n", 3000,
           201);
    expect("POST /v1/stream/lapped", BYTES, 3000, 204);
    ask("GET /v1/stream/lapped?offset=0000000000000000_0000000000000001", "", 0,
        &a);
    assert_int_equal(a.status, 410);
    assert_string_equal(answer_field(&a, "Stream-Earliest-Offset"),
                        "0000000000000000_0000000000003000");
    answer_fini(&a);
    ask("GET /v1/stream/lapped?offset=-1", "", 0, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 3000);
    answer_fini(&a);
}

static void blocked_publisher_waits_for_the_reader(void **state)
{
    struct wire reader;
    struct wire publisher;
    (void)state;
    expect("PUT /v1/stream/slow",
           BYTES "Stream-Policy: block\r\nStream-Capacity: 4k\r\n", 3000, 201);
    send_append(&publisher, "/v1/stream/slow", 3000);
    wire_expect_quiet(&publisher, QUIET_MS);
    open_reader(&reader, "/v1/stream/slow");
    expect_answer(&publisher, 204);
    wire_close(&reader);
}

static void blocked_publisher_hears_of_the_end(void **state)
{
    struct wire publisher;
    (void)state;
    expect("PUT /v1/stream/ended",
           BYTES "Stream-Policy: block\r\nStream-Capacity: 4k\r\n", 3000, 201);
    send_append(&publisher, "/v1/stream/ended", 3000);
    wire_expect_quiet(&publisher, QUIET_MS);
    expect("DELETE /v1/stream/ended", "", 0, 204);
    expect_answer(&publisher, 404);
}

static void large_piece_of_a_live_body_fits_a_small_stream(void **state)
{
    static char request[MAX_BYTES];
    struct answer a;
    size_t body = 65536;
    (void)state;
    expect("PUT /v1/stream/pieces",
           BYTES "Stream-Policy: drop-oldest\r\nStream-Capacity: 4k\r\n", 0,
           201);
    int n =
        snprintf(request, sizeof request,
                 "POST /v1/stream/pieces HTTP/1.1\r\nHost: localhost\r\n" BYTES
                 "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                 body);
    memset(request + n, 'x', body);
    snprintf(request + n + body, sizeof request - (size_t)n - body,
             "\r\n0\r\n\r\n");
    wire_ask_by(server.port, request, DELIVER_WHOLE, &a);
    assert_int_equal(a.status, 204);
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        "0000000000000000_0000000000065536");
    answer_fini(&a);
}

static void live_body_is_visible_before_its_end(void **state)
{
    struct wire publisher;
    struct answer a;
    (void)state;
    expect("PUT /v1/stream/seen", BYTES, 0, 201);
    wire_open(&publisher, server.port);
    assert_true(wire_text(
        &publisher, "POST /v1/stream/seen HTTP/1.1\r\nHost: localhost\r\n" BYTES
                    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
    ask("GET /v1/stream/seen?offset=-1&live=long-poll", "", 0, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "abc");
    answer_fini(&a);
    assert_true(wire_text(&publisher, "0\r\n\r\n"));
    expect_answer(&publisher, 204);
}

static void empty_live_body_is_no_append(void **state)
{
    struct answer a;
    (void)state;
    expect("PUT /v1/stream/empty", BYTES, 0, 201);
    wire_ask_by(server.port,
                "POST /v1/stream/empty HTTP/1.1\r\nHost: localhost\r\n" BYTES
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                DELIVER_BYTES, &a);
    assert_int_equal(a.status, 400);
    answer_fini(&a);
    wire_ask_by(server.port,
                "POST /v1/stream/empty HTTP/1.1\r\nHost: localhost\r\n" BYTES
                "Stream-Closed: true\r\n"
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                DELIVER_BYTES, &a);
    assert_int_equal(a.status, 204);
    assert_string_equal(answer_field(&a, "Stream-Closed"), "true");
    answer_fini(&a);
}

static void modes_of_the_friendly_mount_are_refused(void **state)
{
    struct answer a;
    (void)state;
    expect("PUT /v1/stream/modes", BYTES, 3, 201);
    expect("GET /v1/stream/modes?offset=-1&live=raw", "", 0, 400);
    ask("HEAD /v1/stream/modes", "", 0, &a);
    assert_int_equal(a.status, 200);
    assert_null(answer_field(&a, "Accept-Ranges"));
    answer_fini(&a);
}

static void fork_takes_only_what_may_be_read(void **state)
{
    (void)state;
    const char *mine = "PUT /guarded/mine/fork";
    expect("PUT /guarded/theirs/secret",
           BYTES "Authorization: Bearer cccccccccccccccccccccccc\r\n", 3, 201);
    expect(mine,
           "Authorization: Bearer " BOTH_TOKEN "\r\n"
           "Stream-Forked-From: /guarded/theirs/secret\r\n",
           0, 403);
    expect("GET /guarded/mine/fork", "Authorization: Bearer " BOTH_TOKEN "\r\n",
           0, 404);
    expect("PUT /guarded/theirs/fork",
           "Authorization: Bearer " READ_TOKEN "\r\n"
           "Stream-Forked-From: /guarded/theirs/secret\r\n",
           0, 403);
    expect("PUT /guarded/theirs/fork",
           "Authorization: Bearer cccccccccccccccccccccccc\r\n"
           "Stream-Forked-From: /guarded/theirs/secret\r\n",
           0, 201);
}

static void what_tokens_guard_is_not_for_shared_caches(void **state)
{
    struct answer a;
    (void)state;
    expect("PUT /guarded/mine/kept",
           BYTES "Authorization: Bearer " BOTH_TOKEN "\r\n", 3, 201);
    ask("GET /guarded/mine/kept", "Authorization: Bearer " BOTH_TOKEN "\r\n", 0,
        &a);
    assert_int_equal(a.status, 200);
    assert_true(answer_lists(&a, "Cache-Control", "private"));
    assert_false(answer_lists(&a, "Cache-Control", "public"));
    answer_fini(&a);
    expect("PUT /v1/stream/kept", BYTES, 3, 201);
    ask("GET /v1/stream/kept", "", 0, &a);
    assert_true(answer_lists(&a, "Cache-Control", "public"));
    answer_fini(&a);
}

static void tag_of_another_process_does_not_match(void **state)
{
    struct answer a;
    char fields[256];
    (void)state;
    assert_int_equal(server_stop(&server, SIGTERM), 0);
    server_start(&server, "", routes);
    expect("PUT /v1/stream/tagged", BYTES, 3, 201);
    ask("GET /v1/stream/tagged", "", 0, &a);
    snprintf(fields, sizeof fields, "If-None-Match: %s\r\n",
             answer_field(&a, "ETag"));
    answer_fini(&a);
    expect("GET /v1/stream/tagged", fields, 0, 304);
    assert_int_equal(server_stop(&server, SIGTERM), 0);
    server_start(&server, "", routes);
    expect("PUT /v1/stream/tagged", BYTES, 3, 201);
    expect("GET /v1/stream/tagged", fields, 0, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_a_creators_to_choose),
        cmocka_unit_test(refused_creation_leaves_nothing_behind),
        cmocka_unit_test(full_stream_rejects_and_stays_as_it_was),
        cmocka_unit_test(lapped_reader_is_told_where_to_go_on),
        cmocka_unit_test(blocked_publisher_waits_for_the_reader),
        cmocka_unit_test(blocked_publisher_hears_of_the_end),
        cmocka_unit_test(large_piece_of_a_live_body_fits_a_small_stream),
        cmocka_unit_test(live_body_is_visible_before_its_end),
        cmocka_unit_test(empty_live_body_is_no_append),
        cmocka_unit_test(modes_of_the_friendly_mount_are_refused),
        cmocka_unit_test(fork_takes_only_what_may_be_read),
        cmocka_unit_test(what_tokens_guard_is_not_for_shared_caches),
        cmocka_unit_test(tag_of_another_process_does_not_match),
    };
    return cmocka_run_group_tests(tests, start, end);
}
