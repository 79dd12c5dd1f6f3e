/* What once went wrong in the engine, each told by raw bytes. */
#include "buffers/write_queue.h"
#include "httpd/limits.h"
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define OPTIONS         "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n"
#define SOON_MS         2000u
#define PAUSE_MS        (HALF_CLOSED_MS + 1000u)
#define NARROW_BYTES    4096
#define WINDOW_BYTES    65536
#define MANY            (TURN_STEPS_MAX / 2) /* each takes a few steps */
#define FEW             20u
#define REST_BYTES      990u
#define TEXT_BYTES      (64u << 10)
#define LARGE_BYTES     (24u << 20) /* more than kernel buffers hold */
#define HARD_BYTES      ((64u << 10) + WRITE_QUEUE_SLACK_BYTES) /* of /lab/ */
#define HARD_NEAR_BYTES 1200u
#define HARD_STEP_BYTES 100u /* less than a response head */

/* A lab with a queue of 16k, one with 1m, one whose kernel holds little. */
#define SMALL_ROUTE                                                            \
    "route \"/small/\" {\n lab = true\n queue_high = 16k\n queue_low = 4k\n}"
#define BIG_ROUTE                                                              \
    "route \"/big/\" {\n lab = true\n queue_high = 1m\n sndbuf = 16k\n}"
#define TIGHT_ROUTE "route \"/tight/\" {\n lab = true\n sndbuf = 8k\n}"

static struct server server;

static void begin(struct wire *w, const char *text)
{
    wire_open(w, server.port);
    assert_true(wire_text(w, text));
}

static void check_answer(struct wire *w, int status, size_t body_len)
{
    struct answer a;
    wire_answer(w, &a);
    assert_int_equal(a.status, status);
    assert_int_equal(a.body_len, body_len);
    answer_fini(&a);
}

static void check_status(struct wire *w, int status)
{
    struct answer a;
    wire_answer(w, &a);
    assert_int_equal(a.status, status);
    answer_fini(&a);
}

/* Work that no event announces. */

/* The read of a body takes more requests than one turn has steps for. */
static void requests_beyond_the_steps_of_a_turn_are_answered(void **state)
{
    static char text[TEXT_BYTES];
    struct wire w;
    size_t len = REST_BYTES;
    (void)state;
    server_start(&server, "", "");
    begin(&w, "POST /nope HTTP/1.1\r\nHost: x\r\n"
              "Content-Length: 1000\r\n\r\n0123456789");
    check_status(&w, 405);
    assert_true(REST_BYTES + MANY * strlen(OPTIONS) <= sizeof(text));
    memset(text, 'x', REST_BYTES);
    for (size_t i = 0; i < MANY; i++, len += strlen(OPTIONS))
        memcpy(text + len, OPTIONS, strlen(OPTIONS));
    assert_true(wire_send(&w, text, len, DELIVER_WHOLE));
    for (size_t i = 0; i < MANY; i++)
        check_status(&w, 204);
    wire_close(&w);
}

/* The first request has the server read as for a body, so that the second one
 * comes with all of its body and what is behind it in one read. */
