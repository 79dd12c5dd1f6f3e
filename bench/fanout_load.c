/* fanout_load.c - readers of one SSE stream, and what publishes to it.
 *
 *   fanout_load HOST:PORT PATH [-c READERS] [-P PID] [-u PROCESSOR]
 *
 * Holds the readers and says "held=N"; then each line of stdin is a load:
 *
 *   one SECONDS    a message, and the next when it is answered and every
 *                  reader has it
 *   many SECONDS   PUBLISHERS connections, each posts again once it is answered
 *   rate SECONDS   RATE messages a second by the clock, whatever is answered
 *
 * and is answered with key=value lines and "end".
 *
 * Promise    a delivery is one message found in one reader's bytes. At the end
 *            of a load each reader has every message once, or the difference
 *            is told as lost.
 *            cpu_ns is what the process PID used from before the first message
 *            until after the last delivery; connecting is not in it.
 *            The delay of a message counts from when it is due under rate, and
 *            from when it is sent otherwise, to when a reader has read it.
 *            idle is the share of the time in which nothing had arrived: while
 *            it is large, the load is not what is measured.
 * Limits     CLIENTS_MAX readers, SECONDS_MAX of load and GRACE_SECONDS for
 *            what is under way.
 * Threads    one. It does not sleep under load: the server would pay for
 *            waking it. */
#include "bench/client/client.h"
#include "bench/latency.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MESSAGE_BYTES = 128,
    STAMP_DIGITS = 16,
    MARK_BYTES = 1 + STAMP_DIGITS, /* '#' and when it was sent */
    PUBLISHERS = 16,
    RATE = 100,
    SECONDS_MAX = 600,
    GRACE_SECONDS = 120,
    REQUEST_BYTES = 1024,
    READ_BYTES = 65536,
    EVENTS_MAX = 512,
    LINE_BYTES = 64,
    SETTLE_US = 100000, /* until the server sleeps and its time is counted */
};

struct reader {
    int fd;
    uint32_t carry_len; /* of a mark whose end has not arrived */
    uint64_t messages;
    char carry[MARK_BYTES];
};

struct load {
    struct sockaddr_in to;
    const char *path;
    unsigned pid;
    unsigned readers_n;
    struct reader *readers;
    struct publisher publishers[PUBLISHERS];
    int epoll;
    size_t request_len; /* the message is its end */
    char request[REQUEST_BYTES];
    uint64_t now_ns;
    uint64_t idle_ns;
    uint64_t published;
    uint64_t answered;
    uint64_t delivered;
    uint64_t faults;
    struct latency latency;
};

/* Messages. */

static void write_request(struct load *l)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &l->to.sin_addr, host, sizeof host);
    int n = snprintf(l->request, sizeof l->request,
                     "POST %s HTTP/1.1\r\nHost: %s:%u\r\n"
                     "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n",
                     l->path, host, ntohs(l->to.sin_port), MESSAGE_BYTES);
    if (n < 0 || (size_t)n > sizeof l->request - MESSAGE_BYTES) {
        fprintf(stderr, "fanout_load: the path is too long\n");
        exit(2);
    }
    memset(l->request + n, '.', MESSAGE_BYTES);
    l->request_len = (size_t)n + MESSAGE_BYTES;
}

static void publish(struct load *l, struct publisher *p, uint64_t stamp_ns)
{
    char mark[MARK_BYTES + 1];
    assert(p->owed == 0);
    snprintf(mark, sizeof mark, "#%016" PRIx64, stamp_ns);
    memcpy(l->request + l->request_len - MESSAGE_BYTES, mark, MARK_BYTES);
    client_send(p->fd, l->request, l->request_len);
    p->owed = 1;
    l->published++;
}

static bool read_stamp(const char *digits, uint64_t *ret_ns)
{
    uint64_t ns = 0;
    for (int i = 0; i < STAMP_DIGITS; i++) {
        unsigned c = (unsigned char)digits[i];
        unsigned digit = c <= '9' ? c - '0' : c - 'a' + 10;
        if (digit > 15)
            return false;
        ns = ns << 4 | digit;
    }
    *ret_ns = ns;
    return true;
}

static void take_mark(struct load *l, struct reader *r, const char *mark)
{
    uint64_t stamp_ns;
    if (!read_stamp(mark + 1, &stamp_ns) || stamp_ns > l->now_ns) {
        l->faults++;
        return;
    }
    r->messages++;
    l->delivered++;
    latency_add(&l->latency, l->now_ns - stamp_ns);
}

