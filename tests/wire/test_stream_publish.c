/* Publishing to streams: what is whole, what is visible when, what is refused.
 */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FORM_TYPE "Content-Type: application/x-www-form-urlencoded\r\n"
#define CLOSE     "Stream-Closed: true\r\n"
#define BIG       (300u << 10)

static struct server server;

static void expect_type(const char *target, const char *type)
{
    char line[128];
    struct answer a;
    snprintf(line, sizeof line, "HEAD %s", target);
    stream_ask(&server, line, "", NULL, &a);
    assert_string_equal(answer_field(&a, "Content-Type"), type);
    answer_fini(&a);
}

/* Begins a request whose body has no end yet. */
static void begin_chunked(struct wire *w, const char *line, const char *fields)
{
    char head[512];
    wire_open(w, server.port);
    snprintf(head, sizeof head,
             "%s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
             "chunked\r\n%s\r\n",
             line, fields);
    wire_text(w, head);
}

static void end_chunked(struct wire *w, int status)
{
    struct answer a;
    wire_text(w, "0\r\n\r\n");
    wire_answer(w, &a);
    if (a.status != status)
        print_message("--- came:\n%s%s\n", a.head, a.body);
    assert_int_equal(a.status, status);
    answer_fini(&a);
}

static void body_with_a_length_is_whole_or_nothing(void **state)
{
    struct wire w;
    struct live reader;
    static char half[BIG / 2];
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "before ");
    live_open(&reader, server.port, "/s/a?live=raw", "");
    wire_open(&w, server.port);
    wire_text(&w, "POST /s/a HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Length: 307200\r\n\r\n");
    wire_send(&w, half, sizeof half, DELIVER_WHOLE);
    live_expect_quiet(&reader, 150);
    wire_close(&w);
    stream_post(&server, "/s/a", "after");
    live_expect(&reader, "after");
    assert_int_equal(stream_tail(&server, "/s/a"), 12);
    live_close(&reader);
}

static void half_of_a_first_body_makes_no_stream(void **state)
{
    struct wire w;
    (void)state;
    stream_start(&server);
    wire_open(&w, server.port);
    wire_text(&w, "POST /s/a HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Length: 10\r\n\r\nhalf");
    wire_expect_quiet(&w, 100);
    wire_close(&w);
    stream_expect(&server, "GET /s/a", "", NULL, 404);
}

static void body_of_several_reads_is_one_append(void **state)
{
    char *much = malloc(BIG + 1);
    struct answer a;
    (void)state;
    assert_non_null(much);
    fill_pattern(much, 0, BIG);
    stream_start(&server);
    stream_post_bytes(&server, "/s/a", much, BIG);
    stream_ask(&server, "GET /s/a", "", NULL, &a);
    assert_int_equal(a.body_len, BIG);
    assert_memory_equal(a.body, much, BIG);
    answer_fini(&a);
    free(much);
}

static void chunks_are_visible_as_they_arrive(void **state)
{
    static const char *const lines[] = {"POST /s/a", "PUT /s/b"};
    static const char *const reads[] = {"/s/a?live=raw&from=start",
                                        "/s/b?live=raw&from=start"};
    (void)state;
    stream_start(&server);
    for (size_t i = 0; i < 2; i++) {
        struct wire w;
        struct live reader;
        begin_chunked(&w, lines[i], "");
        wire_text(&w, "4\r\none \r\n");
        server_sleep(50);
        live_open(&reader, server.port, reads[i], "");
        live_expect(&reader, "one ");
        wire_text(&w, "3\r\ntwo\r\n");
        live_expect(&reader, "two");
        end_chunked(&w, 204);
        live_expect_quiet(&reader, 50);
        live_close(&reader);
        wire_close(&w);
    }
}

