/* Streams by WebSocket, and what comes between their frames. */
#include "tests/support/server.h"
#include "tests/support/ws_stream.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 40u

static struct server server;

static void pings_between_messages_cost_none(void **state)
{
    const char *name = ws_stream_name();
    struct wire w;
    char text[32];
    (void)state;
    ws_stream_text(server.port, name, "first");
    ws_stream_follow(&w, server.port, name, "from=start", "");
    ws_expect_text(&w, "first");
    for (unsigned i = 0; i < ROUNDS; i++) {
        snprintf(text, sizeof(text), "message %u", i);
        ws_stream_text(server.port, name, text);
        ws_send(&w, WS_PING, text, strlen(text));
        unsigned first;
        size_t len;
        bool pong = false;
        for (int n = 0; n < 2; n++) {
            char *data = ws_take(&w, &first, &len);
            assert_true(first == WS_TEXT || first == WS_PONG);
            pong = pong != (first == WS_PONG);
            assert_string_equal(data, text);
            free(data);
        }
        assert_true(pong);
    }
    ws_send(&w, WS_PONG, "unasked", 7);
    wire_expect_quiet(&w, 50);
    ws_stream_text(server.port, name, "last");
    ws_expect_text(&w, "last");
    wire_close(&w);
}

/* Each pong takes a reader off the view that all are on. */
static void readers_leave_what_they_share_in_any_order(void **state)
{
    static const unsigned char order[] = {0, 3, 1, 6, 2, 7, 5, 4};
    const char *name = ws_stream_name();
    struct wire w[8];
    (void)state;
    ws_stream_text(server.port, name, "x");
    for (unsigned i = 0; i < 8; i++)
        ws_stream_follow(&w[i], server.port, name, "from=now", "");
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 8; i++) {
            unsigned k = order[(i + round) % 8];
            ws_send(&w[k], WS_PING, "p", 1);
            ws_expect(&w[k], WS_PONG, "p", 1);
        }
        ws_stream_text(server.port, name, "more");
        for (unsigned i = 0; i < 8; i++)
            ws_expect_text(&w[i], "more");
    }
    for (unsigned i = 0; i < 8; i++)
        wire_close(&w[order[i]]);
}

static void reader_who_sends_a_message_is_1008(void **state)
{
    const char *name = ws_stream_name();
    struct wire w;
    (void)state;
    ws_stream_text(server.port, name, "x");
    ws_stream_follow(&w, server.port, name, "from=now", "");
    wire_send(&w, "\x82\xff\0\0\0\0\x7f\0\0\0\0\0\0\0x", 15, DELIVER_WHOLE);
    ws_expect_close(&w, 1008);
    wire_close(&w);
}

static void several_streams_are_only_read(void **state)
{
    char target[128];
    const char *a = ws_stream_name();
    const char *b = ws_stream_name();
    struct wire w;
    (void)state;
    ws_stream_text(server.port, a, "x");
    ws_stream_text(server.port, b, "x");
    snprintf(target, sizeof(target), "/s/?streams=%s,%s&from=now", a, b);
    ws_open(&w, server.port, target, "");
    ws_expect(&w, WS_PING, "", 0); /* that it is there */
    ws_send(&w, WS_PING, "p", 1);
    ws_expect(&w, WS_PONG, "p", 1);
    wire_send(&w, "\x82\xff\0\0\0\0\x7f\0\0\0\0\0\0\0x", 15, DELIVER_WHOLE);
    ws_expect_close(&w, 1008);
    wire_close(&w);
}

/* Every byte of it is six in JSON. */
static void several_streams_have_frames_beyond_64_kib(void **state)
{
    char target[128];
    char controls[12000];
    const char *a = ws_stream_name();
    unsigned first;
    size_t len;
    struct wire w;
    (void)state;
    memset(controls, 1, sizeof(controls));
    ws_stream_publish(server.port, a, "Content-Type: text/plain\r\n", controls,
                      sizeof(controls), 204);
    snprintf(target, sizeof(target), "/s/?streams=%s&from=start", a);
    ws_open(&w, server.port, target, "");
    ws_expect(&w, WS_PING, "", 0);
    char *object = ws_take(&w, &first, &len);
    assert_int_equal(first, WS_TEXT);
    assert_in_range(len, 6 * sizeof(controls), 7 * sizeof(controls));
    assert_int_equal(object[0], '{');
    assert_string_equal(object + len - 8, "\\u0001\"}");
    free(object);
    ws_send(&w, WS_PING, "p", 1);
    ws_expect(&w, WS_PONG, "p", 1);
    wire_close(&w);
}