static void take_marks(struct load *l, struct reader *r, const char *p,
                       const char *end)
{
    r->carry_len = 0;
    while ((p = memchr(p, '#', (size_t)(end - p))) != NULL) {
        if (end - p < MARK_BYTES) {
            r->carry_len = (uint32_t)(end - p);
            memcpy(r->carry, p, r->carry_len);
            return;
        }
        take_mark(l, r, p);
        p += MARK_BYTES;
    }
}

/* Connections. */

/* Returns whether there may be more. */
static bool read_some(struct load *l, struct reader *r)
{
    static char buf[MARK_BYTES + READ_BYTES];
    memcpy(buf, r->carry, r->carry_len);
    ssize_t n = recv(r->fd, buf + r->carry_len, READ_BYTES, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        l->faults++;
        close(r->fd);
        return false;
    }
    l->now_ns = client_clock_ns();
    take_marks(l, r, buf, buf + r->carry_len + (size_t)n);
    return n == READ_BYTES;
}

/* Edge-triggered: the kernel need not look at each reader twice. */
static void read_events(struct load *l, struct reader *r)
{
    while (read_some(l, r))
        ;
}

static void read_answer(struct load *l, struct publisher *p)
{
    enum answer answer = publisher_take(p);
    if (answer == ANSWER_GOOD)
        l->answered++;
    if (answer == ANSWER_BAD) {
        l->faults++;
        close(p->fd);
    }
}

static void turn(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t before_ns = l->now_ns;
    int n = epoll_wait(l->epoll, events, EVENTS_MAX, 0);
    l->now_ns = client_clock_ns();
    if (n <= 0)
        l->idle_ns += l->now_ns - before_ns;
    for (int i = 0; i < n; i++) {
        uint64_t nth = events[i].data.u64;
        if (nth < PUBLISHERS)
            read_answer(l, &l->publishers[nth]);
        else
            read_events(l, &l->readers[nth - PUBLISHERS]);
    }
}

static void watch(const struct load *l, int fd, uint64_t nth)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = nth};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        client_die("epoll_ctl");
}

/* The head byte by byte, so that no event is taken with it. */
static void read_head(int fd)
{
    char head[REQUEST_BYTES];
    size_t len = 0;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        if (len == sizeof head || recv(fd, head + len, 1, 0) != 1)
            client_die("a reader's head");
        len++;
    }
    if (memcmp(head, "HTTP/1.1 200 ", 13) != 0) {
        fprintf(stderr, "fanout_load: a reader got %.*s\n", (int)len, head);
        exit(1);
    }
}

static void open_reader(struct load *l, unsigned nth)
{
    char request[REQUEST_BYTES];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\n"
                     "Accept: text/event-stream\r\n\r\n",
                     l->path);
    int fd = client_connect(&l->to, nth, 0);
    l->readers[nth].fd = fd;
    client_send(fd, request, (size_t)n);
    read_head(fd);
    watch(l, fd, PUBLISHERS + nth);
}

static void open_all(struct load *l)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        l->publishers[i].fd = client_connect(&l->to, l->readers_n + i, 0);
        watch(l, l->publishers[i].fd, i);
    }
    for (unsigned i = 0; i < l->readers_n; i++)
        open_reader(l, i);
}

/* Loads. */

static bool all_arrived(const struct load *l)
{
    return l->answered == l->published &&
           l->delivered == l->published * l->readers_n;
}

/* Turns until everything has arrived, something broke, or time is up. */
static void wait_for_all(struct load *l)
{
    uint64_t end_ns = l->now_ns + GRACE_SECONDS * NS_PER_SECOND;
    while (!all_arrived(l) && l->faults == 0 && l->now_ns < end_ns)
        turn(l);
}

static void run_one(struct load *l, uint64_t until_ns)
{
    while (l->now_ns < until_ns && l->faults == 0 && all_arrived(l)) {
        publish(l, &l->publishers[0], l->now_ns);
        wait_for_all(l);
    }
}

static void run_many(struct load *l, uint64_t until_ns)
{
    while (l->now_ns < until_ns && l->faults == 0) {
        for (unsigned i = 0; i < PUBLISHERS; i++)
            if (l->publishers[i].owed == 0)
                publish(l, &l->publishers[i], client_clock_ns());
        turn(l);
    }
}

static struct publisher *free_publisher(struct load *l)
{
    for (unsigned i = 0; i < PUBLISHERS; i++)
        if (l->publishers[i].owed == 0)
            return &l->publishers[i];
    return NULL;
}

