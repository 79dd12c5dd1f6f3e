#include "httpd/loop/listener.h"

#include "httpd/conn/conn.h"
#include "httpd/limits.h"
#include "httpd/loop/worker.h"
#include "httpd/observe/log.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_BYTES_MAX 256u

struct listener {
    struct listener *next;
    struct worker *worker;
    struct event event;
    int fd;
    bool resting;
    bool complained; /* since a connection was accepted last */
};

/* Cuts "[::1]:80" or "127.0.0.1:80" into its two parts. */
static bool split(const char *text, char *host, const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1])
        return false;
    const char *begin = text;
    const char *end = colon;
    if (*begin == '[') {
        if (end - begin < 2 || end[-1] != ']')
            return false;
        begin++;
        end--;
    }
    size_t len = (size_t)(end - begin);
    if (len == 0 || len >= HOST_BYTES_MAX)
        return false;
    memcpy(host, begin, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return true;
}

bool listen_address_read(const char *text, struct listen_address *ret,
                         char *ret_error, size_t error_cap)
{
    char host[HOST_BYTES_MAX];
    const char *port;
    if (!split(text, host, &port)) {
        snprintf(ret_error, error_cap,
                 "\"%s\" is no address; write HOST:PORT or [HOST]:PORT", text);
        return false;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed) {
        snprintf(ret_error, error_cap, "cannot listen on \"%s\": %s", text,
                 gai_strerror(failed));
        return false;
    }
    memset(ret, 0, sizeof *ret);
    memcpy(&ret->addr, found->ai_addr, found->ai_addrlen);
    ret->addr_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

void listen_address_write(const struct listen_address *a, char *out, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->addr.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)&a->addr;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(out, cap, "[%s]:%u", host, ntohs(in6->sin6_port));
        return;
    }
    const struct sockaddr_in *in = (const void *)&a->addr;
    inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    snprintf(out, cap, "%s:%u", host, ntohs(in->sin_port));
}

/* SO_REUSEPORT is set after an exclusive bind, so that the bind itself finds
 * whoever listens there already, and later binds of ours still succeed. */
static bool bind_and_listen(int fd, struct listen_address *a, bool exclusive)
{
    int on = 1;
    struct sockaddr *addr = (struct sockaddr *)&a->addr;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* inherited */
    if (a->addr.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (!exclusive && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on))
        return false;
    if (bind(fd, addr, a->addr_len) != 0)
        return false;
    if (exclusive && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on))
        return false;
    if (listen(fd, SOMAXCONN) != 0)
        return false;
    return getsockname(fd, addr, &a->addr_len) == 0;
}

int listener_bind(struct listen_address *a, bool exclusive)
{
    int fd = socket(a->addr.ss_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind_and_listen(fd, a, exclusive))
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static void rest(struct listener *l, int why)
{
    if (!l->complained)
        log_line(LOG_ERROR, "accept: %s; trying again soon", strerror(why));
    l->complained = true;
    event_del(&l->event);
    l->resting = true;
}

static void on_accept(int listen_fd, short what, void *arg)
{
    (void)what;
    struct listener *l = arg;
    worker_tick(l->worker);
    for (unsigned i = 0; i < TURN_ACCEPTS_MAX; i++) {
        struct sockaddr_storage addr = {0};
        socklen_t addr_len = sizeof addr;
        int fd = accept4(listen_fd, (struct sockaddr *)&addr, &addr_len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            l->complained = false;
            conn_open(l->worker, fd, &addr);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            rest(l, errno);
            return;
        }
    }
}

bool listener_add(struct worker *w, int fd)
{
    assert(fd >= 0);
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return false;
    l->fd = fd;
    l->worker = w;
    event_assign(&l->event, w->base, fd, EV_READ | EV_PERSIST, on_accept, l);
    if (event_add(&l->event, NULL) != 0) {
        free(l);
        return false;
    }
    l->next = w->listeners;
    w->listeners = l;
    return true;
}

void listener_close_all(struct worker *w)
{
    while (w->listeners) {
        struct listener *l = w->listeners;
        w->listeners = l->next;
        event_del(&l->event);
        close(l->fd);
        free(l);
    }
}

void listener_sweep(struct worker *w)
{
    for (struct listener *l = w->listeners; l; l = l->next) {
        if (!l->resting)
            continue;
        l->resting = event_add(&l->event, NULL) != 0;
    }
}
