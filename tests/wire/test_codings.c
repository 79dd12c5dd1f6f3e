/* gzip on the fly, and files that were compressed beforehand. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_BYTES     (300u << 10)
#define SLOW_BYTES     (64u << 20)
#define ROOM_BYTES     (3u << 20)
#define COMMAND_BYTES  1024
#define NARROW_BYTES   4096
#define ACCEPT(coding) "Accept-Encoding: " coding "\r\n"

static struct server server;

static void check(const char *target, const char *lines, const char *coding)
{
    struct answer a;
    wire_get(server.port, target, lines, &a);
    assert_int_equal(a.status, 200);
    const char *got = answer_field(&a, "Content-Encoding");
    if (!coding != !got || (got && strcmp(got, coding) != 0))
        print_message("--- %s with %s---\n%s", target, lines, a.head);
    if (coding)
        assert_string_equal(got, coding);
    else
        assert_null(got);
    answer_fini(&a);
}

static void weights_decide_whether_gzip_is_used(void **state)
{
    (void)state;
    check("/text.txt", "", NULL);
    check("/text.txt", ACCEPT("gzip"), "gzip");
    check("/text.txt", ACCEPT("x-gzip"), "gzip");
    check("/text.txt", ACCEPT("deflate, GZIP;q=0.5"), "gzip");
    check("/text.txt", ACCEPT("*"), "gzip");
    check("/text.txt", ACCEPT("gzip;q=0"), NULL);
    check("/text.txt", ACCEPT("gzip;q=0.000, *"), NULL);
    check("/text.txt", ACCEPT("*;q=0.5, gzip;q=0"), NULL);
    check("/text.txt", ACCEPT("identity, gzip;q=0.2"), NULL);
    check("/text.txt", ACCEPT("identity;q=0.1, gzip;q=0.2"), "gzip");
    check("/text.txt", ACCEPT("br"), NULL);
    check("/text.txt", ACCEPT(""), NULL);
    check("/text.txt", ACCEPT("deflate") ACCEPT("gzip"), "gzip");
}

static void only_compressible_types_are_compressed(void **state)
{
    (void)state;
    check("/page.html", ACCEPT("gzip"), "gzip");
    check("/data.json", ACCEPT("gzip"), "gzip");
    check("/pic.png", ACCEPT("gzip"), NULL);
    check("/film.mp4", ACCEPT("gzip"), NULL);
}

static void small_files_are_left_as_they_are(void **state)
{
    (void)state;
    check("/small.txt", ACCEPT("gzip"), NULL);
}

/* Runs a shell command whose %s is the file that holds the body. */
static void unpack(const struct answer *a, const char *command,
                   const char *original)
{
    char line[COMMAND_BYTES];
    char packed[SERVER_PATH_BYTES];
    server_file(&server, "packed", a->body, a->body_len);
    snprintf(packed, sizeof(packed), "%s", server_path(&server, "packed"));
    snprintf(line, sizeof(line), "%s <'%s' | cmp - '%s'", command, packed,
             server_path(&server, original));
    assert_int_equal(system(line), 0); // NOLINT: a test's own words
}

static void gzip_unpacks_to_the_same_bytes(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/text.txt", ACCEPT("gzip"), &a);
    assert_true(a.chunked);
    assert_true(a.body_len < TEXT_BYTES / 2);
    unpack(&a, "gzip -dc", "www/text.txt");
    answer_fini(&a);
}

static void gzip_for_http_1_0_ends_with_the_connection(void **state)
{
    struct answer a;
    (void)state;
    wire_ask(server.port,
             "GET /text.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n", &a);
    assert_true(a.until_close);
    assert_string_equal(answer_field(&a, "Content-Encoding"), "gzip");
    unpack(&a, "gzip -dc", "www/text.txt");
    answer_fini(&a);
}

static void gzip_keeps_the_connection(void **state)
{
    static const char text[] = "GET /text.txt HTTP/1.1\r\nHost: x\r\n"
                               "Accept-Encoding: gzip\r\n\r\n";
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    for (int i = 0; i < 3; i++) {
        wire_text(&w, text);
        wire_text(&w, text);
    }
    for (int i = 0; i < 6; i++) {
        wire_answer(&w, &a);
        unpack(&a, "gzip -dc", "www/text.txt");
        answer_fini(&a);
    }
    wire_close(&w);
}

