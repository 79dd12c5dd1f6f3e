/* conn.h - one socket: its state, its queue, and when it ends.
 *
 *      accept -> IDLE -> HEAD -> EXCHANGE -> FLUSH -> IDLE ...
 *                                   |          '---> LINGER -> gone
 *                                   '-> FOLLOW -> FLUSH
 *
 * An event runs one turn: the steps of conn_state.def until none can go on,
 * one flush, and then whether to go on without another event is computed from
 * the state in one place. Pipelined requests are answered in the same turn, so
 * that their answers leave together.
 *
 * Promise    a turn does bounded work (limits.h); a connection ends for exactly
 *            one reason of close_reason.def and is freed at the end of a turn,
 *            never under its caller.
 * Limits     one read (read_size_max) of read-ahead; the queue's marks are the
 *            route's. While idle it owns no buffer at all, and counts with its
 *            own size in the budget; what is read ahead counts as a request.
 * Owns       its descriptor, queue, read-ahead, and the exchange under way.
 * Threads    its worker's loop thread.
 * Source     RFC 9112 section 9 (connection management). */
#ifndef HTTPD_CONN_CONN_H
#define HTTPD_CONN_CONN_H

#include "buffers/bytes.h"
#include "buffers/write_queue.h"
#include "httpd/conn/cold_read.h"
#include "httpd/conn/sink.h"
#include "httpd/http/follower.h"
#include "httpd/loop/io_watch.h"
#include "httpd/loop/worker.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define CONN_MAGIC      0x5c11c022u
#define CONN_PEER_BYTES (INET6_ADDRSTRLEN + 8)

enum conn_state {
#define STATE(name, step, leaves) CONN_##name,
#include "httpd/conn/conn_state.def"
#undef STATE
};

enum close_reason {
    CLOSE_NOT,
#define REASON(name, word, text) CLOSE_##name,
#include "httpd/conn/close_reason.def"
#undef REASON
};

/* Progress over a window of time, to find peers that are too slow. */
struct rate_window {
    uint64_t since_ms; /* 0 while nothing is expected of the peer */
    uint64_t bytes;    /* total at that time */
};

struct conn {
    uint32_t magic;
    enum conn_state state;
    enum close_reason closing; /* set once; the turn's end carries it out */
    struct worker *worker;
    struct conn *next;
    struct conn **link;        /* what points at this one */
    struct exchange *x;        /* under way, or NULL */
    const struct route *tuned; /* whose socket options are set */
    struct sink sink;
    struct write_queue out;
    struct outlet outlet;
    const struct follower_ops *follower; /* in FOLLOW, or NULL */
    void *follower_self;
    uint64_t follow_base;    /* bytes that were sent or queued before */
    struct cold_read cold;   /* of the file range at the queue's head */
    struct bytes read_ahead; /* read, but not its turn yet */
    size_t read_ahead_used;  /* its first bytes, used already */
    struct str in;           /* during a turn: read, not yet used */
    uint64_t since_ms;       /* when the state was entered */
    uint64_t in_bytes;
    uint64_t out_bytes;
    struct rate_window reading;
    struct rate_window writing;
    uint64_t out_ms; /* when bytes left last */
    size_t lingered_bytes;
    bool readable;            /* the socket may have bytes, or its end */
    bool may_read;            /* this turn has not read yet */
    bool keep_alive;          /* after the queue is flushed */
    bool pull_again;          /* the source has more as soon as there is room */
    bool pull_when_empty;     /* the follower has, once all has left */
    bool above_high;          /* the source waits for the low mark */
    bool half_closed;         /* the peer has shut down its side */
    bool admitted;            /* counted in conn_count */
    bool spare;               /* counted in refused_n: short of memory */
    bool short_of_memory;     /* only the operator's routes are served */
    bool starved;             /* the source waits for memory */
    bool reset;               /* end by RST */
    bool told;                /* why it ends is in the log */
    struct sockaddr_in6 peer; /* or a sockaddr_in */
    struct ready ready;
    struct io_watch io;
};

/* Takes over fd. Beyond the caps the peer is told so and let go. */
void conn_open(struct worker *w, int fd, const struct sockaddr_storage *peer);

/* Ends the connection when the turn is over; the first reason counts. */
void conn_close(struct conn *c, enum close_reason reason);

/* Looks at the deadlines of all connections of a worker. */
void conn_sweep(struct worker *w);

/* Closes all at once. */
void conn_close_all(struct worker *w);

/* The steps of conn_state.def. True: the state may have changed, go on. */
#define STATE(name, step, leaves) bool step(struct conn *c);
#include "httpd/conn/conn_state.def"
#undef STATE

void conn_enter(struct conn *c, enum conn_state state);

/* What was read ahead is used up, or not wanted any more. */
void conn_drop_read_ahead(struct conn *c);

/* Takes over what x was given to go on with. */
void conn_follow(struct conn *c);

/* Stops the follower, if there is one. */
void conn_stop_follower(struct conn *c);

extern const struct outlet_ops conn_outlet_ops;

/* Bytes that left, by the queue or past it. */
static inline uint64_t conn_sent_bytes(const struct conn *c)
{
    return c->out_bytes + c->outlet.direct_bytes;
}

/* The parts of a step that reads, or pulls. */

/* What comes from the peer, for the state that wants it: first what was read
 * ahead, then at most one read a turn. True: c->in holds something. */
bool conn_take_input(struct conn *c, size_t bytes_max);

/* n bytes of c->in are used. */
void conn_used_input(struct conn *c, size_t n);

/* Whether what waits for room or memory may be asked for more. */
bool conn_may_pull(struct conn *c);

/* Whether the state wants bytes from the peer. */
bool conn_wants_read(struct conn *c);

/* Closes c if it is late for its state. */
void conn_check_deadline(struct conn *c);

/* Whether it may still be served when memory is short: few at a time may, so
 * that the operator finds a way in. */
bool conn_spare(struct conn *c);

/* Answers a request that cannot be served; the connection ends after it. */
void conn_refuse(struct conn *c, int status, const char *text);

#endif
