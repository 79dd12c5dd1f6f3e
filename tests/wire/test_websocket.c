/* WebSocket, as RFC 6455 has it, on the lab's echo. */
#include "tests/support/server.h"
#include "tests/support/ws_wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define ECHO       "/lab/websocket"
#define ECHO_BYTES (64u << 10) /* longest message */
#define MANY       400u

static struct server server;

static void begin(struct wire *w)
{
    ws_open(w, server.port, ECHO, "");
}

static void ask(const char *fields, struct answer *ret)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "GET " ECHO " HTTP/1.1\r\nHost: localhost\r\n%s\r\n", fields);
    wire_ask(server.port, text, ret);
}

#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY     "Sec-WebSocket-Key: " WS_KEY "\r\n"

static void handshake_is_that_of_the_standard(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, "GET " ECHO " HTTP/1.1\r\n" WS_FIELDS "\r\n");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 101);
    assert_string_equal(answer_field(&a, "Sec-WebSocket-Accept"), WS_ACCEPT);
    assert_int_equal(answer_field_n(&a, "Connection"), 1);
    assert_string_equal(answer_field(&a, "Connection"), "Upgrade");
    assert_null(answer_field(&a, "Transfer-Encoding"));
    assert_null(answer_field(&a, "Content-Length"));
    assert_null(answer_field(&a, "Sec-WebSocket-Protocol"));
    answer_fini(&a);
    wire_close(&w);
}

static void another_version_is_told_ours(void **state)
{
    struct answer a;
    (void)state;
    ask(UPGRADE KEY "Sec-WebSocket-Version: 8\r\n", &a);
    assert_int_equal(a.status, 426);
    assert_string_equal(answer_field(&a, "Sec-WebSocket-Version"), "13");
    answer_fini(&a);
    ask(UPGRADE KEY, &a);
    assert_int_equal(a.status, 426);
    answer_fini(&a);
}

static void key_must_be_sixteen_bytes(void **state)
{
    static const char *const bad[] = {
        "", "Sec-WebSocket-Key: \r\n", "Sec-WebSocket-Key: c2hvcnQ=\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=*\r\n", KEY KEY};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char fields[256];
        struct answer a;
        snprintf(fields, sizeof(fields), UPGRADE VERSION "%s", bad[i]);
        ask(fields, &a);
        assert_int_equal(a.status, 400);
        answer_fini(&a);
    }
}

static void what_asks_for_no_websocket_is_told_to(void **state)
{
    static const char *const heads[] = {
        "GET " ECHO " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET " ECHO
        " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
        "GET " ECHO " HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\n"
        "Upgrade: h2c\r\n\r\n",
        "GET " ECHO " HTTP/1.0\r\n" UPGRADE VERSION KEY "\r\n",
        "HEAD " ECHO " HTTP/1.1\r\n" WS_FIELDS "\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        wire_expect_status(server.port, heads[i], 426);
}

static void request_with_a_body_is_no_handshake(void **state)
{
    (void)state;
    wire_expect_status(server.port,
                       "GET " ECHO " HTTP/1.1\r\n" WS_FIELDS
                       "Content-Length: 3\r\n\r\nabc",
                       400);
}

static void text_and_binary_come_back(void **state)
{
    struct wire w;
    (void)state;
    begin(&w);
    ws_send_text(&w, "Gr\xc3\xbc\xc3\x9f"
                     "e");
    ws_expect_text(&w, "Gr\xc3\xbc\xc3\x9f"
                       "e");
    ws_send(&w, WS_BINARY, "\xff\0\xfe", 3);
    ws_expect(&w, WS_BINARY, "\xff\0\xfe", 3);
    ws_send(&w, WS_TEXT, "", 0);
    ws_expect(&w, WS_TEXT, "", 0);
    wire_expect_quiet(&w, 50);
    wire_close(&w);
}

static void every_length_comes_back(void **state)
{
    static const size_t lengths[] = {1,    124,  125,  126,   127,   4081, 4082,
                                     4088, 4096, 5000, 65534, 65535, 65536};
    struct wire w;
    char *data = malloc(ECHO_BYTES);
    (void)state;
    for (size_t i = 0; i < ECHO_BYTES; i++)
        data[i] = (char)(i * 7 + i / 256);
    begin(&w);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        ws_send(&w, WS_BINARY, data, lengths[i]);
        ws_expect(&w, WS_BINARY, data, lengths[i]);
    }
    wire_close(&w);
    free(data);
}

