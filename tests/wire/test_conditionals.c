/* If-Match and its kin, in the order of RFC 9110 section 13.2.2; and what
 * changes with the content coding. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utime.h>

#include <cmocka.h>

#define TEXT_BYTES (64u << 10)
#define PAST       "Sun, 06 Nov 1994 08:49:37 GMT"
#define FILE_TIME  1000000000
#define FILE_DATE  "Sun, 09 Sep 2001 01:46:40 GMT"
#define AFTER      "Sun, 09 Sep 2001 01:46:41 GMT"
#define BEFORE     "Sun, 09 Sep 2001 01:46:39 GMT"
#define OTHER      "\"other\""

static struct server server;
static char tag[128]; /* of /a.txt */

/* In lines, "@" stands for the file's tag. */
static void get(const char *lines, struct answer *ret)
{
    char text[1024] = "";
    for (; *lines; lines++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
                 *lines == '@' ? tag : (char[]){*lines, 0});
    wire_get(server.port, "/a.txt", text, ret);
}

static void check(const char *lines, int status)
{
    struct answer a;
    get(lines, &a);
    if (a.status != status)
        print_message("--- with %s---\n%s", lines, a.head);
    assert_int_equal(a.status, status);
    answer_fini(&a);
}

static void last_modified_is_the_file_time(void **state)
{
    struct answer a;
    (void)state;
    get("", &a);
    assert_string_equal(answer_field(&a, "Last-Modified"), FILE_DATE);
    answer_fini(&a);
}

static void if_none_match_saves_the_body(void **state)
{
    (void)state;
    check("If-None-Match: @\r\n", 304);
    check("If-None-Match: W/@\r\n", 304);
    check("If-None-Match: *\r\n", 304);
    check("If-None-Match: " OTHER ", @\r\n", 304);
    check("If-None-Match: " OTHER "\r\nIf-None-Match: @\r\n", 304);
    check("If-None-Match: " OTHER "\r\n", 200);
}

static void if_modified_since_saves_the_body(void **state)
{
    (void)state;
    check("If-Modified-Since: " FILE_DATE "\r\n", 304);
    check("If-Modified-Since: " AFTER "\r\n", 304);
    check("If-Modified-Since: " BEFORE "\r\n", 200);
    check("If-Modified-Since: " PAST "\r\n", 200);
    check("If-Modified-Since: yesterday\r\n", 200);
    check("If-Modified-Since: Sunday, 09-Sep-01 01:46:40 GMT\r\n", 304);
    check("If-Modified-Since: Sun Sep  9 01:46:40 2001\r\n", 304);
}

static void if_none_match_goes_before_if_modified_since(void **state)
{
    (void)state;
    check("If-None-Match: " OTHER "\r\nIf-Modified-Since: " AFTER "\r\n", 200);
    check("If-None-Match: @\r\nIf-Modified-Since: " PAST "\r\n", 304);
}

static void if_match_guards_the_file(void **state)
{
    (void)state;
    check("If-Match: @\r\n", 200);
    check("If-Match: *\r\n", 200);
    check("If-Match: " OTHER ", @\r\n", 200);
    check("If-Match: " OTHER "\r\n", 412);
    check("If-Match: W/@\r\n", 412);
}

static void if_unmodified_since_guards_the_file(void **state)
{
    (void)state;
    check("If-Unmodified-Since: " FILE_DATE "\r\n", 200);
    check("If-Unmodified-Since: " AFTER "\r\n", 200);
    check("If-Unmodified-Since: " BEFORE "\r\n", 412);
    check("If-Unmodified-Since: someday\r\n", 200);
}

static void if_match_goes_before_everything(void **state)
{
    (void)state;
    check("If-Match: @\r\nIf-Unmodified-Since: " PAST "\r\n", 200);
    check("If-Match: " OTHER "\r\nIf-Unmodified-Since: " AFTER "\r\n", 412);
    check("If-Match: " OTHER "\r\nIf-None-Match: @\r\n", 412);
    check("If-Match: @\r\nIf-None-Match: @\r\n", 304);
    check("If-Unmodified-Since: " PAST "\r\nIf-None-Match: @\r\n", 412);
}

static void conditions_go_before_ranges(void **state)
{
    (void)state;
    check("If-None-Match: @\r\nRange: bytes=0-1\r\n", 304);
    check("If-Match: " OTHER "\r\nRange: bytes=0-1\r\n", 412);
    check("If-None-Match: @\r\nRange: bytes=999999999-\r\n", 304);
    check("If-Match: @\r\nRange: bytes=0-1\r\n", 206);
    check("If-Match: @\r\nIf-Range: @\r\nRange: bytes=0-1\r\n", 206);
    check("If-Match: @\r\nIf-Range: " OTHER "\r\nRange: bytes=0-1\r\n", 200);
}

