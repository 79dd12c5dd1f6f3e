/* io_watch.h - one descriptor's interest in reading and writing.
 *
 * Promise    persistent events: what is armed stays armed until it is disarmed,
 *            and arming what is armed costs nothing.
 * Owns       two events inside the loop; the descriptor is the caller's.
 * Threads    the loop thread. */
#ifndef HTTPD_LOOP_IO_WATCH_H
#define HTTPD_LOOP_IO_WATCH_H

#include <event2/event_struct.h>
#include <stdbool.h>

struct worker;

struct io_watch {
    struct event read;
    struct event write;
    bool reads;  /* armed for reading */
    bool writes; /* armed for writing */
};

/* Nothing armed yet. The callbacks get arg. */
void io_watch_init(struct io_watch *io, struct worker *w, int fd,
                   void (*readable)(int fd, short what, void *arg),
                   void (*writable)(int fd, short what, void *arg), void *arg);

/* Arms or disarms; false when the loop has no memory for it. */
bool io_watch_set(struct io_watch *io, bool reads, bool writes);

#endif