/* The close frame may stand within a message, but not within a frame. */
static void close_of_a_reader_that_is_stuck_comes_between_frames(void **state)
{
    const char *name = ws_stream_name();
    char *text = ws_long_json();
    struct wire w;
    unsigned first;
    size_t len;
    (void)state;
    ws_stream_json(server.port, name, text);
    ws_stream_stuck(&w, server.port, name, "from=start", "");
    ws_send(&w, WS_PING, "stuck?", 6);
    ws_send(&w, WS_CLOSE, "\x0f\xa0", 2);
    size_t frames = 0;
    bool pong = false;
    for (;;) {
        char *got = ws_take(&w, &first, &len);
        bool over = first == WS_CLOSE;
        if (over)
            assert_memory_equal(got, "\x0f\xa0", 2);
        else
            assert_true(first == WS_PONG || first == WS_TEXT_PART ||
                        first == WS_PART);
        pong = pong || first == WS_PONG;
        frames++;
        free(got);
        if (over)
            break;
    }
    assert_true(pong);
    assert_true(frames > 10);
    wire_expect_end(&w);
    assert_false(w.reset);
    wire_close(&w);
    free(text);
}

static void skipping_reader_is_told_its_gap_in_a_message(void **state)
{
    enum { BYTES = 60000, N = 200 };
    const char *name = ws_stream_name();
    char *data = calloc(1, BYTES);
    struct wire w;
    unsigned first;
    size_t len;
    bool gap = false;
    (void)state;
    ws_stream_publish(server.port, name, "Stream-Capacity: 131072\r\n", "0", 1,
                      204);
    ws_stream_stuck(&w, server.port, name, "from=now&slow=skip", "");
    for (int i = 0; i < N; i++)
        ws_stream_publish(server.port, name, "", data, BYTES, 204);
    while (w.in_len > 0 || wire_read(&w, 300)) {
        char *got = ws_take(&w, &first, &len);
        gap = gap || strncmp(got, "{\"gap\":{\"from\":\"", 16) == 0;
        free(got);
    }
    assert_true(gap);
    ws_stream_publish(server.port, name, "", "end", 3, 204);
    ws_expect(&w, WS_BINARY, "end", 3);
    wire_close(&w);
    free(data);
}

static void several_streams_end_when_the_server_goes(void **state)
{
    struct server other;
    struct wire w;
    (void)state;
    server_init(&other);
    server_start(&other, WS_STREAM_ROUTES, "");
    ws_stream_publish(other.port, "a", "", "x", 1, 204);
    ws_open(&w, other.port, "/s/?streams=a&from=now", "");
    ws_expect(&w, WS_PING, "", 0);
    assert_int_equal(kill(other.pid, SIGTERM), 0);
    ws_expect_close(&w, 1001);
    wire_close(&w);
    assert_int_equal(server_wait(&other, SERVER_STOP_MS), 0);
    server_fini(&other);
}

static void silence_is_broken_by_a_ping(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    wire_text(
        &w, "POST /beat/s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
            "\r\nx");
    wire_answer(&w, &a);
    answer_fini(&a);
    ws_upgrade(&w, "/beat/s?from=now", "");
    ws_expect(&w, WS_PING, "", 0);
    ws_send(&w, WS_PONG, "", 0);
    ws_expect(&w, WS_PING, "", 0);
    wire_close(&w);
}

static void deleted_stream_ends_its_readers(void **state)
{
    const char *name = ws_stream_name();
    char text[128];
    struct wire w;
    (void)state;
    ws_stream_text(server.port, name, "x");
    ws_stream_follow(&w, server.port, name, "from=now&publish=1", "");
    snprintf(text, sizeof(text),
             "DELETE /s/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", name);
    struct answer a;
    wire_ask_by(server.port, text, DELIVER_WHOLE, &a);
    assert_int_equal(a.status, 204);
    answer_fini(&a);
    ws_expect_close(&w, 1001);
    wire_close(&w);
}

static void server_that_goes_says_1001(void **state)
{
    struct server other;
    struct wire w;
    struct answer a;
    (void)state;
    server_init(&other);
    server_start(&other, WS_STREAM_ROUTES, "");
    wire_open(&w, other.port);
    wire_text(&w,
              "POST /s/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
              "\r\nx");
    wire_answer(&w, &a);
    answer_fini(&a);
    ws_upgrade(&w, "/s/x?from=now", "");
    assert_int_equal(kill(other.pid, SIGTERM), 0);
    ws_expect_close(&w, 1001);
    wire_close(&w);
    assert_int_equal(server_wait(&other, SERVER_STOP_MS), 0);
    server_fini(&other);
}

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    server_start(&server, WS_STREAM_ROUTES, "");
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
        cmocka_unit_test(pings_between_messages_cost_none),
        cmocka_unit_test(readers_leave_what_they_share_in_any_order),
        cmocka_unit_test(reader_who_sends_a_message_is_1008),
        cmocka_unit_test(several_streams_are_only_read),
        cmocka_unit_test(several_streams_have_frames_beyond_64_kib),
        cmocka_unit_test(close_of_a_reader_that_is_stuck_comes_between_frames),
        cmocka_unit_test(skipping_reader_is_told_its_gap_in_a_message),
        cmocka_unit_test(several_streams_end_when_the_server_goes),
        cmocka_unit_test(silence_is_broken_by_a_ping),
        cmocka_unit_test(deleted_stream_ends_its_readers),
        cmocka_unit_test(server_that_goes_says_1001),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
