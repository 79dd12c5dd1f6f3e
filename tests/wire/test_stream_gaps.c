/* Readers that lost bytes are told exactly which. */
#include "tests/support/streaming.h"
#include "tests/support/ws_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NARROW " sndbuf = 32k\n"

/* Messages of one length, which say at which position they begin. */
#define MESSAGE 1000u
#define BATCH   16u
#define MUCH    2000u /* messages */

static struct server server;

/* Position, a space, and so many letters; no NUL. */
static void write_message(char *out, uint64_t pos)
{
    memset(out, 'm', MESSAGE);
    int n = snprintf(out, MESSAGE, "%010llu", (unsigned long long)pos);
    out[n] = ' ';
}

static void post_messages(const char *target, uint64_t from, unsigned n)
{
    char message[MESSAGE];
    for (unsigned i = 0; i < n; i++) {
        write_message(message, from + i * MESSAGE);
        stream_post_bytes(&server, target, message, MESSAGE);
    }
}

/* The same of a server that is under way, by one connection: quick. */
static void flood(const char *target, uint64_t from, unsigned n)
{
    struct wire w;
    char head[128];
    char message[MESSAGE];
    size_t answered = 0;
    int len = snprintf(head, sizeof head,
                       "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                       "text/plain\r\nContent-Length: %u\r\n\r\n",
                       target, MESSAGE);
    wire_open(&w, server.port);
    for (unsigned i = 0; i < n; i++) {
        struct answer a;
        write_message(message, from + i * MESSAGE);
        wire_send(&w, head, (size_t)len, DELIVER_WHOLE);
        wire_send(&w, message, MESSAGE, DELIVER_WHOLE);
        if (i % BATCH != BATCH - 1 && i + 1 != n)
            continue;
        for (; answered <= i; answered++) {
            wire_answer(&w, &a);
            assert_int_equal(a.status, 204);
            answer_fini(&a);
        }
    }
    wire_close(&w);
}

/* What an EventSource has seen. */
struct seen {
    uint64_t pos; /* of the last id */
    uint64_t lost;
    unsigned messages;
    unsigned gaps;
};

/* One event, a string without its empty line. */
static void see(struct seen *s, const char *event)
{
    char from[64];
    char to[64];
    if (event[0] == ':')
        return;
    if (sscanf(event,
               "event: gap\ndata: {\"from\":\"%33[0-9_]\",\"to\":\"%33[0-9_]\"}"
               "\nid: ",
               from, to) == 2) {
        assert_int_equal(offset_number(from), s->pos);
        assert_true(offset_number(to) > s->pos);
        s->lost += offset_number(to) - s->pos;
        s->pos = offset_number(to);
        s->gaps++;
    } else if (strncmp(event, "data: ", 6) == 0) {
        char message[MESSAGE];
        write_message(message, s->pos);
        assert_memory_equal(event + 6, message, MESSAGE);
        assert_int_equal(event[6 + MESSAGE], '\n');
        s->pos += MESSAGE;
        s->messages++;
    } else {
        assert_int_equal(strncmp(event, "id: ", 4), 0);
    }
    const char *id = strstr(event, "id: ");
    assert_non_null(id);
    assert_int_equal(offset_number(id + 4), s->pos);
}

/* Reads events until it is at pos. */
static void see_until(struct live *l, struct seen *s, uint64_t pos)
{
    while (s->pos < pos) {
        const char *end = l->len ? strstr(l->body, "\n\n") : NULL;
        if (!end) {
            live_need(l, l->len + 1);
            continue;
        }
        size_t n = (size_t)(end - l->body);
        l->body[n] = '\0';
        see(s, l->body);
        live_take(l, n + 2);
    }
    assert_int_equal(s->pos, pos);
}

static void begin(const char *lines, const char *policy)
{
    char text[512];
    snprintf(text, sizeof text, FRIENDLY(NARROW "%s\n%s\n"), lines, policy);
    server_start(&server, text, "");
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "", 204);
}

