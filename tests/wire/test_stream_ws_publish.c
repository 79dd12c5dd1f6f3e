/* Publishing to streams by WebSocket. */
#include "tests/support/server.h"
#include "tests/support/ws_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct server server;

static void expect_error(struct wire *w, int status)
{
    char want[64];
    unsigned first;
    size_t len;
    char *text = ws_take(w, &first, &len);
    snprintf(want, sizeof(want), "{\"error\":{\"status\":%d,\"text\":\"",
             status);
    if (strncmp(text, want, strlen(want)) != 0)
        print_message("--- %s\n", text);
    assert_int_equal(first, WS_TEXT);
    assert_int_equal(strncmp(text, want, strlen(want)), 0);
    assert_string_equal(text + len - 3, "\"}}");
    free(text);
}

static void each_message_is_an_append(void **state)
{
    const char *name = ws_stream_name();
    struct wire writer;
    struct wire reader;
    char out[256];
    (void)state;
    ws_stream_text(server.port, name, "0");
    size_t n = ws_put(out, WS_TEXT, "one", 3);
    n += ws_put(out + n, WS_TEXT_PART, "t", 1);
    n += ws_put(out + n, WS_PING, "", 0);
    n += ws_put(out + n, WS_LAST_PART, "wo", 2);
    n += ws_put(out + n, WS_BINARY, "three", 5);
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        ws_stream_follow(&reader, server.port, name, "from=now", "");
        ws_stream_follow(&writer, server.port, name, "from=now&publish=1", "");
        wire_send(&writer, out, n, d);
        ws_expect_text(&reader, "one");
        ws_expect_text(&reader, "two");
        ws_expect_text(&reader, "three");
        for (int i = 0; i < 4; i++) { /* its own, and a pong */
            unsigned first;
            size_t len;
            free(ws_take(&writer, &first, &len));
            assert_true(first == WS_TEXT || first == WS_PONG);
        }
        ws_send(&writer, WS_CLOSE, "\x03\xe8", 2);
        ws_expect_close(&writer, 1000);
        wire_close(&writer);
        wire_close(&reader);
    }
}

static void array_is_as_many_messages(void **state)
{
    const char *name = ws_stream_name();
    struct wire w;
    (void)state;
    ws_stream_json(server.port, name, "0");
    ws_stream_follow(&w, server.port, name, "from=now&publish=1", "");
    ws_send_text(&w, " [1,\n{\"a\":\r\n[2]}] ");
    ws_expect_text(&w, "1");
    ws_expect_text(&w, "{\"a\":  [2]}");
    ws_send_text(&w, "3");
    ws_expect_text(&w, "3");
    wire_close(&w);
}

static void message_that_is_refused_ends_the_connection(void **state)
{
    const char *name = ws_stream_name();
    struct wire w;
    (void)state;
    ws_stream_json(server.port, name, "0");
    ws_stream_follow(&w, server.port, name, "from=now&publish=1", "");
    ws_send_text(&w, "1");
    ws_expect_text(&w, "1");
    ws_send_text(&w, "{");
    ws_send_text(&w, "2");
    ws_expect_close(&w, 1008);
    wire_close(&w);
    ws_stream_follow(&w, server.port, name, "from=start", "");
    ws_expect_text(&w, "0");
    ws_expect_text(&w, "1");
    wire_expect_quiet(&w, 50);
    wire_close(&w);
}

static void with_ds_v1_it_is_told_and_goes_on(void **state)
{
    const char *name = ws_stream_name();
    struct wire w;
    (void)state;
    ws_stream_json(server.port, name, "0");
    ws_stream_follow(&w, server.port, name, "from=now&publish=1", WS_DS);
    ws_expect_control(&w);
    char out[64];
    size_t n = ws_put(out, WS_TEXT, "{", 1);
    n += ws_put(out + n, WS_TEXT, "[]", 2);
    n += ws_put(out + n, WS_TEXT, "", 0);
    n += ws_put(out + n, WS_TEXT, "[7]", 3);
    wire_send(&w, out, n, DELIVER_WHOLE);
    expect_error(&w, 400);
    expect_error(&w, 400);
    expect_error(&w, 400);
    ws_expect(&w, WS_BINARY, "7", 1);
    ws_expect_control(&w);
    wire_close(&w);
}

