/* Who may read and publish, and how many streams there may be. */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define READER  "reader-0123456789abcdef"
#define WRITER  "writer-0123456789abcdef"
#define OWNER   "owner-0123456789abcdef0"
#define UNKNOWN "nobody-0123456789abcdef"

#define BEARER(token) "Authorization: Bearer " token "\r\n"

static struct server server;

static void start_with_tokens(void)
{
    server_text(&server, "tokens",
                "# who may what\n"
                "read    " READER " sensors/\n"
                "publish " WRITER " sensors/\n"
                "both    " OWNER " *\n"
                "read    public news\n");
    server_start(
        &server,
        FRIENDLY(" tokens = \"tokens\"") STRICT(" tokens = \"tokens\""), "");
}

static void expect_challenge(const char *line, const char *fields,
                             const char *body, int status,
                             const char *challenge)
{
    struct answer a;
    stream_ask(&server, line, fields, body, &a);
    assert_int_equal(a.status, status);
    const char *came = answer_field(&a, "WWW-Authenticate");
    assert_non_null(came);
    if (!strstr(came, challenge))
        print_message("%s: %s\n", line, came);
    assert_int_equal(strncmp(came, "Bearer realm=", 13), 0);
    assert_non_null(strstr(came, challenge));
    assert_string_equal(answer_field(&a, "Access-Control-Allow-Origin"), "*");
    answer_fini(&a);
}

static void every_address_of_this_machine_itself_is_allowed(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    server_start(&server, FRIENDLY(""), "");
    wire_open_from(&w, server.port, "127.0.0.2");
    wire_text(
        &w, "POST /s/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"
            "one");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 204);
    answer_fini(&a);
    wire_close(&w);
}

static const char embedded[] = "Host: localhost\r\n"
                               "Sec-Fetch-Site: cross-site\r\n"
                               "Sec-Fetch-Mode: no-cors\r\n";
static const char linked[] = "Host: localhost\r\n"
                             "Sec-Fetch-Site: cross-site\r\n"
                             "Sec-Fetch-Mode: navigate\r\n";

static void page_of_elsewhere_is_not_of_this_machine(void **state)
{
    static const char *const foreign[] = {
        "Host: evil.test\r\n",
        "Host: 127.0.0.1.evil.test\r\n",
        "Host: localhost\r\nOrigin: http://evil.test\r\n",
        "Host: localhost\r\nOrigin: https://localhost.evil.test:8080\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
        "Host: evil.test\r\nOrigin: http://localhost\r\n",
        embedded,
    };
    static const char *const own[] = {
        "Host: 127.0.0.1:8080\r\n",
        "Host: [::1]\r\nOrigin: http://localhost:3000\r\n",
        "Host: localhost\r\nOrigin: https://127.0.0.1\r\n",
        linked,
        "Host: localhost\r\nSec-Fetch-Site: same-origin\r\n",
    };
    static const char *const asks[] = {"GET /s/a", "GET /s/",
                                       "GET /s/?streams=a&from=now",
                                       "HEAD /s/a", "DELETE /s/b"};
    char request[512];
    (void)state;
    server_start(&server, FRIENDLY(""), "");
    stream_post(&server, "/s/a", "x");
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        for (size_t k = 0; k < sizeof asks / sizeof asks[0]; k++) {
            snprintf(request, sizeof request, "%s HTTP/1.1\r\n%s\r\n", asks[k],
                     foreign[i]);
            wire_expect_status(server.port, request, 403);
        }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        snprintf(request, sizeof request, "GET /s/a HTTP/1.1\r\n%s\r\n",
                 own[i]);
        wire_expect_status(server.port, request, 200);
    }
    wire_expect_status(server.port, "GET /s/a HTTP/1.0\r\n\r\n", 200);
    wire_expect_status(server.port,
                       "GET /s/a?live=raw HTTP/1.1\r\nHost: localhost\r\n"
                       "Origin: http://evil.test\r\n"
                       "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                       403);
}

static void mount_that_is_left_open_is_warned_of(void **state)
{
    (void)state;
    server_text(&server, "tokens", "both " OWNER " *\n");
    server_start(&server, FRIENDLY(" tokens = \"tokens\"") STRICT(""), "");
    server_expect_log(&server, "warn  route \"/v1/stream/\": has no tokens");
}

