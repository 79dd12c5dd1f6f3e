#include "buffers/socket_buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WANTED (64u << 10)
#define TRIES_MAX                                                              \
    500 /* of TRY_MS, for what the kernel does in its own time                 \
         */
#define TRY_MS    10
#define PROGRAM_S 50
#define CHUNK     4096u
#define FILL_MAX  (64u << 20)

struct fixture {
    int a;
    int b;
};

static int tcp_listener(struct sockaddr_in *ret_addr)
{
    socklen_t len = sizeof *ret_addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *ret_addr = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)ret_addr, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_addr, &len), 0);
    return fd;
}

static int set_up_tcp(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_in addr;
    assert_non_null(f);
    int listener = tcp_listener(&addr);
    f->a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(f->a, (struct sockaddr *)&addr, sizeof addr), 0);
    f->b = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(f->b >= 0);
    close(listener);
    *state = f;
    return 0;
}

static int set_up_unix(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int pair[2];
    assert_non_null(f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    f->a = pair[0];
    f->b = pair[1];
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close(f->a);
    close(f->b);
    free(f);
    return 0;
}

static struct socket_fill fill_of(int fd)
{
    struct socket_fill fill;
    assert_true(socket_fill(fd, &fill));
    return fill;
}

static size_t send_some(int fd, size_t n)
{
    static const char bytes[CHUNK];
    size_t sent = 0;
    while (sent < n) {
        size_t piece = n - sent < CHUNK ? n - sent : CHUNK;
        ssize_t got = send(fd, bytes, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (got <= 0)
            break;
        sent += (size_t)got;
    }
    return sent;
}

static size_t read_some(int fd, size_t n)
{
    char bytes[CHUNK];
    size_t taken = 0;
    while (taken < n) {
        size_t piece = n - taken < CHUNK ? n - taken : CHUNK;
        ssize_t got = recv(fd, bytes, piece, MSG_DONTWAIT);
        if (got <= 0)
            break;
        taken += (size_t)got;
    }
    return taken;
}

static void nap(void)
{
    poll(NULL, 0, TRY_MS);
}

static bool has_out(int fd, uint64_t bytes)
{
    uint64_t held = UINT64_MAX;
    for (int i = 0; i < TRIES_MAX && held != bytes; i++) {
        assert_true(socket_unacknowledged(fd, &held));
        if (held != bytes)
            nap();
    }
    return held == bytes;
}

static bool has_in(int fd, uint64_t bytes)
{
    uint64_t held = fill_of(fd).in_bytes;
    for (int i = 0; i < TRIES_MAX && held != bytes; i++) {
        nap();
        held = fill_of(fd).in_bytes;
    }
    return held == bytes;
}

/* Set and get. */

static void a_size_is_what_was_asked_for(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes;
    assert_true(socket_buffer_set(f->a, SOCKET_SEND, WANTED));
    assert_true(socket_buffer_get(f->a, SOCKET_SEND, &bytes));
    assert_int_equal(bytes, WANTED);
    assert_true(socket_buffer_set(f->a, SOCKET_RECEIVE, 2 * WANTED));
    assert_true(socket_buffer_get(f->a, SOCKET_RECEIVE, &bytes));
    assert_int_equal(bytes, 2 * WANTED);
    struct socket_fill fill = fill_of(f->a);
    assert_int_equal(fill.send_cap, WANTED);
    assert_int_equal(fill.receive_cap, 2 * WANTED);
}

static void each_direction_is_its_own(void **state)
{
    struct fixture *f = *state;
    int value = 0;
    socklen_t len = sizeof value;
    assert_true(socket_buffer_set(f->a, SOCKET_SEND, WANTED));
    assert_int_equal(getsockopt(f->a, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
    assert_int_equal(value, WANTED);
}

static void what_was_got_may_be_set_again(void **state)
{
    struct fixture *f = *state;
    uint64_t before;
    uint64_t after;
    assert_true(socket_buffer_set(f->a, SOCKET_SEND, WANTED));
    assert_true(socket_buffer_get(f->a, SOCKET_SEND, &before));
    for (int i = 0; i < 10; i++) {
        assert_true(socket_buffer_set(f->a, SOCKET_SEND, before));
        assert_true(socket_buffer_get(f->a, SOCKET_SEND, &after));
        assert_int_equal(before, after);
    }
}

static void the_system_bounds_what_is_asked_for(void **state)
{
    struct fixture *f = *state;
    uint64_t small;
    uint64_t large;
    assert_true(socket_buffer_set(f->a, SOCKET_SEND, 0));
    assert_true(socket_buffer_get(f->a, SOCKET_SEND, &small));
    assert_true(small > 0 && small < WANTED);
    assert_true(socket_buffer_set(f->a, SOCKET_SEND, UINT64_MAX));
    assert_true(socket_buffer_get(f->a, SOCKET_SEND, &large));
    assert_true(large > WANTED && large <= INT32_MAX);
}

static int lowat(int fd)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(
        getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &len), 0);
    return value;
}

static void the_unsent_limit_is_set_and_given_back(void **state)
{
    struct fixture *f = *state;
    int before = lowat(f->a);
    assert_true(socket_unsent_limit_set(f->a, 16384));
    assert_int_equal(lowat(f->a), 16384);
    assert_true(socket_unsent_limit_set(f->a, 0));
    assert_int_equal(lowat(f->a), before);
}

/* The limit ends a writer's turn long before the send buffer is full. */
static void an_unsent_limit_bounds_what_waits_to_be_sent(void **state)
{
    struct fixture *f = *state;
    assert_true(socket_buffer_set(f->b, SOCKET_RECEIVE, WANTED));
    assert_true(socket_unsent_limit_set(f->a, 16384));
    struct pollfd p = {.fd = f->a, .events = POLLOUT};
    size_t sent = 0;
    while (sent < FILL_MAX && poll(&p, 1, 0) == 1)
        sent += send_some(f->a, CHUNK);
    assert_true(sent > 0 && sent < FILL_MAX);
    for (int i = 0; i < TRIES_MAX && fill_of(f->a).unsent_bytes == 0; i++)
        nap();
    assert_true(fill_of(f->a).unsent_bytes <= 16384 + CHUNK);
}

/* How full. */

static void a_fresh_socket_is_empty(void **state)
{
    struct fixture *f = *state;
    struct socket_fill fill = fill_of(f->a);
    assert_int_equal(fill.in_bytes, 0);
    assert_int_equal(fill.out_bytes, 0);
    assert_int_equal(fill.unsent_bytes, 0);
    assert_true(fill.send_cap > 0);
    assert_true(fill.receive_cap > 0);
}

static void what_arrives_is_counted_until_it_is_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(send_some(f->a, 1000), 1000);
    assert_true(has_in(f->b, 1000));
    assert_int_equal(read_some(f->b, 400), 400);
    assert_true(has_in(f->b, 600));
    assert_int_equal(read_some(f->b, 600), 600);
    assert_true(has_in(f->b, 0));
    assert_true(has_out(f->a, 0));
}

/* The peer does not read: its window closes, and what it did not take waits
 * here. Everything written is here or there. */
static void what_the_peer_does_not_take_is_counted(void **state)
{
    struct fixture *f = *state;
    assert_true(socket_buffer_set(f->b, SOCKET_RECEIVE, WANTED));
    assert_true(socket_buffer_set(f->a, SOCKET_SEND, 4 * WANTED));
    size_t sent = send_some(f->a, FILL_MAX);
    assert_true(sent > 0 && sent < FILL_MAX);
    struct socket_fill out = {0};
    uint64_t there = 0;
    for (int i = 0; i < TRIES_MAX && out.out_bytes + there != sent; i++) {
        nap();
        sent += send_some(f->a, FILL_MAX);
        there = fill_of(f->b).in_bytes;
        out = fill_of(f->a);
    }
    assert_int_equal(out.out_bytes + there, sent);
    assert_true(out.out_bytes > 0 && there > 0);
    assert_true(out.unsent_bytes > 0 && out.unsent_bytes <= out.out_bytes);
    for (int i = 0; i < TRIES_MAX && out.out_bytes > 0; i++) {
        read_some(f->b, FILL_MAX);
        nap();
        uint64_t before = out.out_bytes;
        out = fill_of(f->a);
        assert_true(out.out_bytes <= before);
    }
    assert_int_equal(out.out_bytes, 0);
    assert_int_equal(out.unsent_bytes, 0);
}

static void tcp_tells_how_the_path_is(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(send_some(f->a, CHUNK), CHUNK);
        assert_true(has_in(f->b, CHUNK));
        assert_int_equal(read_some(f->b, CHUNK), CHUNK);
    }
    assert_true(has_out(f->a, 0));
    struct socket_fill fill = fill_of(f->a);
    assert_true(fill.rtt_us > 0 && fill.rtt_us < 10000000);
    assert_true(fill.window_bytes >= 1000);
    assert_true(fill.delivery_rate > 0);
    assert_true(fill.retransmits < 100);
}

