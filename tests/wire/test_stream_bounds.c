/* How far readers may lag, and what creators and readers may choose within
 * what the operator allows. */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NARROW " sndbuf = 32k\n"
#define PIECE  (50u << 10)
#define SOON   8000u

static struct server server;

static void post_pieces(const char *target, unsigned n)
{
    static char piece[PIECE];
    memset(piece, 'p', sizeof piece);
    for (unsigned i = 0; i < n; i++)
        stream_post_bytes(&server, target, piece, sizeof piece);
}

/* A reader that has taken nothing yet, and that many pieces behind it. */
static void stall(struct live *l, const char *target, unsigned pieces)
{
    post_pieces("/s/a", 1);
    live_open_narrow(l, server.port, target, "");
    assert_int_equal(l->status, 200);
    post_pieces("/s/a", pieces);
}

static void reader_beyond_lag_hard_is_dropped_at_once(void **state)
{
    struct live slow;
    (void)state;
    server_start(&server, FRIENDLY(NARROW " lag_hard = 300k"), "");
    stall(&slow, "/s/a?live=raw&from=start", 20);
    assert_int_equal(live_wait_unread(&slow, SOON), LIVE_RESET);
    server_expect_log(&server, "stream \"a\": too slow, ");
    assert_int_equal(stream_first(&server, "/s/a"), 0);
    live_close(&slow);
}

static void reader_within_lag_hard_gets_everything(void **state)
{
    struct live slow;
    (void)state;
    server_start(&server, FRIENDLY(NARROW " lag_hard = 4m"), "");
    stall(&slow, "/s/a?live=raw&from=start", 20);
    assert_int_equal(live_wait_unread(&slow, 800), LIVE_OPEN);
    live_need(&slow, 21 * PIECE);
    live_close(&slow);
}

static void reader_beyond_lag_soft_has_its_time(void **state)
{
    struct live slow;
    (void)state;
    server_start(&server,
                 FRIENDLY(NARROW " lag_soft = 300k\n lag_soft_time = 1500ms"),
                 "");
    stall(&slow, "/s/a?live=raw&from=start", 20);
    uint64_t begun = server_now_ms();
    assert_int_equal(live_wait_unread(&slow, SOON), LIVE_RESET);
    assert_in_range(server_now_ms() - begun, 1000, 4000);
    server_expect_log(&server, "stream \"a\": too slow, ");
    live_close(&slow);
}

static void creator_bounds_how_far_readers_may_lag(void **state)
{
    struct live slow;
    (void)state;
    server_start(&server, FRIENDLY(NARROW " lag_hard = 4m"), "");
    stream_expect(&server, "POST /s/b", "Stream-Lag-Hard: 5m\r\n", "x", 400);
    stream_expect(&server, "POST /s/b", "Stream-Lag-Soft: 0\r\n", "x", 400);
    stream_expect(&server, "POST /s/b", "Stream-Lag-Soft-Time: 1h\r\n", "x",
                  400);
    stream_expect(&server, "POST /s/a", "Stream-Lag-Hard: 300k\r\n", "x", 204);
    stall(&slow, "/s/a?live=raw&from=start", 20);
    assert_int_equal(live_wait_unread(&slow, SOON), LIVE_RESET);
    server_expect_log(&server, "stream \"a\": too slow, ");
    live_close(&slow);
}

static void reader_bounds_its_own_lag(void **state)
{
    struct live slow;
    (void)state;
    server_start(&server, FRIENDLY(NARROW " lag_soft_time = 2s"), "");
    stream_expect(&server, "POST /s/a", "Stream-Lag-Soft: 2m\r\n", "x", 204);
    stream_expect(&server, "GET /s/a?live=raw&lag_soft=3m", "", NULL, 400);
    stream_expect(&server, "GET /s/a?live=raw&lag_soft_time=3s", "", NULL, 400);
    stall(&slow, "/s/a?live=raw&from=start&lag_soft=300k&lag_soft_time=500ms",
          20); /* 1000 KiB: within what the creator allowed */
    uint64_t begun = server_now_ms();
    assert_int_equal(live_wait_unread(&slow, SOON), LIVE_RESET);
    assert_in_range(server_now_ms() - begun, 200, 1900);
    server_expect_log(&server, "stream \"a\": too slow, ");
    live_close(&slow);
}

