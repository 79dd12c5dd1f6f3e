/* Streams by WebSocket: what comes between their frames, and publishing. */
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

#define LONG_BYTES   (1u << 20)
#define ROUNDS       40u
#define NARROW_BYTES 32768
#define ROUTES                                                                 \
    "route \"/s/\" {\n    streams = \"friendly\"\n    heartbeat = \"0\"\n"     \
    "    append_bytes_max = 2m\n    sndbuf = 16k\n}\n"                         \
    "route \"/beat/\" {\n    streams = \"friendly\"\n    heartbeat = 300ms\n}" \
    "\n"
#define DS "Sec-WebSocket-Protocol: ds.v1\r\n"

static struct server server;

/* A name that no other test has. */
static const char *fresh(void)
{
    static char name[4][32];
    static unsigned n;
    char *text = name[n++ % 4];
    snprintf(text, sizeof(name[0]), "t%u", n);
    return text;
}

static void publish(const char *name, const char *fields, const void *data,
                    size_t len, int status)
{
    char head[512];
    struct wire w;
    struct answer a;
    snprintf(head, sizeof(head),
             "POST /s/%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
             name, fields, len);
    wire_open(&w, server.port);
    wire_text(&w, head);
    wire_send(&w, data, len, DELIVER_WHOLE);
    wire_answer(&w, &a);
    if (a.status != status)
        print_message("--- %s%s\n", a.head, a.body);
    assert_int_equal(a.status, status);
    answer_fini(&a);
    wire_close(&w);
}

static void publish_text(const char *name, const char *text)
{
    publish(name, "Content-Type: text/plain\r\n", text, strlen(text), 204);
}

static void publish_json(const char *name, const char *text)
{
    publish(name, "Content-Type: application/json\r\n", text, strlen(text),
            204);
}

static void follow(struct wire *w, const char *name, const char *query,
                   const char *fields)
{
    char target[128];
    snprintf(target, sizeof(target), "/s/%s?%s", name, query);
    ws_open(w, server.port, target, fields);
}

/* Whatever comes of ds.v1 that is no error and no data. */
static void expect_control(struct wire *w)
{
    unsigned first;
    size_t len;
    char *text = ws_take(w, &first, &len);
    assert_int_equal(first, WS_TEXT);
    assert_non_null(strstr(text, "streamNextOffset"));
    free(text);
}

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

static void pings_between_messages_cost_none(void **state)
{
    const char *name = fresh();
    struct wire w;
    char text[32];
    (void)state;
    publish_text(name, "first");
    follow(&w, name, "from=start", "");
    ws_expect_text(&w, "first");
    for (unsigned i = 0; i < ROUNDS; i++) {
        snprintf(text, sizeof(text), "message %u", i);
        publish_text(name, text);
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
    publish_text(name, "last");
    ws_expect_text(&w, "last");
    wire_close(&w);
}

/* Each pong takes a reader off the view that all are on. */
static void readers_leave_what_they_share_in_any_order(void **state)
{
    static const unsigned char order[] = {0, 3, 1, 6, 2, 7, 5, 4};
    const char *name = fresh();
    struct wire w[8];
    (void)state;
    publish_text(name, "x");
    for (unsigned i = 0; i < 8; i++)
        follow(&w[i], name, "from=now", "");
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 8; i++) {
            unsigned k = order[(i + round) % 8];
            ws_send(&w[k], WS_PING, "p", 1);
            ws_expect(&w[k], WS_PONG, "p", 1);
        }
        publish_text(name, "more");
        for (unsigned i = 0; i < 8; i++)
            ws_expect_text(&w[i], "more");
    }
    for (unsigned i = 0; i < 8; i++)
        wire_close(&w[order[i]]);
}

static void reader_who_sends_a_message_is_1008(void **state)
{
    const char *name = fresh();
    struct wire w;
    (void)state;
    publish_text(name, "x");
    follow(&w, name, "from=now", "");
    wire_send(&w, "\x82\xff\0\0\0\0\x7f\0\0\0\0\0\0\0x", 15, DELIVER_WHOLE);
    ws_expect_close(&w, 1008);
    wire_close(&w);
}

static void several_streams_are_only_read(void **state)
{
    char target[128];
    const char *a = fresh();
    const char *b = fresh();
    struct wire w;
    (void)state;
    publish_text(a, "x");
    publish_text(b, "x");
    snprintf(target, sizeof(target), "/s/?streams=%s,%s&from=now", a, b);
    ws_open(&w, server.port, target, "");
    ws_send(&w, WS_PING, "p", 1);
    ws_expect(&w, WS_PONG, "p", 1);
    wire_send(&w, "\x82\xff\0\0\0\0\x7f\0\0\0\0\0\0\0x", 15, DELIVER_WHOLE);
    ws_expect_close(&w, 1008);
    wire_close(&w);
}