static void offset_that_was_dropped_is_410_and_says_what_is_left(void **state)
{
    static const char *const reads[] = {
        "GET /s/a?offset=" OFFSET("0000000000000000"),
        "GET /s/a?live=raw&offset=" OFFSET("0000000000000000"),
        "GET /s/a?live=long-poll&offset=" OFFSET("0000000000000000"),
        "GET /s/a?live=sse&offset=" OFFSET("0000000000001000"),
        "GET /v1/stream/a?offset=" OFFSET("0000000000000000"),
        "GET /v1/stream/a?live=sse&offset=" OFFSET("0000000000000000"),
        "GET /v1/stream/a?live=long-poll&offset=" OFFSET("0000000000000000")};
    (void)state;
    server_start(&server, FRIENDLY(" stream_bytes = 4k") STRICT(""), "");
    flood("/s/a", 0, 10);
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        struct answer a;
        stream_ask(&server, reads[i], "", NULL, &a);
        assert_int_equal(a.status, 410);
        assert_string_equal(answer_field(&a, "Stream-Earliest-Offset"),
                            OFFSET("0000000000006000"));
        answer_fini(&a);
    }
    stream_expect(&server, "GET /s/a?offset=" OFFSET("0000000000006000"), "",
                  NULL, 200);
}

static void offset_beyond_the_tail_is_410_and_says_where_that_is(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, FRIENDLY(" stream_bytes = 4k"), "");
    flood("/s/a", 0, 10);
    stream_ask(&server, "GET /s/a?live=raw&offset=" OFFSET("0000000000010001"),
               "", NULL, &a);
    assert_int_equal(a.status, 410);
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000010000"));
    answer_fini(&a);
}

static void sse_that_skips_is_told_the_exact_gap_and_goes_on(void **state)
{
    struct live slow;
    struct seen seen = {0};
    (void)state;
    begin("stream_bytes = 64k", "");
    live_open_narrow(&slow, server.port, "/s/a?live=sse&from=start&slow=skip",
                     "");
    flood("/s/a", 0, MUCH);
    see_until(&slow, &seen, MUCH * MESSAGE);
    assert_true(seen.gaps >= 1);
    assert_true(seen.messages >= 10);
    assert_int_equal(seen.lost, (MUCH - seen.messages) * MESSAGE);
    post_messages("/s/a", MUCH * MESSAGE, 3);
    unsigned gaps = seen.gaps;
    see_until(&slow, &seen, (MUCH + 3) * MESSAGE);
    assert_int_equal(seen.gaps, gaps);
    live_close(&slow);
}

static void sse_that_may_not_skip_is_ended(void **state)
{
    struct live slow;
    (void)state;
    begin("stream_bytes = 64k", "slow_reader = disconnect");
    live_open_narrow(&slow, server.port, "/s/a?live=sse&from=start", "");
    flood("/s/a", 0, MUCH);
    server_expect_log(&server, "stream \"a\": bytes ");
    enum live_end end = live_wait_unread(&slow, 1500);
    if (end == LIVE_OPEN) {
        /* It read fast enough to be told. */
        end = live_until_end(&slow, WIRE_MS);
        assert_true(end == LIVE_RESET ||
                    strstr(slow.body, "event: gap\ndata: {\"from\":\""));
    }
    assert_true(end != LIVE_OPEN);
    live_close(&slow);
}

static void event_source_that_comes_back_late_is_told_the_gap(void **state)
{
    struct live l;
    (void)state;
    begin("stream_bytes = 4k", "");
    flood("/s/a", 0, 10);
    live_open(&l, server.port, "/s/a",
              "Accept: text/event-stream\r\n"
              "Last-Event-ID: " OFFSET("0000000000002000") "\r\n");
    assert_int_equal(l.status, 200);
    live_expect(
        &l, "event: gap\n"
            "data: {\"from\":\"" OFFSET(
                "0000000000002000") "\","
                                    "\"to\":\"" OFFSET(
                                        "0000000000006000") "\"}\n"
                                                            "id: " OFFSET(
                                                                "00000000000060"
                                                                "00") "\n\n");
    struct seen seen = {.pos = 6000};
    see_until(&l, &seen, 10000);
    assert_int_equal(seen.messages, 4);
    live_close(&l);
}

/* Two appends of which the stream keeps one, in one turn of the only worker:
 * nobody who waits can look between them. */