static void without_a_token_it_is_401(void **state)
{
    (void)state;
    start_with_tokens();
    expect_challenge("GET /s/sensors/a", "", NULL, 401, "realm");
    expect_challenge("HEAD /s/sensors/a", "", NULL, 401, "realm");
    expect_challenge("POST /s/sensors/a", "", "x", 401, "realm");
    expect_challenge("DELETE /s/sensors/a", "", NULL, 401, "realm");
    expect_challenge("GET /v1/stream/sensors/a", "", NULL, 401, "realm");
    expect_challenge("PUT /v1/stream/sensors/a", "", NULL, 401, "realm");
    expect_challenge("GET /s/", "", NULL, 401, "realm");
    expect_challenge("GET /s/none?live=raw&wait=10s", "", NULL, 401, "realm");
    /* Another scheme is as none. */
    expect_challenge("GET /s/sensors/a", "Authorization: Basic eDp5\r\n", NULL,
                     401, "realm");
}

static void token_that_nobody_has_is_401(void **state)
{
    (void)state;
    start_with_tokens();
    expect_challenge("GET /s/sensors/a", BEARER(UNKNOWN), NULL, 401,
                     "error=\"invalid_token\"");
    expect_challenge("POST /s/sensors/a", BEARER(READER "x"), "x", 401,
                     "error=\"invalid_token\"");
}

static void reading_and_publishing_are_allowed_apart(void **state)
{
    (void)state;
    start_with_tokens();
    stream_expect(&server, "POST /s/sensors/a", BEARER(WRITER), "x", 204);
    stream_expect(&server, "GET /s/sensors/a", BEARER(READER), NULL, 200);
    stream_expect(&server, "HEAD /s/sensors/a", BEARER(READER), NULL, 200);
    expect_challenge("GET /s/sensors/a", BEARER(WRITER), NULL, 403,
                     "error=\"insufficient_scope\"");
    expect_challenge("POST /s/sensors/a", BEARER(READER), "x", 403,
                     "error=\"insufficient_scope\"");
    expect_challenge("DELETE /s/sensors/a", BEARER(READER), NULL, 403,
                     "error=\"insufficient_scope\"");
    stream_expect(&server, "DELETE /s/sensors/a", BEARER(WRITER), NULL, 204);
}

static void prefix_bounds_what_a_token_is_for(void **state)
{
    (void)state;
    start_with_tokens();
    expect_challenge("POST /s/sensor", BEARER(WRITER), "x", 403, "scope");
    expect_challenge("POST /s/other/a", BEARER(WRITER), "x", 403, "scope");
    /* The name is what the path says, decoded. */
    stream_expect(&server, "POST /s/sensors%2Fb", BEARER(WRITER), "x", 204);
    stream_expect(&server, "GET /s/sensors/b", BEARER(READER), NULL, 200);
    stream_expect(&server, "POST /s/other/a", BEARER(OWNER), "x", 204);
    stream_expect(&server, "GET /s/other/a", BEARER(OWNER), NULL, 200);
    expect_challenge("GET /s/sensors/../other/a", BEARER(READER), NULL, 403,
                     "scope");
}

static void what_is_public_needs_no_token(void **state)
{
    (void)state;
    start_with_tokens();
    stream_expect(&server, "POST /s/news", BEARER(OWNER), "x", 204);
    stream_expect(&server, "GET /s/news", "", NULL, 200);
    stream_expect(&server, "GET /s/news", BEARER(UNKNOWN), NULL, 200);
    expect_challenge("POST /s/news", "", "x", 401, "realm");
}

static void browsers_may_send_the_token_in_the_address(void **state)
{
    struct live l;
    (void)state;
    start_with_tokens();
    stream_expect(&server, "POST /s/sensors/a?access_token=" WRITER, "", "one",
                  204);
    live_open(&l, server.port,
              "/s/sensors/a?live=raw&from=start&access_token=" READER, "");
    live_expect(&l, "one");
    live_close(&l);
    expect_challenge("GET /s/sensors/a?access_token=" UNKNOWN, "", NULL, 401,
                     "invalid_token");
    expect_challenge("GET /s/sensors/a?access_token=" READER, BEARER(READER),
                     NULL, 400, "invalid_request");
}

static void list_of_streams_is_for_who_may_read_all(void **state)
{
    struct answer a;
    (void)state;
    start_with_tokens();
    stream_expect(&server, "POST /s/other/a", BEARER(OWNER), "x", 204);
    expect_challenge("GET /s/", BEARER(READER), NULL, 403, "scope");
    stream_ask(&server, "GET /s/", BEARER(OWNER), NULL, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "other/a"));
    answer_fini(&a);
}

static void several_streams_need_the_right_to_each(void **state)
{
    (void)state;
    start_with_tokens();
    stream_expect(&server, "POST /s/sensors/a", BEARER(OWNER), "x", 204);
    stream_expect(&server, "POST /s/other/a", BEARER(OWNER), "x", 204);
    expect_challenge("GET /s/?streams=sensors/a,other/a",
                     BEARER(READER) "Accept: text/event-stream\r\n", NULL, 403,
                     "scope");
}

