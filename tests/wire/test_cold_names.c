/* Names that have to be looked up stall those who ask for them, and nobody
 * else; and what was asked cold is answered as if it had been warm. */
#include "tests/support/server.h"
#include "tests/support/slow_disk.h"
#include "tests/support/wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG_BYTES  (2u << 20)
#define MOUNT_MS   5000
#define CHECK_MS   600u /* file_cache_check, and a little */
#define QUIET_MS   200u
#define SETTLE_MS  2200u /* a file that changed just now is not trusted */
#define STALLED_N  6u    /* more than I/O threads */
#define CROWD_N    300u  /* more than a lane holds */
#define ASKED_N    20u
#define END_MS     15000u
#define PATH_BYTES 600u

/* One lane has two threads; the disk is beneath www/, and alone at /disk/. */
#define SERVER_LINES                                                           \
    "workers = 1\nio_threads = 2\nwrite_rate_min = 0\n"                        \
    "route \"/status/\" {\n status = true\n}\n"
#define DISK_ROUTE                                                             \
    "route \"/disk/\" {\n files = \"www/slow\"\n browse = true\n"              \
    " precompressed = true\n}\n"

struct fixture {
    struct server server;
    struct slow_disk disk;
    char *big;
};

static void hold_names(struct fixture *f)
{
    server_text(&f->server, "names", "");
}

static void release_names(struct fixture *f)
{
    unlink(f->disk.names_flag);
}

static void fill_folder(struct fixture *f, const char *dir)
{
    char name[PATH_BYTES];
    static const char *const files[][2] = {
        {"a.txt", "a file\n"},         {"b.txt", "another file\n"},
        {"c.bin", "plain\n"},          {"c.bin.gz", "not really gzip\n"},
        {"site/index.html", "<p>i\n"}, {"plain/x.txt", "in a folder\n"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", dir, files[i][0]);
        server_text(&f->server, name, files[i][1]);
    }
    snprintf(name, sizeof name, "%s/big", dir);
    server_file(&f->server, name, f->big, BIG_BYTES);
}

static void set_paths(struct fixture *f)
{
    snprintf(f->disk.source, sizeof f->disk.source, "%s",
             server_path(&f->server, "source"));
    snprintf(f->disk.mount, sizeof f->disk.mount, "%s",
             server_path(&f->server, "www/slow"));
    snprintf(f->disk.flag, sizeof f->disk.flag, "%s",
             server_path(&f->server, "flag"));
    snprintf(f->disk.names_flag, sizeof f->disk.names_flag, "%s",
             server_path(&f->server, "names"));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    f->big = malloc(BIG_BYTES);
    memset(f->big, 'b', BIG_BYTES);
    server_init(&f->server);
    fill_folder(f, "www");
    fill_folder(f, "source");
    set_paths(f);
    mkdir(f->disk.mount, 0755);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    release_names(f);
    int code = server_stop(&f->server, SIGTERM);
    slow_disk_stop(&f->disk);
    server_fini(&f->server);
    free(f->big);
    free(f);
    assert_int_equal(code, 0);
    return 0;
}

static struct fixture *start_with_disk(void **state)
{
    struct fixture *f = *state;
    if (!slow_disk_start(&f->disk)) {
        print_message("no /dev/fuse, or slow_fs is not built\n");
        skip();
    }
    server_start(&f->server, SERVER_LINES DISK_ROUTE,
                 "    precompressed = true\n");
    return f;
}

static void ask(struct fixture *f, struct wire *w, const char *target)
{
    char request[128];
    wire_open(w, f->server.port);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
             target);
    wire_text(w, request);
}

static void expect_text(struct wire *w, int status, const char *text)
{
    struct answer a;
    wire_answer(w, &a);
    assert_int_equal(a.status, status);
    if (text)
        assert_string_equal(a.body, text);
    answer_fini(&a);
    wire_close(w);
}