static void run_rate(struct load *l, uint64_t until_ns)
{
    uint64_t due_ns = l->now_ns;
    while (due_ns < until_ns && l->faults == 0 &&
           l->now_ns < until_ns + GRACE_SECONDS * NS_PER_SECOND) {
        struct publisher *p = free_publisher(l);
        if (p != NULL && l->now_ns >= due_ns) {
            publish(l, p, due_ns);
            due_ns += NS_PER_SECOND / RATE;
        }
        turn(l);
    }
}

static uint64_t count_lost(const struct load *l)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < l->readers_n; i++)
        lost += l->readers[i].messages > l->published
                    ? l->readers[i].messages - l->published
                    : l->published - l->readers[i].messages;
    return lost;
}

static uint64_t server_cpu_ns(const struct load *l)
{
    usleep(SETTLE_US);
    return l->pid > 0 ? client_process_cpu_ns(l->pid) : 0;
}

static void reset(struct load *l)
{
    l->published = l->answered = l->delivered = 0;
    l->idle_ns = 0;
    memset(&l->latency, 0, sizeof l->latency);
    for (unsigned i = 0; i < l->readers_n; i++)
        l->readers[i].messages = 0;
}

static void run(struct load *l, void (*body)(struct load *, uint64_t),
                uint64_t seconds)
{
    reset(l);
    uint64_t cpu_ns = server_cpu_ns(l);
    uint64_t start_ns = client_clock_ns();
    l->now_ns = start_ns;
    body(l, start_ns + seconds * NS_PER_SECOND);
    wait_for_all(l);
    uint64_t took_ns = l->now_ns - start_ns;
    cpu_ns = server_cpu_ns(l) - cpu_ns;
    printf("messages=%" PRIu64 "\ndeliveries=%" PRIu64 "\nseconds=%.3f\n"
           "cpu_ns=%" PRIu64 "\nidle=%.1f\np50_us=%.1f\np99_us=%.1f\n"
           "lost=%" PRIu64 "\nfaults=%" PRIu64 "\nend\n",
           l->published, l->delivered, (double)took_ns / 1e9, cpu_ns,
           100 * (double)l->idle_ns / (double)took_ns,
           latency_us(&l->latency, 0.50), latency_us(&l->latency, 0.99),
           count_lost(l), l->faults);
    fflush(stdout);
}

static bool obey(struct load *l, const char *line)
{
    static const struct {
        const char *name;
        void (*body)(struct load *, uint64_t);
    } loads[] = {{"one", run_one}, {"many", run_many}, {"rate", run_rate}};
    char name[LINE_BYTES];
    unsigned seconds;
    if (sscanf(line, "%63s %u", name, &seconds) != 2 || seconds > SECONDS_MAX)
        return false;
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
        if (strcmp(loads[i].name, name) == 0) {
            run(l, loads[i].body, seconds);
            return true;
        }
    return false;
}

/* The command line. */

static _Noreturn void usage(void)
{
    fputs("usage: fanout_load HOST:PORT PATH [-c READERS] [-P PID] [-u CPU]\n"
          "then on stdin: one|many|rate SECONDS\n",
          stderr);
    exit(2);
}

static void parse(struct load *l, int argc, char **argv)
{
    uint64_t n;
    for (int c; (c = getopt(argc, argv, "c:P:u:")) != -1;) {
        if (c == '?' || !client_number(optarg, CLIENTS_MAX * 1000, &n))
            usage();
        if (c == 'c')
            l->readers_n = (unsigned)n;
        else if (c == 'P')
            l->pid = (unsigned)n;
        else
            client_pin((unsigned)n);
    }
    if (argc - optind != 2 || !client_address(argv[optind], &l->to) ||
        l->readers_n == 0 || l->readers_n > CLIENTS_MAX)
        usage();
    l->path = argv[optind + 1];
}

int main(int argc, char **argv)
{
    static struct load l = {.readers_n = 1};
    char line[LINE_BYTES];
    parse(&l, argc, argv);
    client_allow_descriptors(l.readers_n + PUBLISHERS);
    write_request(&l);
    l.readers = calloc(l.readers_n, sizeof *l.readers);
    if (l.readers == NULL)
        client_die("readers");
    open_all(&l);
    printf("held=%u\n", l.readers_n);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL)
        if (!obey(&l, line))
            usage();
    free(l.readers);
    return l.faults > 0;
}