static void check_echo_of(size_t n)
{
    static char text[TEXT_BYTES];
    struct wire w;
    int head = snprintf(text, sizeof(text),
                        "0123456789POST /small/echo HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        n);
    size_t len = (size_t)head + n;
    memset(text + head, 'y', n);
    for (size_t i = 0; i < FEW; i++, len += strlen(OPTIONS))
        memcpy(text + len, OPTIONS, strlen(OPTIONS));
    begin(&w, "POST /nope HTTP/1.1\r\nHost: x\r\n"
              "Content-Length: 20\r\n\r\n0123456789");
    check_status(&w, 405);
    assert_true(wire_send(&w, text, len, DELIVER_WHOLE));
    check_answer(&w, 200, n);
    for (size_t i = 0; i < FEW; i++)
        check_status(&w, 204);
    wire_close(&w);
}

static void body_that_fills_the_queue_to_the_brim_is_ended(void **state)
{
    (void)state;
    server_start(&server, SMALL_ROUTE, "");
    for (size_t n = 15000; n < 16500; n += 24)
        check_echo_of(n);
}

/* The second route's mark is below what the first one has queued: its answer
 * still finds room. */
static void queue_filled_by_a_route_of_larger_marks_does_not_break(void **state)
{
    char text[256];
    struct wire w;
    (void)state;
    server_start(&server, BIG_ROUTE, "");
    for (size_t n = HARD_BYTES - HARD_NEAR_BYTES; n < HARD_BYTES;
         n += HARD_STEP_BYTES) {
        snprintf(text, sizeof(text),
                 "GET /big/bytes/%zu HTTP/1.1\r\nHost: x\r\n\r\n"
                 "GET /lab/headers HTTP/1.1\r\nHost: x\r\n\r\n",
                 n);
        wire_open_narrow(&w, server.port, NARROW_BYTES);
        assert_true(wire_text(&w, text));
        check_answer(&w, 200, n);
        check_status(&w, 200);
        wire_close(&w);
    }
}

/* Peers that have shut down their side. */

static void answers_queued_for_a_half_closed_peer_still_leave(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, TIGHT_ROUTE, "");
    wire_open_narrow(&w, server.port, NARROW_BYTES);
    assert_true(
        wire_text(&w, "GET /tight/bytes/20000 HTTP/1.1\r\nHost: x\r\n\r\n"
                      "GET /tight/bytes/20000 HTTP/1.1\r\nHost: x\r\n\r\n"
                      "GET /tight/bytes/20000 HTTP/1.1\r\nHost: x\r\n\r\n"));
    wire_end(&w);
    server_sleep(300);
    for (int i = 0; i < 3; i++)
        check_answer(&w, 200, 20000);
    wire_expect_end(&w);
    assert_false(w.reset);
    wire_close(&w);
}

static void ask_and_half_close(struct wire *w, const char *target)
{
    char text[128];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    wire_open_narrow(w, server.port, WINDOW_BYTES);
    assert_true(wire_text(w, text));
    wire_end(w);
}

/* Both wait at once, because the time is the server's own. A file with the log
 * on is another way through the states than a generator. */
static void slow_reader_that_half_closed_gets_everything(void **state)
{
    char target[64];
    struct wire bytes;
    struct wire file;
    (void)state;
    server_text(&server, "www/large.bin", "");
    assert_int_equal(
        truncate(server_path(&server, "www/large.bin"), LARGE_BYTES), 0);
    server_start(&server, "access_log = \"access.log\"\nwrite_rate_min = 0",
                 "");
    snprintf(target, sizeof(target), "/lab/bytes/%u", LARGE_BYTES);
    ask_and_half_close(&bytes, target);
    ask_and_half_close(&file, "/large.bin");
    server_sleep(PAUSE_MS);
    check_answer(&bytes, 200, LARGE_BYTES);
    check_answer(&file, 200, LARGE_BYTES);
    wire_close(&bytes);
    wire_close(&file);
}

/* Cut answers that look whole. */

/* An answer without framing, under way; its end tells whether it is whole. */
static void begin_until_close(struct wire *w)
{
    begin(w, "GET /lab/lines/3?interval=60s HTTP/1.0\r\n\r\n");
    wire_need(w, 100);
}

static void check_cut(struct wire *w, unsigned ms)
{
    assert_true(wire_until_end(w, ms));
    assert_true(w->reset);
    wire_close(w);
}

static void until_close_answer_cut_by_sigint_ends_by_reset(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "", "");
    begin_until_close(&w);
    kill(server.pid, SIGINT);
    check_cut(&w, SOON_MS);
}

static void until_close_answer_cut_by_the_drain_ends_by_reset(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "drain_timeout = \"400ms\"", "");
    begin_until_close(&w);
    kill(server.pid, SIGTERM);
    check_cut(&w, 2 * SOON_MS);
}