static void each_message_is_an_append(void **state)
{
    const char *name = fresh();
    struct wire writer;
    struct wire reader;
    char out[256];
    (void)state;
    publish_text(name, "0");
    size_t n = ws_put(out, WS_TEXT, "one", 3);
    n += ws_put(out + n, WS_TEXT_PART, "t", 1);
    n += ws_put(out + n, WS_PING, "", 0);
    n += ws_put(out + n, WS_LAST_PART, "wo", 2);
    n += ws_put(out + n, WS_BINARY, "three", 5);
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        follow(&reader, name, "from=now", "");
        follow(&writer, name, "from=now&publish=1", "");
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
    const char *name = fresh();
    struct wire w;
    (void)state;
    publish_json(name, "0");
    follow(&w, name, "from=now&publish=1", "");
    ws_send_text(&w, " [1,\n{\"a\":\r\n[2]}] ");
    ws_expect_text(&w, "1");
    ws_expect_text(&w, "{\"a\":  [2]}");
    ws_send_text(&w, "3");
    ws_expect_text(&w, "3");
    wire_close(&w);
}

static void message_that_is_refused_ends_the_connection(void **state)
{
    const char *name = fresh();
    struct wire w;
    (void)state;
    publish_json(name, "0");
    follow(&w, name, "from=now&publish=1", "");
    ws_send_text(&w, "1");
    ws_expect_text(&w, "1");
    ws_send_text(&w, "{");
    ws_send_text(&w, "2");
    ws_expect_close(&w, 1008);
    wire_close(&w);
    follow(&w, name, "from=start", "");
    ws_expect_text(&w, "0");
    ws_expect_text(&w, "1");
    wire_expect_quiet(&w, 50);
    wire_close(&w);
}

static void with_ds_v1_it_is_told_and_goes_on(void **state)
{
    const char *name = fresh();
    struct wire w;
    (void)state;
    publish_json(name, "0");
    follow(&w, name, "from=now&publish=1", DS);
    expect_control(&w);
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
    expect_control(&w);
    wire_close(&w);
}

static void full_stream_refuses_with_1013(void **state)
{
    const char *name = fresh();
    char data[3000] = {0};
    struct wire w;
    (void)state;
    publish(name, "Stream-Policy: reject\r\nStream-Capacity: 4096\r\n", data,
            sizeof(data), 204);
    follow(&w, name, "from=now&publish=1", DS);
    expect_control(&w);
    ws_send(&w, WS_BINARY, data, sizeof(data));
    expect_error(&w, 503);
    char *larger = calloc(1, 5000);
    ws_send(&w, WS_BINARY, larger, 5000);
    expect_error(&w, 413);
    free(larger);
    wire_close(&w);
    follow(&w, name, "from=now&publish=1", "");
    ws_send(&w, WS_BINARY, data, sizeof(data));
    ws_expect_close(&w, 1013);
    wire_close(&w);
}

static void longer_message_than_an_append_is_1009(void **state)
{
    const char *name = fresh();
    struct wire w;
    (void)state;
    publish_text(name, "x");
    follow(&w, name, "from=now&publish=1", "");
    wire_send(&w, "\x82\xff\0\0\0\0\0\x20\0\x01\0\0\0\0x", 15, DELIVER_WHOLE);
    ws_expect_close(&w, 1009);
    wire_close(&w);
}

static void publishing_needs_no_half_words(void **state)
{
    const char *name = fresh();
    char text[256];
    (void)state;
    publish_text(name, "x");
    snprintf(text, sizeof(text),
             "GET /s/%s?publish=yes HTTP/1.1\r\n" WS_FIELDS "\r\n", name);
    wire_expect_status(server.port, text, 400);
}

/* Takes the frames of one long message; whole: from its beginning on. */
static void take_long(struct wire *w, unsigned first, size_t bytes)
{
    size_t got = 0;
    bool last = false;
    for (unsigned want = first; !last; want = 0) {
        unsigned head;
        size_t len;
        free(ws_take(w, &head, &len));
        assert_int_equal(head & 0x7fu, want & 0x7fu);
        got += len;
        last = (head & 0x80u) != 0;
    }
    assert_int_equal(got, bytes);
}

/* A reader that has not read yet, of a long message that it is in. */
static void begin_stuck(struct wire *w, const char *name, const char *query,
                        const char *fields)
{
    char target[128];
    snprintf(target, sizeof(target), "/s/%s?%s", name, query);
    wire_open_narrow(w, server.port, NARROW_BYTES);
    ws_upgrade(w, target, fields);
    server_sleep(200);
}

static char *long_json(void)
{
    char *text = malloc(LONG_BYTES + 1);
    memset(text, 'x', LONG_BYTES);
    text[0] = '"';
    text[LONG_BYTES - 1] = '"';
    text[LONG_BYTES] = '\0';
    return text;
}

