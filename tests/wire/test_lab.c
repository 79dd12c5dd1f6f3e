/* The lab: every endpoint does what its index says, misbehaviour too. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NARROW_BYTES 4096
#define ROOM_BYTES   (2u << 20)
#define READERS      20u

static struct server server;

static void get(const char *target, struct answer *ret)
{
    wire_get(server.port, target, "", ret);
}

static void begin(struct wire *w, const char *target)
{
    char text[256];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    wire_open(w, server.port);
    wire_text(w, text);
}

static void check_status(const char *target, int status)
{
    struct answer a;
    get(target, &a);
    if (a.status != status)
        print_message("--- %s gave %d: %s\n", target, a.status, a.body);
    assert_int_equal(a.status, status);
    answer_fini(&a);
}

static void index_lists_every_endpoint(void **state)
{
    static const char *const names[] = {
        "bytes/",  "stream-bytes/", "lines/",   "drip",      "delay/",
        "chunks?", "echo",          "sink",     "status/",   "headers",
        "gzip",    "trailers",      "range/",   "redirect/", "truncate",
        "reset",   "stall",         "badchunk", "websocket"};
    struct answer a;
    (void)state;
    wire_get(server.port, "/lab/", "Accept: text/html\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "curl "));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_non_null(strstr(a.body, names[i]));
    answer_fini(&a);
}

static void unknown_endpoint_is_not_found(void **state)
{
    (void)state;
    check_status("/lab/nothing", 404);
    check_status("/lab/bytes/abc", 400);
    check_status("/lab/bytes/", 400);
    check_status("/lab/bytes/99999999999999999999", 400);
    check_status("/lab/chunks?sizes=0", 400);
    check_status("/lab/chunks?sizes=1,,2", 400);
    check_status("/lab/chunks?sizes=a", 400);
    check_status("/lab/status/99", 400);
    check_status("/lab/status/1000", 400);
}

static void bytes_are_reproducible(void **state)
{
    struct answer a;
    struct answer b;
    (void)state;
    get("/lab/bytes/100k?seed=7", &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 100 << 10);
    assert_false(a.chunked);
    get("/lab/bytes/200k?seed=7", &b);
    assert_memory_equal(a.body, b.body, 100 << 10);
    answer_fini(&b);
    get("/lab/bytes/100k?seed=8", &b);
    assert_memory_not_equal(a.body, b.body, 1000);
    answer_fini(&a);
    answer_fini(&b);
}

static void stream_bytes_are_the_same_bytes_in_chunks(void **state)
{
    struct answer a;
    struct answer b;
    (void)state;
    get("/lab/bytes/10001", &a);
    get("/lab/stream-bytes/10001?chunk=1000", &b);
    assert_int_equal(b.body_len, 10001);
    assert_memory_equal(a.body, b.body, 10001);
    assert_int_equal(b.chunks_n, 11);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(b.chunks[i], 1000);
    assert_int_equal(b.chunks[10], 1);
    answer_fini(&a);
    answer_fini(&b);
}

static void chunks_have_exactly_the_sizes_asked(void **state)
{
    static const uint32_t sizes[] = {1,   2,    15,    16,    17,     255,
                                     256, 4096, 70000, 65536, 300000, 3};
    struct answer a;
    (void)state;
    get("/lab/"
        "chunks?sizes=1,2,15,16,17,255,256,4096,70000,65536,300000,3",
        &a);
    assert_int_equal(a.chunks_n, sizeof(sizes) / sizeof(sizes[0]));
    for (size_t i = 0; i < a.chunks_n; i++)
        assert_int_equal(a.chunks[i], sizes[i]);
    answer_fini(&a);
}

static void largest_chunk_is_one_chunk(void **state)
{
    struct answer a;
    (void)state;
    get("/lab/chunks?sizes=1m", &a);
    assert_int_equal(a.chunks_n, 1);
    assert_int_equal(a.chunks[0], 1 << 20);
    answer_fini(&a);
}

static void lines_come_one_by_one(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    get("/lab/lines/3", &a);
    assert_string_equal(a.body, "line 1\nline 2\nline 3\n");
    answer_fini(&a);
    uint64_t begun = server_now_ms();
    begin(&w, "/lab/lines/4?interval=100ms");
    wire_answer(&w, &a);
    assert_int_equal(a.chunks_n, 4);
    assert_in_range(server_now_ms() - begun, 290, 5000);
    answer_fini(&a);
    wire_close(&w);
}

static void head_of_a_stream_comes_before_its_body(void **state)
{
    struct wire w;
    (void)state;
    begin(&w, "/lab/drip?bytes=2&duration=20s&delay=0");
    wire_need(&w, 100);
    assert_memory_equal(w.in, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(memmem(w.in, w.in_len, "\r\n\r\n", 4));
    wire_close(&w);
}

static void drip_takes_its_time(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    uint64_t begun = server_now_ms();
    begin(&w, "/lab/drip?bytes=5&duration=400ms&delay=200ms&code=202");
    wire_answer(&w, &a);
    uint64_t took = server_now_ms() - begun;
    assert_int_equal(a.status, 202);
    assert_string_equal(a.body, "*****");
    assert_in_range(took, 500, 5000);
    answer_fini(&a);
    wire_close(&w);
}

static void delay_holds_the_answer_back(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    uint64_t begun = server_now_ms();
    begin(&w, "/lab/delay/0.3");
    wire_expect_quiet(&w, 200);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    assert_in_range(server_now_ms() - begun, 290, 5000);
    answer_fini(&a);
    wire_close(&w);
}

static void client_that_leaves_in_a_delay_does_no_harm(void **state)
{
    struct wire w;
    (void)state;
    for (int i = 0; i < 20; i++) {
        begin(&w, i % 2 ? "/lab/delay/1" : "/lab/lines/10?interval=20ms");
        wire_close(&w);
    }
    server_sleep(100);
    check_status("/lab/delay/0.05", 200);
}

static void status_is_what_was_asked(void **state)
{
    static const int codes[] = {200, 201, 202, 203, 204, 205, 206, 226,
                                300, 301, 304, 400, 401, 404, 407, 418,
                                426, 429, 451, 500, 503, 599};
    char target[64];
    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        snprintf(target, sizeof(target), "/lab/status/%d", codes[i]);
        check_status(target, codes[i]);
    }
}

static void headers_are_shown_as_they_came(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/lab/headers?q", "X-TeSt:  a \"b\" \r\n", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(
        strstr(a.body, "{\"name\":\"X-TeSt\",\"value\":\"a \\\"b\\\"\"}"));
    assert_non_null(strstr(a.body, "\"target\":\"/lab/headers?q\""));
    answer_fini(&a);
}

static void gzip_is_gzip(void **state)
{
    struct answer a;
    (void)state;
    get("/lab/gzip?bytes=100k", &a);
    assert_string_equal(answer_field(&a, "Content-Encoding"), "gzip");
    assert_memory_equal(a.body, "\x1f\x8b", 2);
    answer_fini(&a);
}

static void trailers_stand_behind_the_body(void **state)
{
    struct answer a;
    (void)state;
    get("/lab/trailers?bytes=1000", &a);
    assert_int_equal(a.body_len, 1000);
    assert_true(answer_lists(&a, "Trailer", "X-Content-SHA256"));
    assert_string_equal(answer_trailer(&a, "X-Content-Length"), "1000");
    assert_int_equal(strlen(answer_trailer(&a, "X-Content-SHA256")), 64);
    answer_fini(&a);
}

static void range_gives_parts_of_the_same_bytes(void **state)
{
    struct answer a;
    struct answer b;
    (void)state;
    get("/lab/range/100000", &a);
    assert_string_equal(answer_field(&a, "Accept-Ranges"), "bytes");
    wire_get(server.port, "/lab/range/100000", "Range: bytes=99990-\r\n", &b);
    assert_int_equal(b.status, 206);
    assert_int_equal(b.body_len, 10);
    assert_memory_equal(b.body, a.body + 99990, 10);
    assert_string_equal(answer_field(&b, "Content-Range"),
                        "bytes 99990-99999/100000");
    answer_fini(&b);
    wire_get(server.port, "/lab/range/100000", "Range: bytes=100000-\r\n", &b);
    assert_int_equal(b.status, 416);
    answer_fini(&a);
    answer_fini(&b);
}

static void redirects_count_down(void **state)
{
    struct answer a;
    char target[512] = "/lab/redirect/3?code=307";
    (void)state;
    for (int i = 0; i < 3; i++) {
        get(target, &a);
        assert_int_equal(a.status, 307);
        snprintf(target, sizeof(target), "%s", answer_field(&a, "Location"));
        answer_fini(&a);
    }
    assert_string_equal(target, "/lab/headers");
    check_status(target, 200);
}

/* Misbehaviour. */