static void gzip_is_never_combined_with_ranges(void **state)
{
    struct answer a;
    char tag[128];
    (void)state;
    wire_get(server.port, "/text.txt", "", &a);
    snprintf(tag, sizeof(tag), "%s", answer_field(&a, "ETag"));
    answer_fini(&a);
    wire_get(server.port, "/text.txt", ACCEPT("gzip") "Range: bytes=5-9\r\n",
             &a);
    assert_int_equal(a.status, 206);
    assert_string_equal(answer_field(&a, "ETag"), tag);
    assert_null(answer_field(&a, "Content-Encoding"));
    assert_string_equal(a.body, "56789");
    answer_fini(&a);
    wire_get(server.port, "/text.txt",
             ACCEPT("gzip") "Range: bytes=999999999-\r\n", &a);
    assert_int_equal(a.status, 416);
    assert_null(answer_field(&a, "Content-Encoding"));
    answer_fini(&a);
}

static void head_of_gzip_is_that_of_get(void **state)
{
    struct answer a;
    struct answer b;
    (void)state;
    wire_get(server.port, "/text.txt", ACCEPT("gzip"), &a);
    wire_ask(server.port,
             "HEAD /text.txt HTTP/1.1\r\nHost: x\r\n"
             "Accept-Encoding: gzip\r\n\r\n",
             &b);
    assert_true(answer_same_head(&a, &b));
    answer_fini(&a);
    answer_fini(&b);
}

/* A reader that stops must stop the compressor. */
static void gzip_for_a_slow_reader_costs_no_memory(void **state)
{
    struct wire w;
    (void)state;
    uint64_t before = server_memory(&server);
    wire_open_narrow(&w, server.port, NARROW_BYTES);
    wire_text(&w, "GET /noise.txt HTTP/1.1\r\nHost: x\r\n"
                  "Accept-Encoding: gzip\r\n\r\n");
    wire_need(&w, 1000);
    server_sleep(500);
    if (!server_sanitized())
        assert_true(server_memory(&server) < before + ROOM_BYTES);
    wire_close(&w);
}

/* Files beside the file. */

static void check_sibling(const char *lines, const char *coding,
                          const char *body)
{
    struct answer a;
    wire_get(server.port, "/style.css", lines, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, body);
    assert_int_equal(strncmp(answer_field(&a, "Content-Type"), "text/css", 8),
                     0);
    assert_true(answer_lists(&a, "Vary", "Accept-Encoding"));
    if (coding)
        assert_string_equal(answer_field(&a, "Content-Encoding"), coding);
    else
        assert_null(answer_field(&a, "Content-Encoding"));
    answer_fini(&a);
}

static void siblings_are_chosen_by_weight(void **state)
{
    (void)state;
    check_sibling("", NULL, "body {}");
    check_sibling(ACCEPT("gzip"), "gzip", "gzip bytes");
    check_sibling(ACCEPT("zstd"), "zstd", "zstd bytes");
    check_sibling(ACCEPT("br"), "br", "brotli bytes");
    check_sibling(ACCEPT("gzip, zstd;q=0.5, br;q=0.1"), "gzip", "gzip bytes");
    check_sibling(ACCEPT("gzip;q=0.1, zstd;q=0.5"), "zstd", "zstd bytes");
    check_sibling(ACCEPT("gzip, br;q=0"), "gzip", "gzip bytes");
    check_sibling(ACCEPT("gzip, deflate, br, zstd"), "br", "brotli bytes");
}

static void tags_differ_per_coding(void **state)
{
    static const char *const lines[] = {"", ACCEPT("gzip"), ACCEPT("zstd"),
                                        ACCEPT("br")};
    char tags[4][128];
    struct answer a;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        wire_get(server.port, "/style.css", lines[i], &a);
        snprintf(tags[i], sizeof(tags[i]), "%s", answer_field(&a, "ETag"));
        assert_int_equal(tags[i][0], '"');
        answer_fini(&a);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(tags[i], tags[j]);
    }
}

