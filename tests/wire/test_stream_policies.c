/* What a full stream does to its publishers and to readers that are slow. */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define NARROW " sndbuf = 32k\n rcvbuf = 64k\n"
#define FULL   (64u << 10) /* of the small streams here */
#define PIECE  (16u << 10)
#define MUCH   (4u << 20)
#define SOON   8000u

static struct server server;

static void post_pattern(const char *target, uint64_t pos, size_t len)
{
    char *data = malloc(len);
    assert_non_null(data);
    fill_pattern(data, pos, len);
    stream_post_bytes(&server, target, data, len);
    free(data);
}

/* A publisher of a body without an end, with little room in its socket. */
struct publisher {
    struct wire w;
    char piece[PIECE + 16];
    size_t at;
    size_t len;
    uint64_t pos; /* of the pattern, behind the piece */
};

static void publisher_open(struct publisher *p, const char *target)
{
    char head[256];
    int small = 64 << 10;
    memset(p, 0, sizeof *p);
    wire_open(&p->w, server.port);
    setsockopt(p->w.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    snprintf(
        head, sizeof head,
        "POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        "\r\n",
        target);
    wire_text(&p->w, head);
}

static void next_piece(struct publisher *p, uint64_t end)
{
    size_t n = end - p->pos < PIECE ? (size_t)(end - p->pos) : PIECE;
    p->at = 0;
    p->len = (size_t)snprintf(p->piece, 16, "%zx\r\n", n);
    if (n == 0)
        p->len = (size_t)snprintf(p->piece, 16, "0\r\n\r\n");
    fill_pattern(p->piece + p->len, p->pos, n);
    p->len += n;
    if (n > 0) {
        memcpy(p->piece + p->len, "\r\n", 2);
        p->len += 2;
    }
    p->pos += n;
}

/* Sends as much as the socket takes at once of the pattern up to end. */
static bool publisher_push(struct publisher *p, uint64_t end)
{
    bool any = false;
    for (;;) {
        if (p->at == p->len && p->pos >= end)
            return any;
        if (p->at == p->len)
            next_piece(p, end);
        ssize_t n = send(p->w.fd, p->piece + p->at, p->len - p->at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            return any;
        p->at += (size_t)n;
        any = true;
    }
}

/* Until it was held for so long. */
static void publisher_push_until_held(struct publisher *p, uint64_t end,
                                      unsigned ms)
{
    uint64_t moved = server_now_ms();
    while (server_now_ms() - moved < ms) {
        if (publisher_push(p, end))
            moved = server_now_ms();
        server_sleep(5);
    }
}

static bool publisher_done(const struct publisher *p, uint64_t end)
{
    return p->pos >= end && p->at == p->len;
}

static void publisher_close(struct publisher *p, int status)
{
    struct answer a;
    wire_text(&p->w, "0\r\n\r\n");
    wire_answer(&p->w, &a);
    assert_int_equal(a.status, status);
    answer_fini(&a);
    wire_close(&p->w);
}

/* What came must be the pattern from what was taken on. */
static void check_pattern(struct live *l)
{
    assert_true(is_pattern(l->body, l->taken, l->len));
    live_take(l, l->len);
}

static void drop_oldest_never_holds_its_publisher(void **state)
{
    struct live slow;
    struct publisher p;
    (void)state;
    server_start(&server, FRIENDLY(NARROW " stream_bytes = 64k"), "");
    publisher_open(&p, "/s/a");
    live_open_narrow(&slow, server.port, "/s/a?live=raw&wait=5s", "");
    publisher_push_until_held(&p, MUCH, 100);
    assert_true(publisher_done(&p, MUCH));
    publisher_close(&p, 204);
    assert_int_equal(stream_tail(&server, "/s/a"), MUCH);
    assert_in_range(stream_first(&server, "/s/a"), MUCH - FULL, MUCH - 1);
    live_close(&slow);
}

static void drop_oldest_ends_a_stalled_reader_only(void **state)
{
    struct live slow;
    struct live fast;
    (void)state;
    server_start(&server, FRIENDLY(NARROW " stream_bytes = 1m"), "");
    post_pattern("/s/a", 0, PIECE);
    live_open_narrow(&slow, server.port, "/s/a?live=raw&from=start", "");
    live_open(&fast, server.port, "/s/a?live=raw&from=start", "");
    for (uint64_t pos = PIECE; pos < MUCH / 2; pos += PIECE) {
        post_pattern("/s/a", pos, PIECE);
        live_need(&fast, (size_t)(pos + PIECE - fast.taken));
        check_pattern(&fast);
    }
    assert_true(live_ends_early(&slow));
    server_expect_log(&server, "stream \"a\": bytes ");
    live_expect_quiet(&fast, 300);
    live_close(&slow);
    live_close(&fast);
}

static void block_holds_the_publisher_and_loses_nothing(void **state)
{
    struct live slow;
    struct publisher p;
    (void)state;
    server_start(&server,
                 FRIENDLY(NARROW " stream_bytes = 64k\n policy = block"), "");
    publisher_open(&p, "/s/a");
    live_open_narrow(&slow, server.port, "/s/a?live=raw&wait=5s", "");
    publisher_push_until_held(&p, MUCH, 300);
    assert_in_range(p.pos, FULL, MUCH / 2);
    assert_in_range(stream_tail(&server, "/s/a"), FULL / 2, FULL + MUCH / 4);
    while (slow.taken < MUCH) {
        publisher_push(&p, MUCH);
        if (live_read(&slow, 5))
            check_pattern(&slow);
    }
    publisher_close(&p, 204);
    assert_int_equal(slow.taken, MUCH);
    assert_int_equal(stream_tail(&server, "/s/a"), MUCH);
    live_close(&slow);
}

/* Of a reader that opens the target and takes nothing; another gets all. */
static void expect_eviction(const char *target)
{
    struct live stalled;
    struct live good;
    struct publisher p;
    server_start(&server,
                 FRIENDLY(NARROW " stream_bytes = 64k\n policy = block\n"
                                 " slow_after = 600ms"),
                 "");
    publisher_open(&p, "/s/a");
    server_sleep(100);
    live_open_narrow(&stalled, server.port, target, "");
    live_open(&good, server.port, "/s/a?live=raw&from=start", "");
    uint64_t begun = server_now_ms();
    while (good.taken < MUCH && server_now_ms() - begun < SOON) {
        publisher_push(&p, MUCH);
        if (live_read(&good, 5))
            check_pattern(&good);
    }
    assert_int_equal(good.taken, MUCH);
    assert_true(server_now_ms() - begun >= 500);
    publisher_close(&p, 204);
    assert_int_equal(live_wait_unread(&stalled, SOON), LIVE_RESET);
    server_expect_log(&server,
                      "stream \"a\": no progress while a publisher waits, ");
    live_close(&stalled);
    live_close(&good);
}

static void block_evicts_who_stalls_and_goes_on(void **state)
{
    (void)state;
    expect_eviction("/s/a?live=raw&from=start");
}

/* Takes whole events of one stream among several; the id of the last, or
 * before. */
static uint64_t take_events(struct live *l, uint64_t before)
{
    uint64_t id = before;
    char *at;
    while ((at = strstr(l->body, "\nid: ")) && strstr(at, "\n\n")) {
        id = strtoull(at + 5, NULL, 10);
        live_take(l, (size_t)(strstr(at, "\n\n") + 2 - l->body));
    }
    assert_null(strstr(l->body, "\"gap\""));
    return id;
}

#define EVENTS (512u << 10)

static void block_is_held_by_who_reads_several_streams_as_well(void **state)
{
    struct live slow;
    struct publisher p;
    uint64_t id = 0;
    (void)state;
    server_start(&server,
                 FRIENDLY(NARROW " stream_bytes = 64k\n policy = block\n"
                                 " slow_after = 2s"),
                 "");
    publisher_open(&p, "/s/a");
    server_sleep(100);
    live_open_narrow(&slow, server.port, "/s/?streams=a&from=start", "");
    assert_int_equal(slow.status, 200);
    publisher_push_until_held(&p, EVENTS, 300);
    assert_false(publisher_done(&p, EVENTS));
    uint64_t begun = server_now_ms();
    while (id < EVENTS && server_now_ms() - begun < SOON) {
        publisher_push(&p, EVENTS);
        if (live_read(&slow, 5))
            id = take_events(&slow, id);
    }
    assert_int_equal(id, EVENTS);
    publisher_close(&p, 204);
    live_close(&slow);
}

static void block_evicts_who_stalls_with_several_streams(void **state)
{
    (void)state;
    expect_eviction("/s/?streams=a&from=start");
}

/* It waits for more room than there is, and for what will not come. */
static void block_evicts_who_stalls_for_a_large_append(void **state)
{
    struct live stalled;
    struct wire w;
    struct answer a;
    char *body = calloc(1, FULL);
    (void)state;
    server_start(&server,
                 FRIENDLY(NARROW " stream_bytes = 1m\n policy = block\n"
                                 " slow_after = 600ms"),
                 "");
    post_pattern("/s/a", 0, 1000 << 10);
    live_open_narrow(&stalled, server.port, "/s/a?live=raw&from=start", "");
    wire_open(&w, server.port);
    wire_text(&w, "POST /s/a HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Length: 65536\r\n\r\n");
    wire_send(&w, body, FULL, DELIVER_WHOLE);
    assert_int_equal(live_wait_unread(&stalled, SOON), LIVE_RESET);
    wire_answer(&w, &a);
    assert_in_range(a.status, 204, 503);
    answer_fini(&a);
    live_close(&stalled);
    wire_close(&w);
    free(body);
}

/* Clock ticks that the program has used. */
static unsigned long cpu_ticks(void)
{
    char path[64];
    unsigned long user = 0;
    unsigned long system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)server.pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f,
                            "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
                            "%*u %lu %lu",
                            &user, &system),
                     2);
    fclose(f);
    return user + system;
}