static void error_waits_for_the_end_of_a_message_under_way(void **state)
{
    const char *name = fresh();
    char *text = long_json();
    struct wire w;
    (void)state;
    publish_json(name, text);
    begin_stuck(&w, name, "from=start&publish=1", DS);
    ws_send_text(&w, "{");
    ws_send_text(&w, "[");
    ws_send_text(&w, "1");
    server_sleep(100);
    expect_control(&w); /* the hello */
    take_long(&w, WS_BINARY, LONG_BYTES);
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

/* The close frame may stand within a message, but not within a frame. */
static void close_of_a_reader_that_is_stuck_comes_between_frames(void **state)
{
    const char *name = fresh();
    char *text = long_json();
    struct wire w;
    unsigned first;
    size_t len;
    (void)state;
    publish_json(name, text);
    begin_stuck(&w, name, "from=start", "");
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
    const char *name = fresh();
    char *data = calloc(1, BYTES);
    char *out = malloc((size_t)N * (BYTES + WS_HEAD_BYTES_MAX));
    size_t len = 0;
    struct wire writer;
    struct wire reader;
    (void)state;
    publish(name, "Stream-Policy: block\r\nStream-Capacity: 131072\r\n", "0", 1,
            204);
    for (unsigned i = 0; i < N; i++) {
        memcpy(data, &i, sizeof(i));
        len += ws_put(out + len, WS_BINARY, data, BYTES);
    }
    wire_open_narrow(&reader, server.port, NARROW_BYTES);
    char target[64];
    snprintf(target, sizeof(target), "/s/%s?from=now", name);
    ws_upgrade(&reader, target, "");
    uint64_t before = server_memory(&server);
    follow(&writer, name, "from=now&publish=1", "");
    size_t sent = send_until_full(&writer, out, len);
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
    const char *name = fresh();
    char data[BYTES] = {0};
    char *out = malloc((size_t)N * (BYTES + WS_HEAD_BYTES_MAX));
    size_t len = 0;
    struct wire reader;
    struct wire writer;
    (void)state;
    publish(name, "Stream-Policy: block\r\nStream-Capacity: 4096\r\n", "0", 1,
            204);
    for (unsigned i = 0; i < N; i++)
        len += ws_put(out + len, WS_BINARY, data, BYTES);
    begin_stuck(&reader, name, "from=start", "");
    follow(&writer, name, "from=now&publish=1", "");
    assert_true(send_until_full(&writer, out, len) < len);
    wire_close(&writer);
    wire_close(&reader);
    server_sleep(100);
    follow(&writer, name, "from=now&publish=1", "");
    ws_send(&writer, WS_BINARY, "alive", 5);
    ws_expect(&writer, WS_BINARY, "alive", 5);
    wire_close(&writer);
    free(out);
}

static void skipping_reader_is_told_its_gap_in_a_message(void **state)
{
    enum { BYTES = 60000, N = 200 };
    const char *name = fresh();
    char *data = calloc(1, BYTES);
    struct wire w;
    unsigned first;
    size_t len;
    bool gap = false;
    (void)state;
    publish(name, "Stream-Capacity: 131072\r\n", "0", 1, 204);
    begin_stuck(&w, name, "from=now&slow=skip", "");
    for (int i = 0; i < N; i++)
        publish(name, "", data, BYTES, 204);
    while (w.in_len > 0 || wire_read(&w, 300)) {
        char *got = ws_take(&w, &first, &len);
        gap = gap || strncmp(got, "{\"gap\":{\"from\":\"", 16) == 0;
        free(got);
    }
    assert_true(gap);
    publish(name, "", "end", 3, 204);
    ws_expect(&w, WS_BINARY, "end", 3);
    wire_close(&w);
    free(data);
}

static void silence_is_broken_by_a_ping(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, "POST /beat/s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
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
    const char *name = fresh();
    char text[128];
    struct wire w;
    (void)state;
    publish_text(name, "x");
    follow(&w, name, "from=now&publish=1", "");
    snprintf(text, sizeof(text), "DELETE /s/%s HTTP/1.1\r\nHost: x\r\n\r\n",
             name);
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
    server_start(&other, ROUTES, "");
    wire_open(&w, other.port);
    wire_text(&w, "POST /s/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
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
    server_start(&server, ROUTES, "");
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
        cmocka_unit_test(each_message_is_an_append),
        cmocka_unit_test(array_is_as_many_messages),
        cmocka_unit_test(message_that_is_refused_ends_the_connection),
        cmocka_unit_test(with_ds_v1_it_is_told_and_goes_on),
        cmocka_unit_test(full_stream_refuses_with_1013),
        cmocka_unit_test(longer_message_than_an_append_is_1009),
        cmocka_unit_test(publishing_needs_no_half_words),
        cmocka_unit_test(error_waits_for_the_end_of_a_message_under_way),
        cmocka_unit_test(close_of_a_reader_that_is_stuck_comes_between_frames),
        cmocka_unit_test(publisher_waits_while_a_blocking_stream_is_full),
        cmocka_unit_test(held_message_goes_with_its_publisher),
        cmocka_unit_test(skipping_reader_is_told_its_gap_in_a_message),
        cmocka_unit_test(silence_is_broken_by_a_ping),
        cmocka_unit_test(deleted_stream_ends_its_readers),
        cmocka_unit_test(server_that_goes_says_1001),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
