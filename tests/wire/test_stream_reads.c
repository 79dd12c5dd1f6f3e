/* Reading streams: what is there, what comes, and where to begin. */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SSE  "Accept: text/event-stream\r\n"
#define PAGE 4096u

static struct server server;

static void read_of_a_long_stream_comes_in_pages(void **state)
{
    static char much[10000];
    uint64_t pos = 0;
    unsigned pages = 0;
    (void)state;
    server_start(&server, FRIENDLY(" catch_up_bytes = 4k"), "");
    fill_pattern(much, 0, sizeof much);
    stream_post_bytes(&server, "/s/a", much, sizeof much);
    while (pos < sizeof much) {
        char line[128];
        struct answer a;
        snprintf(line, sizeof line, "GET /s/a?offset=" OFFSET("%016llu"),
                 (unsigned long long)pos);
        stream_ask(&server, line, "", NULL, &a);
        assert_int_equal(a.status, 200);
        assert_in_range(a.body_len, 1, PAGE);
        assert_true(is_pattern(a.body, pos, a.body_len));
        pos += a.body_len;
        assert_int_equal(offset_number(answer_field(&a, "Stream-Next-Offset")),
                         pos);
        bool last = answer_field(&a, "Stream-Up-To-Date") != NULL;
        assert_int_equal(last, pos == sizeof much);
        answer_fini(&a);
        pages++;
    }
    assert_int_equal(pages, 3);
}

static void pages_of_json_are_arrays_of_whole_messages(void **state)
{
    char array[9000] = "[";
    struct answer a;
    size_t len = 1;
    (void)state;
    server_start(&server, FRIENDLY(" catch_up_bytes = 4k"), "");
    for (unsigned i = 0; i < 100; i++)
        len += (size_t)snprintf(array + len, sizeof array - len,
                                "%s{\"i\":%u,\"pad\":\"%060u\"}", i ? "," : "",
                                i, i);
    snprintf(array + len, sizeof array - len, "]");
    stream_expect(&server, "POST /s/j", JSON_TYPE, array, 204);
    stream_ask(&server, "GET /s/j", "", NULL, &a);
    assert_string_equal(answer_field(&a, "Content-Type"), "application/json");
    assert_null(answer_field(&a, "Stream-Up-To-Date"));
    assert_in_range(a.body_len, 3000, PAGE + 100);
    assert_memory_equal(a.body, array, a.body_len - 1);
    assert_memory_equal(a.body + a.body_len - 2, "}]", 3);
    answer_fini(&a);
    stream_expect(&server, "GET /s/j?offset=" OFFSET("0000000000000003"), "",
                  NULL, 400);
}

static void empty_json_stream_is_an_empty_array(void **state)
{
    (void)state;
    stream_start(&server);
    stream_expect(&server, "PUT /v1/stream/j", JSON_TYPE, "", 201);
    stream_expect_body(&server, "GET /s/j", "[]");
    stream_expect(&server, "POST /v1/stream/j", JSON_TYPE, "[1, [2] ,{}]", 204);
    stream_expect_body(&server, "GET /s/j", "[1,[2],{}]");
}

static void from_says_where_to_begin(void **state)
{
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "first ");
    stream_post(&server, "/s/a", "second ");
    stream_post(&server, "/s/a", "third");
    stream_expect_body(&server, "GET /s/a?from=start", "first second third");
    stream_expect_body(&server, "GET /s/a?from=now", "");
    stream_expect_body(&server, "GET /s/a?from=-5", "third");
    stream_expect_body(&server, "GET /s/a?from=-6",
                       "third"); /* at a message's begin */
    stream_expect_body(&server, "GET /s/a?from=-12", "second third");
    stream_expect_body(&server, "GET /s/a?from=-64k", "first second third");
    stream_expect_body(&server, "GET /s/a?from=-100s", "first second third");
    stream_expect_body(&server, "GET /s/a?from=" OFFSET("0000000000000008"),
                       "cond third");
    stream_expect(&server, "GET /s/a?from=yesterday", "", NULL, 400);
    stream_expect(&server, "GET /s/a?from=-", "", NULL, 400);
    stream_expect(&server, "GET /s/a?from=now&from=now", "", NULL, 400);
}

