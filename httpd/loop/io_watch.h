/* io_watch.h - what the kernel tells of one descriptor, edge-triggered.
 *
 * Promise    registered once and never changed: every change of readiness is
 *            told once, so what was told must be remembered until a call says
 *            that it is used up. Registering tells what is ready already.
 *            IO_CLOSED stands with the edge that the peer's FIN came before,
 *            or has an edge of its own; after an error, both READABLE and
 *            WRITABLE are told.
 * Owns       one event inside the loop; the descriptor is the caller's.
 * Threads    the loop thread.
 * Cost       one epoll_ctl() in the life of a connection.
 * Source     epoll(7), EPOLLET and EPOLLRDHUP. */
#ifndef HTTPD_LOOP_IO_WATCH_H
#define HTTPD_LOOP_IO_WATCH_H

#include <event2/event_struct.h>
#include <stdbool.h>

struct worker;

enum {
    IO_READABLE = 1, /* bytes, the end, or an error can be read */
    IO_WRITABLE = 2, /* the socket has room again */
    IO_CLOSED = 4,   /* the peer has shut down its side */
};

struct io_watch {
    struct event event;
    void (*changed)(unsigned edges, void *arg);
    void *arg;
};

/* False when the loop has no memory for it. */
bool io_watch_start(struct io_watch *io, struct worker *w, int fd,
                    void (*changed)(unsigned edges, void *arg), void *arg);

/* Nothing more is told; harmless when it was not started. */
void io_watch_stop(struct io_watch *io);

#endif
