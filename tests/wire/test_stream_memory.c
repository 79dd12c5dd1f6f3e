/* Readers and producers when memory is short. */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Each connection is accepted long before memory is short, so that what is
 * refused is the reader. */
#define CONNS_MAX 300u
#define A_KIND    80u /* more than what remains has room for */
#define SOON      50u

/* As many names as one connection may follow. */
#define AS_8 "a,a,a,a,a,a,a,a"
#define AS_64                                                                  \
    AS_8 "," AS_8 "," AS_8 "," AS_8 "," AS_8 "," AS_8 "," AS_8 "," AS_8

static struct server server;

static struct wire conns[CONNS_MAX];
static size_t conns_n;
static size_t used_n; /* of them: they have asked for something */

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    server_start(&server, "memory_max = 4m\n" FRIENDLY(" policy = grow"), "");
    stream_post(&server, "/s/a", "x");
    conns_n = 0;
    used_n = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < conns_n; i++)
        wire_close(&conns[i]);
    server_fini(&server);
    return 0;
}

static void expect_200(struct wire *w)
{
    struct answer a;
    wire_text(w, "GET /s/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wire_answer(w, &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
}

static void connect_all(void)
{
    for (; conns_n < CONNS_MAX; conns_n++) {
        wire_open(&conns[conns_n], server.port);
        expect_200(&conns[conns_n]);
    }
}

/* Until the budget has no more for what streams keep. */
static void fill(void)
{
    static char piece[64 << 10];
    struct answer a;
    memset(piece, 'm', sizeof piece);
    for (size_t len = sizeof piece - 1; len > 1000; len /= 4) {
        int status = 204;
        piece[len] = '\0';
        for (unsigned n = 0; status == 204; n++) {
            stream_ask(&server, "POST /s/big", "", piece, &a);
            status = a.status;
            answer_fini(&a);
            assert_true(n < 4096);
        }
        assert_int_equal(status, 503);
    }
}

static void expect_refusal(struct wire *w, const char *text)
{
    struct answer a;
    wire_answer(w, &a);
    assert_int_equal(a.status, 503);
    assert_non_null(answer_field(&a, "Retry-After"));
    assert_non_null(strstr(a.body, text));
    answer_fini(&a);
}

/* Readers of a kind, until one is refused: the connection serves on. */
static void expect_refused(const char *target, const char *fields)
{
    static const char no[] = "HTTP/1.1 503 ";
    for (size_t i = 0; i < A_KIND && used_n < conns_n; i++) {
        char request[512];
        struct wire *w = &conns[used_n++];
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", target,
                 fields);
        wire_text(w, request);
        /* A poll says nothing as long as it is served. */
        (void)wire_read(w, SOON);
        if (w->in_len < sizeof no - 1 || memcmp(w->in, no, sizeof no - 1) != 0)
            continue;
        expect_refusal(w, "short of memory; try again later");
        expect_200(w);
        return;
    }
    fail_msg("%s is never refused", target);
}

static void new_readers_are_refused_until_others_leave(void **state)
{
    static const char upgrade[] =
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    struct live l;
    (void)state;
    stream_expect(&server, "POST /s/j", "Content-Type: application/json\r\n",
                  "{}", 204);
    connect_all();
    fill();
    expect_refused("/s/?streams=" AS_64, "Accept: text/event-stream\r\n");
    size_t many_n = used_n;
    server_expect_log(&server, "503 short of memory; a reader was refused");
    assert_in_range(many_n, 2, A_KIND);
    expect_refused("/s/a?live=raw", "");
    expect_refused("/s/j?live=ndjson", "");
    expect_refused("/s/a?live=sse", "");
    expect_refused("/s/a", upgrade);
    expect_refused("/s/a?publish=1", upgrade);
    expect_refused("/s/none?live=raw&wait=1m", "");
    expect_refused("/s/a?live=long-poll&offset=now", "");
    for (size_t i = 0; i < many_n; i++)
        wire_close(&conns[i]);
    for (int i = 0; i < 100; i++) {
        live_open(&l, server.port, "/s/a?live=raw&from=start", "");
        if (l.status == 200)
            break;
        live_close(&l);
        server_sleep(50);
    }
    assert_int_equal(l.status, 200);
    live_expect(&l, "x");
    live_close(&l);
}

static int post_as(unsigned producer, const char *text)
{
    char fields[512];
    struct answer a;
    snprintf(fields, sizeof fields,
             "Producer-Id: %0200u\r\nProducer-Epoch: 0\r\nProducer-Seq: 0\r\n",
             producer);
    stream_ask(&server, "POST /s/a", fields, "y", &a);
    int status = a.status;
    if (status == 503) {
        assert_non_null(answer_field(&a, "Retry-After"));
        assert_non_null(strstr(a.body, text));
    }
    answer_fini(&a);
    return status;
}

static void new_producers_are_refused_and_append_nothing(void **state)
{
    static const char why[] = "short of memory; this append was not made";
    unsigned n = 0;
    (void)state;
    fill();
    while (n < 1000 && post_as(n, why) == 200)
        n++;
    assert_in_range(n, 1, 999);
    assert_int_equal(stream_tail(&server, "/s/a"), 1 + n);
    stream_expect(&server, "DELETE /s/big", "", NULL, 204);
    assert_int_equal(post_as(n, why), 200);
    assert_int_equal(stream_tail(&server, "/s/a"), 2 + n);
}

static void oldest_goes_where_memory_is_short(void **state)
{
    static char piece[20001];
    (void)state;
    assert_int_equal(server_stop(&server, SIGTERM), 0);
    server_start(&server, "memory_max = 1m\nworkers = 1\n" FRIENDLY(""), "");
    memset(piece, 'm', sizeof piece - 1);
    for (int i = 0; i < 100; i++)
        stream_expect(&server, "POST /s/a", "", piece, 204);
    assert_int_equal(stream_tail(&server, "/s/a"), 2000000);
    assert_in_range(stream_first(&server, "/s/a"), 1000000, 1980000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_readers_are_refused_until_others_leave),
        TEST(new_producers_are_refused_and_append_nothing),
        TEST(oldest_goes_where_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