static void full_stream_refuses_with_1013(void **state)
{
    const char *name = ws_stream_name();
    char data[3000] = {0};
    struct wire w;
    (void)state;
    ws_stream_publish(server.port, name,
                      "Stream-Policy: reject\r\nStream-Capacity: 4096\r\n",
                      data, sizeof(data), 204);
    ws_stream_follow(&w, server.port, name, "from=now&publish=1", WS_DS);
    ws_expect_control(&w);
    ws_send(&w, WS_BINARY, data, sizeof(data));
    expect_error(&w, 503);
    char *larger = calloc(1, 5000);
    ws_send(&w, WS_BINARY, larger, 5000);
    expect_error(&w, 413);
    free(larger);
    wire_close(&w);
    ws_stream_follow(&w, server.port, name, "from=now&publish=1", "");
    ws_send(&w, WS_BINARY, data, sizeof(data));
    ws_expect_close(&w, 1013);
    wire_close(&w);
}

static void longer_message_than_an_append_is_1009(void **state)
{
    const char *name = ws_stream_name();
    struct wire w;
    (void)state;
    ws_stream_text(server.port, name, "x");
    ws_stream_follow(&w, server.port, name, "from=now&publish=1", "");
    wire_send(&w, "\x82\xff\0\0\0\0\0\x20\0\x01\0\0\0\0x", 15, DELIVER_WHOLE);
    ws_expect_close(&w, 1009);
    wire_close(&w);
}

static void publishing_needs_no_half_words(void **state)
{
    const char *name = ws_stream_name();
    char text[256];
    (void)state;
    ws_stream_text(server.port, name, "x");
    snprintf(text, sizeof(text),
             "GET /s/%s?publish=yes HTTP/1.1\r\n" WS_FIELDS "\r\n", name);
    wire_expect_status(server.port, text, 400);
}

static void error_waits_for_the_end_of_a_message_under_way(void **state)
{
    const char *name = ws_stream_name();
    char *text = ws_long_json();
    struct wire w;
    (void)state;
    ws_stream_json(server.port, name, text);
    ws_stream_stuck(&w, server.port, name, "from=start&publish=1", WS_DS);
    ws_send_text(&w, "{");
    ws_send_text(&w, "[");
    ws_send_text(&w, "1");
    server_sleep(100);
    ws_expect_control(&w); /* the hello */
    ws_take_long(&w, WS_BINARY, WS_STREAM_LONG_BYTES);
    bool data = false;
    for (int errors = 0; errors < 2 || !data;) {
        unsigned first;
        size_t len;
        char *got = ws_take(&w, &first, &len);
        errors += strstr(got, "\"error\"") != NULL;
        data = data || (first == WS_BINARY && strcmp(got, "1") == 0);
        assert_true(first == WS_TEXT || first == WS_BINARY);
        free(got);
    }
    wire_close(&w);
    free(text);
}

/* What came is n messages of so many bytes, each with its number in front. */
static void check_numbered(const struct wire *w, size_t bytes, unsigned n)
{
    const unsigned char *in = (const unsigned char *)w->in;
    const unsigned char *end = in + w->in_len;
    size_t got = 0;
    for (unsigned i = 0; i < n;) {
        assert_true(in + 4 <= end);
        size_t head = in[1] == 126 ? 4 : 2;
        size_t len = in[1] == 126 ? (size_t)in[2] << 8 | in[3] : in[1];
        assert_int_equal(in[0] & 0x7f, got == 0 ? 2 : 0);
        assert_true(in + head + len <= end);
        if (got == 0)
            assert_memory_equal(in + head, &i, sizeof(i));
        got += len;
        i += (in[0] & 0x80) != 0;
        assert_true((in[0] & 0x80) == 0 || got == bytes);
        got = (in[0] & 0x80) != 0 ? 0 : got;
        in += head + len;
    }
    assert_true(in == end);
}