static void publisher_that_waits_costs_no_time(void **state)
{
    struct wire w;
    struct answer a;
    char *body = calloc(1, FULL);
    (void)state;
    server_start(&server, FRIENDLY(" stream_bytes = 80k\n policy = block"), "");
    post_pattern("/s/a", 0, PIECE * 2);
    wire_open(&w, server.port);
    wire_text(&w, "POST /s/a HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Length: 65536\r\n\r\n");
    wire_send(&w, body, FULL, DELIVER_WHOLE);
    unsigned long before = cpu_ticks();
    wire_expect_quiet(&w, 1000);
    assert_true(cpu_ticks() - before < 20);
    assert_int_equal(stream_tail(&server, "/s/a"), PIECE * 2);
    stream_expect(&server, "DELETE /s/a", "", NULL, 204);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 204); /* it made a new one */
    answer_fini(&a);
    wire_close(&w);
    free(body);
}

static void block_without_readers_refuses_after_slow_after(void **state)
{
    (void)state;
    server_start(&server,
                 FRIENDLY(" stream_bytes = 64k\n policy = block\n"
                          " slow_after = 500ms"),
                 "");
    post_pattern("/s/a", 0, FULL);
    uint64_t begun = server_now_ms();
    stream_expect(&server, "POST /s/a", "", "one more", 503);
    assert_in_range(server_now_ms() - begun, 400, 4000);
    assert_int_equal(stream_tail(&server, "/s/a"), FULL);
}