static void strict_chunks_are_visible_as_they_arrive_too(void **state)
{
    struct wire w;
    struct live reader;
    (void)state;
    stream_start(&server);
    stream_expect(&server, "PUT /v1/stream/a", TEXT_TYPE, "", 201);
    live_open(&reader, server.port, "/s/a?live=raw&from=start", "");
    begin_chunked(&w, "POST /v1/stream/a", TEXT_TYPE);
    wire_text(&w, "4\r\none \r\n");
    live_expect(&reader, "one ");
    end_chunked(&w, 204);
    wire_close(&w);
    begin_chunked(&w, "POST /v1/stream/a",
                  TEXT_TYPE "Producer-Id: p\r\nProducer-Epoch: 0\r\n"
                            "Producer-Seq: 0\r\n");
    wire_text(&w, "3\r\ntwo\r\n");
    live_expect_quiet(&reader, 100); /* a producer's append is whole */
    end_chunked(&w, 200);
    live_expect(&reader, "two");
    live_close(&reader);
    wire_close(&w);
}

static void chunked_json_is_taken_as_a_whole(void **state)
{
    struct wire w;
    struct live reader;
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/j", JSON_TYPE, "[0]", 204);
    live_open(&reader, server.port, "/s/j?live=ndjson", "");
    begin_chunked(&w, "POST /s/j", JSON_TYPE);
    wire_text(&w, "3\r\n[1,\r\n");
    live_expect_quiet(&reader, 100);
    wire_text(&w, "2\r\n2]\r\n");
    end_chunked(&w, 204);
    live_expect(&reader, "1\n2\n");
    live_close(&reader);
    wire_close(&w);
}

static void publisher_that_breaks_off_leaves_what_it_sent(void **state)
{
    struct wire w;
    struct live reader;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "zero ");
    live_open(&reader, server.port, "/s/a?live=raw", "");
    begin_chunked(&w, "POST /s/a", CLOSE);
    wire_text(&w, "4\r\none \r\n5\r\ntwo");
    live_expect(&reader, "one two");
    wire_close(&w);
    stream_post(&server, "/s/a", "more"); /* it was not closed */
    live_expect(&reader, "more");
    live_close(&reader);
}

static void publisher_may_pause_as_long_as_it_likes(void **state)
{
    struct wire w;
    struct live reader;
    (void)state;
    server_start(&server, "rate_window = 1s\nbody_rate_min = 1m\n" FRIENDLY(""),
                 "");
    begin_chunked(&w, "POST /s/a", "");
    wire_text(&w, "4\r\none \r\n");
    server_sleep(50);
    live_open(&reader, server.port, "/s/a?live=raw&from=start", "");
    live_expect(&reader, "one ");
    wire_expect_quiet(&w, 2600);
    wire_text(&w, "3\r\ntwo\r\n");
    live_expect(&reader, "two");
    end_chunked(&w, 204);
    live_close(&reader);
    wire_close(&w);
}

static void first_write_says_the_type(void **state)
{
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/none", "", "x", 204);
    expect_type("/s/none", "application/octet-stream");
    stream_expect(&server, "POST /s/form", FORM_TYPE, "x", 204);
    expect_type("/s/form", "text/plain; charset=utf-8");
    stream_expect(&server, "PUT /s/svg", "Content-Type: image/svg+xml\r\n", "x",
                  204);
    expect_type("/s/svg", "image/svg+xml");
}

static void another_type_is_409_and_none_is_the_streams_own(void **state)
{
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "one ", 204);
    stream_expect(&server, "POST /s/a", JSON_TYPE, "{}", 409);
    stream_expect(&server, "POST /s/a", "", "two ", 204);
    stream_expect(&server, "POST /s/a", FORM_TYPE, "three ", 204);
    stream_expect(&server, "PUT /s/a", "Content-Type: TEXT/plain\r\n", "four",
                  204);
    stream_expect_body(&server, "GET /s/a", "one two three four");
    stream_expect(&server, "POST /v1/stream/a", "", "five", 400);
    stream_expect(&server, "POST /v1/stream/a", JSON_TYPE, "5", 409);
}

