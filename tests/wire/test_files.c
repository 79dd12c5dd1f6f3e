/* Files and folders: what is served, and what is never reached. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET       "nobody may read this"
#define BIG_BYTES    (64u << 20)
#define NARROW_BYTES 4096
#define HUGE_BYTES   (5ull << 30)

static struct server server;

static void check(const char *target, int status, const char *body)
{
    struct answer a;
    wire_get(server.port, target, "", &a);
    if (a.status != status)
        print_message("--- %s gave:\n%s\n", target, a.head);
    assert_int_equal(a.status, status);
    if (body)
        assert_string_equal(a.body, body);
    assert_null(strstr(a.body, SECRET));
    answer_fini(&a);
}

static void file_is_served_with_its_type_and_length(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/a.txt", "", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "hello\n");
    assert_string_equal(answer_field(&a, "Content-Length"), "6");
    assert_string_equal(answer_field(&a, "Accept-Ranges"), "bytes");
    assert_int_equal(
        strncmp(answer_field(&a, "Content-Type"), "text/plain", 10), 0);
    assert_int_equal(answer_field(&a, "ETag")[0], '"');
    assert_non_null(answer_field(&a, "Last-Modified"));
    answer_fini(&a);
}

static void types_follow_the_ending(void **state)
{
    static const char *const pairs[][2] = {
        {"/page.html", "text/html"},
        {"/pic.png", "image/png"},
        {"/data.json", "application/json"},
        {"/no-ending", "application/octet-stream"}};
    struct answer a;
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        wire_get(server.port, pairs[i][0], "", &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(strncmp(answer_field(&a, "Content-Type"), pairs[i][1],
                                 strlen(pairs[i][1])),
                         0);
        answer_fini(&a);
    }
}

static void missing_files_are_not_found(void **state)
{
    (void)state;
    check("/missing", 404, NULL);
    check("/dir/missing", 404, NULL);
    check("/missing/a.txt", 404, NULL);
    check("/a.txt/", 404, NULL);
    check("/a.txt/b", 404, NULL);
}

static void names_are_decoded_once(void **state)
{
    (void)state;
    check("/with%20space.txt", 200, "space");
    check("/%61.txt", 200, "hello\n");
    check("/percent%2520.txt", 200, "percent");
    check("/percent%20.txt", 404, NULL);
    check("/a.txt?query=/../x", 200, "hello\n");
    check("/A.TXT", 404, NULL);
}

static void dots_and_slashes_are_resolved(void **state)
{
    (void)state;
    check("/./a.txt", 200, "hello\n");
    check("/dir/../a.txt", 200, "hello\n");
    check("/dir/./in.txt", 200, "in");
    check("//a.txt", 200, "hello\n");
}

/* Whatever the spelling: an error, and never the bytes. */
static void check_unreachable(const char *target)
{
    struct answer a;
    wire_get(server.port, target, "", &a);
    if (a.status != 400 && a.status != 403 && a.status != 404)
        print_message("--- %s gave:\n%s\n", target, a.head);
    assert_true(a.status == 400 || a.status == 403 || a.status == 404);
    assert_null(strstr(a.body, SECRET));
    assert_null(strstr(a.body, "root:"));
    answer_fini(&a);
}

static void no_spelling_leaves_the_root(void **state)
{
    static const char *const targets[] = {
        "/../secret.txt",
        "/../../../../../../../../etc/passwd",
        "/%2e%2e/secret.txt",
        "/%2E%2E/secret.txt",
        "/.%2e/secret.txt",
        "/%2e./secret.txt",
        "/..%2fsecret.txt",
        "/..%2Fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/dir/../../secret.txt",
        "/dir/%2e%2e/%2e%2e/secret.txt",
        "/dir/..%2f..%2fsecret.txt",
        "/dir/..%2f../secret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%252e%252e/secret.txt",
        "/%252e%252e%252fsecret.txt",
        "/..%c0%afsecret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/..;/secret.txt",
        "/.../secret.txt",
        "//../secret.txt",
        "/./../secret.txt",
        "/dir/.../../../secret.txt",
        "/%2fetc/passwd",
        "//etc/passwd",
        "/dir//../..//secret.txt",
        "http://x/../secret.txt",
        "http://x/%2e%2e/secret.txt",
        "/lab/../../secret.txt",
        "/..",
        "/%2e%2e",
        "/../www-other/b.txt",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        check_unreachable(targets[i]);
}

static void symlinks_inside_are_followed(void **state)
{
    (void)state;
    check("/link-inside.txt", 200, "hello\n");
    check("/link-dir/in.txt", 200, "in");
    check("/dir/link-up.txt", 200, "hello\n");
}

static void symlinks_never_leave_the_root(void **state)
{
    (void)state;
    check("/link-out.txt", 404, NULL);
    check("/link-absolute.txt", 404, NULL);
    check("/link-parent/secret.txt", 404, NULL);
    check("/link-proc/environ", 404, NULL);
    check("/link-dangling", 404, NULL);
    check("/link-loop", 404, NULL);
}

static void dot_files_do_not_exist(void **state)
{
    (void)state;
    check("/.secret", 404, NULL);
    check("/%2esecret", 404, NULL);
    check("/.git/config", 404, NULL);
    check("/dir/.secret", 404, NULL);
    check("/.well-known/token", 200, "token");
    check("/.well-known/.secret", 404, NULL);
}

static void devices_and_pipes_are_not_served(void **state)
{
    (void)state;
    check("/pipe", 404, NULL);
}

static void folder_with_an_index_shows_it(void **state)
{
    (void)state;
    check("/indexed/", 200, "<p>index");
    check("/indexed/?x=1", 200, "<p>index");
}

static void folder_without_slash_is_redirected(void **state)
{
    static const char *const pairs[][2] = {
        {"/indexed", "/indexed/"},
        {"/indexed?a=b&c=%20", "/indexed/?a=b&c=%20"},
        {"/dir", "/dir/"},
        {"/with%20space", "/with%20space/"}};
    struct answer a;
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        wire_get(server.port, pairs[i][0], "", &a);
        assert_true(a.status == 301 || a.status == 308);
        assert_string_equal(answer_field(&a, "Location"), pairs[i][1]);
        answer_fini(&a);
    }
}