/* Whatever the pieces in which they come: a fragmented text with a ping in the
 * middle, two messages, a pong that nobody asked for, and the end. */
static void frames_may_be_cut_anywhere(void **state)
{
    char out[512];
    size_t n = 0;
    (void)state;
    n += ws_put(out + n, WS_TEXT_PART, "a\xc3", 2);
    n += ws_put(out + n, WS_PING, "are you there", 13);
    n += ws_put(out + n, WS_PART, "", 0);
    n += ws_put(out + n, WS_PART,
                "\xa4"
                "b",
                2);
    n += ws_put(out + n, WS_PONG, "x", 1);
    n += ws_put(out + n, WS_LAST_PART, "c", 1);
    n += ws_put(out + n, WS_BINARY, "second", 6);
    n += ws_put(out + n, WS_PING, "", 0);
    n += ws_put(out + n, WS_TEXT, "third", 5);
    n += ws_put(out + n, WS_CLOSE, "\x03\xe9gone", 6);
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        struct wire w;
        begin(&w);
        assert_true(wire_send(&w, out, n, d));
        ws_expect(&w, WS_PONG, "are you there", 13);
        ws_expect_text(&w, "a\xc3\xa4"
                           "bc");
        ws_expect(&w, WS_BINARY, "second", 6);
        ws_expect(&w, WS_PONG, "", 0);
        ws_expect_text(&w, "third");
        ws_expect_close(&w, 1001);
        wire_close(&w);
    }
}

static void frames_behind_the_head_are_not_lost(void **state)
{
    char out[1024];
    struct wire w;
    struct answer a;
    (void)state;
    int n = snprintf(out, sizeof(out),
                     "GET " ECHO " HTTP/1.1\r\n" WS_FIELDS "\r\n");
    size_t len = (size_t)n + ws_put(out + n, WS_TEXT, "early", 5);
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        wire_open(&w, server.port);
        wire_send(&w, out, len, d);
        wire_answer(&w, &a);
        assert_int_equal(a.status, 101);
        answer_fini(&a);
        ws_expect_text(&w, "early");
        wire_close(&w);
    }
}

static void upgrade_may_follow_a_request(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, "GET /lab/bytes/10 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
    ws_upgrade(&w, ECHO, "");
    ws_send_text(&w, "hello");
    ws_expect_text(&w, "hello");
    wire_close(&w);
}

/* Sends bytes as they are, in all three ways, and wants that close code. */
static void check_raw(const char *bytes, size_t len, unsigned code)
{
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        struct wire w;
        begin(&w);
        wire_send(&w, bytes, len, d);
        ws_expect_close(&w, code);
        wire_close(&w);
    }
}

static void check_frame(unsigned first, const char *data, size_t len,
                        unsigned code)
{
    char out[512];
    check_raw(out, ws_put(out, first, data, len), code);
}

#define RAW(literal, code) check_raw("" literal, sizeof(literal) - 1, code)

static void breaches_of_the_protocol_are_1002(void **state)
{
    static const char long_ping[126];
    (void)state;
    RAW("\x81\x02hi", 1002);                           /* not masked */
    RAW("\x81\xfe\0\x02\0\0\0\0hi", 1002);             /* a longer form */
    RAW("\x81\xff\0\0\0\0\0\0\0\x02\0\0\0\0hi", 1002); /* the longest */
    RAW("\x81\xff\xff\0\0\0\0\0\0\0\0\0\0\0hi", 1002); /* negative */
    check_frame(0xc1, "hi", 2, 1002);                  /* a reserved bit */
    check_frame(0x91, "hi", 2, 1002);
    check_frame(0x83, "hi", 2, 1002); /* no such opcode */
    check_frame(0x8b, "hi", 2, 1002);
    check_frame(WS_LAST_PART, "hi", 2, 1002); /* of nothing */
    check_frame(0x09, "hi", 2, 1002);         /* cut control */
    check_frame(WS_PING, long_ping, sizeof(long_ping), 1002);
}