static void drop_from_cache(const struct fixture *f, const char *name)
{
    int fd = open(server_path(&f->server, name), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

/* Small answers, names that were not asked before, and what our own disk has
 * to bring. */
static void others_go_on(struct fixture *f)
{
    struct wire w;
    struct answer a;
    for (unsigned i = 0; i < ASKED_N; i++) {
        wire_get(f->server.port, i % 2 ? "/a.txt" : "/none", "", &a);
        assert_int_equal(a.status, i % 2 ? 200 : 404);
        answer_fini(&a);
    }
    drop_from_cache(f, "www/big");
    ask(f, &w, "/big");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, BIG_BYTES);
    answer_fini(&a);
    wire_close(&w);
}

static void hung_names_stall_their_own_requests(void **state,
                                                const char *prefix)
{
    static const struct {
        const char *target;
        int status;
        const char *text;
    } asked[STALLED_N] = {
        {"a.txt", 200, "a file\n"}, {"c.bin", 200, "plain\n"},
        {"none", 404, NULL},        {"site", 301, NULL},
        {"site/", 200, "<p>i\n"},   {"b.txt", 200, "another file\n"},
    };
    struct fixture *f = start_with_disk(state);
    struct wire w[STALLED_N];
    char target[64];
    struct stat st;
    /* The kernel knows this name: only to open it has to be waited for. */
    assert_int_equal(stat(server_path(&f->server, "www/slow/a.txt"), &st), 0);
    hold_names(f);
    for (unsigned i = 0; i < STALLED_N; i++) {
        snprintf(target, sizeof target, "%s%s", prefix, asked[i].target);
        ask(f, &w[i], target);
        others_go_on(f);
    }
    for (unsigned i = 0; i < STALLED_N; i++)
        wire_expect_quiet(&w[i], 10);
    release_names(f);
    for (unsigned i = 0; i < STALLED_N; i++)
        expect_text(&w[i], asked[i].status, asked[i].text);
}

static void a_mount_whose_names_hang_stalls_alone(void **state)
{
    hung_names_stall_their_own_requests(state, "/slow/");
}

static void a_route_whose_names_hang_stalls_alone(void **state)
{
    hung_names_stall_their_own_requests(state, "/disk/");
}

static void known_files_are_served_while_their_names_are_slow(void **state)
{
    struct fixture *f = start_with_disk(state);
    struct wire w;
    server_sleep(SETTLE_MS);
    ask(f, &w, "/disk/a.txt");
    expect_text(&w, 200, "a file\n");
    server_sleep(CHECK_MS);
    hold_names(f);
    ask(f, &w, "/disk/a.txt");
    wire_need(&w, 1);
    expect_text(&w, 200, "a file\n");
    server_sleep(2 * CHECK_MS);
    ask(f, &w, "/disk/a.txt");
    wire_expect_quiet(&w, QUIET_MS);
    release_names(f);
    expect_text(&w, 200, "a file\n");
}

static void answers_keep_their_order_behind_a_cold_one(void **state)
{
    struct fixture *f = start_with_disk(state);
    struct wire w;
    struct answer a;
    static const int statuses[] = {200, 200, 404, 200};
    hold_names(f);
    wire_open(&w, f->server.port);
    wire_text(&w, "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /disk/b.txt HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /disk/none HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    wire_answer(&w, &a);
    assert_int_equal(a.status, statuses[0]);
    answer_fini(&a);
    wire_expect_quiet(&w, QUIET_MS);
    release_names(f);
    for (unsigned i = 1; i < 4; i++) {
        wire_answer(&w, &a);
        assert_int_equal(a.status, statuses[i]);
        answer_fini(&a);
    }
    wire_close(&w);
}

static size_t descriptors_of(pid_t pid)
{
    char path[64];
    size_t n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* What they asked for was opened once, and is kept for the next. */
static void clients_that_leave_take_nothing_along(void **state)
{
    struct fixture *f = start_with_disk(state);
    struct wire w[STALLED_N];
    others_go_on(f);
    hold_names(f);
    size_t before = descriptors_of(f->server.pid);
    for (unsigned i = 0; i < STALLED_N; i++)
        ask(f, &w[i], i % 2 ? "/disk/b.txt" : "/disk/plain/");
    others_go_on(f);
    for (unsigned i = 0; i < STALLED_N; i++) {
        struct linger at_once = {1, 0};
        setsockopt(w[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        wire_close(&w[i]);
    }
    others_go_on(f);
    release_names(f);
    uint64_t end = server_now_ms() + END_MS;
    while (descriptors_of(f->server.pid) > before + 2 && server_now_ms() < end)
        server_sleep(50);
    assert_in_range(descriptors_of(f->server.pid), 1, before + 2);
}

static void too_many_that_wait_are_told_to_come_back(void **state)
{
    struct fixture *f = start_with_disk(state);
    static struct wire w[CROWD_N];
    unsigned refused = 0;
    hold_names(f);
    for (unsigned i = 0; i < CROWD_N; i++)
        ask(f, &w[i], "/disk/a.txt");
    others_go_on(f);
    release_names(f);
    for (unsigned i = 0; i < CROWD_N; i++) {
        struct answer a;
        wire_answer(&w[i], &a);
        assert_true(a.status == 200 || a.status == 503);
        if (a.status == 503) {
            assert_non_null(answer_field(&a, "Retry-After"));
            refused++;
        }
        answer_fini(&a);
        wire_close(&w[i]);
    }
    assert_in_range(refused, 1, CROWD_N - 1);
}

static void the_server_ends_while_names_hang(void **state)
{
    struct fixture *f = start_with_disk(state);
    struct wire w[STALLED_N];
    hold_names(f);
    for (unsigned i = 0; i < STALLED_N; i++)
        ask(f, &w[i], "/disk/a.txt");
    others_go_on(f);
    kill(f->server.pid, SIGINT);
    assert_int_equal(server_wait(&f->server, END_MS), 0);
    for (unsigned i = 0; i < STALLED_N; i++)
        wire_close(&w[i]);
}

/* Waiting jobs are handed back, and what they hold is freed. */
static void the_server_ends_with_jobs_that_never_began(void **state)
{
    struct fixture *f = start_with_disk(state);
    struct wire w[STALLED_N];
    hold_names(f);
    for (unsigned i = 0; i < STALLED_N; i++)
        ask(f, &w[i], "/disk/a.txt");
    others_go_on(f);
    kill(f->server.pid, SIGINT);
    server_sleep(QUIET_MS);
    release_names(f);
    assert_int_equal(server_wait(&f->server, END_MS), 0);
    for (unsigned i = 0; i < STALLED_N; i++)
        wire_close(&w[i]);
}

/* Names of our own disk, forgotten by the kernel. */

static bool forget_names(void)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = write(fd, "2", 1) == 1;
    close(fd);
    return done;
}

static bool lane_begun(struct fixture *f)
{
    struct answer a;
    wire_ask_by(f->server.port,
                "GET /status/?format=json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                DELIVER_WHOLE, &a);
    assert_int_equal(a.status, 200);
    bool begun = strstr(a.body, "\"io/lane/0\"") != NULL;
    answer_fini(&a);
    return begun;
}

static const char *const cold_requests[] = {
    "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /b.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /b.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=2-5\r\n\r\n",
    "GET /b.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=90-\r\n\r\n",
    "GET /b.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1,4-5\r\n\r\n",
    "GET /b.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
    "GET /b.txt HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"\r\n\r\n",
    "GET /c.bin HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
    "GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /site?q=1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET //site// HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /plain/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /plain/none HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /none/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a.txt/ HTTP/1.1\r\nHost: a\r\n\r\n",
};

/* Boundaries of parts are chosen anew for each answer. */
static void expect_same(const struct answer *cold, const struct answer *warm)
{
    const char *type = answer_field(cold, "Content-Type");
    if (type && strncmp(type, "multipart/", 10) == 0) {
        assert_int_equal(cold->status, warm->status);
        assert_int_equal(cold->body_len, warm->body_len);
        return;
    }
    assert_true(answer_same(cold, warm));
}

static void ask_once(struct fixture *f, const char *request, struct answer *a)
{
    wire_ask_by(f->server.port, request, DELIVER_WHOLE, a);
}

static void cold_names_are_answered_as_warm_ones(void **state)
{
    struct fixture *f = *state;
    unsigned begun = 0;
    for (size_t i = 0; i < sizeof cold_requests / sizeof cold_requests[0];
         i++) {
        struct answer cold;
        struct answer warm;
        server_start(&f->server, SERVER_LINES, "    precompressed = true\n");
        if (!forget_names()) {
            print_message("not root\n");
            skip();
        }
        ask_once(f, cold_requests[i], &cold);
        begun += lane_begun(f);
        ask_once(f, cold_requests[i], &warm);
        expect_same(&cold, &warm);
        answer_fini(&cold);
        answer_fini(&warm);
        assert_int_equal(server_stop(&f->server, SIGTERM), 0);
    }
    assert_in_range(begun, sizeof cold_requests / sizeof cold_requests[0] - 2,
                    sizeof cold_requests / sizeof cold_requests[0]);
}

static void warm_names_need_no_thread(void **state)
{
    struct fixture *f = *state;
    struct answer a;
    struct stat st;
    server_start(&f->server, SERVER_LINES, "    precompressed = false\n");
    assert_int_equal(stat(server_path(&f->server, "www/a.txt"), &st), 0);
    wire_get(f->server.port, "/a.txt", "", &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
    assert_false(lane_begun(f));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_mount_whose_names_hang_stalls_alone),
        TEST(a_route_whose_names_hang_stalls_alone),
        TEST(known_files_are_served_while_their_names_are_slow),
        TEST(answers_keep_their_order_behind_a_cold_one),
        TEST(clients_that_leave_take_nothing_along),
        TEST(too_many_that_wait_are_told_to_come_back),
        TEST(the_server_ends_while_names_hang),
        TEST(the_server_ends_with_jobs_that_never_began),
        TEST(cold_names_are_answered_as_warm_ones),
        TEST(warm_names_need_no_thread),
    };
    return cmocka_run_group_tests_name("cold_names", tests, NULL, NULL);
}