static void block_lets_a_publisher_in_when_a_reader_comes(void **state)
{
    struct wire w;
    struct answer a;
    struct live reader;
    (void)state;
    server_start(&server, FRIENDLY(" stream_bytes = 64k\n policy = block"), "");
    post_pattern("/s/a", 0, FULL);
    wire_open(&w, server.port);
    wire_text(
        &w, "POST /s/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n"
            "one more");
    wire_expect_quiet(&w, 200);
    live_open(&reader, server.port, "/s/a?live=raw&from=start", "");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 204);
    answer_fini(&a);
    live_need(&reader, FULL + 8);
    assert_true(is_pattern(reader.body, 0, FULL));
    live_take(&reader, FULL);
    live_expect(&reader, "one more");
    live_close(&reader);
    wire_close(&w);
}

static void reject_says_503_and_when_to_come_back(void **state)
{
    struct answer a;
    struct live reader;
    (void)state;
    server_start(&server, FRIENDLY(" stream_bytes = 64k\n policy = reject"),
                 "");
    post_pattern("/s/a", 0, FULL - 4);
    live_open(&reader, server.port, "/s/a?live=raw", "");
    stream_ask(&server, "POST /s/a", "", "five5", &a);
    assert_int_equal(a.status, 503);
    assert_true(atoi(answer_field(&a, "Retry-After")) > 0);
    answer_fini(&a);
    assert_int_equal(stream_tail(&server, "/s/a"), FULL - 4);
    live_expect_quiet(&reader, 200);
    stream_post(&server, "/s/a", "four");
    live_expect(&reader, "four");
    live_close(&reader);
}