/* "//evil.com/" in a Location would be another server. */
static void redirects_never_name_another_host(void **state)
{
    static const char *const targets[] = {
        "//evil.com",        "//evil.com/..",     "/%2fevil.com",
        "//evil.com/%2e%2e", "///evil.com",       "/.//evil.com",
        "/dir/..//evil.com", "//evil.com?x",      "/\\evil.com",
        "/%5cevil.com",      "/lab/..//evil.com", "//evil.com/sub",
        "/..//evil.com",     "http://x//evil.com"};
    struct answer a;
    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        wire_get(server.port, targets[i], "", &a);
        const char *to = answer_field(&a, "Location");
        assert_true(!to || (to[0] == '/' && to[1] != '/' && to[1] != '\\'));
        assert_true(a.status < 300 || to || a.status >= 400);
        answer_fini(&a);
    }
}

static void empty_file_is_served(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/empty", "", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_field(&a, "Content-Length"), "0");
    answer_fini(&a);
    wire_get(server.port, "/empty", "Range: bytes=0-\r\n", &a);
    assert_int_equal(a.status, 416);
    answer_fini(&a);
}

static void make_hole(const char *name, uint64_t bytes)
{
    int fd = open(server_path(&server, name), O_RDWR | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    close(fd);
}

static void get_body(const char *target, struct answer *ret)
{
    struct wire w;
    char text[128];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    wire_open(&w, server.port);
    wire_text(&w, text);
    wire_answer(&w, ret);
    wire_close(&w);
}

static void replaced_file_is_seen_within_a_second(void **state)
{
    char to[SERVER_PATH_BYTES];
    struct answer a;
    (void)state;
    server_text(&server, "www/turn.txt", "old");
    for (int i = 0; i < 20; i++) { /* every worker holds it now */
        get_body("/turn.txt", &a);
        assert_string_equal(a.body, "old");
        answer_fini(&a);
    }
    server_text(&server, "new", "newer");
    snprintf(to, sizeof(to), "%s", server_path(&server, "www/turn.txt"));
    assert_int_equal(rename(server_path(&server, "new"), to), 0);
    server_sleep(1000);
    for (int i = 0; i < 20; i++) {
        get_body("/turn.txt", &a);
        assert_string_equal(a.body, "newer");
        answer_fini(&a);
    }
}

static void removed_and_new_files_are_seen_within_a_second(void **state)
{
    (void)state;
    check("/comes.txt", 404, NULL);
    server_text(&server, "www/comes.txt", "there");
    server_sleep(1000);
    check("/comes.txt", 200, "there");
    unlink(server_path(&server, "www/comes.txt"));
    server_sleep(1000);
    check("/comes.txt", 404, NULL);
}

static void replaced_file_does_not_change_an_answer_under_way(void **state)
{
    struct wire w;
    struct answer a;
    char to[SERVER_PATH_BYTES];
    (void)state;
    server_text(&server, "new", "short");
    snprintf(to, sizeof(to), "%s", server_path(&server, "www/swap.bin"));
    wire_open_narrow(&w, server.port, NARROW_BYTES);
    wire_text(&w, "GET /swap.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_need(&w, 1000);
    assert_int_equal(rename(server_path(&server, "new"), to), 0);
    wire_answer(&w, &a);
    assert_int_equal(a.body_len, BIG_BYTES);
    answer_fini(&a);
    wire_close(&w);
}

/* A reader that waits for the rest must not take less for the whole. */
static void check_shrinking(const char *name, unsigned wait_ms)
{
    char text[SERVER_PATH_BYTES];
    struct wire w;
    uint64_t got;
    make_hole(name, BIG_BYTES);
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
             strchr(name, '/'));
    wire_open_narrow(&w, server.port, NARROW_BYTES);
    wire_text(&w, text);
    wire_need(&w, 1000);
    server_sleep(wait_ms);
    assert_int_equal(truncate(server_path(&server, name), 1000), 0);
    assert_true(wire_drain(&w, WIRE_MS, &got));
    assert_true(got < BIG_BYTES);
    assert_true(w.reset);
    wire_close(&w);
}

/* The server waits for the reader when the file shrinks. */
static void file_that_shrinks_ends_the_connection_hard(void **state)
{
    (void)state;
    check_shrinking("www/shrinks.bin", 300);
}

/* The server is about to send when the file shrinks: the end of the file may
 * then lie inside one sendfile(). */
static void file_that_shrinks_in_mid_send_ends_the_connection_hard(void **state)
{
    char name[64];
    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "www/shrinks-%d.bin", i);
        check_shrinking(name, 0);
    }
}

