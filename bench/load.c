/* load.c - a bounded HTTP/1.1 load generator for the scorecard.
 *
 *   load requests HOST:PORT PATH   small answers over kept connections
 *   load download HOST:PORT PATH   big answers, thrown away in the kernel
 *   load idle     HOST:PORT PATH   one request each, then hold them open
 *   load stuck    HOST:PORT PATH   ask, never read, hold them open
 *
 * Promise    every answer is parsed: status 200, a Content-Length, and exactly
 *            that many bytes of body. Whatever else happens is counted as a
 *            fault and makes the exit code 1.
 *            Answers under way when the time is up are waited for, so what is
 *            counted is what the server sent.
 * Limits     CONNECTIONS_MAX connections, DEPTH_MAX requests on their way per
 *            connection, SECONDS_MAX of load and GRACE_SECONDS beyond it.
 * Threads    one. Unless told to (-w) it does not sleep while it waits: the
 *            server would pay for waking it.
 * Not for    chunked answers, TLS, names that need a resolver.
 * Source     RFC 9112 sections 4, 6.2 and 9.3.2. */
#include "bench/latency.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 60000,
    CONNECTIONS_PER_ADDRESS = 16000, /* of some 28 000 ephemeral ports */
    DEPTH_MAX = 64,
    SECONDS_MAX = 600,
    GRACE_SECONDS = 30,
    PATIENCE_SECONDS = 20, /* of one blocking call */
    REQUEST_BYTES_MAX = 1024,
    READ_BYTES = 65536,
    DISCARD_BYTES = 16 << 20,
    EVENTS_MAX = 256,
    SPARE_DESCRIPTORS = 16,
};

static const uint64_t ns_per_second = 1000000000;

enum fault {
    FAULT_NONE,
    FAULT_HEAD,
    FAULT_STATUS,
    FAULT_LENGTH,
    FAULT_CLOSED,
    FAULT_TIME,
    FAULTS
};

static const char *const fault_names[FAULTS] = {
    "none", "bad_head", "bad_status", "bad_length", "closed", "timed_out"};

struct load;

struct mode {
    const char *name;
    bool reading;
    bool discard; /* the bodies, unseen */
    void (*run)(struct load *);
};

struct options {
    const struct mode *mode;
    struct sockaddr_in to;
    const char *path;
    uint64_t requests; /* 0: until the time is up */
    uint64_t body_len; /* of a right answer; 0: any */
    unsigned seconds;
    unsigned connections;
    unsigned depth;
    int rcvbuf_bytes; /* 0: the kernel's own tuning */
    bool sleepy;
};

struct client {
    int fd;
    unsigned unanswered;
    uint64_t body_left;
    uint64_t sent_ns;
    size_t len;
    char *buf;
};

struct load {
    const struct options *opt;
    int epoll;
    unsigned busy; /* clients that wait for answers */
    struct client *clients;
    size_t request_len;
    char request[REQUEST_BYTES_MAX];
    uint64_t to_send;
    uint64_t body_bytes;
    uint64_t until_ns;
    uint64_t now_ns;
    uint64_t faults[FAULTS];
    struct latency latency;
};

static uint64_t clock_ns(void)
{
    struct timespec ts;
    int rc = clock_gettime(CLOCK_MONOTONIC, &ts);
    assert(rc == 0);
    return (uint64_t)ts.tv_sec * ns_per_second + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Connections. */

/* Loopback has a whole network of addresses: another one is taken before the
 * ports of the first run out. */
static void bind_source(int fd, unsigned nth)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int on = 1;
    from.sin_addr.s_addr =
        htonl(INADDR_LOOPBACK + nth / CONNECTIONS_PER_ADDRESS);
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) ||
        bind(fd, (struct sockaddr *)&from, sizeof from))
        die("bind");
}

static void set_patience(int fd)
{
    struct timeval tv = {.tv_sec = PATIENCE_SECONDS};
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        die("setsockopt");
}

static int open_connection(const struct options *opt, unsigned nth)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (opt->connections > CONNECTIONS_PER_ADDRESS)
        bind_source(fd, nth);
    set_patience(fd);
    if (opt->rcvbuf_bytes > 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &opt->rcvbuf_bytes,
                   sizeof opt->rcvbuf_bytes))
        die("SO_RCVBUF");
    if (connect(fd, (const struct sockaddr *)&opt->to, sizeof opt->to))
        die("connect");
    return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
    /* A send that blocks sends all of it, unless time is up. */
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("send");
}

