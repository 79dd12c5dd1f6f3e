/* bare_fanout.c - the least that a server can do for a fan-out.
 *
 *   bare_fanout [-b]        prints "listening on http://127.0.0.1:PORT/"
 *
 * Whoever sends GET becomes a reader of the one stream; each POST is one SSE
 * event: rendered once, one send() for each reader, then answered with 204.
 * What one recv() brought is answered with one send().
 * With -b what the requests of one turn of the loop brought goes out in one
 * send() for each reader.
 *
 * Promise    nothing is done for a delivery but the send().
 * Refuses    a reader whose socket is full: the program ends with 1, for a
 *            bound without buffers holds only while none is needed. The same
 *            for a request that does not fit REQUEST_BYTES.
 * Limits     CONNECTIONS_MAX. No timeouts, no checks of what is asked for.
 * Threads    one.
 * Not for    use: it is a lower bound. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 60000, /* also the highest descriptor */
    EVENTS_MAX = 512,
    REQUEST_BYTES = 16384,
    ANSWERS_MAX = REQUEST_BYTES / 32,
    EVENT_BYTES = REQUEST_BYTES + 64,
    BATCH_BYTES = 1 << 20,
};

struct server {
    int epoll;
    int listener;
    bool batches;
    uint64_t offset; /* of the next message, for its id */
    unsigned readers_n;
    int readers[CONNECTIONS_MAX];
    size_t batch_len;
    char batch[BATCH_BYTES];
};

/* What came of a request so far; none while there is nothing. */
struct request {
    size_t len;
    char bytes[REQUEST_BYTES + 1];
};

static struct request *requests[CONNECTIONS_MAX];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void must_send(int fd, const char *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n == (ssize_t)len)
        return;
    fprintf(stderr, "bare_fanout: sent %zd of %zu\n", n, len);
    exit(1);
}

static void fan_out(struct server *s)
{
    for (unsigned i = 0; i < s->readers_n; i++)
        must_send(s->readers[i], s->batch, s->batch_len);
    s->batch_len = 0;
}

static void append(struct server *s, const char *body, size_t len)
{
    if (s->batch_len + EVENT_BYTES > sizeof s->batch)
        fan_out(s);
    s->offset += len;
    int n = snprintf(s->batch + s->batch_len, EVENT_BYTES,
                     "id: %016ju\ndata: %.*s\n\n", (uintmax_t)s->offset,
                     (int)len, body);
    s->batch_len += (size_t)n;
    if (!s->batches)
        fan_out(s);
}

static void add_reader(struct server *s, int fd)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Cache-Control: no-cache\r\nConnection: close\r\n\r\n";
    must_send(fd, head, sizeof head - 1);
    s->readers[s->readers_n++] = fd;
}

#define ANSWER "HTTP/1.1 204 No Content\r\n\r\n"

static void answer(int fd, unsigned n)
{
    static char answers[ANSWERS_MAX * sizeof ANSWER];
    if (n == 0)
        return;
    for (unsigned i = 0; i < n; i++)
        memcpy(answers + i * (sizeof ANSWER - 1), ANSWER, sizeof ANSWER - 1);
    must_send(fd, answers, n * (sizeof ANSWER - 1));
}

/* Returns the bytes used: 0 when the request is not all there. */
static size_t take_request(struct server *s, int fd, const char *p, size_t len,
                           unsigned *answers_n)
{
    static const char name[] = "Content-Length:";
    const char *end = memmem(p, len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t head_len = (size_t)(end - p) + 4;
    if (*p == 'G') {
        add_reader(s, fd);
        return head_len;
    }
    const char *field = memmem(p, head_len, name, sizeof name - 1);
    size_t body_len =
        field == NULL ? 0 : strtoul(field + sizeof name - 1, NULL, 10);
    if (len < head_len + body_len)
        return 0;
    append(s, p + head_len, body_len);
    ++*answers_n;
    return head_len + body_len;
}

static void forget(int fd)
{
    free(requests[fd]);
    requests[fd] = NULL;
}

static void drop(struct server *s, int fd)
{
    for (unsigned i = 0; i < s->readers_n; i++)
        if (s->readers[i] == fd)
            s->readers[i--] = s->readers[--s->readers_n];
    forget(fd);
    close(fd);
}

static struct request *new_request(void)
{
    struct request *r = malloc(sizeof *r);
    if (r == NULL)
        die("a request");
    r->len = 0;
    return r;
}

static void read_requests(struct server *s, int fd)
{
    struct request *r = requests[fd];
    if (r == NULL)
        r = requests[fd] = new_request();
    ssize_t n =
        recv(fd, r->bytes + r->len, REQUEST_BYTES - r->len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || r->len + (size_t)n == REQUEST_BYTES) {
        drop(s, fd);
        return;
    }
    r->len += (size_t)n;
    r->bytes[r->len] = '\0';
    size_t used = 0;
    unsigned answers_n = 0;
    for (size_t one = 1; one > 0 && used < r->len; used += one)
        one = take_request(s, fd, r->bytes + used, r->len - used, &answers_n);
    r->len -= used;
    memmove(r->bytes, r->bytes + used, r->len);
    answer(fd, answers_n);
    if (r->len == 0)
        forget(fd);
}

static void add_connection(struct server *s)
{
    int on = 1;
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 || fd >= CONNECTIONS_MAX)
        die("accept4");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event))
        die("a connection");
}

static void turn(struct server *s)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(s->epoll, events, EVENTS_MAX, -1);
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == s->listener)
            add_connection(s);
        else
            read_requests(s, events[i].data.fd);
    }
    if (s->batch_len > 0)
        fan_out(s);
}

static void start(struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    struct epoll_event event = {.events = EPOLLIN};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    event.data.fd = s->listener;
    if (s->listener < 0 ||
        bind(s->listener, (struct sockaddr *)&at, sizeof at) ||
        listen(s->listener, SOMAXCONN) ||
        getsockname(s->listener, (struct sockaddr *)&at, &len) ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &event))
        die("start");
    printf("listening on http://127.0.0.1:%u/\n", ntohs(at.sin_port));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct server s;
    struct rlimit limit;
    s.batches = argc == 2 && strcmp(argv[1], "-b") == 0;
    if (argc > 1 && !s.batches) {
        fputs("usage: bare_fanout [-b]\n", stderr);
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit))
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        die("setrlimit");
    start(&s);
    for (;;)
        turn(&s);
}