static void file_of_five_gigabytes_is_reached_at_its_end(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/huge.bin", "Range: bytes=-7\r\n", &a);
    assert_int_equal(a.status, 206);
    assert_string_equal(a.body, "THE END");
    assert_string_equal(answer_field(&a, "Content-Range"),
                        "bytes 5368709113-5368709119/5368709120");
    answer_fini(&a);
    wire_get(server.port, "/huge.bin", "Range: bytes=4294967295-4294967299\r\n",
             &a);
    assert_int_equal(a.status, 206);
    assert_memory_equal(a.body, "\0four", 5);
    answer_fini(&a);
}

static void head_of_five_gigabytes_tells_the_length(void **state)
{
    struct answer a;
    (void)state;
    wire_ask(server.port, "HEAD /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n", &a);
    assert_string_equal(answer_field(&a, "Content-Length"), "5368709120");
    answer_fini(&a);
}

static void make_huge(void)
{
    make_hole("www/huge.bin", HUGE_BYTES);
    int fd = open(server_path(&server, "www/huge.bin"), O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "THE END", 7, (off_t)HUGE_BYTES - 7), 7);
    assert_int_equal(pwrite(fd, "four", 4, (off_t)4 << 30), 4);
    close(fd);
}

static void make_link(const char *to, const char *name)
{
    assert_int_equal(symlink(to, server_path(&server, name)), 0);
}

static void make_links(void)
{
    make_link("a.txt", "www/link-inside.txt");
    make_link("dir", "www/link-dir");
    make_link("../a.txt", "www/dir/link-up.txt");
    make_link("../secret.txt", "www/link-out.txt");
    make_link("/etc/passwd", "www/link-absolute.txt");
    make_link("..", "www/link-parent");
    make_link("/proc/self", "www/link-proc");
    make_link("nothing", "www/link-dangling");
    make_link("link-loop", "www/link-loop");
    assert_int_equal(mkfifo(server_path(&server, "www/pipe"), 0644), 0);
}

static void make_files(void)
{
    static const char *const files[][2] = {
        {"www/a.txt", "hello\n"},
        {"www/page.html", "<p>page"},
        {"www/pic.png", "png"},
        {"www/data.json", "{}"},
        {"www/no-ending", "none"},
        {"www/dir/in.txt", "in"},
        {"www/with space.txt", "space"},
        {"www/with space/x", "x"},
        {"www/percent%20.txt", "percent"},
        {"www/empty", ""},
        {"www/.secret", SECRET},
        {"www/dir/.secret", SECRET},
        {"www/.git/config", SECRET},
        {"www/.well-known/token", "token"},
        {"www/.well-known/.secret", SECRET},
        {"www/indexed/index.html", "<p>index"},
        {"www/evil.com/sub/x", "x"},
        {"secret.txt", SECRET},
        {"www-other/b.txt", SECRET}};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        server_text(&server, files[i][0], files[i][1]);
}

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    make_files();
    make_links();
    make_huge();
    make_hole("www/swap.bin", BIG_BYTES);
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
        cmocka_unit_test(file_is_served_with_its_type_and_length),
        cmocka_unit_test(types_follow_the_ending),
        cmocka_unit_test(missing_files_are_not_found),
        cmocka_unit_test(names_are_decoded_once),
        cmocka_unit_test(dots_and_slashes_are_resolved),
        cmocka_unit_test(no_spelling_leaves_the_root),
        cmocka_unit_test(symlinks_inside_are_followed),
        cmocka_unit_test(symlinks_never_leave_the_root),
        cmocka_unit_test(dot_files_do_not_exist),
        cmocka_unit_test(devices_and_pipes_are_not_served),
        cmocka_unit_test(folder_with_an_index_shows_it),
        cmocka_unit_test(folder_without_slash_is_redirected),
        cmocka_unit_test(redirects_never_name_another_host),
        cmocka_unit_test(empty_file_is_served),
        cmocka_unit_test(replaced_file_is_seen_within_a_second),
        cmocka_unit_test(removed_and_new_files_are_seen_within_a_second),
        cmocka_unit_test(replaced_file_does_not_change_an_answer_under_way),
        cmocka_unit_test(file_that_shrinks_ends_the_connection_hard),
        cmocka_unit_test(
            file_that_shrinks_in_mid_send_ends_the_connection_hard),
        cmocka_unit_test(file_of_five_gigabytes_is_reached_at_its_end),
        cmocka_unit_test(head_of_five_gigabytes_tells_the_length),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
