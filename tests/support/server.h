/* server.h - the real program, started for a test and surely ended.
 *
 *      tmp/sluice-test.XXXXXX/   sluice.conf  stderr  www/  (and what tests
 * add)
 *
 * Promise    the program of $SLUICE (build/sluice without it) runs with a
 *            configuration of the test's own on a free port of 127.0.0.1, and
 *            is killed by the kernel when the test itself dies.
 * Limits     SERVER_START_MS to come up, SERVER_STOP_MS to go.
 * Owns       its folder; server_fini() removes it. Every failure is a failed
 *            assertion that shows the program's last log lines.
 * Threads    one. */
#ifndef TESTS_SUPPORT_SERVER_H
#define TESTS_SUPPORT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_START_MS   20000u
#define SERVER_STOP_MS    20000u
#define SERVER_PATH_BYTES 512u

struct server {
    char dir[SERVER_PATH_BYTES / 2];
    pid_t pid; /* 0 when it does not run */
    int port;
};

/* A new folder with an empty www/ in it. */
void server_init(struct server *s);

/* Starts it with route "/" for www/ (listing on) and "/lab/" for the lab.
 * server_lines and route_lines are added at the top and inside "/". */
void server_start(struct server *s, const char *server_lines,
                  const char *route_lines);

/* Sends a signal and waits. The exit code, or -1 when it did not exit by
 * itself in time. */
int server_stop(struct server *s, int signal_number);

/* Waits for the end without a signal. As server_stop(). */
int server_wait(struct server *s, unsigned ms);

/* Ends the program, which must exit with 0, and removes the folder. */
void server_fini(struct server *s);

/* For tests that have a new one each; what starts it is their own matter. */
#define SERVER_TEST(name, server)                                              \
    cmocka_unit_test_prestate_setup_teardown(name, server_set_up,              \
                                             server_tear_down, server)
int server_set_up(void **state);
int server_tear_down(void **state);

/* The path of name inside the folder, in a static buffer good for two calls. */
const char *server_path(const struct server *s, const char *name);

/* Makes a file, "www/a.txt", and the folders on the way to it. */
void server_file(const struct server *s, const char *name, const void *data,
                 size_t len);
void server_text(const struct server *s, const char *name, const char *text);

/* Proportional share of memory of the program, in bytes. */
uint64_t server_memory(const struct server *s);

/* Whether the program was built with a sanitizer: memory and time then mean
 * little. */
bool server_sanitized(void);

/* Milliseconds of a monotonic clock, and a pause. */
uint64_t server_now_ms(void);
void server_sleep(unsigned ms);

#endif
