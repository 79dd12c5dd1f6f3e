/* Slow and hostile clients, caps, and the end of the server. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD            "GET /a.txt HTTP/1.1\r\nHost: x\r\n"
#define GET_A           HEAD "\r\n"
#define LATE_MS         6000u /* a timeout of 300 ms must have struck by then */
#define SOON_MS         2000u
#define NARROW_BYTES    4096
#define IDLE_N          400u
#define IDLE_BYTES      (2u << 10)  /* each, page granularity left room for */
#define ASKED           10000u      /* in one send */
#define ASKED_BYTES_MAX (64u << 20) /* what kernel buffers may swallow */
#define PIECES          8u

static struct server server;

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    server_text(&server, "www/a.txt", "a");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_fini(&server);
    return 0;
}

static void begin(struct wire *w, const char *text)
{
    wire_open(w, server.port);
    assert_true(wire_text(w, text));
}

static void check_answer(struct wire *w, int status)
{
    struct answer a;
    wire_answer(w, &a);
    assert_int_equal(a.status, status);
    answer_fini(&a);
}

/* Clients that are slow to ask. */

static void head_that_never_ends_gets_408(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "head_timeout = \"300ms\"", "");
    begin(&w, HEAD);
    uint64_t begun = server_now_ms();
    check_answer(&w, 408);
    assert_in_range(server_now_ms() - begun, 250, LATE_MS);
    wire_expect_end(&w);
    wire_close(&w);
}

/* The time is for the head in total: a byte now and then wins nothing. */
static void head_that_drips_gets_408(void **state)
{
    uint64_t begun;
    struct wire w;
    (void)state;
    server_start(&server, "head_timeout = \"500ms\"", "");
    begin(&w, HEAD "X: ");
    begun = server_now_ms();
    while (w.in_len == 0 && server_now_ms() - begun < LATE_MS) {
        wire_text(&w, "x");
        wire_read(&w, 50);
    }
    check_answer(&w, 408);
    assert_in_range(server_now_ms() - begun, 450, LATE_MS);
    wire_close(&w);
}

static void second_head_is_timed_like_the_first(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "head_timeout = \"300ms\"", "");
    begin(&w, GET_A);
    check_answer(&w, 200);
    server_sleep(700);
    wire_text(&w, GET_A HEAD);
    check_answer(&w, 200);
    check_answer(&w, 408);
    wire_expect_end(&w);
    wire_close(&w);
}

static void idle_connections_are_closed_silently(void **state)
{
    struct wire fresh;
    struct wire used;
    (void)state;
    server_start(&server, "idle_timeout = \"300ms\"", "");
    wire_open(&fresh, server.port);
    begin(&used, GET_A);
    check_answer(&used, 200);
    wire_expect_quiet(&used, 100);
    wire_expect_end(&fresh);
    wire_expect_end(&used);
    assert_false(used.reset);
    wire_close(&fresh);
    wire_close(&used);
}

static void waiting_for_an_answer_is_not_idle(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "idle_timeout = \"300ms\"\nhead_timeout = \"300ms\"",
                 "");
    begin(&w, "GET /lab/delay/1.5 HTTP/1.1\r\nHost: x\r\n\r\n");
    check_answer(&w, 200);
    wire_close(&w);
}

/* Clients that are slow to send or to read. */

static void slow_body_is_cut_off(void **state)
{
    uint64_t begun;
    struct wire w;
    (void)state;
    server_start(&server, "body_rate_min = 1k\nrate_window = \"1s\"", "");
    begin(&w, "POST /lab/sink HTTP/1.1\r\nHost: x\r\n"
              "Content-Length: 100000\r\n\r\n");
    begun = server_now_ms();
    while (!w.ended && w.in_len == 0 && server_now_ms() - begun < LATE_MS) {
        wire_text(&w, "x");
        wire_read(&w, 50);
    }
    assert_in_range(server_now_ms() - begun, 900, LATE_MS);
    if (w.in_len > 0)
        check_answer(&w, 408);
    wire_expect_end(&w);
    wire_close(&w);
}

static void body_above_the_rate_is_taken(void **state)
{
    char piece[1000] = {0};
    struct wire w;
    (void)state;
    server_start(&server, "body_rate_min = 1k\nrate_window = \"1s\"", "");
    begin(&w, "POST /lab/sink HTTP/1.1\r\nHost: x\r\n"
              "Content-Length: 30000\r\n\r\n");
    for (int i = 0; i < 30; i++) {
        assert_true(wire_send(&w, piece, sizeof(piece), DELIVER_WHOLE));
        server_sleep(100);
    }
    check_answer(&w, 200);
    wire_close(&w);
}

