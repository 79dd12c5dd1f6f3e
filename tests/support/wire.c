#include "tests/support/wire.h"

#include "tests/support/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define READ_BYTES        (256u << 10)
#define REQUEST_BYTES_MAX (64u << 10)
#define BOTH              ((short)(POLLIN | POLLOUT))
#define CUT_PAUSE_MS      15u

static void open_socket(struct wire *w)
{
    int on = 1;
    memset(w, 0, sizeof(*w));
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w->fd >= 0);
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void connect_to(struct wire *w, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(w->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(fcntl(w->fd, F_SETFL, O_NONBLOCK), 0);
}

void wire_open(struct wire *w, int port)
{
    open_socket(w);
    connect_to(w, port);
}

void wire_open_from(struct wire *w, int port, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = inet_addr(address)};
    open_socket(w);
    assert_int_equal(bind(w->fd, (struct sockaddr *)&from, sizeof(from)), 0);
    connect_to(w, port);
}

void wire_open_narrow(struct wire *w, int port, int rcvbuf_bytes)
{
    open_socket(w);
    setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf_bytes,
               sizeof(rcvbuf_bytes));
    connect_to(w, port);
}

void wire_close(struct wire *w)
{
    if (w->fd >= 0)
        close(w->fd);
    free(w->in);
    memset(w, 0, sizeof(*w));
    w->fd = -1;
}

static void make_room(struct wire *w)
{
    if (w->in_cap - w->in_len >= READ_BYTES)
        return;
    w->in_cap = 2 * w->in_cap + READ_BYTES;
    assert_true(w->in_cap <= WIRE_IN_BYTES_MAX);
    w->in = realloc(w->in, w->in_cap);
    assert_non_null(w->in);
}

/* One recv of what is there. */
static bool take(struct wire *w)
{
    make_room(w);
    ssize_t n = recv(w->fd, w->in + w->in_len, READ_BYTES, 0);
    if (n > 0) {
        w->in_len += (size_t)n;
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    w->ended = true;
    w->reset = n < 0;
    return false;
}

static short wait_for(const struct wire *w, short events, unsigned ms)
{
    struct pollfd p = {w->fd, events, 0};
    if (poll(&p, 1, (int)ms) <= 0)
        return 0;
    return p.revents;
}

bool wire_read(struct wire *w, unsigned ms)
{
    if (w->ended || !wait_for(w, POLLIN, ms))
        return false;
    return take(w);
}

/* Sends all of one piece, and reads when the socket is full. */
static bool send_piece(struct wire *w, const char *data, size_t len)
{
    uint64_t end = server_now_ms() + WIRE_MS;
    while (len > 0) {
        ssize_t n = send(w->fd, data, len, MSG_NOSIGNAL);
        if (n >= 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        if (errno != EAGAIN)
            return false;
        assert_true(server_now_ms() < end);
        short got = wait_for(w, w->ended ? POLLOUT : BOTH, 1000);
        if ((got & POLLIN) && !w->ended)
            take(w);
    }
    return true;
}

static bool send_bytes(struct wire *w, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!send_piece(w, data + i, 1))
            return false;
        sched_yield(); /* so that the server sees some of them alone */
    }
    return true;
}

bool wire_send(struct wire *w, const void *data, size_t len,
               enum delivery delivery)
{
    size_t half = len / 2;
    if (delivery == DELIVER_BYTES)
        return send_bytes(w, data, len);
    if (delivery == DELIVER_WHOLE)
        return send_piece(w, data, len);
    if (!send_piece(w, data, half))
        return false;
    server_sleep(CUT_PAUSE_MS);
    return send_piece(w, (const char *)data + half, len - half);
}

bool wire_text(struct wire *w, const char *text)
{
    return wire_send(w, text, strlen(text), DELIVER_WHOLE);
}

void wire_end(struct wire *w)
{
    shutdown(w->fd, SHUT_WR);
}

void wire_skip(struct wire *w, size_t n)
{
    assert_true(n <= w->in_len);
    w->in_len -= n;
    if (w->in && w->in_len > 0)
        memmove(w->in, w->in + n, w->in_len);
}

static void show_bytes(const struct wire *w)
{
    print_message("--- %zu bytes came%s:\n%.*s\n---\n", w->in_len,
                  w->reset   ? ", then a reset"
                  : w->ended ? ", then the end"
                             : "",
                  (int)(w->in_len < 2000 ? w->in_len : 2000),
                  w->in ? w->in : "");
}

