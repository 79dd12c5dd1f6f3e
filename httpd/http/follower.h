/* follower.h - a response that goes on for hours and needs no request any more.
 *
 *      handler --response_follow()--> head queued, exchange goes back
 *                                          |
 *      connection, state FOLLOW:  pull() when the queue has room
 *                                 push() with what the peer sends
 *                                 tick() in each sweep
 *
 * What many readers share does not pass through the queue: while it is empty
 * and the socket is writable, the follower may send through the outlet's sink.
 *
 * Promise    stop() is called exactly once, and nothing after it. The outlet is
 *            good until then.
 * Owns       the outlet is the connection's.
 * Threads    the worker's. */
#ifndef HTTPD_HTTP_FOLLOWER_H
#define HTTPD_HTTP_FOLLOWER_H

#include "buffers/flow.h"
#include "buffers/str.h"
#include "buffers/write_queue.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct outlet;
struct sink;
struct worker;

struct follower_ops {
    const char *name;

    /* The queue has room, or was emptied, or the socket takes bytes again.
     * DONE: ask again while there is room. AGAIN: nothing now, outlet->wake()
     * will be called. FULL: ask again when the queue is empty. END: all was
     * pushed. FAILED: cut the response off, what is queued still leaves. */
    enum flow (*pull)(void *self);

    /* Bytes that push() takes now; 0: the peer is not read. NULL: never. */
    size_t (*room)(void *self);

    /* Takes all of the piece, which is good during the call only. DONE, or
     * FAILED: the connection ends. */
    enum flow (*push)(void *self, struct str piece);

    /* In each sweep of the worker. */
    void (*tick)(void *self, uint64_t now_ms);

    /* Frees self. */
    void (*stop)(void *self);
};

struct outlet_ops {
    /* Has pull() called in this turn of the loop. */
    void (*wake)(struct outlet *o);

    /* Ends the connection by RST at the end of the turn: the reader fell
     * behind. text is one line for the log. */
    void (*drop)(struct outlet *o, const char *text);

    /* One line for the log, with the peer's address. */
    void (*note)(struct outlet *o, const char *text);
};

/* A connection's way out, lent to a follower. */
struct outlet {
    const struct outlet_ops *ops;
    struct worker *worker;
    struct write_queue *out;
    struct sink *sink;
    uint64_t direct_bytes; /* sent past the queue */
    uint64_t direct_ms;    /* when, the last time */
    int fd;
    bool writable; /* the socket is not known to be full */
};

/* Sends past the queue, which is empty; *ret_sent is valid whatever the result.
 * DONE: all; AGAIN: the socket is full; FAILED: the peer is gone. */
enum flow outlet_send(struct outlet *o, const struct iovec *iov, int iov_n,
                      size_t *ret_sent);

/* Sends the head that was begun (chunked for HTTP/1.1, else until close) and
 * hands the connection over. HEAD: the follower is stopped at once. A 101 head
 * has Connection: Upgrade and no framing. */
void response_follow(struct exchange *x, const struct follower_ops *ops,
                     void *self);

/* The outlet of the connection that carries x. */
struct outlet *exchange_outlet(struct exchange *x);

#endif