static void check_no_reader(const char *target)
{
    char text[128];
    struct wire w;
    uint64_t got;
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    wire_open_narrow(&w, server.port, NARROW_BYTES);
    wire_text(&w, text);
    server_sleep(4000);
    assert_true(wire_drain(&w, LATE_MS, &got));
    assert_true(got < 64u << 20);
    wire_close(&w);
}

static void reader_that_never_reads_is_closed(void **state)
{
    (void)state;
    server_start(&server, "write_rate_min = 1k\nrate_window = \"1s\"", "");
    check_no_reader("/lab/bytes/1g");
}

static void reader_of_a_file_that_never_reads_is_closed(void **state)
{
    (void)state;
    server_text(&server, "www/hole.bin", "");
    assert_int_equal(truncate(server_path(&server, "www/hole.bin"), 1 << 30),
                     0);
    server_start(&server, "write_rate_min = 1k\nrate_window = \"1s\"", "");
    check_no_reader("/hole.bin");
}

/* It is the reader that is measured, not a source that pauses. */
static void slow_source_is_not_taken_for_a_slow_reader(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "write_rate_min = 64k\nrate_window = \"1s\"", "");
    begin(&w, "GET /lab/drip?bytes=4&duration=4s HTTP/1.1\r\nHost: x\r\n\r\n");
    check_answer(&w, 200);
    wire_close(&w);
}

static void slow_reader_above_the_rate_gets_everything(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    server_start(&server, "write_rate_min = 1k\nrate_window = \"1s\"",
                 "sndbuf = 8k");
    server_text(&server, "www/hole.bin", "");
    assert_int_equal(truncate(server_path(&server, "www/hole.bin"), 1 << 20),
                     0);
    wire_open_narrow(&w, server.port, NARROW_BYTES);
    wire_text(&w, "GET /hole.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 30; i++) {
        server_sleep(100);
        wire_read(&w, 100);
    }
    wire_answer(&w, &a);
    assert_int_equal(a.body_len, 1 << 20);
    answer_fini(&a);
    wire_close(&w);
}

/* A refused client that neither reads nor leaves. */
static void lingering_ends(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "linger_timeout = \"300ms\"", "");
    begin(&w, "POST /a.txt HTTP/1.1\r\nHost: x\r\n"
              "Content-Length: 1000000\r\n\r\n");
    check_answer(&w, 405);
    server_sleep(1500);
    uint64_t end = server_now_ms() + LATE_MS;
    while (wire_text(&w, "more") && server_now_ms() < end)
        server_sleep(20);
    assert_true(server_now_ms() < end);
    wire_close(&w);
}

/* Caps. */

static void fill(struct wire *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        begin(&w[i], GET_A);
        check_answer(&w[i], 200);
    }
}

/* Some answer is sent at once, or none at all; the connection ends. */
static void check_refused(struct wire *w, int status, int or_status)
{
    struct answer a;
    wire_text(w, GET_A);
    wire_answer(w, &a);
    assert_true(a.status == status || a.status == or_status);
    answer_fini(&a);
    wire_expect_end(w);
    wire_close(w);
}

static void check_comes_free(void)
{
    uint64_t end = server_now_ms() + SOON_MS;
    int status = 0;
    while (status != 200 && server_now_ms() < end) {
        struct answer a;
        wire_ask_by(server.port, GET_A, DELIVER_WHOLE, &a);
        status = a.status;
        answer_fini(&a);
    }
    assert_int_equal(status, 200);
}

static void connections_beyond_the_cap_get_503(void **state)
{
    struct wire w[PIECES];
    struct wire more;
    (void)state;
    server_start(&server, "connections_max = 8", "");
    fill(w, PIECES);
    for (int i = 0; i < 5; i++) {
        wire_open(&more, server.port);
        check_refused(&more, 503, 503);
    }
    for (size_t i = 0; i < PIECES; i++)
        wire_close(&w[i]);
    check_comes_free();
}

static void connections_of_one_address_beyond_its_cap_are_refused(void **state)
{
    struct wire w[PIECES];
    struct wire more;
    (void)state;
    server_start(&server, "connections_per_address_max = 8", "");
    fill(w, PIECES);
    wire_open(&more, server.port);
    check_refused(&more, 429, 503);
    wire_open_from(&more, server.port, "127.0.0.2");
    wire_text(&more, GET_A);
    check_answer(&more, 200);
    wire_close(&more);
    for (size_t i = 0; i < PIECES; i++)
        wire_close(&w[i]);
    check_comes_free();
}

static void idle_connections_cost_little(void **state)
{
    struct wire w[IDLE_N];
    (void)state;
    server_start(&server, "connections_per_address_max = 4096", "");
    fill(w, PIECES);
    uint64_t before = server_memory(&server);
    fill(w + PIECES, IDLE_N - PIECES);
    uint64_t after = server_memory(&server);
    if (!server_sanitized())
        assert_true(after < before + IDLE_N * IDLE_BYTES);
    for (size_t i = 0; i < IDLE_N; i++)
        wire_close(&w[i]);
}