static size_t head_len(const struct wire *w)
{
    const char *end = memmem(w->in, w->in_len, "\r\n\r\n", 4);
    assert_non_null(end);
    return (size_t)(end - w->in) + 4;
}

static void truncate_ends_without_the_last_chunk(void **state)
{
    struct wire w;
    struct answer a;
    size_t used;
    (void)state;
    begin(&w, "/lab/truncate?bytes=5000");
    assert_true(wire_until_end(&w, WIRE_MS));
    assert_false(w.reset);
    assert_int_equal(answer_read(&a, w.in, w.in_len, false, false, &used),
                     ANSWER_MORE);
    assert_non_null(memmem(w.in, w.in_len, "chunked", 7));
    assert_true(w.in_len - head_len(&w) >= 5000);
    assert_memory_not_equal(w.in + w.in_len - 5, "0\r\n\r\n", 5);
    wire_close(&w);
}

static void truncate_falls_short_of_its_length(void **state)
{
    struct wire w;
    (void)state;
    begin(&w, "/lab/truncate?length=1000&bytes=400");
    assert_true(wire_until_end(&w, WIRE_MS));
    assert_false(w.reset);
    assert_non_null(memmem(w.in, w.in_len, "Content-Length: 1000\r\n", 22));
    assert_int_equal(w.in_len - head_len(&w), 400);
    wire_close(&w);
}