static void body_of_who_may_not_publish_is_not_read(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    start_with_tokens();
    wire_open(&w, server.port);
    wire_text(&w, "POST /s/sensors/a HTTP/1.1\r\nHost: localhost\r\n"
                  "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 401);
    answer_fini(&a);
    wire_close(&w);
}

static void streams_beyond_streams_max_are_503(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, "streams_max = 3\n" FRIENDLY("") STRICT(""), "");
    stream_post(&server, "/s/a", "x");
    stream_post(&server, "/s/b", "x");
    stream_post(&server, "/s/c", "x");
    stream_ask(&server, "POST /s/d", "", "x", &a);
    assert_int_equal(a.status, 503);
    assert_true(atoi(answer_field(&a, "Retry-After")) > 0);
    answer_fini(&a);
    stream_expect(&server, "PUT /v1/stream/d", TEXT_TYPE, "", 503);
    stream_post(&server, "/s/a", "more");
    stream_expect(&server, "DELETE /s/b", "", NULL, 204);
    stream_post(&server, "/s/d", "x");
}

/* Appends are refused, readers go on, and dropping streams makes room. */
static void short_memory_refuses_appends_and_serves_readers(void **state)
{
    static char piece[256 << 10];
    struct live reader;
    struct answer a = {.status = 204};
    unsigned n = 0;
    (void)state;
    memset(piece, 'm', sizeof piece - 1);
    server_start(&server, "memory_max = 12m\n" FRIENDLY(" policy = grow"), "");
    stream_post(&server, "/s/small", "x");
    live_open(&reader, server.port, "/s/small?live=raw&from=start", "");
    live_expect(&reader, "x");
    for (; n < 100 && a.status == 204; n++) {
        stream_ask(&server, "POST /s/big", "", piece, &a);
        if (a.status != 204)
            assert_non_null(answer_field(&a, "Retry-After"));
        answer_fini(&a);
    }
    assert_int_equal(a.status, 503);
    assert_in_range(n, 10, 60);
    live_expect_quiet(&reader, 100);
    stream_expect(&server, "DELETE /s/big", "", NULL, 204);
    stream_post(&server, "/s/small", "more");
    live_expect(&reader, "more");
    live_close(&reader);
}

static void live_readers_end_when_the_server_is_told_to(void **state)
{
    struct live raw;
    struct live sse;
    (void)state;
    server_start(&server, FRIENDLY(""), "");
    stream_post(&server, "/s/a", "x");
    live_open(&raw, server.port, "/s/a?live=raw&from=start", "");
    live_open(&sse, server.port, "/s/a?live=sse&from=start", "");
    live_expect(&raw, "x");
    uint64_t begun = server_now_ms();
    assert_int_equal(kill(server.pid, SIGTERM), 0);
    /* More may come elsewhere: that is no end of the bytes. */
    assert_int_equal(live_until_end(&raw, 2000), LIVE_CUT);
    assert_int_equal(live_until_end(&sse, 2000), LIVE_WHOLE);
    live_close(&raw);
    live_close(&sse);
    assert_int_equal(server_wait(&server, SERVER_STOP_MS), 0);
    assert_true(server_now_ms() - begun < 2500);
}

static void endless_publishers_end_when_the_server_is_told_to(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    server_start(&server, FRIENDLY(""), "");
    wire_open(&w, server.port);
    wire_text(&w, "PUT /s/a HTTP/1.1\r\nHost: localhost\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    wire_expect_quiet(&w, 100);
    uint64_t begun = server_now_ms();
    assert_int_equal(kill(server.pid, SIGTERM), 0);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 503);
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000003"));
    assert_non_null(answer_field(&a, "Retry-After"));
    answer_fini(&a);
    wire_close(&w);
    assert_int_equal(server_wait(&server, SERVER_STOP_MS), 0);
    assert_true(server_now_ms() - begun < 2500);
}

#define TEST(name) SERVER_TEST(name, &server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_address_of_this_machine_itself_is_allowed),
        TEST(page_of_elsewhere_is_not_of_this_machine),
        TEST(mount_that_is_left_open_is_warned_of),
        TEST(without_a_token_it_is_401),
        TEST(token_that_nobody_has_is_401),
        TEST(reading_and_publishing_are_allowed_apart),
        TEST(prefix_bounds_what_a_token_is_for),
        TEST(what_is_public_needs_no_token),
        TEST(browsers_may_send_the_token_in_the_address),
        TEST(list_of_streams_is_for_who_may_read_all),
        TEST(several_streams_need_the_right_to_each),
        TEST(body_of_who_may_not_publish_is_not_read),
        TEST(streams_beyond_streams_max_are_503),
        TEST(short_memory_refuses_appends_and_serves_readers),
        TEST(live_readers_end_when_the_server_is_told_to),
        TEST(endless_publishers_end_when_the_server_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