static void who_waited_is_told_what_was_dropped_meanwhile(void **state)
{
    struct wire raw;
    struct wire sse;
    struct wire w;
    struct live events = {0};
    struct answer a;
    (void)state;
    server_start(&server, "workers = 1\n" FRIENDLY(" stream_messages = 1"), "");
    wire_open(&raw, server.port);
    wire_text(&raw, "GET /s/a?live=raw&wait=5s HTTP/1.1\r\n"
                    "Host: localhost\r\n\r\n");
    wire_open(&sse, server.port);
    wire_text(&sse, "GET /s/a?live=sse&wait=5s HTTP/1.1\r\n"
                    "Host: localhost\r\n\r\n");
    server_sleep(100);
    wire_open(&w, server.port);
    wire_text(&w, "POST /s/a HTTP/1.1\r\nHost: localhost\r\n" TEXT_TYPE
                  "Content-Length: 3\r\n\r\none"
                  "POST /s/a HTTP/1.1\r\nHost: localhost\r\n" TEXT_TYPE
                  "Content-Length: 3\r\n\r\ntwo");
    wire_answer(&raw, &a);
    assert_int_equal(a.status, 410);
    assert_string_equal(answer_field(&a, "Stream-Earliest-Offset"),
                        OFFSET("0000000000000003"));
    answer_fini(&a);
    wire_close(&raw);
    events.w = sse;
    live_begin(&events);
    live_expect_somewhere(
        &events,
        "event: gap\ndata: {\"from\":\"" OFFSET(
            "0000000000000000") "\",\"to\":\"" OFFSET("0000000000000003") "\"");
    live_close(&events);
    wire_close(&w);
}

static void event_source_that_comes_back_in_time_is_told_of_no_gap(void **state)
{
    struct live l;
    struct seen seen = {.pos = 7000};
    (void)state;
    begin("stream_bytes = 4k", "");
    flood("/s/a", 0, 10);
    live_open(&l, server.port, "/s/a",
              "Accept: text/event-stream\r\n"
              "Last-Event-ID: " OFFSET("0000000000007000") "\r\n");
    see_until(&l, &seen, 10000);
    assert_int_equal(seen.gaps, 0);
    assert_int_equal(seen.messages, 3);
    live_close(&l);
}

/* The bytes that the log says were dropped. */
static void read_log_gap(uint64_t *ret_from, uint64_t *ret_to)
{
    static char log[64 << 10];
    unsigned long long from = 0;
    unsigned long long to = 0;
    server_expect_log(&server, " were dropped before they could be sent");
    FILE *f = fopen(server_path(&server, "stderr"), "r");
    assert_non_null(f);
    log[fread(log, 1, sizeof log - 1, f)] = '\0';
    fclose(f);
    const char *at = strstr(log, "stream \"a\": bytes ");
    assert_non_null(at);
    assert_int_equal(
        sscanf(at, "stream \"a\": bytes %llu to %llu were", &from, &to), 2);
    *ret_from = from;
    *ret_to = to;
}

static void raw_ends_without_its_last_chunk_and_the_log_says_why(void **state)
{
    struct live slow;
    uint64_t from;
    uint64_t to;
    (void)state;
    begin("stream_bytes = 64k", "");
    live_open_narrow(&slow, server.port, "/s/a?live=raw&from=start", "");
    flood("/s/a", 0, MUCH);
    enum live_end end = live_until_end(&slow, WIRE_MS);
    assert_true(end == LIVE_CUT || end == LIVE_RESET);
    read_log_gap(&from, &to);
    assert_true(slow.len <= from);
    if (end == LIVE_CUT)
        assert_int_equal(slow.len, from);
    assert_true(from < to && to <= MUCH * MESSAGE);
    for (size_t at = 0; at + MESSAGE <= slow.len; at += MESSAGE) {
        char message[MESSAGE];
        write_message(message, at);
        assert_memory_equal(slow.body + at, message, MESSAGE);
    }
    live_close(&slow);
}

