#include "tests/support/server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LISTENING       "listening on http://127.0.0.1:"
#define LINE_BYTES      256u
#define LOG_TAIL_BYTES  8192
#define WAIT_STEP_MS    5u
#define FOLDERS_OPEN    16
#define PROC_LINE_BYTES 256

uint64_t server_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void server_sleep(unsigned ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

bool server_sanitized(void)
{
    const char *name = getenv("SLUICE_SANITIZER");
    return name && *name;
}

const char *server_path(const struct server *s, const char *name)
{
    static char kept[2][SERVER_PATH_BYTES];
    static unsigned turn;
    char *path = kept[turn++ % 2];
    snprintf(path, SERVER_PATH_BYTES, "%s/%s", s->dir, name);
    return path;
}

static void make_folders(const char *path)
{
    char part[SERVER_PATH_BYTES];
    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
        if (mkdir(part, 0755) < 0)
            assert_int_equal(errno, EEXIST);
    }
}

void server_file(const struct server *s, const char *name, const void *data,
                 size_t len)
{
    const char *path = server_path(s, name);
    make_folders(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

void server_text(const struct server *s, const char *name, const char *text)
{
    server_file(s, name, text, strlen(text));
}

void server_init(struct server *s)
{
    const char *tmp = getenv("TMPDIR");
    memset(s, 0, sizeof(*s));
    signal(SIGPIPE, SIG_IGN);
    snprintf(s->dir, sizeof(s->dir), "%s/sluice-test.XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(mkdir(server_path(s, "www"), 0755), 0);
}

static void show_log(const struct server *s)
{
    char tail[LOG_TAIL_BYTES + 1];
    FILE *f = fopen(server_path(s, "stderr"), "r");
    if (!f)
        return;
    if (fseek(f, -LOG_TAIL_BYTES, SEEK_END) < 0)
        rewind(f);
    size_t n = fread(tail, 1, LOG_TAIL_BYTES, f);
    tail[n] = '\0';
    fclose(f);
    print_message("--- the server's last lines:\n%s---\n", tail);
}

static void write_config(const struct server *s, const char *server_lines,
                         const char *route_lines)
{
    FILE *f = fopen(server_path(s, "sluice.conf"), "w");
    assert_non_null(f);
    fprintf(f,
            "listen = {\"127.0.0.1:0\"}\n"
            "workers = 2\n"
            "drain_timeout = \"3s\"\n"
            "%s\n"
            "route \"/\" {\n    files = \"www\"\n    browse = true\n%s\n}\n"
            "route \"/lab/\" {\n    lab = true\n}\n",
            server_lines, route_lines);
    assert_int_equal(fclose(f), 0);
}

/* Only calls that are safe between fork and exec. */
static void run_child(const char *program, const char *config, int out,
                      const char *log)
{
    int err = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (err < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(120);
    execl(program, program, "serve", "-c", config, (char *)NULL);
    _exit(121);
}

/* Reads one line from the program, or fails. */
static void read_line(struct server *s, int fd, char *line)
{
    uint64_t end = server_now_ms() + SERVER_START_MS;
    size_t len = 0;
    memset(line, 0, LINE_BYTES);
    while (len + 1 < LINE_BYTES && (len == 0 || line[len - 1] != '\n')) {
        struct pollfd p = {fd, POLLIN, 0};
        uint64_t now = server_now_ms();
        bool ready = now < end && poll(&p, 1, (int)(end - now)) > 0;
        if (!ready || read(fd, line + len, 1) != 1) {
            show_log(s);
            server_stop(s, SIGKILL);
            fail_msg("the server did not start");
        }
        len++;
    }
    line[len] = '\0';
}

void server_start(struct server *s, const char *server_lines,
                  const char *route_lines)
{
    const char *program = getenv("SLUICE");
    char line[LINE_BYTES] = "";
    int out[2];
    write_config(s, server_lines, route_lines);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        run_child(program && *program ? program : "build/sluice",
                  server_path(s, "sluice.conf"), out[1],
                  server_path(s, "stderr"));
    close(out[1]);
    read_line(s, out[0], line);
    close(out[0]);
    assert_int_equal(strncmp(line, LISTENING, strlen(LISTENING)), 0);
    s->port = atoi(line + strlen(LISTENING));
    assert_in_range(s->port, 1, 65535);
}

int server_wait(struct server *s, unsigned ms)
{
    uint64_t end = server_now_ms() + ms;
    int status = 0;
    pid_t got = 0;
    assert_true(s->pid > 0);
    while ((got = waitpid(s->pid, &status, WNOHANG)) == 0 &&
           server_now_ms() < end)
        server_sleep(WAIT_STEP_MS);
    if (got != s->pid)
        return -1;
    s->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int server_stop(struct server *s, int signal_number)
{
    if (s->pid == 0)
        return 0;
    kill(s->pid, signal_number);
    int code = server_wait(s, SERVER_STOP_MS);
    if (s->pid == 0)
        return code;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
    return -1;
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void server_fini(struct server *s)
{
    int code = server_stop(s, SIGTERM);
    if (code != 0)
        show_log(s);
    if (s->dir[0])
        nftw(s->dir, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
    s->dir[0] = '\0';
    assert_int_equal(code, 0);
}

int server_set_up(void **state)
{
    server_init(*state);
    return 0;
}

int server_tear_down(void **state)
{
    server_fini(*state);
    return 0;
}

uint64_t server_memory(const struct server *s)
{
    char line[PROC_LINE_BYTES];
    unsigned long kib = 0;
    snprintf(line, sizeof(line), "/proc/%d/smaps_rollup", (int)s->pid);
    FILE *f = fopen(line, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) && sscanf(line, "Pss: %lu", &kib) != 1)
        ;
    fclose(f);
    assert_true(kib > 0);
    return (uint64_t)kib << 10;
}
