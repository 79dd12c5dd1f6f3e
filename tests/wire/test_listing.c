/* Folders as pages, as JSON and as text; and a very large one. */
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
#include <utime.h>

#include <cmocka.h>

#define MANY         50000u
#define ROOM_BYTES   (1u << 20)
#define NARROW_BYTES 4096
#define READERS      8u

static struct server server;

static void check_form(const char *target, const char *lines, const char *type,
                       const char *part)
{
    struct answer a;
    wire_get(server.port, target, lines, &a);
    assert_int_equal(a.status, 200);
    const char *got = answer_field(&a, "Content-Type");
    if (strncmp(got, type, strlen(type)) != 0 || !strstr(a.body, part))
        print_message("--- %s with %s---\n%s%s\n", target, lines, a.head,
                      a.body);
    assert_int_equal(strncmp(got, type, strlen(type)), 0);
    assert_non_null(strstr(a.body, part));
    assert_true(answer_lists(&a, "Vary", "Accept"));
    answer_fini(&a);
}

static void form_follows_accept(void **state)
{
    (void)state;
    check_form("/few/", "Accept: text/html\r\n", "text/html", "href=\"b.txt\"");
    check_form("/few/", "Accept: application/json\r\n", "application/json",
               "\"name\":\"b.txt\"");
    check_form("/few/", "Accept: text/plain\r\n", "text/plain", "b.txt\n");
    check_form("/few/", "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n",
               "text/html", "b.txt");
    check_form("/few/", "Accept: text/html;q=0.1, application/json\r\n",
               "application/json", "b.txt");
    check_form("/few/", "Accept: */*\r\n", "text/plain", "b.txt");
    check_form("/few/", "", "text/plain", "b.txt");
}

static void form_can_be_asked_for(void **state)
{
    (void)state;
    check_form("/few/?format=json", "Accept: text/html\r\n", "application/json",
               "b.txt");
    check_form("/few/?format=html", "", "text/html", "b.txt");
    check_form("/few/?format=text", "Accept: text/html\r\n", "text/plain",
               "b.txt");
}

static void check_order(const char *query, const char *names)
{
    char target[128];
    struct answer a;
    snprintf(target, sizeof(target), "/few/%s", query);
    wire_get(server.port, target, "Accept: text/plain\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, names);
    answer_fini(&a);
}

static void folder_is_sorted_as_asked(void **state)
{
    (void)state;
    check_order("", "a.txt\nb.txt\nc.txt\n");
    check_order("?sort=name&order=desc", "c.txt\nb.txt\na.txt\n");
    check_order("?sort=size", "b.txt\nc.txt\na.txt\n");
    check_order("?sort=size&order=desc", "a.txt\nc.txt\nb.txt\n");
    check_order("?sort=time", "c.txt\na.txt\nb.txt\n");
    check_order("?sort=time&order=desc", "b.txt\na.txt\nc.txt\n");
}

static void unknown_order_is_refused(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/few/?sort=colour", "", &a);
    assert_int_equal(a.status, 400);
    assert_non_null(strstr(a.body, "size"));
    answer_fini(&a);
}

static void names_are_escaped_where_they_stand(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/odd/", "Accept: text/html\r\n", &a);
    assert_null(strstr(a.body, "<b>"));
    assert_null(strstr(a.body, "href=\"javascript:"));
    assert_non_null(strstr(a.body, "&lt;b&gt;"));
    assert_non_null(strstr(a.body, "%3Cb%3E"));
    answer_fini(&a);
    wire_get(server.port, "/odd/", "Accept: application/json\r\n", &a);
    assert_non_null(strstr(a.body, "quote\\\"d"));
    assert_non_null(strstr(a.body, "line\\nbreak"));
    answer_fini(&a);
    wire_get(server.port, "/odd/", "Accept: text/plain\r\n", &a);
    assert_null(strstr(a.body, "line\nbreak"));
    answer_fini(&a);
}

static void hidden_things_are_not_listed(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/", "Accept: text/plain\r\n", &a);
    assert_null(strstr(a.body, ".secret"));
    assert_non_null(strstr(a.body, "few/\n"));
    answer_fini(&a);
}

/* Size and time of what a symlink reaches outside are nobody's business. */
static void nothing_is_told_of_what_lies_outside_the_root(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/", "Accept: application/json\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "\"link-in.txt\""));
    assert_non_null(strstr(a.body, "54321"));
    assert_null(strstr(a.body, "12345"));
    assert_null(strstr(a.body, "1970-"));
    answer_fini(&a);
}

