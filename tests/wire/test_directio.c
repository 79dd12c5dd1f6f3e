/* Large cold files past the page cache, for clients of every manner. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB           (1u << 20)
#define FILE_BYTES    (24u * MIB + 777u)
#define DIRECT_BYTES  "1m"
#define NARROW_BYTES  4096
#define READERS       20u
#define BLOCKS_EACH   2u /* of 1 MiB, that one download may hold */
#define MEMORY_BESIDE (8u * MIB)
#define LEAVERS       40u
#define GET           "GET /file.bin HTTP/1.1\r\nHost: a\r\n\r\n"

static struct server server;
static char *bytes;

/* Takes a file out of the page cache. */
static void chill(const char *name)
{
    int fd = open(server_path(&server, name), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

static void assert_part(const struct answer *a, size_t pos, size_t len)
{
    assert_int_equal(a->body_len, len);
    assert_memory_equal(a->body, bytes + pos, len);
}

static void cold_file_is_answered_whole(void **state)
{
    struct answer a;
    (void)state;
    chill("www/file.bin");
    wire_ask_by(server.port, GET, DELIVER_WHOLE, &a);
    assert_int_equal(a.status, 200);
    assert_part(&a, 0, FILE_BYTES);
    answer_fini(&a);
}

static void pipelined_answers_keep_their_order(void **state)
{
    struct answer a;
    struct wire w;
    (void)state;
    chill("www/file.bin");
    wire_open(&w, server.port);
    assert_true(wire_text(
        &w,
        "GET /file.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=5-3000004\r\n\r\n"
        "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"
        "HEAD /file.bin HTTP/1.1\r\nHost: a\r\n\r\n" GET));
    wire_answer(&w, &a);
    assert_int_equal(a.status, 206);
    assert_part(&a, 5, 3000000);
    answer_fini(&a);
    wire_answer(&w, &a);
    assert_string_equal(a.body, "hello\n");
    answer_fini(&a);
    wire_answer_to_head(&w, &a);
    assert_int_equal(atoi(answer_field(&a, "Content-Length")), FILE_BYTES);
    answer_fini(&a);
    wire_answer(&w, &a);
    assert_part(&a, 0, FILE_BYTES);
    answer_fini(&a);
    wire_close(&w);
}

/* Behind the head of the part that begins at pos. */
static const char *find_part(const struct answer *a, size_t pos, size_t len)
{
    char field[128];
    int n = snprintf(field, sizeof(field),
                     "Content-Range: bytes %zu-%zu/%u\r\n\r\n", pos,
                     pos + len - 1, FILE_BYTES);
    const char *at = memmem(a->body, a->body_len, field, (size_t)n);
    assert_non_null(at);
    return at + n;
}

static void parts_of_a_cold_file_are_its_bytes(void **state)
{
    static const size_t parts[][2] = {{1000, 1},
                                      {MIB - 1, 2 * MIB + 5},
                                      {20 * MIB, 300000},
                                      {FILE_BYTES - 778, 778}};
    struct answer a;
    (void)state;
    chill("www/file.bin");
    wire_ask_by(server.port,
                "GET /file.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-1000,"
                "1048575-3145731,20971520-21271519,-778\r\n\r\n",
                DELIVER_WHOLE, &a);
    assert_int_equal(a.status, 206);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const char *at = find_part(&a, parts[i][0], parts[i][1]);
        assert_memory_equal(at, bytes + parts[i][0], parts[i][1]);
        assert_memory_equal(at + parts[i][1], "\r\n--", 4);
    }
    answer_fini(&a);
}

static void client_that_has_ended_its_side_gets_all(void **state)
{
    struct answer a;
    struct wire w;
    (void)state;
    chill("www/file.bin");
    wire_open(&w, server.port);
    assert_true(wire_text(&w, GET));
    wire_end(&w);
    wire_answer(&w, &a);
    assert_part(&a, 0, FILE_BYTES);
    answer_fini(&a);
    wire_expect_end(&w);
    wire_close(&w);
}

static void stuck_readers_hold_two_blocks_at_most(void **state)
{
    struct answer a;
    struct wire w[READERS];
    (void)state;
    chill("www/file.bin");
    uint64_t before = server_memory(&server);
    for (size_t i = 0; i < READERS; i++) {
        wire_open_narrow(&w[i], server.port, NARROW_BYTES);
        assert_true(wire_text(&w[i], GET));
    }
    server_sleep(500);
    uint64_t after = server_memory(&server);
    if (!server_sanitized())
        assert_true(after <
                    before + READERS * BLOCKS_EACH * MIB + MEMORY_BESIDE);
    wire_answer(&w[0], &a);
    assert_part(&a, 0, FILE_BYTES);
    answer_fini(&a);
    for (size_t i = 0; i < READERS; i++)
        wire_close(&w[i]);
}

static void clients_may_leave_at_any_time(void **state)
{
    struct wire w;
    (void)state;
    for (unsigned i = 0; i < LEAVERS; i++) {
        chill("www/file.bin");
        wire_open(&w, server.port);
        assert_true(wire_text(&w, GET));
        if (i % 4 > 0)
            wire_need(&w, i * 100000 + 1);
        wire_close(&w);
    }
    cold_file_is_answered_whole(NULL);
}

/* What comes from a file that is changed once its first bytes are here; true
 * when the answer looked whole. */
static bool ask_while_changed(void (*change)(int fd), uint64_t *ret_len)
{
    struct wire w;
    server_file(&server, "www/changing.bin", bytes, FILE_BYTES);
    chill("www/changing.bin");
    server_sleep(600);
    wire_open_narrow(&w, server.port, NARROW_BYTES);
    assert_true(wire_text(&w, "GET /changing.bin HTTP/1.1\r\nHost: a\r\n\r\n"));
    wire_need(&w, 1000);
    int fd = open(server_path(&server, "www/changing.bin"), O_RDWR);
    assert_true(fd >= 0);
    change(fd);
    close(fd);
    assert_true(wire_until_end(&w, WIRE_MS));
    const char *body = memmem(w.in, w.in_len, "\r\n\r\n", 4);
    assert_non_null(body);
    body += 4;
    *ret_len = w.in_len - (size_t)(body - w.in);
    assert_true(*ret_len <= FILE_BYTES);
    assert_memory_equal(body, bytes, *ret_len);
    bool reset = w.reset;
    wire_close(&w);
    return !reset;
}

static void shorten(int fd)
{
    assert_int_equal(ftruncate(fd, 4000), 0);
}

static void write_over(int fd)
{
    char *zeroes = calloc(1, FILE_BYTES);
    assert_int_equal(pwrite(fd, zeroes, FILE_BYTES, 0), FILE_BYTES);
    free(zeroes);
}

static void file_that_shrinks_resets_the_connection(void **state)
{
    uint64_t len;
    (void)state;
    assert_false(ask_while_changed(shorten, &len));
    assert_true(len < FILE_BYTES);
}

static void file_that_is_written_over_resets_the_connection(void **state)
{
    uint64_t len;
    (void)state;
    assert_false(ask_while_changed(write_over, &len));
    assert_true(len < FILE_BYTES);
}

static void server_ends_in_the_midst_of_downloads(void **state)
{
    struct wire w[READERS];
    (void)state;
    chill("www/file.bin");
    for (size_t i = 0; i < READERS; i++) {
        wire_open_narrow(&w[i], server.port, NARROW_BYTES);
        assert_true(wire_text(&w[i], GET));
    }
    wire_need(&w[READERS - 1], 100);
    assert_int_equal(server_stop(&server, SIGINT), 0);
    for (size_t i = 0; i < READERS; i++)
        wire_close(&w[i]);
    server_start(&server, "", "directio = " DIRECT_BYTES);
    cold_file_is_answered_whole(NULL);
}

static void fill(void)
{
    uint32_t x = 12345;
    bytes = malloc(FILE_BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (char)(x >> 24);
    }
}

static int set_up(void **state)
{
    (void)state;
    fill();
    server_init(&server);
    server_file(&server, "www/file.bin", bytes, FILE_BYTES);
    server_text(&server, "www/a.txt", "hello\n");
    server_start(&server, "", "directio = " DIRECT_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_fini(&server);
    free(bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_file_is_answered_whole),
        cmocka_unit_test(pipelined_answers_keep_their_order),
        cmocka_unit_test(parts_of_a_cold_file_are_its_bytes),
        cmocka_unit_test(client_that_has_ended_its_side_gets_all),
        cmocka_unit_test(stuck_readers_hold_two_blocks_at_most),
        cmocka_unit_test(clients_may_leave_at_any_time),
        cmocka_unit_test(file_that_shrinks_resets_the_connection),
        cmocka_unit_test(file_that_is_written_over_resets_the_connection),
        cmocka_unit_test(server_ends_in_the_midst_of_downloads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
