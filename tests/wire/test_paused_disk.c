/* A disk that hangs stalls those who read from it, and nobody else. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG_BYTES    (8u << 20)
#define SMALL_BYTES  3000u
#define MOUNT_MS     5000
#define QUIET_MS     300u
#define STALLED_N    6u
#define ASKED_N      30u
#define END_MS       15000u
#define PATH_BYTES   600u
#define SERVER_LINES "workers = 1\nio_threads = 2\nwrite_rate_min = 0\n"

struct fixture {
    struct server server;
    struct slow_disk disk;
    char *big; /* what the big files hold */
};

static void pause_disk(struct fixture *f)
{
    server_text(&f->server, "flag", "");
}

static void resume_disk(struct fixture *f)
{
    unlink(f->disk.flag);
}

static void fill(char *at, size_t len)
{
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i + 8 <= len; i += 8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(at + i, &state, 8);
    }
}

static void set_paths(struct fixture *f)
{
    snprintf(f->disk.source, sizeof f->disk.source, "%s",
             server_path(&f->server, "disk"));
    snprintf(f->disk.mount, sizeof f->disk.mount, "%s",
             server_path(&f->server, "www/slow"));
    snprintf(f->disk.flag, sizeof f->disk.flag, "%s",
             server_path(&f->server, "flag"));
}

/* Each test has a disk of its own, of which nothing is cached. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    f->big = malloc(BIG_BYTES);
    fill(f->big, BIG_BYTES);
    server_init(&f->server);
    server_text(&f->server, "www/a.txt", "hello\n");
    server_file(&f->server, "www/big", f->big, BIG_BYTES);
    server_file(&f->server, "disk/big", f->big, BIG_BYTES);
    server_file(&f->server, "disk/other", f->big, BIG_BYTES);
    server_file(&f->server, "disk/small", f->big, SMALL_BYTES);
    server_file(&f->server, "disk/text.txt", f->big, BIG_BYTES / 8);
    set_paths(f);
    mkdir(f->disk.mount, 0755);
    (void)slow_disk_start(&f->disk);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    int code = server_stop(&f->server, SIGTERM);
    resume_disk(f);
    slow_disk_stop(&f->disk);
    server_fini(&f->server);
    free(f->big);
    free(f);
    assert_int_equal(code, 0);
    return 0;
}

static struct fixture *start(void **state, const char *route_lines)
{
    struct fixture *f = *state;
    if (f->disk.pid == 0) {
        print_message("no /dev/fuse, or slow_fs is not built\n");
        skip();
    }
    server_start(&f->server, SERVER_LINES, route_lines);
    return f;
}

static void drop_from_cache(const struct fixture *f, const char *name)
{
    int fd = open(server_path(&f->server, name), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

static void expect_body(struct wire *w, const char *body, size_t len)
{
    struct answer a;
    wire_answer(w, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, len);
    assert_memory_equal(a.body, body, len);
    answer_fini(&a);
}

/* Small answers, and files that another disk has to bring. */
static void others_go_on(struct fixture *f)
{
    struct wire w;
    struct answer a;
    for (unsigned i = 0; i < ASKED_N; i++) {
        wire_get(f->server.port, "/a.txt", "", &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "hello\n");
        answer_fini(&a);
    }
    drop_from_cache(f, "www/big");
    wire_open(&w, f->server.port);
    wire_text(&w, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_body(&w, f->big, BIG_BYTES);
    wire_close(&w);
}

static void ask(struct fixture *f, struct wire *w, const char *target)
{
    char request[128];
    wire_open(w, f->server.port);
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
             target);
    wire_text(w, request);
}

static void paused_disk_stalls_only_its_download(void **state)
{
    struct fixture *f = start(state, "");
    struct wire w;
    pause_disk(f);
    ask(f, &w, "/slow/big");
    others_go_on(f);
    assert_true(w.in_len < BIG_BYTES);
    resume_disk(f);
    expect_body(&w, f->big, BIG_BYTES);
    wire_close(&w);
}

/* Pages whose read hangs are in the page cache already. */
static void many_readers_of_one_paused_file_stall_alone(void **state)
{
    struct fixture *f = start(state, "");
    struct wire w[STALLED_N];
    pause_disk(f);
    for (unsigned i = 0; i < STALLED_N; i++) {
        ask(f, &w[i], i % 2 ? "/slow/big" : "/slow/other");
        others_go_on(f);
    }
    resume_disk(f);
    for (unsigned i = 0; i < STALLED_N; i++) {
        expect_body(&w[i], f->big, BIG_BYTES);
        wire_close(&w[i]);
    }
}