static void write_request(struct load *l)
{
    char host[INET_ADDRSTRLEN];
    const struct options *opt = l->opt;
    inet_ntop(AF_INET, &opt->to.sin_addr, host, sizeof host);
    int n = snprintf(l->request, sizeof l->request,
                     "GET %s HTTP/1.1\r\nHost: %s:%u\r\n"
                     "User-Agent: load/1\r\nAccept: */*\r\n\r\n",
                     opt->path, host, ntohs(opt->to.sin_port));
    if (n < 0 || (size_t)n >= sizeof l->request) {
        fprintf(stderr, "load: the path is too long\n");
        exit(2);
    }
    l->request_len = (size_t)n;
}

/* Answers. */

/* Lines of the head after the status line; the last one is empty. */
static enum fault find_body_len(const char *line, const char *end,
                                uint64_t *ret_len)
{
    static const char name[] = "content-length:";
    static const char coding[] = "transfer-encoding:";
    bool found = false;
    while (line < end) {
        if (strncasecmp(line, coding, sizeof coding - 1) == 0)
            return FAULT_HEAD;
        if (strncasecmp(line, name, sizeof name - 1) == 0) {
            *ret_len = strtoull(line + sizeof name - 1, NULL, 10);
            found = true;
        }
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        line = lf == NULL ? end : lf + 1;
    }
    return found ? FAULT_NONE : FAULT_HEAD;
}

static enum fault read_head(const struct load *l, const char *head, size_t len,
                            uint64_t *ret_body_len)
{
    static const char good[] = "HTTP/1.1 200 ";
    if (len < sizeof good || memcmp(head, good, sizeof good - 1) != 0)
        return FAULT_STATUS;
    enum fault fault =
        find_body_len(head + sizeof good, head + len, ret_body_len);
    if (fault == FAULT_NONE && l->opt->body_len != 0 &&
        *ret_body_len != l->opt->body_len)
        return FAULT_LENGTH;
    return fault;
}

static void answer_done(struct load *l, struct client *c)
{
    assert(c->body_left == 0);
    assert(c->unanswered > 0);
    c->unanswered--;
    latency_add(&l->latency, l->now_ns - c->sent_ns);
}

static size_t take_body(struct load *l, struct client *c, size_t have)
{
    size_t n = have < c->body_left ? have : (size_t)c->body_left;
    c->body_left -= n;
    l->body_bytes += n;
    if (c->body_left == 0)
        answer_done(l, c);
    return n;
}

/* Takes one head out of the len bytes at p; *ret_used is 0 when it is not all
 * there yet. */
static enum fault take_head(struct load *l, struct client *c, const char *p,
                            size_t len, size_t *ret_used)
{
    const char *end = memmem(p, len, "\r\n\r\n", 4);
    *ret_used = 0;
    if (end == NULL)
        return len == READ_BYTES ? FAULT_HEAD : FAULT_NONE;
    *ret_used = (size_t)(end - p) + 4;
    enum fault fault = read_head(l, p, *ret_used, &c->body_left);
    if (fault == FAULT_NONE && c->body_left == 0)
        answer_done(l, c);
    return fault;
}

/* Takes all whole heads and all body bytes out of the client's buffer. */
static enum fault take_answers(struct load *l, struct client *c)
{
    size_t pos = 0;
    size_t used = 1;
    enum fault fault = FAULT_NONE;
    while (fault == FAULT_NONE && pos < c->len && used > 0) {
        if (c->unanswered == 0)
            fault = FAULT_LENGTH; /* bytes nobody asked for */
        else if (c->body_left > 0)
            used = take_body(l, c, c->len - pos);
        else
            fault = take_head(l, c, c->buf + pos, c->len - pos, &used);
        pos += used;
    }
    assert(pos <= c->len || fault != FAULT_NONE);
    c->len = pos < c->len ? c->len - pos : 0;
    memmove(c->buf, c->buf + pos, c->len);
    return fault;
}

static void drop_client(struct load *l, struct client *c, enum fault fault)
{
    assert(fault != FAULT_NONE);
    l->faults[fault]++;
    close(c->fd);
    c->fd = -1;
    c->unanswered = 0;
}

/* MSG_TRUNC makes TCP throw the bytes away uncopied, so that a big download
 * costs the client next to nothing. */
