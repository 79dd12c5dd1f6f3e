/* What answers about streams say of themselves: ranges, validators, HEAD, and
 * the lines that browsers want. */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIVE_LAST "9007199254740991" /* 2^53-1 */
#define CLOSE     "Stream-Closed: true\r\n"

static struct server server;

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    stream_start(&server);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_fini(&server);
    return 0;
}

/* Asks for a range of /s/a; content_range NULL: there must be none. */
static void expect_range(const char *range, int status,
                         const char *content_range, const char *body)
{
    char fields[128];
    struct answer a;
    snprintf(fields, sizeof fields, "Range: %s\r\n", range);
    stream_ask(&server, "GET /s/a", fields, NULL, &a);
    if (a.status != status || (body && strcmp(a.body, body) != 0))
        print_message("--- %s gave\n%s\n%s\n", range, a.head, a.body);
    assert_int_equal(a.status, status);
    const char *came = answer_field(&a, "Content-Range");
    if (content_range)
        assert_string_equal(came, content_range);
    else
        assert_null(came);
    if (body)
        assert_string_equal(a.body, body);
    answer_fini(&a);
}

static void range_of_a_growing_stream_has_no_total(void **state)
{
    (void)state;
    stream_post(&server, "/s/a", "0123456789");
    expect_range("bytes=2-4", 206, "bytes 2-4/*", "234");
    expect_range("bytes=0-0", 206, "bytes 0-0/*", "0");
    expect_range("bytes=7-", 206, "bytes 7-9/*", "789");
    expect_range("bytes=7-100", 206, "bytes 7-9/*", "789");
}

static void range_of_a_closed_stream_has_its_total(void **state)
{
    (void)state;
    stream_post(&server, "/s/a", "0123456789");
    stream_expect(&server, "POST /s/a", CLOSE, "", 204);
    expect_range("bytes=2-4", 206, "bytes 2-4/10", "234");
    expect_range("bytes=7-" LIVE_LAST, 206, "bytes 7-9/10", "789");
    expect_range("bytes=10-", 416, "bytes */10", NULL);
}

static void range_of_another_stream_is_not_taken(void **state)
{
    struct answer a;
    char same[160];
    (void)state;
    stream_post(&server, "/s/a", "0123456789");
    stream_ask(&server, "GET /s/a", "", NULL, &a);
    snprintf(same, sizeof same, "Range: bytes=2-\r\nIf-Range: %s\r\n",
             answer_field(&a, "ETag"));
    answer_fini(&a);
    stream_post(&server, "/s/a", "more");
    stream_expect(&server, "GET /s/a", same, NULL, 206);
    stream_expect(&server, "DELETE /s/a", "", NULL, 204);
    stream_post(&server, "/s/a", "0123456789");
    stream_expect(&server, "GET /s/a", same, NULL, 200);
}

static void range_is_of_the_bytes_from_the_first_on(void **state)
{
    struct answer a;
    char same[160];
    (void)state;
    stream_expect(&server, "POST /s/j", JSON_TYPE, "[1,2]", 204);
    stream_expect(&server, "GET /s/j", "Range: bytes=1-\r\n", NULL, 200);
    stream_expect(&server, "POST /s/a", TEXT_TYPE "Stream-Max-Messages: 1\r\n",
                  "one", 204);
    stream_ask(&server, "GET /s/a", "Range: bytes=1-\r\n", NULL, &a);
    assert_int_equal(a.status, 206);
    assert_true(answer_lists(&a, "Vary", "Accept"));
    snprintf(same, sizeof same, "Range: bytes=3-\r\nIf-Range: %s\r\n",
             answer_field(&a, "ETag"));
    answer_fini(&a);
    stream_expect(&server, "GET /s/a?from=start", "Range: bytes=1-\r\n", NULL,
                  200);
    stream_expect(&server, "POST /s/a", "", "two", 204);
    stream_expect(&server, "GET /s/a", same, NULL, 206);
    stream_ask(&server, "GET /s/a", "", NULL,
               &a); /* from 3 on, not the whole */
    snprintf(same, sizeof same, "Range: bytes=3-\r\nIf-Range: %s\r\n",
             answer_field(&a, "ETag"));
    answer_fini(&a);
    stream_expect(&server, "GET /s/a", same, NULL, 200);
}