static void disk_that_stops_in_the_middle_goes_on_there(void **state)
{
    struct fixture *f = start(state, "");
    struct wire w;
    char first[256 << 10];
    int fd = open(server_path(&f->server, "www/slow/big"), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, first, sizeof first), sizeof first);
    close(fd);
    pause_disk(f);
    ask(f, &w, "/slow/big");
    wire_need(&w, sizeof first);
    others_go_on(f);
    resume_disk(f);
    expect_body(&w, f->big, BIG_BYTES);
    wire_close(&w);
}

static void small_cold_file_stalls_alone(void **state)
{
    struct fixture *f = start(state, "");
    struct wire w;
    pause_disk(f);
    ask(f, &w, "/slow/small");
    others_go_on(f);
    resume_disk(f);
    expect_body(&w, f->big, SMALL_BYTES);
    wire_close(&w);
    for (unsigned i = 0; i < 3; i++) {
        ask(f, &w, "/slow/small");
        expect_body(&w, f->big, SMALL_BYTES);
        wire_close(&w);
    }
}

static void file_that_is_compressed_stalls_alone(void **state)
{
    struct fixture *f = start(state, "    gzip = true\n");
    struct wire w;
    struct answer a;
    pause_disk(f);
    ask(f, &w, "/slow/text.txt");
    others_go_on(f);
    resume_disk(f);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_field(&a, "Content-Encoding"), "gzip");
    assert_true(a.body_len > 0);
    answer_fini(&a);
    wire_close(&w);
}

/* What was warm a moment ago was another file of the same name. */
static void sibling_that_is_cold_stalls_alone(void **state)
{
    struct fixture *f = *state;
    struct wire w;
    struct answer a;
    server_file(&f->server, "disk/twin", f->big, BIG_BYTES);
    server_file(&f->server, "disk/twin.gz", f->big, BIG_BYTES);
    f = start(state, "");
    ask(f, &w, "/a.txt");
    expect_body(&w, "hello\n", 6);
    wire_text(&w, "GET /slow/twin HTTP/1.1\r\nHost: a\r\n"
                  "Range: bytes=0-99999\r\n\r\n");
    wire_answer(&w, &a);
    assert_int_equal(a.status, 206);
    answer_fini(&a);
    pause_disk(f);
    wire_text(&w, "GET /slow/twin HTTP/1.1\r\nHost: a\r\n"
                  "Accept-Encoding: gzip\r\nRange: bytes=0-99999\r\n\r\n");
    others_go_on(f);
    resume_disk(f);
    wire_answer(&w, &a);
    assert_int_equal(a.status, 206);
    assert_string_equal(answer_field(&a, "Content-Encoding"), "gzip");
    assert_int_equal(a.body_len, 100000);
    answer_fini(&a);
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

static void client_that_leaves_takes_nothing_along(void **state)
{
    struct fixture *f = start(state, "");
    struct wire w[STALLED_N];
    others_go_on(f);
    ask(f, &w[0], "/slow/small");
    expect_body(&w[0], f->big, SMALL_BYTES);
    wire_close(&w[0]);
    pause_disk(f);
    server_sleep(QUIET_MS);
    size_t before = descriptors_of(f->server.pid);
    for (unsigned i = 0; i < STALLED_N; i++)
        ask(f, &w[i], "/slow/big");
    others_go_on(f);
    for (unsigned i = 0; i < STALLED_N; i++)
        wire_close(&w[i]);
    others_go_on(f);
    resume_disk(f);
    uint64_t end = server_now_ms() + END_MS;
    while (descriptors_of(f->server.pid) > before + 1 && server_now_ms() < end)
        server_sleep(50);
    assert_in_range(descriptors_of(f->server.pid), 1, before + 1);
}

static void server_ends_while_the_disk_hangs(void **state)
{
    struct fixture *f = start(state, "");
    struct wire w[STALLED_N];
    pause_disk(f);
    for (unsigned i = 0; i < STALLED_N; i++)
        ask(f, &w[i], "/slow/big");
    others_go_on(f);
    kill(f->server.pid, SIGINT);
    assert_int_equal(server_wait(&f->server, END_MS), 0);
    for (unsigned i = 0; i < STALLED_N; i++)
        wire_close(&w[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(paused_disk_stalls_only_its_download),
        TEST(many_readers_of_one_paused_file_stall_alone),
        TEST(disk_that_stops_in_the_middle_goes_on_there),
        TEST(small_cold_file_stalls_alone),
        TEST(file_that_is_compressed_stalls_alone),
        TEST(sibling_that_is_cold_stalls_alone),
        TEST(client_that_leaves_takes_nothing_along),
        TEST(server_ends_while_the_disk_hangs),
    };
    return cmocka_run_group_tests_name("paused_disk", tests, NULL, NULL);
}
