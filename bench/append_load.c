/* append_load.c - acknowledged appends over kept connections.
 *
 *   append_load HOST:PORT PATH [-c CONNECTIONS] [-m STREAMS] [-d DEPTH]
 *               [-b BYTES] [-s SECONDS] [-P PID] [-u PROCESSOR]
 *
 * Each connection POSTs BYTES, and again when it is answered: what counts is
 * answered with 2xx. With -d it sends DEPTH requests at once (RFC 9112 section
 * 9.3.2), and again when all are answered. With -m the connections take turns
 * in PATH-0, PATH-1, …
 *
 * Promise    every answer is read to its end; one that is not 2xx, or a closed
 *            connection, is a fault and makes the exit code 1. What is under
 *            way when time is up is waited for.
 *            cpu_ns is what the process PID used meanwhile, idle the share of
 *            the time in which no answer had arrived: while it is large, the
 *            load is not what is measured.
 * Limits     CONNECTIONS_MAX, STREAMS_MAX, DEPTH_MAX, BODY_BYTES_MAX,
 * SECONDS_MAX, GRACE_SECONDS beyond them. Threads    one, which does not sleep:
 * the server would pay for waking it. */
#include "bench/client/client.h"
#include "bench/latency.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1024,
    STREAMS_MAX = 1024,
    DEPTH_MAX = 32,
    BODY_BYTES_MAX = 16384,
    HEAD_BYTES = 512,
    SECONDS_MAX = 600,
    GRACE_SECONDS = 30,
    EVENTS_MAX = 256,
    SETTLE_US = 100000, /* until the server sleeps and its time is counted */
};

struct request {
    size_t len; /* of all that go out at once */
    char *bytes;
};

struct load {
    struct sockaddr_in to;
    const char *path;
    uint64_t connections;
    uint64_t streams; /* 0: PATH itself */
    uint64_t depth;
    uint64_t body_bytes;
    uint64_t seconds;
    uint64_t pid;
    struct publisher publishers[CONNECTIONS_MAX];
    struct request requests[STREAMS_MAX];
    int epoll;
    unsigned waiting;
    uint64_t now_ns;
    uint64_t idle_ns;
    uint64_t faults;
    struct latency latency;
};

static void write_request(struct load *l, unsigned nth)
{
    struct request *r = &l->requests[nth];
    char host[INET_ADDRSTRLEN];
    char suffix[16] = "";
    char head[HEAD_BYTES];
    if (l->streams > 0)
        snprintf(suffix, sizeof suffix, "-%u", nth);
    inet_ntop(AF_INET, &l->to.sin_addr, host, sizeof host);
    int n =
        snprintf(head, sizeof head,
                 "POST %s%s HTTP/1.1\r\nHost: %s:%u\r\n"
                 "Content-Type: application/octet-stream\r\n"
                 "Content-Length: %" PRIu64 "\r\n\r\n",
                 l->path, suffix, host, ntohs(l->to.sin_port), l->body_bytes);
    if (n < 0 || n >= HEAD_BYTES) {
        fprintf(stderr, "append_load: the path is too long\n");
        exit(2);
    }
    size_t one = (size_t)n + l->body_bytes;
    r->len = one * l->depth;
    r->bytes = malloc(r->len + 1);
    if (r->bytes == NULL)
        client_die("requests");
    for (size_t i = 0; i < l->depth; i++) {
        memcpy(r->bytes + i * one, head, (size_t)n);
        memset(r->bytes + i * one + n, 'a', l->body_bytes);
    }
}

static void append(struct load *l, unsigned nth)
{
    struct publisher *p = &l->publishers[nth];
    const struct request *r =
        &l->requests[l->streams > 0 ? nth % l->streams : 0];
    p->owed = (unsigned)l->depth;
    p->sent_ns = l->now_ns;
    client_send(p->fd, r->bytes, r->len);
}

static void drop(struct load *l, struct publisher *p)
{
    l->faults++;
    l->waiting--;
    close(p->fd);
}

