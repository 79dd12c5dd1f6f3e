/* flood_load.c - many SSE readers, some of which never read, and publishers at
 * full speed.
 *
 *   flood_load HOST:PORT PATH [-c READERS] [-x NTH] [-k PUBLISHERS] [-b BYTES]
 *              [-u PROCESSOR]
 *
 * Holds the readers, says "held=N", floods the stream for as long as the line
 * "flood SECONDS" on stdin says, tells what came of it, ends with "end", and
 * holds them until stdin ends.
 *
 * Promise    every NTH reader sends its request and then never reads, behind a
 *            receive buffer of STUCK_RCVBUF_BYTES. The others read and throw
 *            away whatever comes.
 *            Each publisher posts again when it is answered; an answer that is
 *            not 2xx ends the flood and makes the exit code 1.
 *            A reader that the server closes is counted, not a fault.
 * Limits     CLIENTS_MAX readers, PUBLISHERS_MAX, BODY_BYTES_MAX, SECONDS_MAX.
 * Threads    one. It does not sleep under load. */
#include "bench/client/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PUBLISHERS_MAX = 64,
    BODY_BYTES_MAX = 32768,
    SECONDS_MAX = 600,
    HEAD_BYTES = 1024,
    DISCARD_BYTES = 1 << 20,
    STUCK_RCVBUF_BYTES = 4096,
    EVENTS_MAX = 512,
    LINE_BYTES = 64,
};

struct load {
    struct sockaddr_in to;
    const char *path;
    uint64_t readers_n;
    uint64_t stuck_every;
    uint64_t publishers_n;
    uint64_t body_bytes;
    int *readers;
    struct publisher publishers[PUBLISHERS_MAX];
    int epoll;
    size_t request_len;
    char request[HEAD_BYTES + BODY_BYTES_MAX];
    uint64_t now_ns;
    uint64_t messages;
    uint64_t received_bytes;
    uint64_t faults;
};

static bool is_stuck(const struct load *l, uint64_t nth)
{
    return l->stuck_every > 0 && nth % l->stuck_every == 0;
}

static void write_request(struct load *l)
{
    int n = snprintf(l->request, HEAD_BYTES,
                     "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Type: text/plain\r\n"
                     "Content-Length: %" PRIu64 "\r\n\r\n",
                     l->path, l->body_bytes);
    if (n < 0 || n >= HEAD_BYTES) {
        fprintf(stderr, "flood_load: the path is too long\n");
        exit(2);
    }
    memset(l->request + n, 'x', l->body_bytes);
    l->request_len = (size_t)n + l->body_bytes;
}

/* Connections. */

static void watch(const struct load *l, int fd, uint64_t nth)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = nth};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        client_die("epoll_ctl");
}

static void must_be_200(int fd)
{
    static const char good[] = "HTTP/1.1 200 ";
    char head[sizeof good];
    if (recv(fd, head, sizeof good - 1, MSG_WAITALL) != sizeof good - 1 ||
        memcmp(head, good, sizeof good - 1) != 0) {
        fprintf(stderr, "flood_load: a reader is refused\n");
        exit(1);
    }
}

static void open_reader(struct load *l, unsigned nth)
{
    char request[HEAD_BYTES];
    bool stuck = is_stuck(l, nth);
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\n"
                     "Accept: text/event-stream\r\n\r\n",
                     l->path);
    int fd = client_connect(&l->to, nth, stuck ? STUCK_RCVBUF_BYTES : 0);
    l->readers[nth] = fd;
    client_send(fd, request, (size_t)n);
    if (stuck)
        return;
    must_be_200(fd);
    watch(l, fd, PUBLISHERS_MAX + nth);
}

static void open_all(struct load *l)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < l->readers_n; i++)
        open_reader(l, i);
    for (unsigned i = 0; i < l->publishers_n; i++) {
        l->publishers[i].fd =
            client_connect(&l->to, (unsigned)l->readers_n + i, 0);
        watch(l, l->publishers[i].fd, i);
    }
}

static bool is_open(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    return fd >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

static uint64_t count_open(const struct load *l, bool stuck)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < l->readers_n; i++)
        n += is_stuck(l, i) == stuck && is_open(l->readers[i]);
    return n;
}