/* Other descriptors. */

static void what_a_unix_socket_has_not_stays_zero(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(send_some(f->a, 1000), 1000);
    struct socket_fill fill = fill_of(f->a);
    assert_true(fill.out_bytes >= 1000);
    assert_int_equal(fill.unsent_bytes, 0);
    assert_int_equal(fill.rtt_us, 0);
    assert_int_equal(fill.window_bytes, 0);
    assert_int_equal(fill.delivery_rate, 0);
    assert_int_equal(fill_of(f->b).in_bytes, 1000);
    assert_false(socket_unsent_limit_set(f->a, 16384));
    assert_int_equal(errno, EOPNOTSUPP);
}

static void unix_figures_move_as_it_is_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(send_some(f->a, 1000), 1000);
    assert_int_equal(read_some(f->b, 1000), 1000);
    assert_true(has_out(f->a, 0));
    assert_true(has_in(f->b, 0));
}

static void all_fail(int fd, int error)
{
    struct socket_fill fill;
    uint64_t bytes = 1;
    assert_false(socket_fill(fd, &fill));
    assert_int_equal(errno, error);
    assert_int_equal(fill.send_cap, 0);
    assert_false(socket_buffer_get(fd, SOCKET_SEND, &bytes));
    assert_int_equal(bytes, 0);
    assert_false(socket_buffer_set(fd, SOCKET_SEND, WANTED));
    assert_int_equal(errno, error);
    assert_false(socket_unsent_limit_set(fd, 1));
    assert_int_equal(errno, error);
    bytes = 1;
    assert_false(socket_unacknowledged(fd, &bytes));
    assert_int_equal(bytes, 0);
}