static void answer_within(struct wire *w, bool no_body, struct answer *ret)
{
    uint64_t end = server_now_ms() + WIRE_MS;
    enum answer_result r;
    size_t used = 0;
    while ((r = answer_read(ret, w->in, w->in_len, no_body, w->ended, &used)) ==
               ANSWER_MORE &&
           server_now_ms() < end)
        wire_read(w, 1000);
    if (r != ANSWER_WHOLE) {
        show_bytes(w);
        fail_msg("no whole answer: %s", ret->why ? ret->why : "it is late");
    }
    wire_skip(w, used);
}

void wire_answer(struct wire *w, struct answer *ret)
{
    answer_within(w, false, ret);
}

void wire_answer_to_head(struct wire *w, struct answer *ret)
{
    answer_within(w, true, ret);
}

void wire_need(struct wire *w, size_t n)
{
    uint64_t end = server_now_ms() + WIRE_MS;
    while (w->in_len < n && !w->ended && server_now_ms() < end)
        wire_read(w, 1000);
    if (w->in_len < n) {
        show_bytes(w);
        fail_msg("%zu bytes were expected", n);
    }
}

bool wire_until_end(struct wire *w, unsigned ms)
{
    uint64_t end = server_now_ms() + ms;
    for (uint64_t now = server_now_ms(); !w->ended && now < end;
         now = server_now_ms())
        wire_read(w, (unsigned)(end - now));
    return w->ended;
}

bool wire_drain(struct wire *w, unsigned ms, uint64_t *ret_bytes)
{
    uint64_t end = server_now_ms() + ms;
    *ret_bytes = w->in_len;
    for (uint64_t now = server_now_ms(); !w->ended && now < end;
         now = server_now_ms()) {
        w->in_len = 0;
        wire_read(w, (unsigned)(end - now));
        *ret_bytes += w->in_len;
    }
    w->in_len = 0;
    return w->ended;
}

void wire_expect_end(struct wire *w)
{
    bool ended = wire_until_end(w, WIRE_MS);
    if (!ended || w->in_len > 0)
        show_bytes(w);
    assert_int_equal(w->in_len, 0);
    assert_true(ended);
}

void wire_expect_quiet(struct wire *w, unsigned ms)
{
    wire_read(w, ms);
    if (w->ended || w->in_len > 0)
        show_bytes(w);
    assert_int_equal(w->in_len, 0);
    assert_false(w->ended);
}

static void ask_once(int port, const char *request, size_t len,
                     enum delivery delivery, struct answer *ret)
{
    struct wire w;
    wire_open(&w, port);
    wire_send(&w, request, len, delivery);
    answer_within(&w, strncmp(request, "HEAD ", 5) == 0, ret);
    wire_close(&w);
}

void wire_ask_by(int port, const char *request, enum delivery delivery,
                 struct answer *ret)
{
    ask_once(port, request, strlen(request), delivery, ret);
}

void wire_ask_bytes(int port, const char *request, size_t len,
                    struct answer *ret)
{
    ask_once(port, request, len, DELIVER_WHOLE, ret);
    for (enum delivery d = DELIVER_CUT; d < DELIVERIES; d++) {
        struct answer other;
        ask_once(port, request, len, d, &other);
        if (!answer_same(ret, &other))
            print_message("--- whole:\n%s--- in pieces:\n%s---\n", ret->head,
                          other.head);
        assert_true(answer_same(ret, &other));
        answer_fini(&other);
    }
}

void wire_ask(int port, const char *request, struct answer *ret)
{
    wire_ask_bytes(port, request, strlen(request), ret);
}

void wire_get(int port, const char *target, const char *lines,
              struct answer *ret)
{
    char *request = malloc(REQUEST_BYTES_MAX);
    assert_non_null(request);
    int n =
        snprintf(request, REQUEST_BYTES_MAX,
                 "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", target, lines);
    assert_in_range(n, 1, REQUEST_BYTES_MAX - 1);
    wire_ask(port, request, ret);
    free(request);
}

void wire_expect_status(int port, const char *request, int status)
{
    struct answer a;
    wire_ask(port, request, &a);
    if (a.status != status)
        print_message("--- to:\n%.400s\n--- came:\n%s%s\n", request, a.head,
                      a.body);
    assert_int_equal(a.status, status);
    answer_fini(&a);
}
