/* Parts of files: one, several, none; and what they look like. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LETTERS    "abcdefghijklmnopqrstuvwxyz"
#define FILE_BYTES 26u
#define BOUNDARY   "boundary="
#define MARK_BYTES 80u

static struct server server;

static void get_range(const char *range, const char *more, struct answer *ret)
{
    char lines[2048];
    snprintf(lines, sizeof(lines), "Range: %s\r\n%s", range, more);
    wire_get(server.port, "/letters.txt", lines, ret);
}

static void check_one(const char *range, const char *body, const char *place)
{
    struct answer a;
    get_range(range, "", &a);
    assert_int_equal(a.status, 206);
    assert_string_equal(a.body, body);
    assert_string_equal(answer_field(&a, "Content-Range"), place);
    assert_non_null(answer_field(&a, "ETag"));
    answer_fini(&a);
}

static void check_whole(const char *range, const char *more)
{
    struct answer a;
    get_range(range, more, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, LETTERS);
    assert_null(answer_field(&a, "Content-Range"));
    answer_fini(&a);
}

static void one_range_is_a_partial_answer(void **state)
{
    (void)state;
    check_one("bytes=0-2", "abc", "bytes 0-2/26");
    check_one("bytes=3-3", "d", "bytes 3-3/26");
    check_one("bytes=20-", "uvwxyz", "bytes 20-25/26");
    check_one("bytes=20-99", "uvwxyz", "bytes 20-25/26");
    check_one("bytes=0-", LETTERS, "bytes 0-25/26");
    check_one("bytes=25-99999999999999999", "z", "bytes 25-25/26");
}

static void suffix_is_counted_from_the_end(void **state)
{
    (void)state;
    check_one("bytes=-3", "xyz", "bytes 23-25/26");
    check_one("bytes=-26", LETTERS, "bytes 0-25/26");
    check_one("bytes=-99", LETTERS, "bytes 0-25/26");
}

static void ranges_that_overlap_or_touch_are_one(void **state)
{
    (void)state;
    check_one("bytes=0-5,3-9", "abcdefghij", "bytes 0-9/26");
    check_one("bytes=0-2,3-5", "abcdef", "bytes 0-5/26");
    check_one("bytes=5-6,0-9", "abcdefghij", "bytes 0-9/26");
    check_one("bytes=-3,20-23", "uvwxyz", "bytes 20-25/26");
}

static void ranges_beyond_the_end_are_left_out(void **state)
{
    (void)state;
    check_one("bytes=0-2,100-200", "abc", "bytes 0-2/26");
}

/* The part at *at must be that range with that body; *at moves behind it. */
static void take_part(const char **at, const char *mark, const char *place,
                      const char *body)
{
    char line[256];
    size_t n = (size_t)snprintf(line, sizeof(line), "--%s\r\n", mark);
    assert_memory_equal(*at, line, n);
    const char *end = strstr(*at, "\r\n\r\n");
    assert_non_null(end);
    snprintf(line, sizeof(line), "\r\nContent-Range: %s\r\n", place);
    const char *found = strcasestr(*at, line);
    assert_true(found && found <= end);
    found = strcasestr(*at, "\r\nContent-Type: text/plain");
    assert_true(found && found < end);
    n = strlen(body);
    assert_memory_equal(end + 4, body, n);
    assert_memory_equal(end + 4 + n, "\r\n", 2);
    *at = end + 4 + n + 2;
}

/* Every answer has a boundary of its own, so no two are the same. */
static void get_parts(const char *range, enum delivery d, struct answer *ret,
                      char *mark)
{
    char text[512];
    snprintf(text, sizeof(text),
             "GET /letters.txt HTTP/1.1\r\nHost: x\r\nRange: %s\r\n\r\n",
             range);
    wire_ask_by(server.port, text, d, ret);
    assert_int_equal(ret->status, 206);
    assert_null(answer_field(ret, "Content-Range"));
    const char *type = answer_field(ret, "Content-Type");
    assert_int_equal(strncmp(type, "multipart/byteranges;", 21), 0);
    const char *at = strstr(type, BOUNDARY);
    assert_non_null(at);
    at += strlen(BOUNDARY);
    at += *at == '"';
    snprintf(mark, MARK_BYTES, "%.*s", (int)strcspn(at, "\"; "), at);
}

static void check_end(const char *at, const char *mark)
{
    char line[MARK_BYTES + 8];
    size_t n = (size_t)snprintf(line, sizeof(line), "--%s--", mark);
    assert_int_equal(strncmp(at, line, n), 0);
    assert_true(strcmp(at + n, "\r\n") == 0 || at[n] == '\0');
}

static void several_ranges_are_parts(void **state)
{
    struct answer a;
    char mark[MARK_BYTES];
    (void)state;
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        get_parts("bytes=0-1, 5-6 ,-2", d, &a, mark);
        const char *at = a.body;
        at += strncmp(at, "\r\n", 2) == 0 ? 2 : 0;
        take_part(&at, mark, "bytes 0-1/26", "ab");
        take_part(&at, mark, "bytes 5-6/26", "fg");
        take_part(&at, mark, "bytes 24-25/26", "yz");
        check_end(at, mark);
        assert_false(a.chunked);
        assert_non_null(answer_field(&a, "Content-Length"));
        answer_fini(&a);
    }
}

static void too_many_ranges_get_the_whole_file(void **state)
{
    char range[1024] = "bytes=0-0";
    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(range, ",2-2,4-4");
    check_whole(range, "");
}