static void reader_that_catches_up_in_time_stays(void **state)
{
    struct live slow;
    (void)state;
    server_start(&server,
                 FRIENDLY(NARROW " lag_soft = 300k\n lag_soft_time = 1500ms"),
                 "");
    stall(&slow, "/s/a?live=raw&from=start", 20);
    assert_int_equal(live_wait_unread(&slow, 600), LIVE_OPEN);
    live_need(&slow, 21 * PIECE);
    live_take(&slow, slow.len);
    live_expect_quiet(&slow, 1800);
    stream_post(&server, "/s/a", "more");
    live_expect(&slow, "more");
    live_close(&slow);
}

/* Nothing was dropped: the gap is what it skipped. */
static void reader_that_skips_leaves_out_what_lies_beyond_lag_hard(void **state)
{
    struct live slow;
    char to[64];
    (void)state;
    server_start(&server,
                 FRIENDLY(NARROW " lag_hard = 300k\n slow_reader = skip"), "");
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "x", 204);
    stall(&slow, "/s/a?live=sse&from=start", 20);
    server_sleep(600);
    live_expect_somewhere(&slow, "event: gap\ndata: {\"from\":\"");
    live_expect_somewhere(&slow, "\"to\":\"");
    live_need(&slow, 33);
    snprintf(to, sizeof to, "%.33s", slow.body);
    assert_int_equal(offset_number(to), 1 + 21 * PIECE);
    stream_post(&server, "/s/a", "more");
    live_expect_somewhere(&slow, "data: more\n");
    live_close(&slow);
}

static void reader_chooses_to_skip_or_not(void **state)
{
    struct live skips;
    struct live ends;
    (void)state;
    server_start(&server, FRIENDLY(NARROW " lag_hard = 300k"), "");
    stream_expect(&server, "POST /s/a",
                  "Content-Type: text/plain\r\nStream-Slow-Reader: skip\r\n",
                  "x", 204);
    live_open_narrow(&skips, server.port, "/s/a?live=sse&from=start", "");
    live_open_narrow(&ends, server.port,
                     "/s/a?live=sse&from=start&slow=disconnect", "");
    post_pieces("/s/a", 21);
    assert_int_equal(live_wait_unread(&ends, SOON), LIVE_RESET);
    live_expect_somewhere(&skips, "event: gap\n");
    live_close(&skips);
    live_close(&ends);
}

static void reader_chooses_a_smaller_lag(void **state)
{
    struct live slow;
    struct live other;
    (void)state;
    server_start(&server, FRIENDLY(NARROW " lag_hard = 8m"), "");
    stall(&slow, "/s/a?live=raw&from=start&lag=300k", 1);
    live_open_narrow(&other, server.port, "/s/a?live=raw&from=start", "");
    post_pieces("/s/a", 20);
    assert_int_equal(live_wait_unread(&slow, SOON), LIVE_RESET);
    assert_int_equal(live_wait_unread(&other, 300), LIVE_OPEN);
    stream_expect(&server, "GET /s/a?live=raw&lag=9m", "", NULL, 400);
    live_close(&slow);
    live_close(&other);
}

static void creator_chooses_policy_and_capacity(void **state)
{
    static char most[4097];
    (void)state;
    stream_start(&server);
    memset(most, 'x', 4096);
    stream_expect(&server, "POST /s/a",
                  "Stream-Policy: reject\r\nStream-Capacity: 4k\r\n", most,
                  204);
    stream_expect(&server, "POST /s/a", "", "x", 503);
    /* It is chosen once. */
    stream_expect(&server, "POST /s/a", "Stream-Policy: drop-oldest\r\n", "x",
                  503);
    stream_expect(&server, "PUT /v1/stream/b",
                  "Content-Type: application/octet-stream\r\n"
                  "Stream-Policy: drop-oldest\r\nStream-Capacity: 4k\r\n",
                  most, 201);
    stream_expect(&server, "POST /s/b", "", "xyz", 204);
    assert_int_equal(stream_first(&server, "/s/b"), 4096);
    assert_int_equal(stream_tail(&server, "/s/b"), 4099);
}