/* The flood. */

/* MSG_TRUNC makes TCP throw the bytes away uncopied. */
static void discard(struct load *l, uint64_t nth)
{
    int *fd = &l->readers[nth];
    ssize_t n;
    while ((n = recv(*fd, NULL, DISCARD_BYTES, MSG_DONTWAIT | MSG_TRUNC)) > 0)
        l->received_bytes += (uint64_t)n;
    if (n == 0 || errno != EAGAIN) {
        close(*fd);
        *fd = -1;
    }
}

static void step(struct load *l, uint64_t nth)
{
    if (nth >= PUBLISHERS_MAX) {
        discard(l, nth - PUBLISHERS_MAX);
        return;
    }
    enum answer answer = publisher_take(&l->publishers[nth]);
    l->messages += answer == ANSWER_GOOD;
    l->faults += answer == ANSWER_BAD;
}

static void flood(struct load *l, uint64_t seconds)
{
    struct epoll_event events[EVENTS_MAX];
    l->now_ns = client_clock_ns();
    uint64_t until_ns = l->now_ns + seconds * NS_PER_SECOND;
    while (l->now_ns < until_ns && l->faults == 0) {
        for (unsigned i = 0; i < l->publishers_n; i++)
            if (l->publishers[i].owed == 0) {
                l->publishers[i].owed = 1;
                client_send(l->publishers[i].fd, l->request, l->request_len);
            }
        int n = epoll_wait(l->epoll, events, EVENTS_MAX, 0);
        for (int i = 0; i < n; i++)
            step(l, events[i].data.u64);
        l->now_ns = client_clock_ns();
    }
    for (unsigned i = 0; i < l->publishers_n; i++)
        close(l->publishers[i].fd);
}

static void report(const struct load *l)
{
    printf("messages=%" PRIu64 "\npublished_bytes=%" PRIu64
           "\nreceived_bytes=%" PRIu64 "\nopen_reading=%" PRIu64
           "\nopen_stuck=%" PRIu64 "\nfaults=%" PRIu64 "\nend\n",
           l->messages, l->messages * l->body_bytes, l->received_bytes,
           count_open(l, false), count_open(l, true), l->faults);
    fflush(stdout);
}

/* The command line. */

static _Noreturn void usage(void)
{
    fputs("usage: flood_load HOST:PORT PATH [-c READERS] [-x NTH]\n"
          "                  [-k PUBLISHERS] [-b BYTES] [-u CPU]\n"
          "then on stdin: flood SECONDS\n",
          stderr);
    exit(2);
}

static bool parse_option(struct load *l, int c)
{
    uint64_t cpu;
    switch (c) {
    case 'c':
        return client_number(optarg, CLIENTS_MAX, &l->readers_n);
    case 'x':
        return client_number(optarg, CLIENTS_MAX, &l->stuck_every);
    case 'k':
        return client_number(optarg, PUBLISHERS_MAX, &l->publishers_n);
    case 'b':
        return client_number(optarg, BODY_BYTES_MAX, &l->body_bytes);
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
    static struct load l = {.readers_n = 10000,
                            .stuck_every = 10,
                            .publishers_n = 16,
                            .body_bytes = 16384};
    char line[LINE_BYTES];
    unsigned seconds;
    for (int c; (c = getopt(argc, argv, "c:x:k:b:u:")) != -1;)
        if (!parse_option(&l, c))
            usage();
    if (argc - optind != 2 || !client_address(argv[optind], &l.to))
        usage();
    l.path = argv[optind + 1];
    client_allow_descriptors((unsigned)(l.readers_n + l.publishers_n));
    write_request(&l);
    l.readers = calloc(l.readers_n + 1, sizeof *l.readers);
    if (l.readers == NULL)
        client_die("readers");
    open_all(&l);
    printf("held=%" PRIu64 "\n", count_open(&l, false) + count_open(&l, true));
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL ||
        sscanf(line, "flood %u", &seconds) != 1 || seconds > SECONDS_MAX)
        usage();
    flood(&l, seconds);
    report(&l);
    while (fgets(line, sizeof line, stdin) != NULL)
        ;
    free(l.readers);
    return l.faults > 0;
}