static void raw_of_a_deleted_stream_is_cut_off_where_bytes_lack(void **state)
{
    struct live slow;
    (void)state;
    begin("stream_bytes = 16m", "");
    live_open_narrow(&slow, server.port, "/s/a?live=raw&from=start", "");
    flood("/s/a", 0, MUCH);
    stream_expect(&server, "DELETE /s/a", "", NULL, 204);
    enum live_end end = live_until_end(&slow, WIRE_MS);
    assert_true(end == LIVE_CUT || end == LIVE_RESET);
    assert_true(slow.len < MUCH * MESSAGE);
    live_close(&slow);
}

/* It has no chunks: a mere end would say that these were all bytes. */
static void raw_of_http_1_0_is_reset(void **state)
{
    static char much[1 << 20];
    struct wire w;
    uint64_t from;
    uint64_t to;
    (void)state;
    begin("stream_bytes = 1m", "");
    flood("/s/a", 0, 1000);
    wire_open_narrow(&w, server.port, LIVE_NARROW_BYTES);
    wire_text(&w, "GET /s/a?live=raw&from=start HTTP/1.0\r\n\r\n");
    wire_need(&w, 100);
    stream_post_bytes(&server, "/s/a", much, sizeof much);
    assert_true(wire_until_end(&w, WIRE_MS));
    assert_true(w.reset);
    read_log_gap(&from, &to);
    wire_close(&w);
}

static void catch_up_read_that_is_overtaken_is_reset(void **state)
{
    struct wire w;
    (void)state;
    begin("stream_bytes = 1m", "");
    flood("/s/a", 0, 1000);
    wire_open_narrow(&w, server.port, LIVE_NARROW_BYTES);
    wire_text(&w, "GET /s/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wire_need(&w, 100);
    assert_non_null(strstr(w.in, "Content-Length: 1000000\r\n"));
    flood("/s/a", 1000 * MESSAGE, MUCH);
    assert_true(wire_until_end(&w, WIRE_MS));
    assert_true(w.reset);
    assert_true(w.in_len < 1000000);
    wire_close(&w);
}

/* Frames up to the gap, each the message that is due. */
static uint64_t ws_messages(struct wire *w, char **ret_other,
                            unsigned *ret_first)
{
    uint64_t pos = 0;
    for (;;) {
        size_t len;
        char message[MESSAGE];
        char *data = ws_take(w, ret_first, &len);
        write_message(message, pos);
        if (len != MESSAGE || memcmp(data, message, MESSAGE) != 0) {
            *ret_other = data;
            return pos;
        }
        free(data);
        pos += MESSAGE;
    }
}

static void websocket_that_skips_is_told_by_a_text_message(void **state)
{
    struct wire w;
    char *gap;
    char from[64];
    char to[64];
    unsigned first;
    (void)state;
    begin("stream_bytes = 64k", "");
    wire_open_narrow(&w, server.port, LIVE_NARROW_BYTES);
    ws_upgrade(&w, "/s/a?from=start&slow=skip", "");
    flood("/s/a", 0, MUCH);
    uint64_t pos = ws_messages(&w, &gap, &first);
    assert_int_equal(first, WS_TEXT);
    assert_int_equal(
        sscanf(gap, "{\"gap\":{\"from\":\"%33[0-9_]\",\"to\":\"%33[0-9_]\"}}",
               from, to),
        2);
    assert_int_equal(offset_number(from), pos);
    assert_true(offset_number(to) > pos);
    free(gap);
    wire_close(&w);
}

#define TEST(name) SERVER_TEST(name, &server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(offset_that_was_dropped_is_410_and_says_what_is_left),
        TEST(offset_beyond_the_tail_is_410_and_says_where_that_is),
        TEST(sse_that_skips_is_told_the_exact_gap_and_goes_on),
        TEST(sse_that_may_not_skip_is_ended),
        TEST(event_source_that_comes_back_late_is_told_the_gap),
        TEST(who_waited_is_told_what_was_dropped_meanwhile),
        TEST(event_source_that_comes_back_in_time_is_told_of_no_gap),
        TEST(raw_ends_without_its_last_chunk_and_the_log_says_why),
        TEST(raw_of_a_deleted_stream_is_cut_off_where_bytes_lack),
        TEST(raw_of_http_1_0_is_reset),
        TEST(catch_up_read_that_is_overtaken_is_reset),
        TEST(websocket_that_skips_is_told_by_a_text_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
