#include "httpd/observe/access_log.h"

#include "buffers/batch.h"
#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES (1u << 20)

struct fixture {
    struct temp_folder folder;
    char path[300];
    struct access_log *log;
    char text[TEXT_BYTES];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    temp_folder_init(&f->folder);
    snprintf(f->path, sizeof f->path, "%s/access.log", f->folder.path);
    assert_true(access_log_open(&f->log, f->path));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    access_log_close(f->log);
    temp_folder_fini(&f->folder);
    free(f);
    return 0;
}

static void add(struct access_log *log, const char *target)
{
    struct access_entry e = {.peer = "10.0.0.1",
                             .seconds = 1700000000,
                             .method = "GET",
                             .target = str_from(target),
                             .minor = 1,
                             .status = 200,
                             .body_bytes = 612,
                             .user_agent = STR("curl/8.0"),
                             .took_ms = 4};
    access_log_add(log, &e);
}

static size_t written(struct fixture *f)
{
    FILE *file = fopen(f->path, "r");
    assert_non_null(file);
    size_t n = fread(f->text, 1, TEXT_BYTES - 1, file);
    fclose(file);
    f->text[n] = '\0';
    return n;
}

static struct batch_stats stats_of(const struct access_log *log)
{
    struct batch_stats stats;
    batch_stats(access_log_batch(log), &stats);
    return stats;
}

static void a_line_is_in_the_combined_format(void **state)
{
    struct fixture *f = *state;
    add(f->log, "/");
    access_log_flush(f->log);
    written(f);
    assert_string_equal(
        f->text, "10.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" "
                 "200 612 \"-\" \"curl/8.0\" 0.004\n");
}

static void no_request_forges_a_line(void **state)
{
    struct fixture *f = *state;
    add(f->log, "/\"\n\\x");
    access_log_flush(f->log);
    written(f);
    assert_non_null(strstr(f->text, "GET /\\x22\\x0a\\x5cx HTTP"));
    assert_int_equal(strcspn(f->text, "\n"), strlen(f->text) - 1);
}

static void a_young_line_waits_and_an_old_one_is_written(void **state)
{
    struct fixture *f = *state;
    add(f->log, "/");
    access_log_tick(f->log);
    assert_int_equal(written(f), 0);
    usleep((ACCESS_LOG_DELAY_MS + 1) * 1000);
    access_log_tick(f->log);
    assert_true(written(f) > 0);
    assert_int_equal(stats_of(f->log).flushes[BATCH_TIME], 1);
}

static void a_full_batch_leaves_with_whole_lines(void **state)
{
    struct fixture *f = *state;
    while (stats_of(f->log).flushes[BATCH_BYTES] == 0)
        add(f->log, "/some/path");
    size_t n = written(f);
    assert_true(n > ACCESS_LOG_BYTES / 2 && n <= ACCESS_LOG_BYTES);
    assert_int_equal(f->text[n - 1], '\n');
}

static void the_longest_line_fits(void **state)
{
    struct fixture *f = *state;
    static char noise[2000];
    memset(noise, '\"', sizeof noise);
    struct str field = {noise, sizeof noise};
    struct access_entry e = {.peer = "10.0.0.1",
                             .method = "OPTIONS",
                             .target = field,
                             .referer = field,
                             .user_agent = field,
                             .body_bytes = UINT64_MAX,
                             .took_ms = UINT64_MAX};
    access_log_add(f->log, &e);
    access_log_flush(f->log);
    assert_int_equal(written(f), stats_of(f->log).bytes);
    assert_non_null(strstr(f->text, "18446744073709551.615\n"));
}

static void what_the_disk_refuses_is_lost_and_counted(void **state)
{
    (void)state;
    struct access_log *log;
    assert_true(access_log_open(&log, "/dev/full"));
    add(log, "/");
    access_log_flush(log);
    struct batch_stats stats = stats_of(log);
    assert_int_equal(stats.lost_bytes, stats.bytes);
    assert_int_equal(stats.failed, 1);
    access_log_close(log);
}

static void the_end_writes_what_is_left(void **state)
{
    struct fixture *f = *state;
    add(f->log, "/last");
    access_log_close(f->log);
    f->log = NULL;
    written(f);
    assert_non_null(strstr(f->text, "/last"));
}

static void switched_off_there_is_no_log(void **state)
{
    struct access_log *log;
    (void)state;
    assert_true(access_log_open(&log, "off"));
    assert_null(log);
    assert_null(access_log_batch(log));
    access_log_close(log);
}

static void tokens_in_queries_are_hidden(void **state)
{
    struct fixture *f = *state;
    struct access_entry e = {.peer = "10.0.0.1",
                             .method = "GET",
                             .target = STR("/s/b?access_token=secret&x=1"),
                             .referer = STR("http://h/p?access_token=secret")};
    add(f->log, "/s/a?access_token=secret");
    add(f->log, "/s/c?access_token=&x=access_token=secret&y=2");
    access_log_add(f->log, &e);
    access_log_flush(f->log);
    written(f);
    assert_null(strstr(f->text, "secret"));
    assert_non_null(strstr(f->text, "\"GET /s/a?access_token=* HTTP/1.1\""));
    assert_non_null(strstr(
        f->text, "GET /s/c?access_token=&x=access_token=*&y=2 HTTP/1.1\""));
    assert_non_null(strstr(f->text, "/s/b?access_token=*&x=1 HTTP"));
    assert_non_null(strstr(f->text, "\"http://h/p?access_token=*\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* A file that takes so many bytes and no more, until told otherwise. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_line_that_was_torn_does_not_spoil_the_next(void **state)
{
    struct fixture *f = *state;
    char text[1024] = {0};
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int said = dup(STDERR_FILENO); /* perhaps a file, which is limited, too */
    signal(SIGXFSZ, SIG_IGN);
    dup2(quiet, STDERR_FILENO);
    limit_files(50);
    add(f->log, "/torn");
    access_log_flush(f->log);
    limit_files(RLIM_INFINITY);
    dup2(said, STDERR_FILENO);
    close(quiet);
    close(said);
    add(f->log, "/next");
    access_log_flush(f->log);
    FILE *file = fopen(f->path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text, file) > 100, 1);
    fclose(file);
    assert_int_equal(text[50], '\n');
    assert_memory_equal(text + 51, "10.0.0.1 - - [", 14);
    assert_non_null(strstr(text + 51, "/next"));
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void another_bound_is_taken_when_a_line_fits(void **state)
{
    struct fixture *f = *state;
    struct batch_stats stats;
    assert_int_equal(access_log_set_bound(f->log, 100), FLOW_FULL);
    assert_int_equal(access_log_set_bound(f->log, UINT64_MAX), FLOW_FULL);
    assert_int_equal(access_log_set_bound(f->log, 16384), FLOW_DONE);
    batch_stats(access_log_batch(f->log), &stats);
    assert_int_equal(stats.bytes_max, 16384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_in_the_combined_format),
        TEST(a_line_that_was_torn_does_not_spoil_the_next),
        TEST(another_bound_is_taken_when_a_line_fits),
        TEST(no_request_forges_a_line),
        TEST(a_young_line_waits_and_an_old_one_is_written),
        TEST(a_full_batch_leaves_with_whole_lines),
        TEST(the_longest_line_fits),
        TEST(what_the_disk_refuses_is_lost_and_counted),
        TEST(the_end_writes_what_is_left),
        TEST(tokens_in_queries_are_hidden),
        TEST(switched_off_there_is_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