static void head_of_a_listing_is_that_of_get(void **state)
{
    struct answer a;
    struct answer b;
    (void)state;
    wire_get(server.port, "/few/", "", &a);
    wire_ask(server.port, "HEAD /few/ HTTP/1.1\r\nHost: x\r\n\r\n", &b);
    assert_true(answer_same_head(&a, &b));
    answer_fini(&a);
    answer_fini(&b);
}

/* Every name once and in order. */
static void check_many(const char *text)
{
    char name[32];
    for (unsigned i = 0; i < MANY; i++) {
        size_t n = (size_t)snprintf(name, sizeof(name), "entry-%06u.txt\n", i);
        assert_memory_equal(text, name, n);
        text += n;
    }
    assert_int_equal(*text, '\0');
}

static void large_folder_is_listed_whole(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, "GET /many/?format=text HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    assert_true(a.chunked);
    check_many(a.body);
    answer_fini(&a);
    wire_close(&w);
}

static void listings_of_a_large_folder_cost_little(void **state)
{
    static const char *const queries[] = {
        "?format=text", "?format=json&sort=size", "?format=html&sort=time",
        "?format=json&order=desc"};
    struct wire w[READERS];
    char text[128];
    (void)state;
    uint64_t before = server_memory(&server);
    for (size_t i = 0; i < READERS; i++) {
        wire_open_narrow(&w[i], server.port, NARROW_BYTES);
        snprintf(text, sizeof(text), "GET /many/%s HTTP/1.1\r\nHost: x\r\n\r\n",
                 queries[i % 4]);
        wire_text(&w[i], text);
    }
    for (size_t i = 0; i < READERS; i++)
        wire_need(&w[i], 2000);
    uint64_t after = server_memory(&server);
    if (!server_sanitized())
        assert_true(after < before + READERS * 512 * 1024);
    for (size_t i = 0; i < READERS; i++)
        wire_close(&w[i]);
}

static void memory_is_flat_over_whole_listings(void **state)
{
    struct wire w;
    struct answer a;
    uint64_t before = 0;
    (void)state;
    for (int i = 0; i < 6; i++) {
        wire_open(&w, server.port);
        wire_text(&w, "GET /many/?format=json HTTP/1.1\r\nHost: x\r\n\r\n");
        wire_answer(&w, &a);
        assert_true(a.body_len > MANY);
        assert_string_equal(a.body + a.body_len - 4, "}\n]\n");
        answer_fini(&a);
        wire_close(&w);
        before = i == 1 ? server_memory(&server) : before;
    }
    if (!server_sanitized())
        assert_true(server_memory(&server) < before + ROOM_BYTES);
}

static void others_are_served_while_a_large_folder_is_read(void **state)
{
    struct wire w;
    struct answer a;
    (void)state;
    wire_open(&w, server.port);
    wire_text(&w, "GET /many/?sort=size&format=text HTTP/1.1\r\n"
                  "Host: x\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        uint64_t begun = server_now_ms();
        wire_ask_by(server.port, "GET /few/a.txt HTTP/1.1\r\nHost: x\r\n\r\n",
                    DELIVER_WHOLE, &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "aaa");
        answer_fini(&a);
        if (!server_sanitized())
            assert_true(server_now_ms() - begun < 500);
    }
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    check_many(a.body);
    answer_fini(&a);
    wire_close(&w);
}

