/* exchange.h - one request and its response, whatever carries them.
 *
 *      carrier (an HTTP/1 connection)      handler of the route
 *        | head complete ------------------> route->handle(x)
 *        |                                     | response_*()   (response.h)
 *        | room below the high mark -> source.pull(x) -> exchange_push()
 *        | body bytes, when it has room -----> body.push(x, piece)
 *        | either end gives up --------------> source.stop(), body.stop()
 *
 * Promise    a source is pulled only while exchange_room() is above 0; stop()
 *            is called exactly once for every source and body that was given.
 * Owns       its request; the queue and the carrier are borrowed.
 * Threads    its worker's loop thread only. Nothing here blocks.
 * Not for    sockets: a handler never sees one. */
#ifndef HTTPD_HTTP_EXCHANGE_H
#define HTTPD_HTTP_EXCHANGE_H

#include "buffers/flow.h"
#include "buffers/str.h"
#include "buffers/write_queue.h"
#include "parser/request.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct follower_ops;
struct gzip_filter;
struct outlet;
struct route;
struct worker;

/* Where a response body comes from. */
struct source_ops {
    const char *name;

    /* Pushes file ranges, so it is also asked when memory is short. */
    bool file_backed;

    /* Pushes at most exchange_room(x) bytes. DONE: pushed something. AGAIN:
     * nothing now, exchange_wake() will be called, or more than
     * sendfile_chunk_max of files is queued: it is pulled each time before
     * so much is sent. END: that was all (bytes may have been pushed in the
     * same call). FAILED: the response cannot be completed; the connection
     * ends as x->failure says. */
    enum flow (*pull)(void *self, struct exchange *x);

    /* Frees self. The last call, whatever happened. */
    void (*stop)(void *self);
};

/* Where a request body goes. */
struct body_ops {
    const char *name;

    /* Bytes that push() would take now. 0: the connection is not read until
     * exchange_wake(), or until the write queue has room again. */
    size_t (*room)(void *self, struct exchange *x);

    /* Takes all of the piece, which is good during the call only.
     * DONE or FAILED. */
    enum flow (*push)(void *self, struct exchange *x, struct str piece);

    /* The body is complete; x->req has its trailers. */
    void (*end)(void *self, struct exchange *x);

    /* Frees self; may be NULL (when the source frees it). The last call. */
    void (*stop)(void *self);
};

/* How a connection ends whose response could not be completed. */
enum failure {
    FAILURE_RESET, /* RST: nobody takes it for a complete response */
    FAILURE_CUT,   /* FIN in mid-body; the lab's /lab/truncate asks for it */
};

enum framing {
    FRAMING_NONE,        /* no body: HEAD, 204, 304 */
    FRAMING_LENGTH,      /* Content-Length */
    FRAMING_CHUNKED,     /* Transfer-Encoding: chunked */
    FRAMING_UNTIL_CLOSE, /* HTTP/1.0 without a length */
};

/* What carries an exchange: what it may ask of its connection. */
struct carrier_ops {
    void (*wake)(struct exchange *x);

    /* Whether the client is on this machine. */
    bool (*from_loopback)(const struct exchange *x);

    /* The connection's way out, for a follower. */
    struct outlet *(*outlet)(struct exchange *x);
};

#define EXCHANGE_MAGIC 0x5c11ce01u

struct exchange {
    uint32_t magic;
    struct exchange *next; /* in the worker's list of free ones */
    struct request req;
    struct worker *worker;
    const struct route *route;
    const struct carrier_ops *carrier_ops;
    void *carrier;
    struct write_queue *out;

    /* response */
    int status;      /* 0 until response_begin() */
    bool head_sent;  /* the head is in the queue */
    bool finished;   /* everything is in the queue */
    bool keep_alive; /* the connection may serve another request */
    bool broken;     /* a push failed: end the connection */
    bool length_known;
    bool length_unsaid;       /* HEAD: no field of it */
    uint8_t framing;          /* enum framing */
    uint8_t failure;          /* enum failure */
    uint64_t length;          /* declared body bytes, when length_known */
    uint64_t sent;            /* body bytes pushed, before chunk framing */
    struct str always;        /* lines that every answer has; a literal */
    struct bytes trailers;    /* "Name: value\r\n" lines for the last chunk */
    struct gzip_filter *gzip; /* between source and queue, or NULL */
    uint64_t gzip_bytes;      /* pushed into it */