static void reset_resets_after_its_bytes(void **state)
{
    struct wire w;
    (void)state;
    begin(&w, "/lab/reset?after=3000");
    assert_true(wire_until_end(&w, WIRE_MS));
    assert_true(w.reset);
    assert_true(w.in_len - head_len(&w) >= 3000);
    wire_close(&w);
}

static void reset_without_an_answer_says_nothing(void **state)
{
    struct wire w;
    (void)state;
    begin(&w, "/lab/reset");
    assert_true(wire_until_end(&w, WIRE_MS));
    assert_true(w.reset);
    assert_int_equal(w.in_len, 0);
    wire_close(&w);
}

static void stall_falls_silent_and_ends_short(void **state)
{
    struct wire w;
    (void)state;
    begin(&w, "/lab/stall?after=500&bytes=1000&duration=500ms");
    wire_need(&w, 600);
    size_t head = head_len(&w);
    wire_need(&w, head + 500);
    uint64_t begun = server_now_ms();
    assert_true(wire_until_end(&w, WIRE_MS));
    assert_in_range(server_now_ms() - begun, 350, 5000);
    assert_int_equal(w.in_len, head + 500);
    assert_non_null(memmem(w.in, w.in_len, "Content-Length: 1000\r\n", 22));
    wire_close(&w);
}