static void head_of_a_part_says_no_length(void **state)
{
    static const char *const parts[] = {
        "HEAD /s/a?offset=" OFFSET("0000000000000001"), "HEAD /s/a?live=raw",
        "HEAD /s/a?from=-1"};
    struct answer a;
    (void)state;
    stream_post(&server, "/s/a", "one");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        stream_ask(&server, parts[i], "", NULL, &a);
        assert_int_equal(a.status, 200);
        assert_null(answer_field(&a, "Content-Length"));
        assert_null(answer_field(&a, "Transfer-Encoding"));
        answer_fini(&a);
    }
    stream_ask(&server, "HEAD /s/a", "Accept: text/event-stream\r\n", NULL, &a);
    assert_null(answer_field(&a, "Content-Length"));
    answer_fini(&a);
}

static void range_outside_says_what_there_is(void **state)
{
    struct answer a;
    (void)state;
    stream_post(&server, "/s/a", "0123456789");
    stream_ask(&server, "GET /s/a", "Range: bytes=10-\r\n", NULL, &a);
    assert_int_equal(a.status, 416);
    assert_string_equal(answer_field(&a, "Stream-Earliest-Offset"),
                        OFFSET("0000000000000000"));
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000010"));
    answer_fini(&a);
    expect_range("bytes=11-" LIVE_LAST, 416, NULL, NULL);
}

static void range_before_what_is_kept_is_416(void **state)
{
    static char much[3000];
    (void)state;
    memset(much, 'x', sizeof much - 1);
    stream_expect(&server, "POST /s/a", "Stream-Capacity: 4k\r\n", much, 204);
    stream_expect(&server, "POST /s/a", "", much, 204);
    expect_range("bytes=0-9", 416, NULL, NULL);
    expect_range("bytes=2999-3001", 206, "bytes 2999-3001/*", "xxx");
}

static void range_that_cannot_be_is_left_out(void **state)
{
    static const char *const ranges[] = {"bytes=5-2", "bytes=-3", "bytes=0-1,3",
                                         "lines=0-1", "bytes=a-b"};
    (void)state;
    stream_post(&server, "/s/a", "0123456789");
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        expect_range(ranges[i], 200, NULL, "0123456789");
}

static void range_with_a_very_large_end_is_live(void **state)
{
    struct live l;
    (void)state;
    stream_post(&server, "/s/a", "0123456789");
    live_open(&l, server.port, "/s/a", "Range: bytes=4-" LIVE_LAST "\r\n");
    assert_int_equal(l.status, 206);
    assert_string_equal(live_field(&l, "Content-Range"),
                        "bytes 4-" LIVE_LAST "/*");
    live_expect(&l, "456789");
    stream_post(&server, "/s/a", "abc");
    live_expect(&l, "abc");
    stream_expect(&server, "POST /s/a", CLOSE, "", 204);
    assert_int_equal(live_until_end(&l, 2000), LIVE_WHOLE);
    live_close(&l);
}

static void live_range_may_begin_at_the_tail(void **state)
{
    struct live l;
    (void)state;
    stream_post(&server, "/s/a", "0123");
    live_open(&l, server.port, "/s/a", "Range: bytes=4-" LIVE_LAST "\r\n");
    assert_int_equal(l.status, 206);
    live_expect_quiet(&l, 50);
    stream_post(&server, "/s/a", "4");
    live_expect(&l, "4");
    live_close(&l);
}

static void tag_that_still_fits_is_304(void **state)
{
    struct answer a;
    char fields[256];
    (void)state;
    stream_post(&server, "/s/a", "one");
    stream_ask(&server, "GET /s/a?offset=-1", "", NULL, &a);
    assert_int_equal(a.status, 200);
    snprintf(fields, sizeof fields, "If-None-Match: %s\r\n",
             answer_field(&a, "ETag"));
    answer_fini(&a);
    stream_ask(&server, "GET /s/a?offset=-1", fields, NULL, &a);
    assert_int_equal(a.status, 304);
    assert_int_equal(a.body_len, 0);
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000003"));
    answer_fini(&a);
    stream_post(&server, "/s/a", "two");
    stream_expect(&server, "GET /s/a?offset=-1", fields, NULL, 200);
}

