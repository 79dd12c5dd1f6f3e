/* Several streams on one connection, as events. */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_TYPE "Content-Type: text/plain\r\n"
#define CLOSE     "Stream-Closed: true\r\n"

static struct server server;

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    server_start(&server, FRIENDLY(" wait_max = 5s"), "");
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "one", 204);
    stream_expect(&server, "POST /s/b", TEXT_TYPE, "two", 204);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_fini(&server);
    return 0;
}

static void expect_both(const char *target)
{
    struct live l;
    live_open(&l, server.port, target, "");
    assert_int_equal(l.status, 200);
    live_expect_somewhere(&l, "data: {\"stream\":\"a\",\"offset\":\"" OFFSET(
                                  "0000000000000003") "\",\"text\":\"one\"}\n"
                                                      "id: 3,0\n\n");
    live_expect_somewhere(&l, "\"text\":\"two\"}\nid: 3,3\n\n");
    live_close(&l);
}

static void commas_may_be_encoded(void **state)
{
    (void)state;
    expect_both("/s/?streams=a,b&from=start");
    expect_both("/s/?streams=a%2Cb&from=start");
    expect_both("/s/?streams=a%2cb&from=start&live=sse");
}

static void comma_beside_plain_ones_belongs_to_a_name(void **state)
{
    struct live l;
    (void)state;
    stream_expect(&server, "POST /s/a%2Cb", TEXT_TYPE, "both", 204);
    live_open(&l, server.port, "/s/?streams=a%2Cb,b&from=start", "");
    live_expect_somewhere(&l, "{\"stream\":\"a,b\"");
    live_close(&l);
}

static void stream_that_is_missing_is_named(void **state)
{
    struct answer a;
    (void)state;
    stream_ask(&server, "GET /s/?streams=a,nobody", "", NULL, &a);
    assert_int_equal(a.status, 404);
    assert_string_equal(a.body,
                        "404 Not Found: there is no stream \"nobody\"\n");
    answer_fini(&a);
}

static void what_is_for_one_stream_is_400(void **state)
{
    static const char *const of_one[] = {"wait=1s",  "offset=-1", "slow=skip",
                                         "lag=64k",  "burst=1k",  "publish=1",
                                         "cursor=1", "live=raw"};
    char line[64];
    (void)state;
    for (size_t i = 0; i < sizeof of_one / sizeof of_one[0]; i++) {
        snprintf(line, sizeof line, "GET /s/?streams=a,b&%s", of_one[i]);
        stream_expect(&server, line, "", NULL, 400);
    }
}

static void rest_of_a_json_message_comes_as_text(void **state)
{
    struct live l;
    (void)state;
    stream_expect(&server, "POST /s/j", JSON_TYPE, "{\"x\":1}", 204);
    live_open(&l, server.port, "/s/?streams=j", "Last-Event-ID: 3\r\n");
    live_expect_somewhere(&l, "\"text\":\"\\\":1}\"}\n");
    live_close(&l);
}

static void offsets_are_one_for_each_stream(void **state)
{
    struct answer a;
    (void)state;
    stream_expect(&server, "GET /s/?streams=a,b&offsets=3,3,3", "", NULL, 400);
    stream_expect(&server, "GET /s/?streams=a,b&offsets=3", "", NULL, 400);
    stream_ask(&server, "GET /s/?streams=a,b&offsets=3,4", "", NULL, &a);
    assert_int_equal(a.status, 410);
    assert_string_equal(answer_field(&a, "Stream-Next-Offset"),
                        OFFSET("0000000000000003"));
    answer_fini(&a);
}

static void one_connection_follows_64_streams(void **state)
{
    char target[512];
    struct live l;
    (void)state;
    size_t n =
        (size_t)snprintf(target, sizeof target, "/s/?from=start&streams=b");
    for (int i = 1; i < 64; i++)
        n += (size_t)snprintf(target + n, sizeof target - n, ",a");
    live_open(&l, server.port, target, "");
    assert_int_equal(l.status, 200);
    for (int i = 0; i < 63; i++)
        live_expect_somewhere(&l, "\"text\":\"one\"");
    live_close(&l);
    snprintf(target + n, sizeof target - n, ",a");
    live_open(&l, server.port, target, "");
    assert_int_equal(l.status, 400);
    live_close(&l);
}

static void
who_has_all_of_closed_streams_is_told_not_to_come_again(void **state)
{
    struct live l;
    (void)state;
    stream_expect(&server, "POST /s/a", CLOSE, "", 204);
    live_open(&l, server.port, "/s/?streams=a,b", "Last-Event-ID: 3,3\r\n");
    assert_int_equal(l.status, 200); /* b goes on */
    live_close(&l);
    stream_expect(&server, "POST /s/b", CLOSE, "", 204);
    stream_expect(&server, "GET /s/?streams=a,b", "Last-Event-ID: 3,3\r\n",
                  NULL, 204);
    live_open(&l, server.port, "/s/?streams=a,b", "Last-Event-ID: 3,0\r\n");
    assert_int_equal(l.status, 200);
    live_expect_somewhere(&l, "\"text\":\"two\"");
    assert_int_equal(live_until_end(&l, 3000), LIVE_WHOLE);
    live_close(&l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commas_may_be_encoded),
        TEST(comma_beside_plain_ones_belongs_to_a_name),
        TEST(stream_that_is_missing_is_named),
        TEST(what_is_for_one_stream_is_400),
        TEST(rest_of_a_json_message_comes_as_text),
        TEST(offsets_are_one_for_each_stream),
        TEST(one_connection_follows_64_streams),
        TEST(who_has_all_of_closed_streams_is_told_not_to_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
