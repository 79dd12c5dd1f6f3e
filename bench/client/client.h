/* client.h - what the load programs for live streams have in common.
 *
 * Promise    a connection from client_connect() is made, blocks for at most
 *            CLIENT_PATIENCE_SECONDS in one call, and sends without delay.
 *            A publisher takes exactly one answer per request: a status of
 *            2xx and as many bytes of body as its Content-Length says; no
 *            byte more than is owed.
 * Refuses    by ending the program: 2 for the command line, 1 for a system
 *            call that fails. Not for a server.
 * Limits     CLIENTS_MAX connections; an answer of PUBLISHER_BYTES; a request
 *            that fits the socket's send buffer.
 * Threads    one.
 * Not for    chunked answers, names that need a resolver.
 * Source     RFC 9112 sections 4, 6.2 and 9.3. */
#ifndef BENCH_CLIENT_CLIENT_H
#define BENCH_CLIENT_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLIENTS_MAX = 60000,
    CLIENTS_PER_ADDRESS = 1000,
    CLIENT_PATIENCE_SECONDS = 20,
    PUBLISHER_BYTES = 32768,
};

#define NS_PER_SECOND UINT64_C(1000000000)

enum answer {
    ANSWER_NOT_YET,
    ANSWER_GOOD, /* the last that was owed */
    ANSWER_BAD /* another status, no HTTP, closed, or more than was asked for */
};

/* All zeros but fd is ready to send. */
struct publisher {
    int fd;
    unsigned owed;    /* answers: the caller counts its requests here */
    uint64_t sent_ns; /* the caller's */
    size_t len;
    char buf[PUBLISHER_BYTES];
};

/* Monotonic; the same clock for every process of the machine. */
uint64_t client_clock_ns(void);

_Noreturn void client_die(const char *what);

/* Plain decimal up to most; false when it is not. */
bool client_number(const char *text, uint64_t most, uint64_t *ret_value);

/* HOST:PORT of IPv4; false when it is not. */
bool client_address(const char *text, struct sockaddr_in *ret_to);

void client_pin(unsigned cpu);

/* Raises the soft limit to the hard one, which must allow this many. */
void client_allow_descriptors(unsigned connections);

/* The nth connection: each CLIENTS_PER_ADDRESS have a loopback address of
 * their own, from 127.0.0.2 on. rcvbuf_bytes 0 leaves SO_RCVBUF alone. */
int client_connect(const struct sockaddr_in *to, unsigned nth,
                   int rcvbuf_bytes);

/* All of it or the end of the program. */
void client_send(int fd, const char *bytes, size_t len);

/* Takes what has arrived, without waiting. */
enum answer publisher_take(struct publisher *p);

/* Processor time of all threads, up to date once they sleep. */
uint64_t client_process_cpu_ns(unsigned pid);

#endif
