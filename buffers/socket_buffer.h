/* socket_buffer.h - the kernel's buffers of a socket: set, get, how full.
 *
 *      write() -> [ unsent | sent, not acknowledged ] -> wire
 *                  ^ unsent_bytes
 *                  ^--------- out_bytes -----------^     of send_cap
 *      wire -> [ in_bytes ] -> read()                    of receive_cap
 *
 * Promise    sizes are what the kernel will use, within the system's bounds
 *            (net.core.wmem_max, rmem_max): SO_SNDBUF and SO_RCVBUF are doubled
 *            by it for its own overhead, and this is undone here on the way
 *            in. Setting either ends the kernel's own tuning for good.
 * Refuses    nothing is asserted of the descriptor: false with errno, and a
 *            figure that this kind of socket does not have stays 0. What is
 *            returned through a pointer is set whatever the result.
 * Limits     of a UNIX socket out_bytes is memory, the kernel's overhead
 *            included, and there is no unsent_bytes.
 * Threads    any; system calls only.
 * Cost       one system call each; socket_fill() six.
 * Source     socket(7), tcp(7), Linux include/uapi/linux/sockios.h. */
#ifndef BUFFERS_SOCKET_BUFFER_H
#define BUFFERS_SOCKET_BUFFER_H

#include <stdbool.h>
#include <stdint.h>

enum socket_direction {
    SOCKET_SEND,
    SOCKET_RECEIVE,
};

struct socket_fill {
    uint64_t in_bytes;     /* SIOCINQ: received, not read */
    uint64_t out_bytes;    /* SIOCOUTQ: written, not acknowledged */
    uint64_t unsent_bytes; /* SIOCOUTQNSD: written, not sent */
    uint64_t send_cap;     /* SO_SNDBUF */
    uint64_t receive_cap;  /* SO_RCVBUF */

    /* TCP_INFO; 0 for other sockets. */
    uint64_t rtt_us;
    uint64_t window_bytes;  /* congestion window */
    uint64_t delivery_rate; /* bytes a second */
    uint64_t retransmits;
};

bool socket_buffer_set(int fd, enum socket_direction d, uint64_t bytes);
bool socket_buffer_get(int fd, enum socket_direction d, uint64_t *ret_bytes);

/* TCP_NOTSENT_LOWAT; 0 gives it back to the system's default. */
bool socket_unsent_limit_set(int fd, uint64_t bytes);

/* TCP_USER_TIMEOUT: how long written bytes may stay unacknowledged, a closed
 * window among that, before the connection is given up; 0: the system's. */
bool socket_set_user_timeout(int fd, uint64_t ms);

/* Probes a connection that is silent for so long (whole seconds), so that a
 * peer that went without a word is found: SO_KEEPALIVE, tcp(7). */
bool socket_set_keepalive(int fd, uint64_t idle_ms);

/* Bytes written and not acknowledged: SIOCOUTQ alone, for frequent use. */
bool socket_unacknowledged(int fd, uint64_t *ret_bytes);

bool socket_fill(int fd, struct socket_fill *ret_fill);

#endif