static void what_is_counted_from_now_is_not_cached(void **state)
{
    struct answer a;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "text");
    stream_ask(&server, "GET /s/a?from=-2", "", NULL, &a);
    assert_string_equal(answer_field(&a, "Cache-Control"), "no-store");
    assert_null(answer_field(&a, "ETag"));
    answer_fini(&a);
}

static void from_works_for_live_readers_too(void **state)
{
    static const struct {
        const char *target;
        const char *first;
    } reads[] = {
        {"/s/a?live=raw&from=start", "first second third"},
        {"/s/a?live=raw&from=-5", "third"},
        {"/s/a?live=raw&from=-12", "second third"},
        {"/s/a?live=raw&offset=" OFFSET("0000000000000008"), "cond third"},
        {"/s/a?live=raw&from=now", ""},
        {"/s/a?live=raw", ""},
        {"/s/a?live=raw&burst=start", "first second third"},
    };
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "first ");
    stream_post(&server, "/s/a", "second ");
    stream_post(&server, "/s/a", "third");
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        struct live l;
        live_open(&l, server.port, reads[i].target, "");
        live_expect(&l, reads[i].first);
        live_expect_quiet(&l, 20);
        live_close(&l);
    }
}

static void time_back_leaves_out_what_is_older(void **state)
{
    struct live l;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "old");
    server_sleep(2500);
    stream_post(&server, "/s/a", "new");
    live_open(&l, server.port, "/s/a?live=raw&from=-1s", "");
    live_expect(&l, "new");
    live_close(&l);
}

static void burst_of_the_route_is_where_readers_begin(void **state)
{
    struct live l;
    (void)state;
    server_start(&server, FRIENDLY(" burst = \"-6\""), "");
    stream_post(&server, "/s/a", "first ");
    stream_post(&server, "/s/a", "second");
    live_open(&l, server.port, "/s/a?live=raw", "");
    live_expect(&l, "second");
    live_close(&l);
    live_open(&l, server.port, "/s/a?live=raw&from=now", "");
    live_expect_quiet(&l, 50);
    live_close(&l);
}

static void reader_may_come_before_its_stream(void **state)
{
    struct wire w;
    struct live l = {0};
    (void)state;
    stream_start(&server);
    wire_open(&w, server.port);
    wire_text(
        &w,
        "GET /s/late?live=raw&wait=10s HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wire_expect_quiet(&w, 100);
    stream_post(&server, "/s/late", "here");
    l.w = w;
    live_begin(&l);
    assert_int_equal(l.status, 200);
    live_expect(&l, "here");
    live_close(&l);
}

static void reader_that_waits_in_vain_gets_404(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, FRIENDLY(" wait_max = 400ms"), "");
    uint64_t begun = server_now_ms();
    stream_ask(&server, "GET /s/none?live=raw&wait=100ms", "", NULL, &a);
    assert_int_equal(a.status, 404);
    assert_in_range(server_now_ms() - begun, 80, 2000);
    answer_fini(&a);
    begun = server_now_ms();
    stream_ask(&server, "GET /s/none?live=raw&wait=1h", "", NULL, &a);
    assert_int_equal(a.status, 404);
    assert_in_range(server_now_ms() - begun, 350, 2500);
    answer_fini(&a);
    stream_expect(&server, "GET /s/none?wait=soon", "", NULL, 400);
    stream_expect(&server, "GET /s/none", "", NULL, 404);
}

static void long_poll_answers_when_there_is_more(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "one", 204);
    wire_open(&w, server.port);
    wire_text(&w, "GET /s/a?live=long-poll&offset=now HTTP/1.1\r\n"
                  "Host: localhost\r\n\r\n");
    wire_expect_quiet(&w, 100);
    stream_post(&server, "/s/a", "two");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "two");
    assert_non_null(answer_field(&a, "Stream-Cursor"));
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000006"));
    answer_fini(&a);
    wire_text(&w, "GET /s/a?live=long-poll&offset=-1 HTTP/1.1\r\n"
                  "Host: localhost\r\n\r\n");
    wire_answer(&w, &a);
    assert_string_equal(a.body, "onetwo");
    answer_fini(&a);
    wire_close(&w);
}