static ssize_t receive(const struct load *l, struct client *c, int flags)
{
    if (l->opt->mode->discard && c->body_left > 0 && c->len == 0) {
        size_t most =
            c->body_left < DISCARD_BYTES ? (size_t)c->body_left : DISCARD_BYTES;
        return recv(c->fd, NULL, most, flags | MSG_TRUNC);
    }
    return recv(c->fd, c->buf + c->len, READ_BYTES - c->len, flags);
}

static void read_answers(struct load *l, struct client *c, int flags)
{
    bool discarding = l->opt->mode->discard && c->body_left > 0 && c->len == 0;
    ssize_t n = receive(l, c, flags);
    if (n < 0 && (errno == EAGAIN || errno == EINTR) && flags != 0)
        return;
    if (n <= 0) {
        drop_client(l, c, n < 0 ? FAULT_TIME : FAULT_CLOSED);
        return;
    }
    if (discarding) {
        take_body(l, c, (size_t)n);
        return;
    }
    c->len += (size_t)n;
    enum fault fault = take_answers(l, c);
    if (fault != FAULT_NONE)
        drop_client(l, c, fault);
}

/* requests and download: all clients at once. */

/* The next batch goes out, in one send, when the last one is answered in
 * full: what wrk does with a pipelining script. */
static bool send_batch(struct load *l, struct client *c)
{
    static char batch[DEPTH_MAX * REQUEST_BYTES_MAX];
    unsigned n =
        l->opt->depth < l->to_send ? l->opt->depth : (unsigned)l->to_send;
    assert(c->unanswered == 0);
    if (n == 0 || l->now_ns >= l->until_ns)
        return false;
    for (unsigned i = 0; i < n; i++)
        memcpy(batch + i * l->request_len, l->request, l->request_len);
    l->to_send -= n;
    c->unanswered = n;
    c->sent_ns = l->now_ns;
    send_all(c->fd, batch, n * l->request_len);
    return true;
}

static void step(struct load *l, struct client *c)
{
    if (c->fd < 0)
        return;
    read_answers(l, c, MSG_DONTWAIT);
    if (c->unanswered == 0 && (c->fd < 0 || !send_batch(l, c)))
        l->busy--;
}

static void turn(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(l->epoll, events, EVENTS_MAX, l->opt->sleepy ? 100 : 0);
    l->now_ns = clock_ns();
    for (int i = 0; i < n; i++)
        step(l, events[i].data.ptr);
}

static void start_clients(struct load *l)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < l->opt->connections; i++) {
        struct client *c = &l->clients[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = open_connection(l->opt, i);
        c->buf = malloc(READ_BYTES);
        if (c->buf == NULL ||
            epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
            die("start");
    }
}

static void stop_clients(struct load *l)
{
    for (unsigned i = 0; i < l->opt->connections; i++) {
        struct client *c = &l->clients[i];
        if (c->fd >= 0 && c->unanswered > 0)
            l->faults[FAULT_TIME]++;
        if (c->fd >= 0)
            close(c->fd);
        free(c->buf);
    }
    close(l->epoll);
}

/* Returns the exit code. */
static int report_faults(const struct load *l)
{
    uint64_t sum = 0;
    for (int i = 0; i < FAULTS; i++) {
        sum += l->faults[i];
        if (l->faults[i] > 0)
            printf("%s=%" PRIu64 "\n", fault_names[i], l->faults[i]);
    }
    printf("errors=%" PRIu64 "\n", sum);
    return sum > 0;
}

static void run_load(struct load *l)
{
    start_clients(l);
    uint64_t start_ns = clock_ns();
    l->now_ns = start_ns;
    l->until_ns = start_ns + l->opt->seconds * ns_per_second;
    uint64_t end_ns = l->until_ns + GRACE_SECONDS * ns_per_second;
    for (unsigned i = 0; i < l->opt->connections; i++)
        l->busy += send_batch(l, &l->clients[i]);
    while (l->busy > 0 && l->now_ns < end_ns)
        turn(l);
    stop_clients(l);
    printf("requests=%" PRIu64 "\nbytes=%" PRIu64 "\nseconds=%.3f\n"
           "p50_us=%.1f\np99_us=%.1f\n",
           l->latency.n, l->body_bytes, (double)(l->now_ns - start_ns) / 1e9,
           latency_us(&l->latency, 0.50), latency_us(&l->latency, 0.99));
}

/* idle and stuck: one client after the other, then wait for stdin to end. */

static bool is_open(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    return fd >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

static unsigned count_open(const struct load *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->opt->connections; i++)
        n += is_open(l->clients[i].fd);
    return n;
}

/* Tells what it holds, then how much of it the server had closed by the
 * time stdin ended. */
static void hold(struct load *l)
{
    char line[64];
    printf("held=%u\n", count_open(l));
    fflush(stdout);
    while (read(STDIN_FILENO, line, sizeof line) > 0)
        ;
    unsigned open = count_open(l);
    printf("open=%u\n", open);
    l->faults[FAULT_CLOSED] += l->opt->connections - open;
}

static void ask(struct load *l, struct client *c)
{
    l->now_ns = clock_ns();
    c->sent_ns = l->now_ns;
    c->unanswered = 1;
    send_all(c->fd, l->request, l->request_len);
    while (l->opt->mode->reading && c->unanswered > 0)
        read_answers(l, c, 0);
}

static void run_hold(struct load *l)
{
    static char buf[READ_BYTES];
    for (unsigned i = 0; i < l->opt->connections; i++) {
        struct client *c = &l->clients[i];
        c->buf = buf;
        c->fd = open_connection(l->opt, i);
        ask(l, c);
    }
    hold(l);
}

/* The command line. */

static const struct mode modes[] = {
    {"requests", true, false, run_load},
    {"download", true, true, run_load},
    {"idle", true, false, run_hold},
    {"stuck", false, false, run_hold},
};

static void usage(void)
{
    fputs("usage: load requests|download|idle|stuck HOST:PORT PATH\n"
          "  -c N  connections            -p N  requests in a batch\n"
          "  -s N  seconds                -n N  requests at most\n"
          "  -l N  right body length      -u N  processor to run on\n"
          "  -b N  SO_RCVBUF in bytes     -w    sleep while waiting\n"
          "idle and stuck hold their connections until stdin ends.\n",
          stderr);
    exit(2);
}

static uint64_t number(const char *text, uint64_t most)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value > most)
        usage();
    return value;
}