static void message_within_a_message_is_1002(void **state)
{
    char out[64];
    size_t n = ws_put(out, WS_TEXT_PART, "one", 3);
    (void)state;
    n += ws_put(out + n, WS_TEXT, "two", 3);
    check_raw(out, n, 1002);
}

static void text_that_is_not_utf8_is_1007(void **state)
{
    char out[64];
    size_t n = ws_put(out, WS_TEXT_PART, "\xc3", 1);
    (void)state;
    check_frame(WS_TEXT, "\xc3\x28", 2, 1007);
    check_frame(WS_TEXT, "cut \xe2\x82", 6, 1007);
    check_frame(WS_TEXT, "\xed\xa0\x80", 3, 1007); /* a surrogate */
    n += ws_put(out + n, WS_LAST_PART, "\x28", 1);
    check_raw(out, n, 1007);
}

static void close_code_comes_back(void **state)
{
    (void)state;
    check_frame(WS_CLOSE, "", 0, 0);
    check_frame(WS_CLOSE, "\x03\xe8", 2, 1000);
    check_frame(WS_CLOSE, "\x03\xf6", 2, 1014);
    check_frame(WS_CLOSE,
                "\x0b\xb8"
                "bye",
                5, 3000);
    check_frame(WS_CLOSE, "\x13\x87", 2, 4999);
}

static void close_code_that_must_not_be_sent_is_1002(void **state)
{
    (void)state;
    check_frame(WS_CLOSE, "\x03", 1, 1002);
    check_frame(WS_CLOSE, "\x03\xe7", 2, 1002); /* 999 */
    check_frame(WS_CLOSE, "\x03\xec", 2, 1002); /* 1004 */
    check_frame(WS_CLOSE, "\x03\xed", 2, 1002); /* 1005 */
    check_frame(WS_CLOSE, "\x03\xee", 2, 1002); /* 1006 */
    check_frame(WS_CLOSE, "\x03\xf7", 2, 1002); /* 1015 */
    check_frame(WS_CLOSE, "\x0b\xb7", 2, 1002); /* 2999 */
    check_frame(WS_CLOSE, "\x13\x88", 2, 1002); /* 5000 */
    check_frame(WS_CLOSE, "\x03\xe8\xc3\x28", 4, 1007);
}

static void nothing_behind_a_close_frame_is_answered(void **state)
{
    char out[64];
    size_t n = ws_put(out, WS_CLOSE, "\x03\xe8", 2);
    (void)state;
    n += ws_put(out + n, WS_TEXT, "late", 4);
    n += ws_put(out + n, WS_PING, "late", 4);
    check_raw(out, n, 1000);
}

static void longer_message_than_allowed_is_1009(void **state)
{
    struct wire w;
    char part[100] = {0};
    (void)state;
    begin(&w); /* the head is enough */
    wire_send(&w, "\x82\xff\0\0\0\0\0\x01\0\x01\0\0\0\0x", 15, DELIVER_WHOLE);
    ws_expect_close(&w, 1009);
    wire_close(&w);

    ws_open(&w, server.port, ECHO "?max=150", "");
    ws_send(&w, WS_BINARY_PART, part, 100);
    ws_send(&w, WS_LAST_PART, part, 50);
    unsigned first;
    size_t len;
    free(ws_take(&w, &first, &len));
    assert_int_equal(len, 150);
    ws_send(&w, WS_BINARY_PART, part, 100);
    ws_send(&w, WS_LAST_PART, part, 51);
    ws_expect_close(&w, 1009);
    wire_close(&w);
}

static void server_closes_with_the_code_asked(void **state)
{
    struct wire w;
    (void)state;
    ws_open(&w, server.port, ECHO "?close=4242", "");
    ws_expect_close(&w, 4242);
    wire_close(&w);
    wire_expect_status(server.port,
                       "GET " ECHO "?close=99 HTTP/1.1\r\n" WS_FIELDS "\r\n",
                       400);
}

/* The peer's close frame is awaited, so that ours is not lost in a reset. */
static void connection_lingers_for_the_closing_handshake(void **state)
{
    struct wire w;
    (void)state;
    ws_open(&w, server.port, ECHO "?close=1000", "");
    ws_send_text(&w, "on its way");
    server_sleep(100);
    ws_send(&w, WS_CLOSE, "\x03\xe8", 2);
    ws_expect_close(&w, 1000);
    wire_close(&w);
}

