/* stream_append.h - adding to a stream, and why it may be refused.
 *
 * Promise    all or nothing; what fails adds nothing and moves no sequence. The
 *            order of the checks stands in stream.h.
 * Refuses    by an assertion, a message without bytes: no reader could be told
 *            of it.
 * Owns       nothing: texts are the caller's during the call.
 * Threads    any; the stream's lock.
 * Source     Durable Streams protocol, append, closing, idempotent producers.
 */
#ifndef HTTPD_STREAMS_STREAM_APPEND_H
#define HTTPD_STREAMS_STREAM_APPEND_H

#include "httpd/streams/stream.h"

/* A producer's claim, or absent: id.at NULL. */
struct producer_claim {
    struct str id;
    uint64_t epoch;
    uint64_t seq;
};

struct append {
    struct str content_type; /* at NULL: not compared (close only) */
    const struct str *messages;
    size_t messages_n;
    struct producer_claim producer;
    struct str seq; /* Stream-Seq; at NULL: none */
    bool close;
    struct block_pool *pool; /* of the calling worker */
    uint64_t now_ms;         /* since 1970 */
};

enum append_result {
    APPEND_DONE,
    APPEND_DUPLICATE, /* of an idempotent producer: acknowledged before */
    APPEND_GONE,      /* deleted meanwhile */
    APPEND_CLOSED,    /* 409, Stream-Closed and the final offset */
    APPEND_TYPE,      /* 409 */
    APPEND_FENCED,    /* 403: a lower epoch; epoch is the current one */
    APPEND_BAD_EPOCH, /* 400: a new epoch begins with seq 0 */
    APPEND_SEQ_GAP,   /* 409: expected_seq */
    APPEND_SEQ_ORDER, /* 409: Stream-Seq does not grow */
    APPEND_TOO_LARGE, /* 413: can never fit; or its 2^53rd byte */
    APPEND_FULL,      /* policy block: wait for the tap */
    APPEND_REFUSED,   /* 503: no room by policy, or the budget */
    APPEND_NO_MEMORY, /* 503 */
    APPEND_PRODUCERS, /* 503: too many producers */
};

struct append_outcome {
    uint64_t tail;
    uint64_t epoch;        /* current one of the producer */
    uint64_t seq;          /* highest accepted one */
    uint64_t expected_seq; /* APPEND_SEQ_GAP */
    struct stream_need need;
    bool closed;
};

/* Appends all or nothing; tells the taps. */
enum append_result stream_append(struct stream *s, const struct append *a,
                                 struct append_outcome *ret);

#endif