static void long_poll_ends_with_204_when_nothing_comes(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, FRIENDLY(" long_poll = 300ms"), "");
    stream_post(&server, "/s/a", "one");
    uint64_t begun = server_now_ms();
    stream_ask(&server, "GET /s/a?live=long-poll&offset=now", "", NULL, &a);
    assert_int_equal(a.status, 204);
    assert_in_range(server_now_ms() - begun, 250, 2500);
    assert_string_equal(answer_field(&a, "Stream-Up-To-Date"), "true");
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000003"));
    answer_fini(&a);
}

static void long_poll_of_a_stream_that_is_deleted_is_404(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "one");
    wire_open(&w, server.port);
    wire_text(&w, "GET /s/a?live=long-poll&offset=now HTTP/1.1\r\n"
                  "Host: localhost\r\n\r\n");
    wire_expect_quiet(&w, 100);
    stream_expect(&server, "DELETE /s/a", "", NULL, 204);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 404);
    answer_fini(&a);
    wire_close(&w);
}

static void ndjson_has_a_message_a_line(void **state)
{
    struct live l;
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/j", JSON_TYPE, "[{\"a\": 1},2]", 204);
    live_open(&l, server.port, "/s/j?live=ndjson&from=start", "");
    assert_string_equal(live_field(&l, "Content-Type"), "application/x-ndjson");
    live_expect(&l, "{\"a\": 1}\n2\n");
    stream_expect(&server, "POST /s/j", "", "\"three\"", 204);
    live_expect(&l, "\"three\"\n");
    live_close(&l);
    stream_post(&server, "/s/text", "no JSON");
    stream_expect(&server, "GET /s/text?live=ndjson", "", NULL, 406);
}

static void live_answer_says_not_to_be_held_up(void **state)
{
    static const char *const fields[] = {"", SSE};
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "x");
    for (size_t i = 0; i < 2; i++) {
        struct live l;
        live_open(&l, server.port, "/s/a?live=raw", fields[i]);
        assert_int_equal(l.status, 200);
        assert_string_equal(live_field(&l, "X-Accel-Buffering"), "no");
        assert_string_equal(live_field(&l, "Cache-Control"), "no-cache");
        assert_string_equal(live_field(&l, "Transfer-Encoding"), "chunked");
        live_close(&l);
    }
}

static void event_source_gets_lines_and_offsets(void **state)
{
    struct live l;
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "one\ntwo\r\nthree", 204);
    live_open(&l, server.port, "/s/a?from=start", SSE);
    assert_string_equal(live_field(&l, "Content-Type"), "text/event-stream");
    live_expect(&l, "id: " OFFSET("0000000000000000") "\n\n");
    live_expect(&l, "data: one\ndata: two\ndata: three\n"
                    "id: " OFFSET("0000000000000014") "\n\n");
    stream_expect(&server, "POST /s/a", "Stream-Closed: true\r\n", "end", 204);
    live_expect(&l, "data: end\nid: " OFFSET(
                        "0000000000000017") "\n\n"
                                            "event: closed\n"
                                            "data: {\"offset\":\"" OFFSET(
                                                "0000000000000017") "\"}"
                                                                    "\n\n");
    assert_int_equal(live_until_end(&l, 2000), LIVE_WHOLE);
    live_close(&l);
}

static void octets_are_base64_in_events(void **state)
{
    struct live l;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "\xff\xfe!");
    live_open(&l, server.port, "/s/a?live=sse&from=start", "");
    live_expect_somewhere(&l, "data: //4h\n");
    live_close(&l);
}

static void last_event_id_that_is_no_offset_is_400(void **state)
{
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "x");
    stream_expect(&server, "GET /s/a", SSE "Last-Event-ID: seven\r\n", NULL,
                  400);
}

static void browser_that_opens_a_stream_is_shown_what_is_there(void **state)
{
    struct answer a;
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "page", 204);
    stream_ask(&server, "GET /s/a",
               "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n", NULL,
               &a);
    assert_string_equal(a.body, "page");
    assert_string_equal(answer_field(&a, "Content-Type"), "text/plain");
    answer_fini(&a);
}