/* The slowest reader governs: here one that reads nothing for a while. */
static void publisher_waits_while_a_blocking_stream_is_full(void **state)
{
    enum { BYTES = 60000, N = 250 };
    const char *name = ws_stream_name();
    char *data = calloc(1, BYTES);
    char *out = malloc((size_t)N * (BYTES + WS_HEAD_BYTES_MAX));
    size_t len = 0;
    struct wire writer;
    struct wire reader;
    (void)state;
    ws_stream_publish(server.port, name,
                      "Stream-Policy: block\r\nStream-Capacity: 131072\r\n",
                      "0", 1, 204);
    for (unsigned i = 0; i < N; i++) {
        memcpy(data, &i, sizeof(i));
        len += ws_put(out + len, WS_BINARY, data, BYTES);
    }
    wire_open_narrow(&reader, server.port, WS_STREAM_NARROW_BYTES);
    char target[64];
    snprintf(target, sizeof(target), "/s/%s?from=now", name);
    ws_upgrade(&reader, target, "");
    uint64_t before = server_memory(&server);
    ws_stream_follow(&writer, server.port, name, "from=now&publish=1", "");
    size_t sent = ws_send_until_full(&writer, out, len);
    assert_true(sent < len); /* the kernel's buffers, and no more */
    if (!server_sanitized())
        assert_true(server_memory(&server) < before + (4u << 20));
    uint64_t end = server_now_ms() + WIRE_MS;
    const size_t wanted = (size_t)N * (BYTES + 4); /* one head each, at least */
    while ((reader.in_len < wanted || writer.in_len < wanted) &&
           server_now_ms() < end) {
        ssize_t n = send(writer.fd, out + sent, len - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        wire_read(&reader, 1);
        wire_read(&writer, 0);
    }
    assert_int_equal(sent, len);
    while (wire_read(&reader, 200) || wire_read(&writer, 200))
        continue;
    check_numbered(&reader, BYTES, N);
    check_numbered(&writer, BYTES, N);
    wire_close(&writer);
    wire_close(&reader);
    free(out);
    free(data);
}

static void held_message_goes_with_its_publisher(void **state)
{
    enum { BYTES = 4000, N = 2000 };
    const char *name = ws_stream_name();
    char data[BYTES] = {0};
    char *out = malloc((size_t)N * (BYTES + WS_HEAD_BYTES_MAX));
    size_t len = 0;
    struct wire reader;
    struct wire writer;
    (void)state;
    ws_stream_publish(server.port, name,
                      "Stream-Policy: block\r\nStream-Capacity: 4096\r\n", "0",
                      1, 204);
    for (unsigned i = 0; i < N; i++)
        len += ws_put(out + len, WS_BINARY, data, BYTES);
    ws_stream_stuck(&reader, server.port, name, "from=start", "");
    ws_stream_follow(&writer, server.port, name, "from=now&publish=1", "");
    assert_true(ws_send_until_full(&writer, out, len) < len);
    wire_close(&writer);
    wire_close(&reader);
    server_sleep(100);
    ws_stream_follow(&writer, server.port, name, "from=now&publish=1", "");
    ws_send(&writer, WS_BINARY, "alive", 5);
    ws_expect(&writer, WS_BINARY, "alive", 5);
    wire_close(&writer);
    free(out);
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
        cmocka_unit_test(each_message_is_an_append),
        cmocka_unit_test(array_is_as_many_messages),
        cmocka_unit_test(message_that_is_refused_ends_the_connection),
        cmocka_unit_test(with_ds_v1_it_is_told_and_goes_on),
        cmocka_unit_test(full_stream_refuses_with_1013),
        cmocka_unit_test(longer_message_than_an_append_is_1009),
        cmocka_unit_test(publishing_needs_no_half_words),
        cmocka_unit_test(error_waits_for_the_end_of_a_message_under_way),
        cmocka_unit_test(publisher_waits_while_a_blocking_stream_is_full),
        cmocka_unit_test(held_message_goes_with_its_publisher),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