static void creator_chooses_how_many_messages_are_kept(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, FRIENDLY(" stream_messages = 100"), "");
    stream_expect(&server, "POST /s/a", "Stream-Max-Messages: 2\r\n", "one ",
                  204);
    stream_post(&server, "/s/a", "two ");
    stream_post(&server, "/s/a", "three");
    stream_ask(&server, "GET /s/a", "", NULL, &a);
    assert_string_equal(a.body, "two three");
    answer_fini(&a);
    stream_expect(&server, "POST /s/b", "Stream-Max-Messages: 101\r\n", "x",
                  400);
    stream_expect(&server, "GET /s/b", "", NULL, 404);
}

static void creator_chooses_for_how_long_it_is_kept(void **state)
{
    uint64_t end;
    (void)state;
    server_start(&server, FRIENDLY(" stream_age = 1h"), "");
    stream_expect(&server, "POST /s/a", "Stream-Max-Age: 1s\r\n", "old", 204);
    stream_post(&server, "/s/b", "old");
    assert_int_equal(stream_first(&server, "/s/a"), 0);
    end = server_now_ms() + SOON;
    while (stream_first(&server, "/s/a") == 0 && server_now_ms() < end)
        server_sleep(100);
    assert_int_equal(stream_first(&server, "/s/a"), 3);
    assert_int_equal(stream_first(&server, "/s/b"), 0);
    stream_expect(&server, "GET /s/a?offset=" OFFSET("0000000000000000"), "",
                  NULL, 410);
    stream_expect(&server, "POST /s/c", "Stream-Max-Age: 2h\r\n", "x", 400);
}

static void what_the_operator_does_not_allow_is_refused(void **state)
{
    static const struct {
        const char *fields;
        int status;
    } asked[] = {
        {"Stream-Policy: grow\r\n", 400},
        {"Stream-Policy: block\r\n", 400},
        {"Stream-Policy: forget\r\n", 400},
        {"Stream-Capacity: 65k\r\n", 400},
        {"Stream-Capacity: 0\r\n", 400},
        {"Stream-Capacity: 4095\r\n", 400},
        {"Stream-Capacity: much\r\n", 400},
        {"Stream-Max-Age: never\r\n", 400},
        {"Stream-Max-Messages: -1\r\n", 400},
        {"Stream-Slow-Reader: kill\r\n", 400},
        {"Stream-TTL: soon\r\n", 400},
    };
    (void)state;
    server_start(&server,
                 FRIENDLY(" policies = {\"drop-oldest\", \"reject\"}\n"
                          " stream_bytes = 32k\n stream_bytes_max = 64k"),
                 "");
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        stream_expect(&server, "POST /s/a", asked[i].fields, "x",
                      asked[i].status);
        stream_expect(&server, "GET /s/a", "", NULL, 404);
    }
    stream_expect(&server, "POST /s/a",
                  "Stream-Policy: reject\r\nStream-Capacity: 64k\r\n", "x",
                  204);
}

static void stream_lives_as_long_as_it_was_given(void **state)
{
    struct live reader;
    (void)state;
    server_start(&server, FRIENDLY(""), "");
    stream_expect(&server, "POST /s/a", "Stream-TTL: 1\r\n", "x", 204);
    stream_expect(&server, "POST /s/b", "Stream-TTL: 1\r\n", "x", 204);
    live_open(&reader, server.port, "/s/b?live=raw&from=start", "");
    live_expect(&reader, "x");
    server_sleep(1300);
    stream_expect(&server, "GET /s/a", "", NULL, 404);
    stream_expect(&server, "GET /s/b", "", NULL, 200); /* it has a reader */
    live_close(&reader);
}

#define TEST(name) SERVER_TEST(name, &server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reader_beyond_lag_hard_is_dropped_at_once),
        TEST(reader_within_lag_hard_gets_everything),
        TEST(reader_beyond_lag_soft_has_its_time),
        TEST(creator_bounds_how_far_readers_may_lag),
        TEST(reader_bounds_its_own_lag),
        TEST(reader_that_catches_up_in_time_stays),
        TEST(reader_that_skips_leaves_out_what_lies_beyond_lag_hard),
        TEST(reader_chooses_to_skip_or_not),
        TEST(reader_chooses_a_smaller_lag),
        TEST(creator_chooses_policy_and_capacity),
        TEST(creator_chooses_how_many_messages_are_kept),
        TEST(creator_chooses_for_how_long_it_is_kept),
        TEST(what_the_operator_does_not_allow_is_refused),
        TEST(stream_lives_as_long_as_it_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