static void badchunk_is_never_a_whole_answer(void **state)
{
    static const char *const kinds[] = {"size", "end", "sign", "huge", "data"};
    char target[64];
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct wire w;
        struct answer a;
        size_t used;
        snprintf(target, sizeof(target), "/lab/badchunk?kind=%s", kinds[i]);
        begin(&w, target);
        assert_true(wire_until_end(&w, WIRE_MS));
        assert_int_equal(answer_read(&a, w.in, w.in_len, false, true, &used),
                         ANSWER_BROKEN);
        assert_non_null(memmem(w.in, w.in_len, "5\r\ngood\n\r\n", 10));
        wire_close(&w);
    }
}

static void misbehaviour_ends_only_its_own_connection(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    for (int i = 0; i < 5; i++) {
        struct wire bad;
        begin(&bad, i % 2 ? "/lab/reset?after=10" : "/lab/badchunk");
        assert_true(wire_until_end(&bad, WIRE_MS));
        wire_close(&bad);
        wire_text(&w, "GET /lab/bytes/4 HTTP/1.1\r\nHost: x\r\n\r\n");
        wire_answer(&w, &a);
        assert_int_equal(a.status, 200);
        answer_fini(&a);
    }
    wire_close(&w);
}

static void endless_bodies_for_slow_readers_cost_little(void **state)
{
    static const char *const targets[] = {
        "/lab/bytes/1t", "/lab/stream-bytes/1t", "/lab/lines/1000000000",
        "/lab/trailers?bytes=1t", "/lab/stream-bytes/1t?chunk=1m"};
    struct wire w[READERS];
    char text[256];
    (void)state;
    uint64_t before = server_memory(&server);
    for (size_t i = 0; i < READERS; i++) {
        wire_open_narrow(&w[i], server.port, NARROW_BYTES);
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
                 targets[i % 5]);
        wire_text(&w[i], text);
        wire_need(&w[i], 1000);
    }
    server_sleep(300);
    uint64_t after = server_memory(&server);
    if (!server_sanitized())
        assert_true(after < before + READERS * (72u << 10) + ROOM_BYTES);
    for (size_t i = 0; i < READERS; i++)
        wire_close(&w[i]);
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
        cmocka_unit_test(index_lists_every_endpoint),
        cmocka_unit_test(unknown_endpoint_is_not_found),
        cmocka_unit_test(bytes_are_reproducible),
        cmocka_unit_test(stream_bytes_are_the_same_bytes_in_chunks),
        cmocka_unit_test(chunks_have_exactly_the_sizes_asked),
        cmocka_unit_test(largest_chunk_is_one_chunk),
        cmocka_unit_test(lines_come_one_by_one),
        cmocka_unit_test(head_of_a_stream_comes_before_its_body),
        cmocka_unit_test(drip_takes_its_time),
        cmocka_unit_test(delay_holds_the_answer_back),
        cmocka_unit_test(client_that_leaves_in_a_delay_does_no_harm),
        cmocka_unit_test(status_is_what_was_asked),
        cmocka_unit_test(headers_are_shown_as_they_came),
        cmocka_unit_test(gzip_is_gzip),
        cmocka_unit_test(trailers_stand_behind_the_body),
        cmocka_unit_test(range_gives_parts_of_the_same_bytes),
        cmocka_unit_test(redirects_count_down),
        cmocka_unit_test(truncate_ends_without_the_last_chunk),
        cmocka_unit_test(truncate_falls_short_of_its_length),
        cmocka_unit_test(reset_resets_after_its_bytes),
        cmocka_unit_test(reset_without_an_answer_says_nothing),
        cmocka_unit_test(stall_falls_silent_and_ends_short),
        cmocka_unit_test(badchunk_is_never_a_whole_answer),
        cmocka_unit_test(misbehaviour_ends_only_its_own_connection),
        cmocka_unit_test(endless_bodies_for_slow_readers_cost_little),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