/* Asks and asks, and reads nothing: the server must stop reading too. */
static void pipeline_that_is_never_read_costs_little(void **state)
{
    char *many = malloc(ASKED * strlen(GET_A) + 1);
    struct wire w;
    ssize_t n = 0;
    size_t sent = 0;
    (void)state;
    assert_non_null(many);
    for (size_t i = 0; i < ASKED; i++)
        memcpy(many + i * strlen(GET_A), GET_A, strlen(GET_A) + 1);
    server_start(&server, "", "");
    begin(&w, GET_A);
    check_answer(&w, 200);
    uint64_t before = server_memory(&server);
    for (int i = 0; i < 20; i++) {
        while ((n = send(w.fd, many, ASKED * strlen(GET_A), MSG_NOSIGNAL)) > 0)
            sent += (size_t)n;
        server_sleep(20);
    }
    assert_true(sent < ASKED_BYTES_MAX);
    if (!server_sanitized())
        assert_true(server_memory(&server) < before + (1u << 20));
    wire_close(&w);
    free(many);
}

/* The end. */

static bool connects(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool done = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
    close(fd);
    return done;
}

static void check_no_more_connections(void)
{
    uint64_t end = server_now_ms() + SOON_MS;
    while (connects() && server_now_ms() < end)
        server_sleep(10);
    assert_false(connects());
}

static void sigterm_lets_the_answers_under_way_finish(void **state)
{
    struct wire w;
    struct wire idle;
    struct answer a;
    (void)state;
    server_start(&server, "", "");
    begin(&idle, GET_A);
    check_answer(&idle, 200);
    begin(&w, "GET /lab/drip?bytes=10&duration=1500ms HTTP/1.1\r\n"
              "Host: x\r\n\r\n");
    wire_need(&w, 100);
    kill(server.pid, SIGTERM);
    wire_expect_end(&idle);
    check_no_more_connections();
    wire_answer(&w, &a);
    assert_string_equal(a.body, "**********");
    answer_fini(&a);
    wire_expect_end(&w);
    assert_int_equal(server_wait(&server, SERVER_STOP_MS), 0);
    wire_close(&w);
    wire_close(&idle);
}

static void draining_ends_after_its_timeout(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "drain_timeout = \"500ms\"", "");
    begin(&w,
          "GET /lab/drip?bytes=10&duration=60s HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_need(&w, 100);
    uint64_t begun = server_now_ms();
    assert_int_equal(server_stop(&server, SIGTERM), 0);
    assert_in_range(server_now_ms() - begun, 400, 4000);
    assert_true(wire_until_end(&w, SOON_MS));
    wire_close(&w);
}

static void sigint_stops_at_once(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "", "");
    begin(&w,
          "GET /lab/drip?bytes=10&duration=60s HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_need(&w, 100);
    uint64_t begun = server_now_ms();
    assert_int_equal(server_stop(&server, SIGINT), 0);
    if (!server_sanitized())
        assert_true(server_now_ms() - begun < 1000);
    assert_true(wire_until_end(&w, SOON_MS));
    wire_close(&w);
}

static void sigint_ends_a_drain(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "drain_timeout = \"60s\"", "");
    begin(&w,
          "GET /lab/drip?bytes=10&duration=60s HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_need(&w, 100);
    kill(server.pid, SIGTERM);
    server_sleep(200);
    assert_int_equal(server_stop(&server, SIGINT), 0);
    wire_close(&w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(head_that_never_ends_gets_408),
        TEST(head_that_drips_gets_408),
        TEST(second_head_is_timed_like_the_first),
        TEST(idle_connections_are_closed_silently),
        TEST(waiting_for_an_answer_is_not_idle),
        TEST(slow_body_is_cut_off),
        TEST(body_above_the_rate_is_taken),
        TEST(reader_that_never_reads_is_closed),
        TEST(reader_of_a_file_that_never_reads_is_closed),
        TEST(slow_source_is_not_taken_for_a_slow_reader),
        TEST(slow_reader_above_the_rate_gets_everything),
        TEST(lingering_ends),
        TEST(connections_beyond_the_cap_get_503),
        TEST(connections_of_one_address_beyond_its_cap_are_refused),
        TEST(idle_connections_cost_little),
        TEST(pipeline_that_is_never_read_costs_little),
        TEST(sigterm_lets_the_answers_under_way_finish),
        TEST(draining_ends_after_its_timeout),
        TEST(sigint_stops_at_once),
        TEST(sigint_ends_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