static void another_type_in_chunks_is_409_as_well(void **state)
{
    struct wire w;
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "one", 204);
    begin_chunked(&w, "POST /s/a", "Content-Type: image/png\r\n");
    wire_text(&w, "3\r\ntwo\r\n");
    end_chunked(&w, 409);
    wire_close(&w);
    assert_int_equal(stream_tail(&server, "/s/a"), 3);
}

static void closed_stream_takes_no_more(void **state)
{
    struct answer a;
    struct wire w;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "one");
    stream_expect(&server, "POST /s/a", CLOSE, "", 204);
    stream_ask(&server, "POST /s/a", "", "two", &a);
    assert_int_equal(a.status, 409);
    assert_string_equal(answer_field(&a, "Stream-Closed"), "true");
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000003"));
    answer_fini(&a);
    begin_chunked(&w, "POST /s/a", "");
    wire_text(&w, "3\r\ntwo\r\n");
    end_chunked(&w, 409);
    wire_close(&w);
    stream_expect_body(&server, "GET /s/a", "one");
}

static void last_piece_may_close_the_stream(void **state)
{
    struct wire w;
    struct answer a;
    struct live reader;
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "one ");
    live_open(&reader, server.port, "/s/a?live=raw&from=start", "");
    stream_ask(&server, "POST /s/a", CLOSE, "two", &a);
    assert_string_equal(answer_field(&a, "Stream-Closed"), "true");
    answer_fini(&a);
    live_expect(&reader, "one two");
    assert_int_equal(live_until_end(&reader, 2000), LIVE_WHOLE);
    live_close(&reader);
    begin_chunked(&w, "POST /s/b", CLOSE);
    wire_text(&w, "3\r\none\r\n");
    end_chunked(&w, 204);
    wire_close(&w);
    stream_expect(&server, "POST /s/b", "", "two", 409);
}

static void closing_ends_a_chunked_publisher(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    stream_start(&server);
    begin_chunked(&w, "POST /s/a", "");
    wire_text(&w, "3\r\none\r\n");
    wire_expect_quiet(&w, 50);
    stream_expect(&server, "POST /s/a", CLOSE, "", 204);
    wire_text(&w, "3\r\ntwo\r\n");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 409);
    answer_fini(&a);
    wire_close(&w);
    stream_expect_body(&server, "GET /s/a", "one");
}

static void body_that_is_too_large_is_413(void **state)
{
    static char much[5000];
    struct wire w;
    struct answer a;
    (void)state;
    memset(much, 'x', sizeof much - 1);
    server_start(&server, FRIENDLY(" append_bytes_max = 4k"), "");
    stream_expect(&server, "POST /s/a", "", much, 413);
    stream_expect(&server, "GET /s/a", "", NULL, 404);
    begin_chunked(&w, "POST /s/j", JSON_TYPE);
    wire_text(&w, "1388\r\n");
    wire_send(&w, much, 4999, DELIVER_WHOLE);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 413);
    answer_fini(&a);
    wire_close(&w);
    begin_chunked(&w, "POST /s/a", ""); /* pieces: there is no whole */
    wire_text(&w, "1387\r\n");
    wire_send(&w, much, 4999, DELIVER_WHOLE);
    wire_text(&w, "\r\n");
    end_chunked(&w, 204);
    wire_close(&w);
    assert_int_equal(stream_tail(&server, "/s/a"), 4999);
}

static void bad_json_is_400_and_makes_nothing(void **state)
{
    static const char *const bad[] = {"{",   "[1,]",       "[]",  "nul",
                                      "1 2", "{\"a\":1}}", "\xff"};
    (void)state;
    stream_start(&server);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        stream_expect(&server, "POST /s/new", JSON_TYPE, bad[i], 400);
        stream_expect(&server, "GET /s/new", "", NULL, 404);
    }
    stream_expect(&server, "POST /s/j", JSON_TYPE, "[[]]", 204);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        stream_expect(&server, "POST /s/j", JSON_TYPE, bad[i], 400);
    stream_expect_body(&server, "GET /s/j", "[[]]");
}