static void siblings_have_ranges(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/style.css", ACCEPT("br") "Range: bytes=0-5\r\n",
             &a);
    assert_int_equal(a.status, 206);
    assert_string_equal(answer_field(&a, "Content-Encoding"), "br");
    assert_string_equal(a.body, "brotli");
    assert_string_equal(answer_field(&a, "Content-Range"), "bytes 0-5/12");
    assert_true(answer_lists(&a, "Vary", "Accept-Encoding"));
    answer_fini(&a);
}

static void sibling_of_an_index_is_found(void **state)
{
    check("/indexed/", ACCEPT("br"), "br");
    check("/indexed/", ACCEPT("zstd"), NULL);
    (void)state;
}

/* Otherwise old bytes would be served for ever. */
static void sibling_that_goes_away_is_noticed(void **state)
{
    (void)state;
    server_text(&server, "www/turn.css", "plain");
    server_text(&server, "www/turn.css.br", "packed");
    check("/turn.css", ACCEPT("br"), "br");
    unlink(server_path(&server, "www/turn.css.br"));
    server_sleep(1000);
    check("/turn.css", ACCEPT("br"), NULL);
}

static void sibling_alone_is_no_file(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/alone.css", ACCEPT("br"), &a);
    assert_int_equal(a.status, 404);
    answer_fini(&a);
}

static void sibling_asked_by_its_own_name_is_a_file(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/style.css.gz", ACCEPT("gzip"), &a);
    assert_int_equal(a.status, 200);
    assert_null(answer_field(&a, "Content-Encoding"));
    assert_string_equal(a.body, "gzip bytes");
    answer_fini(&a);
}

static void make_text(void)
{
    char *text = malloc(TEXT_BYTES);
    assert_non_null(text);
    for (size_t i = 0; i < TEXT_BYTES; i++)
        text[i] = (char)('0' + i % 10 + (i * i / 5000) % 3 * (i > 10));
    server_file(&server, "www/text.txt", text, TEXT_BYTES);
    server_file(&server, "www/page.html", text, TEXT_BYTES);
    server_file(&server, "www/data.json", text, TEXT_BYTES);
    server_file(&server, "www/pic.png", text, TEXT_BYTES);
    server_file(&server, "www/film.mp4", text, TEXT_BYTES);
    free(text);
}

static void make_noise(void)
{
    uint32_t *noise = malloc(SLOW_BYTES);
    uint32_t x = 1;
    assert_non_null(noise);
    for (size_t i = 0; i < SLOW_BYTES / sizeof(x); i++) {
        x = x * 1664525 + 1013904223;
        noise[i] = x ^ (x >> 15);
    }
    server_file(&server, "www/noise.txt", noise, SLOW_BYTES);
    free(noise);
}

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    make_text();
    make_noise();
    server_text(&server, "www/small.txt", "small");
    server_text(&server, "www/style.css", "body {}");
    server_text(&server, "www/style.css.gz", "gzip bytes");
    server_text(&server, "www/style.css.zst", "zstd bytes");
    server_text(&server, "www/style.css.br", "brotli bytes");
    server_text(&server, "www/alone.css.br", "alone");
    server_text(&server, "www/indexed/index.html", "<p>");
    server_text(&server, "www/indexed/index.html.br", "br");
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
        cmocka_unit_test(weights_decide_whether_gzip_is_used),
        cmocka_unit_test(only_compressible_types_are_compressed),
        cmocka_unit_test(small_files_are_left_as_they_are),
        cmocka_unit_test(gzip_unpacks_to_the_same_bytes),
        cmocka_unit_test(gzip_for_http_1_0_ends_with_the_connection),
        cmocka_unit_test(gzip_keeps_the_connection),
        cmocka_unit_test(gzip_is_never_combined_with_ranges),
        cmocka_unit_test(head_of_gzip_is_that_of_get),
        cmocka_unit_test(gzip_for_a_slow_reader_costs_no_memory),
        cmocka_unit_test(siblings_are_chosen_by_weight),
        cmocka_unit_test(tags_differ_per_coding),
        cmocka_unit_test(siblings_have_ranges),
        cmocka_unit_test(sibling_of_an_index_is_found),
        cmocka_unit_test(sibling_that_goes_away_is_noticed),
        cmocka_unit_test(sibling_alone_is_no_file),
        cmocka_unit_test(sibling_asked_by_its_own_name_is_a_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