static void tag_changes_when_the_stream_is_closed_or_made_anew(void **state)
{
    struct answer a;
    char fields[256];
    (void)state;
    stream_post(&server, "/s/a", "one");
    stream_ask(&server, "GET /s/a?offset=-1", "", NULL, &a);
    snprintf(fields, sizeof fields, "If-None-Match: %s\r\n",
             answer_field(&a, "ETag"));
    answer_fini(&a);
    stream_expect(&server, "POST /s/a", CLOSE, "", 204);
    stream_expect(&server, "GET /s/a?offset=-1", fields, NULL, 200);
    stream_expect(&server, "DELETE /s/a", "", NULL, 204);
    stream_post(&server, "/s/a", "two");
    stream_expect(&server, "GET /s/a?offset=-1", fields, NULL, 200);
}

static void head_describes_a_stream(void **state)
{
    struct answer a;
    (void)state;
    stream_expect(&server, "POST /s/a", TEXT_TYPE "Stream-TTL: 100\r\n", "one",
                  204);
    stream_ask(&server, "HEAD /s/a", "", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_field(&a, "Content-Type"), "text/plain");
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000003"));
    assert_string_equal(answer_field(&a, "Stream-Earliest-Offset"),
                        OFFSET("0000000000000000"));
    assert_string_equal(answer_field(&a, "Stream-TTL"), "100");
    assert_string_equal(answer_field(&a, "Accept-Ranges"), "bytes");
    assert_string_equal(answer_field(&a, "Cache-Control"), "no-store");
    assert_string_equal(answer_field(&a, "Content-Length"), "3");
    assert_null(answer_field(&a, "Stream-Closed"));
    answer_fini(&a);
    stream_expect(&server, "POST /s/a", CLOSE, "", 204);
    stream_ask(&server, "HEAD /s/a", "", NULL, &a);
    assert_string_equal(answer_field(&a, "Stream-Closed"), "true");
    answer_fini(&a);
    stream_expect(&server, "HEAD /s/none", "", NULL, 404);
}

static void expect_browser_lines(const char *line, const char *fields,
                                 const char *body, int status)
{
    struct answer a;
    stream_ask(&server, line, fields, body, &a);
    if (a.status != status)
        print_message("--- %s gave\n%s\n%s\n", line, a.head, a.body);
    assert_int_equal(a.status, status);
    assert_int_equal(answer_field_n(&a, "Access-Control-Allow-Origin"), 1);
    assert_string_equal(answer_field(&a, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(answer_field(&a, "Access-Control-Expose-Headers"), "*");
    assert_int_equal(answer_field_n(&a, "X-Content-Type-Options"), 1);
    assert_string_equal(answer_field(&a, "Cross-Origin-Resource-Policy"),
                        "cross-origin");
    answer_fini(&a);
}

static void browser_lines_are_on_errors_too(void **state)
{
    (void)state;
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "one", 204);
    expect_browser_lines("GET /s/a", "", NULL, 200);
    expect_browser_lines("HEAD /s/a", "", NULL, 200);
    expect_browser_lines("POST /s/a", "", "two", 204);
    expect_browser_lines("GET /s/a?offset=x", "", NULL, 400);
    expect_browser_lines("GET /s/none", "", NULL, 404);
    expect_browser_lines("PATCH /s/a", "", "", 405);
    expect_browser_lines("POST /s/a", "Content-Type: image/png\r\n", "x", 409);
    expect_browser_lines("GET /s/a?offset=" OFFSET("0000000000000099"), "",
                         NULL, 410);
    expect_browser_lines("GET /s/a", "Range: bytes=99-\r\n", NULL, 416);
    expect_browser_lines("GET /v1/stream/none", "", NULL, 404);
    expect_browser_lines("POST /v1/stream/a", "", "x", 400);
    expect_browser_lines("POST /s/a", "Content-Length: 99999999999\r\n", NULL,
                         413);
}

static void preflight_allows_what_clients_send(void **state)
{
    static const char *const paths[] = {"OPTIONS /s/none", "OPTIONS /s/",
                                        "OPTIONS /v1/stream/none"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct answer a;
        stream_ask(&server, paths[i],
                   "Origin: http://page.test\r\n"
                   "Access-Control-Request-Method: POST\r\n",
                   NULL, &a);
        assert_int_equal(a.status, 204);
        assert_true(answer_lists(&a, "Access-Control-Allow-Methods", "DELETE"));
        assert_true(
            answer_lists(&a, "Access-Control-Allow-Headers", "Stream-Policy"));
        assert_true(
            answer_lists(&a, "Access-Control-Allow-Headers", "Last-Event-ID"));
        assert_string_equal(answer_field(&a, "Access-Control-Allow-Origin"),
                            "*");
        answer_fini(&a);
    }
}

static void parameters_that_make_no_sense_are_400(void **state)
{
    static const char *const lines[] = {
        "GET /s/a?offset=12",
        "GET /s/a?offset=0000000000000000_000000000000000x",
        "GET /s/a?offset=-1&offset=-1",
        "GET /s/a?live=yes",
        "GET /s/a?live=raw&live=raw",
        "GET /s/a?live=long-poll",
        "GET /s/a?live=raw&slow=perhaps",
        "GET /s/a?live=raw&lag=none",
        "GET /s/a?live=raw&lag=0",
        "GET /s/a?wait=%zz",
    };
    (void)state;
    stream_post(&server, "/s/a", "x");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        stream_expect(&server, lines[i], "", NULL, 400);
}

static void name_is_whatever_stands_behind_the_prefix(void **state)
{
    struct answer a;
    char line[1200] = "GET /s/";
    (void)state;
    stream_post(&server, "/s/a/b%20c", "deep");
    stream_ask(&server, "GET /v1/stream/a/b%20c", "", NULL, &a);
    assert_string_equal(a.body, "deep");
    answer_fini(&a);
    memset(line + strlen(line), 'n', 1025);
    stream_expect(&server, line, "", NULL, 414);
}

static void friendly_answers_are_asked_about_each_time(void **state)
{
    struct answer a;
    char fields[256];
    (void)state;
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "one", 204);
    stream_ask(&server, "GET /s/a", "", NULL, &a);
    assert_true(answer_lists(&a, "Cache-Control", "no-cache"));
    assert_true(answer_lists(&a, "Vary", "Accept"));
    snprintf(fields, sizeof fields, "If-None-Match: %s\r\n",
             answer_field(&a, "ETag"));
    answer_fini(&a);
    stream_expect(&server, "GET /s/a", fields, NULL, 304);
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "two", 204);
    stream_expect(&server, "GET /s/a", fields, NULL, 200);
}