static void step(struct load *l, unsigned nth, uint64_t until_ns)
{
    struct publisher *p = &l->publishers[nth];
    enum answer answer = publisher_take(p);
    if (answer == ANSWER_BAD)
        drop(l, p);
    if (answer != ANSWER_GOOD)
        return;
    for (uint64_t i = 0; i < l->depth; i++)
        latency_add(&l->latency, l->now_ns - p->sent_ns);
    if (l->now_ns < until_ns)
        append(l, nth);
    else
        l->waiting--;
}

static void open_all(struct load *l)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < l->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = i};
        l->publishers[i].fd = client_connect(&l->to, i, 0);
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->publishers[i].fd, &event))
            client_die("epoll_ctl");
    }
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];
    l->now_ns = client_clock_ns();
    uint64_t until_ns = l->now_ns + l->seconds * NS_PER_SECOND;
    uint64_t end_ns = until_ns + GRACE_SECONDS * NS_PER_SECOND;
    for (unsigned i = 0; i < l->connections; i++)
        append(l, i);
    l->waiting = (unsigned)l->connections;
    while (l->waiting > 0 && l->now_ns < end_ns) {
        uint64_t before_ns = l->now_ns;
        int n = epoll_wait(l->epoll, events, EVENTS_MAX, 0);
        l->now_ns = client_clock_ns();
        if (n <= 0)
            l->idle_ns += l->now_ns - before_ns;
        for (int i = 0; i < n; i++)
            step(l, events[i].data.u32, until_ns);
    }
    l->faults += l->waiting;
}

static uint64_t server_cpu_ns(const struct load *l)
{
    usleep(SETTLE_US);
    return l->pid > 0 ? client_process_cpu_ns((unsigned)l->pid) : 0;
}

static void measure(struct load *l)
{
    uint64_t cpu_ns = server_cpu_ns(l);
    uint64_t start_ns = client_clock_ns();
    run(l);
    double took = (double)(l->now_ns - start_ns) / 1e9;
    cpu_ns = server_cpu_ns(l) - cpu_ns;
    printf("appends=%" PRIu64 "\nseconds=%.3f\nper_second=%.0f\n"
           "cpu_ns=%" PRIu64 "\nidle=%.1f\np50_us=%.1f\np99_us=%.1f\n"
           "faults=%" PRIu64 "\n",
           l->latency.n, took, (double)l->latency.n / took, cpu_ns,
           100 * (double)l->idle_ns / 1e9 / took, latency_us(&l->latency, 0.50),
           latency_us(&l->latency, 0.99), l->faults);
}

/* The command line. */

static _Noreturn void usage(void)
{
    fputs("usage: append_load HOST:PORT PATH [-c CONNECTIONS] [-m STREAMS]\n"
          "                   [-d DEPTH] [-b BYTES] [-s SECONDS] [-P PID]\n"
          "                   [-u CPU]\n",
          stderr);
    exit(2);
}

static bool parse_option(struct load *l, int c)
{
    uint64_t cpu;
    switch (c) {
    case 'c':
        return client_number(optarg, CONNECTIONS_MAX, &l->connections);
    case 'm':
        return client_number(optarg, STREAMS_MAX, &l->streams);
    case 'd':
        return client_number(optarg, DEPTH_MAX, &l->depth) && l->depth > 0;
    case 'b':
        return client_number(optarg, BODY_BYTES_MAX, &l->body_bytes);
    case 's':
        return client_number(optarg, SECONDS_MAX, &l->seconds);
    case 'P':
        return client_number(optarg, UINT32_MAX, &l->pid);
    case 'u':
        if (!client_number(optarg, 1023, &cpu))
            return false;
        client_pin((unsigned)cpu);
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static struct load l = {
        .connections = 64, .depth = 1, .body_bytes = 128, .seconds = 3};
    for (int c; (c = getopt(argc, argv, "c:m:d:b:s:P:u:")) != -1;)
        if (!parse_option(&l, c))
            usage();
    if (argc - optind != 2 || !client_address(argv[optind], &l.to) ||
        l.connections == 0)
        usage();
    l.path = argv[optind + 1];
    client_allow_descriptors((unsigned)l.connections);
    for (unsigned i = 0; i < STREAMS_MAX && (i == 0 || i < l.streams); i++)
        write_request(&l, i);
    open_all(&l);
    measure(&l);
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        free(l.requests[i].bytes);
    return l.faults > 0;
}