static void empty_body_appends_nothing(void **state)
{
    (void)state;
    stream_start(&server);
    stream_post(&server, "/s/a", "one");
    stream_expect(&server, "POST /s/a", "", "", 204);
    stream_expect(&server, "POST /v1/stream/a",
                  "Content-Type: application/octet-stream\r\n", "", 400);
    assert_int_equal(stream_tail(&server, "/s/a"), 3);
}

static void deleting_ends_readers_and_publishers(void **state)
{
    struct live raw;
    struct live sse;
    struct wire w;
    struct answer a;
    (void)state;
    stream_start(&server);
    begin_chunked(&w, "POST /s/a", TEXT_TYPE);
    wire_text(&w, "3\r\none\r\n");
    wire_expect_quiet(&w, 50);
    live_open(&raw, server.port, "/s/a?live=raw&from=start", "");
    live_open(&sse, server.port, "/s/a?live=sse&from=start", "");
    live_expect(&raw, "one");
    stream_expect(&server, "DELETE /s/a", "", NULL, 204);
    assert_true(live_until_end(&raw, 3000) != LIVE_OPEN);
    assert_true(live_until_end(&sse, 3000) != LIVE_OPEN);
    wire_text(&w, "3\r\ntwo\r\n");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 404);
    answer_fini(&a);
    wire_close(&w);
    stream_expect(&server, "GET /s/a", "", NULL, 404);
    stream_post(&server, "/s/a", "new");
    stream_expect_body(&server, "GET /s/a", "new");
    live_close(&raw);
    live_close(&sse);
}

static void silent_publisher_hears_of_an_end(void **state)
{
    struct wire gone;
    struct wire closed;
    struct answer a;
    (void)state;
    stream_start(&server);
    begin_chunked(&gone, "POST /s/a", TEXT_TYPE);
    begin_chunked(&closed, "POST /s/b", TEXT_TYPE);
    wire_text(&closed, "1\r\nx\r\n");
    wire_expect_quiet(&closed, 50);
    stream_expect(&server, "DELETE /s/a", "", NULL, 204);
    stream_expect(&server, "POST /s/b", CLOSE, "", 204);
    wire_answer(&gone, &a);
    assert_int_equal(a.status, 404);
    answer_fini(&a);
    wire_answer(&closed, &a);
    assert_int_equal(a.status, 409);
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000001"));
    answer_fini(&a);
    wire_close(&gone);
    wire_close(&closed);
}

static void text_is_appended_in_whole_characters(void **state)
{
    struct wire w;
    struct live l;
    (void)state;
    stream_start(&server);
    begin_chunked(&w, "POST /s/a", TEXT_TYPE);
    wire_expect_quiet(&w, 50);
    live_open(&l, server.port, "/s/a?live=sse&from=start", "");
    wire_text(&w, "3\r\nab\xe2\r\n");
    live_expect_somewhere(&l,
                          "data: ab\nid: " OFFSET("0000000000000002") "\n\n");
    wire_text(&w, "1\r\n\x82\r\n"); /* not yet all of it */
    live_expect_quiet(&l, 50);
    wire_text(&w, "3\r\n\xac"
                  "cd\r\n");
    live_expect_somewhere(&l, "data: \xe2\x82\xac\n");
    live_expect_somewhere(&l, "data: cd\n");
    wire_text(&w, "2\r\ne\xf0\r\n"); /* never is */
    live_expect_somewhere(&l, "data: e\n");
    end_chunked(&w, 204);
    wire_close(&w);
    live_close(&l);
    assert_int_equal(stream_tail(&server, "/s/a"), 9);
    stream_expect_body(&server, "GET /s/a",
                       "ab\xe2\x82\xac"
                       "cde\xf0");
}

static void refused_live_publisher_is_told_how_far_it_got(void **state)
{
    struct wire w;
    struct answer a;
    char piece[2100];
    (void)state;
    server_start(&server, FRIENDLY(" stream_bytes = 4k\n policy = reject"), "");
    begin_chunked(&w, "POST /s/a", "");
    memset(piece, 'x', sizeof piece);
    memcpy(piece, "7d0\r\n", 5);
    memcpy(piece + 5 + 2000, "\r\n", 3);
    for (int i = 0; i < 3; i++) {
        wire_text(&w, piece);
        server_sleep(50);
    }
    wire_answer(&w, &a);
    assert_int_equal(a.status, 503);
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000004000"));
    answer_fini(&a);
    wire_close(&w);
    assert_int_equal(stream_tail(&server, "/s/a"), 4000);
}