static void event_source_that_has_all_is_told_not_to_come_again(void **state)
{
    struct answer a;
    struct live l;
    (void)state;
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "one", 204);
    live_open(&l, server.port, "/s/a",
              "Accept: text/event-stream\r\n"
              "Last-Event-ID: " OFFSET("0000000000000003") "\r\n");
    assert_int_equal(l.status, 200); /* more may come */
    live_close(&l);
    stream_expect(&server, "POST /s/a", CLOSE, "", 204);
    live_open(&l, server.port, "/s/a?from=start",
              "Accept: text/event-stream\r\n");
    live_expect_somewhere(&l, "id: " OFFSET("0000000000000003"));
    assert_int_equal(live_until_end(&l, 3000), LIVE_WHOLE);
    live_close(&l);
    stream_ask(&server, "GET /s/a",
               "Accept: text/event-stream\r\n"
               "Last-Event-ID: " OFFSET("0000000000000003") "\r\n",
               NULL, &a);
    assert_int_equal(a.status, 204);
    assert_string_equal(answer_field(&a, "Stream-Closed"), "true");
    answer_fini(&a);
    live_open(&l, server.port, "/s/a",
              "Accept: text/event-stream\r\n"
              "Last-Event-ID: " OFFSET("0000000000000001") "\r\n");
    assert_int_equal(l.status, 200);
    live_expect_somewhere(&l, "data: ne\n");
    live_close(&l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(range_of_a_growing_stream_has_no_total),
        TEST(range_of_a_closed_stream_has_its_total),
        TEST(range_of_another_stream_is_not_taken),
        TEST(range_is_of_the_bytes_from_the_first_on),
        TEST(head_of_a_part_says_no_length),
        TEST(range_outside_says_what_there_is),
        TEST(range_before_what_is_kept_is_416),
        TEST(range_that_cannot_be_is_left_out),
        TEST(range_with_a_very_large_end_is_live),
        TEST(live_range_may_begin_at_the_tail),
        TEST(tag_that_still_fits_is_304),
        TEST(tag_changes_when_the_stream_is_closed_or_made_anew),
        TEST(head_describes_a_stream),
        TEST(browser_lines_are_on_errors_too),
        TEST(preflight_allows_what_clients_send),
        TEST(parameters_that_make_no_sense_are_400),
        TEST(name_is_whatever_stands_behind_the_prefix),
        TEST(friendly_answers_are_asked_about_each_time),
        TEST(event_source_that_has_all_is_told_not_to_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
