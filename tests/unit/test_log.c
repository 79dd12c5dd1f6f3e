#include "httpd/observe/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* stderr goes into a packet socket: what one write(2) holds is one packet. */
struct capture {
    int sockets[2];
    int saved;
};

static int begin(void **state)
{
    struct capture *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, c->sockets), 0);
    c->saved = dup(STDERR_FILENO);
    assert_true(dup2(c->sockets[0], STDERR_FILENO) >= 0);
    *state = c;
    return 0;
}

static void restore(struct capture *c)
{
    if (c->saved >= 0) {
        dup2(c->saved, STDERR_FILENO);
        close(c->saved);
    }
    c->saved = -1;
}

static int end(void **state)
{
    struct capture *c = *state;
    restore(c);
    close(c->sockets[0]);
    close(c->sockets[1]);
    free(c);
    return 0;
}

/* The next packet as text; its length is the answer. */
static size_t packet(struct capture *c, char *text, size_t cap)
{
    ssize_t n = recv(c->sockets[1], text, cap - 1, MSG_DONTWAIT);
    if (n < 0)
        n = 0;
    text[n] = '\0';
    return (size_t)n;
}

static void one_call_is_one_write_and_one_line(void **state)
{
    struct capture *c = *state;
    char text[2 * LOG_LINE_BYTES_MAX];
    log_line(LOG_WARN, "%s went %d times", "it", 3);
    size_t len = packet(c, text, sizeof(text));
    char rest[8];
    size_t more = packet(c, rest, sizeof(rest));
    restore(c);
    assert_int_equal(more, 0);
    assert_string_equal(text + strlen("2026-01-31T12:00:00.123Z "),
                        "warn  it went 3 times\n");
    assert_int_equal(text[len - 1], '\n');
}

static void a_line_begins_with_the_time_in_utc(void **state)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ error ";
    struct capture *c = *state;
    char text[2 * LOG_LINE_BYTES_MAX];
    log_line(LOG_ERROR, "x");
    packet(c, text, sizeof(text));
    restore(c);
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] == 'd')
            assert_in_range(text[i], '0', '9');
        else
            assert_int_equal(text[i], shape[i]);
    }
}

static void the_time_is_not_the_local_one(void **state)
{
    struct capture *c = *state;
    char text[2 * LOG_LINE_BYTES_MAX];
    char before[32];
    char after[32];
    setenv("TZ", "XYZ-7:30", 1);
    tzset();
    time_t now = time(NULL);
    strftime(before, sizeof(before), "%Y-%m-%dT%H:%M:%S", gmtime(&now));
    log_line(LOG_INFO, "x");
    now = time(NULL);
    strftime(after, sizeof(after), "%Y-%m-%dT%H:%M:%S", gmtime(&now));
    packet(c, text, sizeof(text));
    unsetenv("TZ");
    tzset();
    restore(c);
    assert_true(strncmp(text, before, strlen(before)) >= 0);
    assert_true(strncmp(text, after, strlen(after)) <= 0);
}

static void every_level_takes_the_same_room(void **state)
{
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO};
    struct capture *c = *state;
    char texts[3][2 * LOG_LINE_BYTES_MAX];
    size_t lens[3];
    for (size_t i = 0; i < 3; i++) {
        log_line(levels[i], "same");
        lens[i] = packet(c, texts[i], sizeof(texts[i]));
    }
    restore(c);
    assert_int_equal(lens[0], lens[1]);
    assert_int_equal(lens[1], lens[2]);
}

static void a_long_text_is_cut_and_keeps_its_newline(void **state)
{
    struct capture *c = *state;
    char long_text[3 * LOG_LINE_BYTES_MAX];
    char text[4 * LOG_LINE_BYTES_MAX];
    memset(long_text, 'a', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    log_line(LOG_INFO, "%s", long_text);
    size_t len = packet(c, text, sizeof(text));
    restore(c);
    assert_int_equal(len, LOG_LINE_BYTES_MAX);
    assert_int_equal(text[len - 1], '\n');
    assert_int_equal(text[len - 2], 'a');
}

static void control_bytes_cannot_forge_a_line(void **state)
{
    struct capture *c = *state;
    char text[2 * LOG_LINE_BYTES_MAX];
    log_line(LOG_INFO, "%s", "a\r\nb\x1b[2Jc\x7f\ttür");
    packet(c, text, sizeof(text));
    restore(c);
    assert_string_equal(strstr(text, "info ") + 6, "a??b?[2Jc??tür\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_call_is_one_write_and_one_line,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_line_begins_with_the_time_in_utc,
                                        begin, end),
        cmocka_unit_test_setup_teardown(the_time_is_not_the_local_one, begin,
                                        end),
        cmocka_unit_test_setup_teardown(every_level_takes_the_same_room, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_long_text_is_cut_and_keeps_its_newline, begin, end),
        cmocka_unit_test_setup_teardown(control_bytes_cannot_forge_a_line,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