/* Sends until nothing more is taken for a while. */
static size_t send_until_full(struct wire *w, const char *data, size_t len)
{
    size_t sent = 0;
    for (unsigned tries = 0; sent < len && tries < 20;) {
        ssize_t n = send(w->fd, data + sent, len - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        tries = n > 0 ? 0 : tries + 1;
        if (n <= 0)
            server_sleep(20);
    }
    return sent;
}

static void client_that_does_not_read_is_not_read(void **state)
{
    const size_t frame = ECHO_BYTES + WS_HEAD_BYTES_MAX;
    char *zeros = calloc(1, ECHO_BYTES);
    char *out = malloc(MANY * frame);
    struct wire w;
    size_t len = 0;
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        len += ws_put(out + len, WS_BINARY, zeros, ECHO_BYTES);
    wire_open_narrow(&w, server.port, 4096);
    ws_upgrade(&w, ECHO, "");
    uint64_t before = server_memory(&server);
    size_t sent = send_until_full(&w, out, len);
    assert_true(sent < len); /* the kernels' buffers, not ours */
    if (!server_sanitized())
        assert_true(server_memory(&server) < before + (1u << 20));
    wire_send(&w, out + sent, len - sent, DELIVER_WHOLE);
    for (size_t i = 0; i < MANY; i++)
        ws_expect(&w, WS_BINARY, zeros, ECHO_BYTES);
    wire_expect_quiet(&w, 50);
    wire_close(&w);
    free(out);
    free(zeros);
}

static void many_pings_are_all_answered(void **state)
{
    char *out = malloc(MANY * 64);
    struct wire w;
    size_t n = 0;
    char text[16];
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "%u", i);
        n += ws_put(out + n, WS_PING, text, strlen(text));
    }
    begin(&w);
    wire_send(&w, out, n, DELIVER_WHOLE);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "%u", i);
        ws_expect(&w, WS_PONG, text, strlen(text));
    }
    wire_close(&w);
    free(out);
}

static void peer_that_leaves_in_a_message_does_no_harm(void **state)
{
    struct wire w;
    (void)state;
    for (int i = 0; i < 3; i++) {
        begin(&w);
        wire_send(&w, "\x81\x8a\0\0\0\0half", 10, DELIVER_WHOLE);
        if (i == 1)
            wire_end(&w);
        if (i == 1)
            wire_expect_end(&w);
        wire_close(&w);
    }
    begin(&w);
    ws_send_text(&w, "still here");
    ws_expect_text(&w, "still here");
    wire_close(&w);
}

static void server_that_goes_says_1001(void **state)
{
    struct server other;
    struct wire w;
    (void)state;
    server_init(&other);
    server_start(&other, "", "");
    ws_open(&w, other.port, ECHO, "");
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
        cmocka_unit_test(handshake_is_that_of_the_standard),
        cmocka_unit_test(another_version_is_told_ours),
        cmocka_unit_test(key_must_be_sixteen_bytes),
        cmocka_unit_test(what_asks_for_no_websocket_is_told_to),
        cmocka_unit_test(request_with_a_body_is_no_handshake),
        cmocka_unit_test(text_and_binary_come_back),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(frames_may_be_cut_anywhere),
        cmocka_unit_test(frames_behind_the_head_are_not_lost),
        cmocka_unit_test(upgrade_may_follow_a_request),
        cmocka_unit_test(breaches_of_the_protocol_are_1002),
        cmocka_unit_test(message_within_a_message_is_1002),
        cmocka_unit_test(text_that_is_not_utf8_is_1007),
        cmocka_unit_test(close_code_comes_back),
        cmocka_unit_test(close_code_that_must_not_be_sent_is_1002),
        cmocka_unit_test(nothing_behind_a_close_frame_is_answered),
        cmocka_unit_test(longer_message_than_allowed_is_1009),
        cmocka_unit_test(server_closes_with_the_code_asked),
        cmocka_unit_test(connection_lingers_for_the_closing_handshake),
        cmocka_unit_test(client_that_does_not_read_is_not_read),
        cmocka_unit_test(many_pings_are_all_answered),
        cmocka_unit_test(peer_that_leaves_in_a_message_does_no_harm),
        cmocka_unit_test(server_that_goes_says_1001),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