    const struct source_ops *source;
    void *source_self;
    const struct follower_ops *follower; /* goes on when this is finished */
    void *follower_self;
    const struct body_ops *body;
    void *body_self;
    uint64_t body_bytes_max; /* the route's; a longer body gives 413 */
    bool body_pauses;        /* a live publisher: silence is no fault */
    bool continue_wanted;    /* 100 Continue is still to be sent */
    uint64_t started_ms;
    size_t charged; /* bytes of the budget; 0: there were none for it */
};

/* Bytes that the source may push now. */
size_t exchange_room(const struct exchange *x);

/* Pushes body bytes through filter and framing; when chunked without a filter,
 * one push is one chunk on the wire. On anything but DONE the exchange is
 * broken and the source should return FAILED. */
enum flow exchange_push(struct exchange *x, struct str piece);

/* Pushes a range of a file (never chunked, never filtered); takes over its
 * owner in any case. */
enum flow exchange_push_file(struct exchange *x,
                             const struct file_range *range);

/* Pushes bytes [at, at + len) of a block that nobody writes any more (length
 * framed, never filtered); takes over a reference in any case. An empty queue
 * takes more than exchange_room(): see write_queue_push_block(). */
enum flow exchange_push_block(struct exchange *x, struct block *block,
                              size_t at, size_t len);

/* Bytes that go out as they are, past the framing: the lab's broken chunks. */
enum flow exchange_push_raw(struct exchange *x, struct str piece);

/* Adds a field to the trailer section; chunked responses only. */
enum flow exchange_trailer(struct exchange *x, struct str name,
                           struct str value);

/* Has the connection look at this exchange again in this turn of the loop:
 * to pull the source, or to read more of the body. Loop thread only. */
void exchange_wake(struct exchange *x);

/* Directs the request body to ops; sends 100 Continue when it is awaited. To
 * be called by the handler, at most once; without it the body is discarded,
 * or the connection closed if that would be long. A body that is complete
 * with the head gets end() soon after. False (and an answer was given: 411,
 * 413) when the body cannot be taken; then stop() was called. */
bool exchange_read_body(struct exchange *x, const struct body_ops *ops,
                        void *self);

/* For a handler that cannot answer yet: ops->pull(self, x) is called now and
 * after every exchange_wake(x) until it has answered by response_*(); then
 * self is stopped, and what it answered with takes over. */
void exchange_defer(struct exchange *x, const struct source_ops *ops,
                    void *self);

/* What the carrier does with an exchange. */

/* NULL when out of memory. */
struct exchange *exchange_new(struct worker *w);
void exchange_free(struct exchange *x);

/* Takes all that a request may come to hold from the budget. When there is not
 * so much, charged stays 0, and the request is to be refused. Given back by
 * exchange_reset(). */
void exchange_charge(struct exchange *x);

/* Takes more, for what this response holds beside the queue. False: there is
 * not so much; answer 503. Given back by exchange_reset(). */
bool exchange_charge_more(struct exchange *x, size_t bytes);

/* The head is complete, so that what is held is known: gives back the rest. */
void exchange_settle(struct exchange *x);

/* Stops source and body and makes it ready for the next request. */
void exchange_reset(struct exchange *x);

/* Pulls until the queue is at its high mark, the source has nothing now, or
 * the turn's share is used up. DONE: ask again when there is room. AGAIN: the
 * source waits. END: the response is queued whole. FAILED: end the connection
 * as x->failure says. */
enum flow exchange_pump(struct exchange *x);

/* Whether there is anything to pull. */
bool exchange_has_source(const struct exchange *x);

/* Takes body bytes as they came; *ret_used of them belong to this request.
 * DONE: all was used, more is needed. FULL: the body has no room now. END: the
 * request is complete. FAILED: an error was answered, or x->broken is set. */
enum flow exchange_feed_body(struct exchange *x, const char *data, size_t len,
                             size_t *ret_used);

/* Answers an error in place of whatever was under way; the connection ends
 * after it. The head must not have been sent. */
void exchange_refuse(struct exchange *x, int status, const char *text);

/* Body bytes that may be read from the peer now. */
size_t exchange_body_room(struct exchange *x);

#endif