static void until_close_answer_cut_for_a_half_closed_peer_resets(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "", "");
    begin_until_close(&w);
    wire_end(&w);
    check_cut(&w, HALF_CLOSED_MS + 2 * SOON_MS);
}

/* Clocks that ran on. */

static void upload_after_a_pause(struct wire *w, unsigned pause_ms)
{
    server_sleep(pause_ms);
    assert_true(wire_text(w, "POST /lab/sink HTTP/1.1\r\nHost: x\r\n"
                             "Content-Length: 10\r\n\r\n"));
    server_sleep(600);
    assert_true(wire_text(w, "0123456789"));
    check_status(w, 200);
}

/* Its window of time is its own, not the one of the upload before. */
static void second_upload_is_not_measured_from_the_first(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "rate_window = \"2s\"", "");
    wire_open(&w, server.port);
    upload_after_a_pause(&w, 0);
    upload_after_a_pause(&w, 2000);
    wire_close(&w);
}

/* RFC 9112 section 2.2: empty lines before a request mean nothing. */
static void stray_line_end_does_not_begin_a_request(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "head_timeout = \"300ms\"", "");
    begin(&w, OPTIONS "\r\n");
    check_status(&w, 204);
    wire_expect_quiet(&w, 1200);
    assert_true(wire_text(&w, OPTIONS));
    check_status(&w, 204);
    wire_close(&w);
}

static void stray_line_ends_do_not_keep_a_connection(void **state)
{
    struct wire w;
    (void)state;
    server_start(&server, "idle_timeout = \"300ms\"", "");
    begin(&w, OPTIONS "\r\n");
    check_status(&w, 204);
    assert_true(wire_until_end(&w, 2 * SOON_MS));
    assert_int_equal(w.in_len, 0);
    wire_close(&w);
}

/* Peers that are gone. */

static size_t descriptors(void)
{
    char path[64];
    size_t n = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)server.pid);
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* While the source is silent nothing is sent that would tell. */
static void reset_behind_unread_bytes_is_noticed(void **state)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    struct wire w;
    (void)state;
    server_start(&server, "drain_timeout = \"100ms\"", "");
    begin(&w, "GET /lab/stall?after=1k&duration=60s HTTP/1.1\r\n"
              "Host: x\r\n\r\n");
    wire_need(&w, 1024);
    assert_true(wire_text(&w, "GET / HTTP/1.1\r\n"));
    server_sleep(100);
    size_t before = descriptors();
    setsockopt(w.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    wire_close(&w);
    uint64_t end = server_now_ms() + SOON_MS;
    while (descriptors() >= before && server_now_ms() < end)
        server_sleep(20);
    assert_int_equal(descriptors(), before - 1);
}

/* Signals. */

static void sighup_does_not_stop_the_server(void **state)
{
    (void)state;
    server_start(&server, "", "");
    kill(server.pid, SIGHUP);
    assert_int_equal(server_wait(&server, 500), -1);
    wire_expect_status(server.port, OPTIONS, 204);
}

int main(void)
{
#define TEST(name) SERVER_TEST(name, &server)
    const struct CMUnitTest tests[] = {
        TEST(requests_beyond_the_steps_of_a_turn_are_answered),
        TEST(body_that_fills_the_queue_to_the_brim_is_ended),
        TEST(queue_filled_by_a_route_of_larger_marks_does_not_break),
        TEST(answers_queued_for_a_half_closed_peer_still_leave),
        TEST(slow_reader_that_half_closed_gets_everything),
        TEST(until_close_answer_cut_by_sigint_ends_by_reset),
        TEST(until_close_answer_cut_by_the_drain_ends_by_reset),
        TEST(until_close_answer_cut_for_a_half_closed_peer_resets),
        TEST(second_upload_is_not_measured_from_the_first),
        TEST(stray_line_end_does_not_begin_a_request),
        TEST(stray_line_ends_do_not_keep_a_connection),
        TEST(reset_behind_unread_bytes_is_noticed),
        TEST(sighup_does_not_stop_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