static void what_is_not_a_socket_is_refused(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    all_fail(ends[1], ENOTSOCK);
    close(ends[0]);
    close(ends[1]);
    all_fail(-1, EBADF);
}

static void a_listener_counts_nothing(void **state)
{
    struct sockaddr_in addr;
    uint64_t bytes;
    (void)state;
    int fd = tcp_listener(&addr);
    struct socket_fill fill = fill_of(fd);
    assert_int_equal(fill.in_bytes, 0);
    assert_int_equal(fill.out_bytes, 0);
    assert_true(fill.receive_cap > 0);
    assert_false(socket_unacknowledged(fd, &bytes));
    assert_int_equal(errno, EINVAL);
    close(fd);
}

#define TCP(name)  cmocka_unit_test_setup_teardown(name, set_up_tcp, tear_down)
#define UNIX(name) cmocka_unit_test_setup_teardown(name, set_up_unix, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TCP(a_size_is_what_was_asked_for),
        TCP(each_direction_is_its_own),
        TCP(what_was_got_may_be_set_again),
        TCP(the_system_bounds_what_is_asked_for),
        TCP(the_unsent_limit_is_set_and_given_back),
        TCP(an_unsent_limit_bounds_what_waits_to_be_sent),
        TCP(a_fresh_socket_is_empty),
        TCP(what_arrives_is_counted_until_it_is_read),
        TCP(what_the_peer_does_not_take_is_counted),
        TCP(tcp_tells_how_the_path_is),
        UNIX(a_size_is_what_was_asked_for),
        UNIX(a_fresh_socket_is_empty),
        UNIX(what_a_unix_socket_has_not_stays_zero),
        UNIX(unix_figures_move_as_it_is_read),
        cmocka_unit_test(what_is_not_a_socket_is_refused),
        cmocka_unit_test(a_listener_counts_nothing),
    };
    alarm(PROGRAM_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