static void head_obeys_the_conditions_too(void **state)
{
    char text[512];
    (void)state;
    snprintf(text, sizeof(text),
             "HEAD /a.txt HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\n\r\n",
             tag);
    wire_expect_status(server.port, text, 304);
    wire_expect_status(server.port,
                       "HEAD /a.txt HTTP/1.1\r\nHost: x\r\n"
                       "If-Match: " OTHER "\r\n\r\n",
                       412);
}

static void conditions_on_missing_files_change_nothing(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/missing", "If-None-Match: *\r\n", &a);
    assert_int_equal(a.status, 404);
    answer_fini(&a);
}

static void not_modified_carries_what_a_cache_needs(void **state)
{
    struct answer a;
    struct answer b;
    (void)state;
    get("", &a);
    get("If-None-Match: @\r\n", &b);
    assert_string_equal(answer_field(&b, "ETag"), answer_field(&a, "ETag"));
    assert_string_equal(answer_field(&b, "Vary"), answer_field(&a, "Vary"));
    assert_string_equal(answer_field(&b, "Cache-Control"), "max-age=5");
    assert_int_equal(b.body_len, 0);
    answer_fini(&a);
    answer_fini(&b);
}

/* A cache must not be told "not modified" of another coding's bytes. */
static void tag_of_another_coding_does_not_match(void **state)
{
    struct answer a;
    char lines[256];
    (void)state;
    get("Accept-Encoding: gzip\r\n", &a);
    assert_string_equal(answer_field(&a, "Content-Encoding"), "gzip");
    assert_string_not_equal(answer_field(&a, "ETag"), tag);
    snprintf(lines, sizeof(lines), "If-None-Match: %s\r\n",
             answer_field(&a, "ETag"));
    answer_fini(&a);
    check(lines, 200);
    check("Accept-Encoding: gzip\r\nIf-None-Match: @\r\n", 200);
    strcat(lines, "Accept-Encoding: gzip\r\n");
    check(lines, 304);
}

static void check_vary(const char *lines, int status)
{
    struct answer a;
    get(lines, &a);
    assert_int_equal(a.status, status);
    assert_true(answer_lists(&a, "Vary", "Accept-Encoding"));
    answer_fini(&a);
}

static void vary_stands_on_every_negotiated_answer(void **state)
{
    (void)state;
    check_vary("", 200);
    check_vary("Accept-Encoding: gzip\r\n", 200);
    check_vary("Accept-Encoding: identity\r\n", 200);
    check_vary("If-None-Match: @\r\n", 304);
    check_vary("Range: bytes=0-2\r\n", 206);
    check_vary("Range: bytes=0-2\r\nAccept-Encoding: gzip\r\n", 206);
}

static void vary_stands_on_several_parts(void **state)
{
    struct answer a;
    (void)state;
    wire_ask_by(server.port,
                "GET /a.txt HTTP/1.1\r\nHost: x\r\n"
                "Range: bytes=0-2,5-6\r\n\r\n",
                DELIVER_BYTES, &a);
    assert_int_equal(a.status, 206);
    assert_true(answer_lists(&a, "Vary", "Accept-Encoding"));
    answer_fini(&a);
}

static void remember_tag(void)
{
    struct answer a;
    wire_get(server.port, "/a.txt", "", &a);
    const char *got = answer_field(&a, "ETag");
    assert_non_null(got);
    snprintf(tag, sizeof(tag), "%s", got);
    answer_fini(&a);
}

static int set_up(void **state)
{
    struct utimbuf times = {FILE_TIME, FILE_TIME};
    char *text = malloc(TEXT_BYTES);
    (void)state;
    server_init(&server);
    memset(text, 'a', TEXT_BYTES);
    server_file(&server, "www/a.txt", text, TEXT_BYTES);
    free(text);
    utime(server_path(&server, "www/a.txt"), &times);
    server_start(&server, "", "cache_control = \"max-age=5\"");
    remember_tag();
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
        cmocka_unit_test(last_modified_is_the_file_time),
        cmocka_unit_test(if_none_match_saves_the_body),
        cmocka_unit_test(if_modified_since_saves_the_body),
        cmocka_unit_test(if_none_match_goes_before_if_modified_since),
        cmocka_unit_test(if_match_guards_the_file),
        cmocka_unit_test(if_unmodified_since_guards_the_file),
        cmocka_unit_test(if_match_goes_before_everything),
        cmocka_unit_test(conditions_go_before_ranges),
        cmocka_unit_test(head_obeys_the_conditions_too),
        cmocka_unit_test(conditions_on_missing_files_change_nothing),
        cmocka_unit_test(not_modified_carries_what_a_cache_needs),
        cmocka_unit_test(tag_of_another_coding_does_not_match),
        cmocka_unit_test(vary_stands_on_every_negotiated_answer),
        cmocka_unit_test(vary_stands_on_several_parts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