static void append_that_can_never_fit_is_413(void **state)
{
    char *much = malloc(FULL + 2);
    (void)state;
    assert_non_null(much);
    memset(much, 'x', FULL + 1);
    much[FULL + 1] = '\0';
    server_start(&server,
                 FRIENDLY(" stream_bytes = 64k\n policy = reject"
                          "\n}\nroute \"/b/\" {\n streams = \"friendly\"\n"
                          " stream_bytes = 64k"),
                 "");
    stream_expect(&server, "POST /s/a", "", much, 413);
    stream_expect(&server, "POST /b/a", "", much, 413);
    much[FULL] = '\0';
    stream_expect(&server, "POST /s/b", "", much, 204);
    free(much);
}

/* Appends until it is refused; how many were taken. */
static unsigned post_until_full(const char *target, size_t len)
{
    char line[64];
    unsigned n = 0;
    int status = 204;
    char *data = malloc(len + 1);
    assert_non_null(data);
    memset(data, 'g', len);
    data[len] = '\0';
    snprintf(line, sizeof line, "POST %s", target);
    while (status == 204 && n < 100) {
        struct answer a;
        stream_ask(&server, line, "", data, &a);
        status = a.status;
        n += status == 204;
        if (status != 204)
            assert_non_null(answer_field(&a, "Retry-After"));
        answer_fini(&a);
    }
    free(data);
    assert_int_equal(status, 503);
    return n;
}

static void grow_is_bounded_by_the_budget_alone(void **state)
{
    size_t len = 512 << 10;
    (void)state;
    server_start(&server,
                 "memory_max = 16m\n" FRIENDLY(" stream_bytes = 64k\n"
                                               " policy = grow"),
                 "");
    unsigned n = post_until_full("/s/a", len);
    assert_in_range(n, 8, 31);
    assert_int_equal(stream_tail(&server, "/s/a"), n * len);
    assert_int_equal(stream_first(&server, "/s/a"), 0);
    stream_expect(&server, "DELETE /s/a", "", NULL, 204);
    assert_in_range(post_until_full("/s/b", len), n - 2, n + 2);
}

#define TEST(name) SERVER_TEST(name, &server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(drop_oldest_never_holds_its_publisher),
        TEST(drop_oldest_ends_a_stalled_reader_only),
        TEST(block_holds_the_publisher_and_loses_nothing),
        TEST(block_evicts_who_stalls_and_goes_on),
        TEST(block_evicts_who_stalls_for_a_large_append),
        TEST(block_is_held_by_who_reads_several_streams_as_well),
        TEST(block_evicts_who_stalls_with_several_streams),
        TEST(publisher_that_waits_costs_no_time),
        TEST(block_without_readers_refuses_after_slow_after),
        TEST(block_lets_a_publisher_in_when_a_reader_comes),
        TEST(reject_says_503_and_when_to_come_back),
        TEST(append_that_can_never_fit_is_413),
        TEST(grow_is_bounded_by_the_budget_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