static void sequence_must_grow(void **state)
{
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", "Stream-Seq: 0002\r\n", "a", 204);
    stream_expect(&server, "POST /s/a", "Stream-Seq: 0001\r\n", "b", 409);
    stream_expect(&server, "POST /s/a", "Stream-Seq: 0002\r\n", "b", 409);
    stream_expect(&server, "POST /s/a", "Stream-Seq: 0003\r\n", "b", 204);
    stream_expect_body(&server, "GET /s/a", "ab");
}

static void producer_that_repeats_itself_appends_once(void **state)
{
#define PRODUCER(epoch, seq)                                                   \
    "Producer-Id: p\r\nProducer-Epoch: " epoch "\r\nProducer-Seq: " seq "\r\n"
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", PRODUCER("0", "0"), "a", 200);
    stream_expect(&server, "POST /s/a", PRODUCER("0", "0"), "a", 204);
    stream_expect(&server, "POST /s/a", PRODUCER("0", "2"), "c", 409);
    stream_expect(&server, "POST /s/a", PRODUCER("1", "0"), "b", 200);
    stream_expect(&server, "POST /s/a", PRODUCER("0", "1"), "x", 403);
    stream_expect(&server, "POST /s/a", "Producer-Id: p\r\n", "x", 400);
    stream_expect_body(&server, "GET /s/a", "ab");
}

static void appends_of_one_connection_stay_in_order(void **state)
{
    struct wire w;
    (void)state;
    stream_start(&server);
    wire_open(&w, server.port);
    for (unsigned i = 0; i < 100; i++) {
        char text[128];
        snprintf(
            text, sizeof text,
            "POST /s/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"
            "%02u ",
            i);
        wire_text(&w, text);
    }
    for (unsigned i = 0; i < 100; i++) {
        struct answer a;
        wire_answer(&w, &a);
        assert_int_equal(a.status, 204);
        assert_int_equal(offset_number(answer_field(&a, "Stream-Next-Offset")),
                         3 * (i + 1));
        answer_fini(&a);
    }
    wire_close(&w);
    struct answer all;
    stream_ask(&server, "GET /s/a", "", NULL, &all);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(atoi(all.body + 3 * i), i);
    answer_fini(&all);
}

#define TEST(name) SERVER_TEST(name, &server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(body_with_a_length_is_whole_or_nothing),
        TEST(half_of_a_first_body_makes_no_stream),
        TEST(body_of_several_reads_is_one_append),
        TEST(chunks_are_visible_as_they_arrive),
        TEST(strict_chunks_are_visible_as_they_arrive_too),
        TEST(chunked_json_is_taken_as_a_whole),
        TEST(publisher_that_breaks_off_leaves_what_it_sent),
        TEST(publisher_may_pause_as_long_as_it_likes),
        TEST(first_write_says_the_type),
        TEST(another_type_is_409_and_none_is_the_streams_own),
        TEST(another_type_in_chunks_is_409_as_well),
        TEST(closed_stream_takes_no_more),
        TEST(last_piece_may_close_the_stream),
        TEST(closing_ends_a_chunked_publisher),
        TEST(body_that_is_too_large_is_413),
        TEST(bad_json_is_400_and_makes_nothing),
        TEST(empty_body_appends_nothing),
        TEST(deleting_ends_readers_and_publishers),
        TEST(silent_publisher_hears_of_an_end),
        TEST(text_is_appended_in_whole_characters),
        TEST(refused_live_publisher_is_told_how_far_it_got),
        TEST(sequence_must_grow),
        TEST(producer_that_repeats_itself_appends_once),
        TEST(appends_of_one_connection_stay_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