static void more_parts_than_allowed_get_the_whole_file(void **state)
{
    struct answer a;
    char lines[1024] = "Range: bytes=0-0";
    (void)state;
    for (int i = 1; i < 17; i++)
        snprintf(lines + strlen(lines), 32, ",%d-%d", 10 * i, 10 * i);
    strcat(lines, "\r\n");
    wire_get(server.port, "/long.txt", lines, &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
}

static void two_range_fields_are_as_if_absent(void **state)
{
    struct answer a;
    (void)state;
    get_range("bytes=0-1", "Range: bytes=3-4\r\n", &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
}

static void unsatisfiable_ranges_tell_the_length(void **state)
{
    static const char *const ranges[] = {"bytes=26-", "bytes=100-200",
                                         "bytes=-0", "bytes=26-26,30-"};
    struct answer a;
    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        get_range(ranges[i], "", &a);
        assert_int_equal(a.status, 416);
        assert_string_equal(answer_field(&a, "Content-Range"), "bytes */26");
        answer_fini(&a);
    }
}

static void malformed_ranges_are_as_if_absent(void **state)
{
    static const char *const ranges[] = {
        "bytes=5-3",   "bytes=",      "bytes=a-b",
        "bytes",       "bytes=1",     "bytes=-",
        "bytes=1-2-3", "lines=0-2",   "bytes=+1-2",
        "bytes=1-2;",  "bytes=0x1-2", "bytes=0-18446744073709551616-"};
    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        check_whole(ranges[i], "");
}

static void if_range_with_the_tag_lets_the_range_hold(void **state)
{
    struct answer a;
    char lines[256];
    char tag[128];
    (void)state;
    wire_get(server.port, "/letters.txt", "", &a);
    snprintf(tag, sizeof(tag), "%s", answer_field(&a, "ETag"));
    answer_fini(&a);
    snprintf(lines, sizeof(lines), "If-Range: %s\r\n", tag);
    get_range("bytes=0-2", lines, &a);
    assert_int_equal(a.status, 206);
    answer_fini(&a);
    check_whole("bytes=0-2", "If-Range: \"other\"\r\n");
    snprintf(lines, sizeof(lines), "If-Range: W/%s\r\n", tag);
    check_whole("bytes=0-2", lines);
}

static void if_range_with_the_date_lets_the_range_hold(void **state)
{
    struct answer a;
    char lines[256];
    (void)state;
    server_sleep(1100); /* a date of this very second proves nothing */
    wire_get(server.port, "/letters.txt", "", &a);
    snprintf(lines, sizeof(lines), "If-Range: %s\r\n",
             answer_field(&a, "Last-Modified"));
    answer_fini(&a);
    get_range("bytes=0-2", lines, &a);
    assert_int_equal(a.status, 206);
    answer_fini(&a);
    check_whole("bytes=0-2", "If-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    check_whole("bytes=0-2", "If-Range: Sun, 06 Nov 2094 08:49:37 GMT\r\n");
}

static void head_takes_no_notice_of_ranges(void **state)
{
    struct answer a;
    (void)state;
    wire_ask(
        server.port,
        "HEAD /letters.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=0-2\r\n\r\n",
        &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_field(&a, "Content-Length"), "26");
    answer_fini(&a);
}

static void folders_have_no_ranges(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/", "Range: bytes=0-2\r\n", &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
}

static void pipelined_ranges_keep_their_places(void **state)
{
    struct wire w;
    struct answer a;
    char text[128];
    (void)state;
    wire_open(&w, server.port);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        snprintf(text, sizeof(text),
                 "GET /letters.txt HTTP/1.1\r\nHost: x\r\n"
                 "Range: bytes=%zu-%zu\r\n\r\n",
                 i, i);
        assert_true(wire_text(&w, text));
    }
    for (size_t i = 0; i < FILE_BYTES; i++) {
        wire_answer(&w, &a);
        assert_int_equal(a.status, 206);
        assert_int_equal(a.body[0], LETTERS[i]);
        answer_fini(&a);
    }
    wire_close(&w);
}

static int set_up(void **state)
{
    char text[1000];
    (void)state;
    server_init(&server);
    server_text(&server, "www/letters.txt", LETTERS);
    memset(text, 'x', sizeof(text));
    server_file(&server, "www/long.txt", text, sizeof(text));
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
        cmocka_unit_test(one_range_is_a_partial_answer),
        cmocka_unit_test(suffix_is_counted_from_the_end),
        cmocka_unit_test(ranges_that_overlap_or_touch_are_one),
        cmocka_unit_test(ranges_beyond_the_end_are_left_out),
        cmocka_unit_test(several_ranges_are_parts),
        cmocka_unit_test(too_many_ranges_get_the_whole_file),
        cmocka_unit_test(more_parts_than_allowed_get_the_whole_file),
        cmocka_unit_test(two_range_fields_are_as_if_absent),
        cmocka_unit_test(unsatisfiable_ranges_tell_the_length),
        cmocka_unit_test(malformed_ranges_are_as_if_absent),
        cmocka_unit_test(if_range_with_the_tag_lets_the_range_hold),
        cmocka_unit_test(if_range_with_the_date_lets_the_range_hold),
        cmocka_unit_test(head_takes_no_notice_of_ranges),
        cmocka_unit_test(folders_have_no_ranges),
        cmocka_unit_test(pipelined_ranges_keep_their_places),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