static void client_that_leaves_in_mid_listing_does_no_harm(void **state)
{
    struct wire w;
    (void)state;
    for (int i = 0; i < 10; i++) {
        wire_open_narrow(&w, server.port, NARROW_BYTES);
        wire_text(&w, "GET /many/ HTTP/1.1\r\nHost: x\r\n\r\n");
        wire_need(&w, 100);
        wire_close(&w);
    }
    check_order("", "a.txt\nb.txt\nc.txt\n");
}

static void folder_that_may_not_be_listed_is_forbidden(void **state)
{
    struct answer a;
    (void)state;
    wire_get(server.port, "/closed/", "", &a);
    assert_int_equal(a.status, 403);
    assert_null(strstr(a.body, "hidden-name"));
    answer_fini(&a);
    wire_get(server.port, "/closed/hidden-name.txt", "", &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
}

static void make_few(void)
{
    static const struct {
        const char *name;
        const char *text;
        time_t time;
    } files[] = {{"www/few/a.txt", "aaa", 2000000},
                 {"www/few/b.txt", "b", 3000000},
                 {"www/few/c.txt", "cc", 1000000}};
    for (size_t i = 0; i < 3; i++) {
        struct utimbuf times = {files[i].time, files[i].time};
        server_text(&server, files[i].name, files[i].text);
        utime(server_path(&server, files[i].name), &times);
    }
}

static void make_many(void)
{
    char name[32];
    int dir;
    assert_int_equal(mkdir(server_path(&server, "www/many"), 0755), 0);
    dir = open(server_path(&server, "www/many"), O_PATH | O_DIRECTORY);
    assert_true(dir >= 0);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "entry-%06u.txt", (i * 7919u) % MANY);
        int fd = openat(dir, name, O_WRONLY | O_CREAT, 0644);
        assert_true(fd >= 0);
        close(fd);
    }
    close(dir);
}

/* A link that stays inside tells the size and date of what it names. */
static void make_links(void)
{
    char secret[12345] = "";
    char open[54321] = "";
    struct utimbuf times = {1000, 1000};
    server_file(&server, "www/inside/target.txt", open, sizeof(open));
    assert_int_equal(
        symlink("inside/target.txt", server_path(&server, "www/link-in.txt")),
        0);
    server_file(&server, "secret.txt", secret, sizeof(secret));
    utime(server_path(&server, "secret.txt"), &times);
    assert_int_equal(
        symlink("../secret.txt", server_path(&server, "www/link-out")), 0);
}

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    make_few();
    make_many();
    make_links();
    server_text(&server, "www/odd/<b>x.txt", "");
    server_text(&server, "www/odd/quote\"d.txt", "");
    server_text(&server, "www/odd/line\nbreak.txt", "");
    server_text(&server, "www/odd/javascript:x", "");
    server_text(&server, "www/.secret", "");
    server_text(&server, "closed/hidden-name.txt", "");
    server_start(&server, "route \"/closed/\" { files = \"closed\" }", "");
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
        cmocka_unit_test(form_follows_accept),
        cmocka_unit_test(form_can_be_asked_for),
        cmocka_unit_test(folder_is_sorted_as_asked),
        cmocka_unit_test(unknown_order_is_refused),
        cmocka_unit_test(names_are_escaped_where_they_stand),
        cmocka_unit_test(hidden_things_are_not_listed),
        cmocka_unit_test(nothing_is_told_of_what_lies_outside_the_root),
        cmocka_unit_test(head_of_a_listing_is_that_of_get),
        cmocka_unit_test(large_folder_is_listed_whole),
        cmocka_unit_test(listings_of_a_large_folder_cost_little),
        cmocka_unit_test(memory_is_flat_over_whole_listings),
        cmocka_unit_test(others_are_served_while_a_large_folder_is_read),
        cmocka_unit_test(client_that_leaves_in_mid_listing_does_no_harm),
        cmocka_unit_test(folder_that_may_not_be_listed_is_forbidden),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