static void pin(size_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        die("sched_setaffinity");
}

static void parse_address(const char *text, struct sockaddr_in *ret_to)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        usage();
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    ret_to->sin_family = AF_INET;
    ret_to->sin_port = htons((uint16_t)number(colon + 1, UINT16_MAX));
    if (inet_pton(AF_INET, host, &ret_to->sin_addr) != 1)
        usage();
}

static void parse_option(struct options *opt, int c, const char *arg)
{
    if (c == 'c')
        opt->connections = (unsigned)number(arg, CONNECTIONS_MAX);
    else if (c == 'p')
        opt->depth = (unsigned)number(arg, DEPTH_MAX);
    else if (c == 's')
        opt->seconds = (unsigned)number(arg, SECONDS_MAX);
    else if (c == 'n')
        opt->requests = number(arg, UINT64_MAX);
    else if (c == 'l')
        opt->body_len = number(arg, UINT64_MAX);
    else if (c == 'b')
        opt->rcvbuf_bytes = (int)number(arg, 1 << 30);
    else if (c == 'u')
        pin((size_t)number(arg, CPU_SETSIZE - 1));
    else if (c == 'w')
        opt->sleepy = true;
    else
        usage();
}

static const struct mode *parse_mode(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    usage();
    return NULL;
}

static void allow_descriptors(unsigned connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        die("getrlimit");
    if (limit.rlim_max < connections + SPARE_DESCRIPTORS) {
        fprintf(stderr, "load: at most %ju descriptors here\n",
                (uintmax_t)limit.rlim_max);
        exit(2);
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        die("setrlimit");
}

int main(int argc, char **argv)
{
    static struct load l;
    struct options opt = {.seconds = 5, .connections = 1, .depth = 1};
    for (int c; (c = getopt(argc, argv, "c:p:s:n:l:b:u:w")) != -1;)
        parse_option(&opt, c, optarg);
    if (argc - optind != 3 || opt.connections == 0 || opt.depth == 0)
        usage();
    opt.mode = parse_mode(argv[optind]);
    parse_address(argv[optind + 1], &opt.to);
    opt.path = argv[optind + 2];
    l.opt = &opt;
    l.to_send = opt.requests > 0 ? opt.requests : UINT64_MAX;
    allow_descriptors(opt.connections);
    write_request(&l);
    l.clients = calloc(opt.connections, sizeof *l.clients);
    if (l.clients == NULL)
        die("clients");
    opt.mode->run(&l);
    free(l.clients);
    return report_faults(&l);
}