static void silent_events_have_a_heartbeat(void **state)
{
    struct live l;
    struct live raw;
    (void)state;
    server_start(&server, FRIENDLY(" heartbeat = 300ms"), "");
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "x", 204);
    live_open(&l, server.port, "/s/a?live=sse", "");
    live_open(&raw, server.port, "/s/a?live=raw", "");
    live_expect(&l, "id: " OFFSET("0000000000000001") "\n\n");
    uint64_t begun = server_now_ms();
    live_expect(&l, ":");
    live_expect_somewhere(&l, "\n");
    live_expect_somewhere(&l, ":");
    assert_in_range(server_now_ms() - begun, 400, 4000);
    stream_post(&server, "/s/a", "y");
    live_expect_somewhere(&l, "data: y\n");
    live_expect(&raw, "y"); /* and nothing else */
    live_close(&l);
    live_close(&raw);
}

static void strict_events_end_after_sse_time(void **state)
{
    struct live l;
    (void)state;
    server_start(&server, STRICT(" sse_time = 500ms"), "");
    stream_expect(&server, "PUT /v1/stream/a", TEXT_TYPE, "x", 201);
    uint64_t begun = server_now_ms();
    live_open(&l, server.port, "/v1/stream/a?live=sse&offset=-1", "");
    assert_int_equal(live_until_end(&l, 5000), LIVE_WHOLE);
    assert_in_range(server_now_ms() - begun, 450, 3000);
    live_again(&l, "/v1/stream/a?live=sse&offset=-1", "");
    assert_int_equal(l.status, 200);
    live_close(&l);
}

static void http_1_0_gets_bare_bytes_until_the_end(void **state)
{
    struct wire w;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "one ");
    wire_open(&w, server.port);
    wire_text(&w, "GET /s/a?live=raw&from=start HTTP/1.0\r\n\r\n");
    wire_need(&w, 100);
    stream_expect(&server, "POST /s/a", "Stream-Closed: true\r\n", "two", 204);
    assert_true(wire_until_end(&w, 3000));
    assert_false(w.reset);
    w.in[w.in_len] = '\0';
    assert_null(strstr(w.in, "chunked"));
    assert_null(strstr(w.in, "Content-Length"));
    assert_string_equal(strstr(w.in, "\r\n\r\n"), "\r\n\r\none two");
    wire_close(&w);
}

static void connection_is_used_again_behind_a_live_read(void **state)
{
    struct live l;
    struct answer a;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "one ");
    live_open(&l, server.port, "/s/a?live=raw&from=start", "");
    /* The next request waits for its turn. */
    wire_text(&l.w, "GET /s/b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    live_expect(&l, "one ");
    live_expect_quiet(&l, 100);
    stream_post(&server, "/s/b", "b's");
    stream_expect(&server, "POST /s/a", "Stream-Closed: true\r\n", "two", 204);
    live_expect(&l, "two");
    assert_int_equal(live_until_end(&l, 2000), LIVE_WHOLE);
    wire_answer(&l.w, &a);
    assert_string_equal(a.body, "b's");
    answer_fini(&a);
    live_again(&l, "/s/a?live=sse&from=start", "");
    assert_int_equal(live_until_end(&l, 2000), LIVE_WHOLE);
    live_close(&l);
}

#define TEST(name) SERVER_TEST(name, &server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(read_of_a_long_stream_comes_in_pages),
        TEST(pages_of_json_are_arrays_of_whole_messages),
        TEST(empty_json_stream_is_an_empty_array),
        TEST(from_says_where_to_begin),
        TEST(what_is_counted_from_now_is_not_cached),
        TEST(from_works_for_live_readers_too),
        TEST(time_back_leaves_out_what_is_older),
        TEST(burst_of_the_route_is_where_readers_begin),
        TEST(reader_may_come_before_its_stream),
        TEST(reader_that_waits_in_vain_gets_404),
        TEST(long_poll_answers_when_there_is_more),
        TEST(long_poll_ends_with_204_when_nothing_comes),
        TEST(long_poll_of_a_stream_that_is_deleted_is_404),
        TEST(ndjson_has_a_message_a_line),
        TEST(live_answer_says_not_to_be_held_up),
        TEST(event_source_gets_lines_and_offsets),
        TEST(octets_are_base64_in_events),
        TEST(last_event_id_that_is_no_offset_is_400),
        TEST(browser_that_opens_a_stream_is_shown_what_is_there),
        TEST(silent_events_have_a_heartbeat),
        TEST(strict_events_end_after_sse_time),
        TEST(http_1_0_gets_bare_bytes_until_the_end),
        TEST(connection_is_used_again_behind_a_live_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
