/* publish.h - from a request body into a stream.
 *
 *      body --whole-->  one append, all or nothing      (length, JSON,
 * producer)
 *           --pieces->  an append each, visible at once (chunked, live)
 *
 * Promise    a body that cannot be taken in the end is answered as soon as that
 *            is known. Under policy block the socket is not read while the
 *            stream is full; the wait is bounded by the stream's slow_after_ms
 *            and PUBLISH_WAIT_MS, then 503.
 * Limits     a body that is gathered: append_bytes_max of the route.
 * Owns       a reference to the stream, taken over from the caller.
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_PUBLISH_H
#define HTTPD_STREAMS_PUBLISH_H

#include "httpd/streams/stream.h"

struct exchange;

#define PUBLISH_WAIT_MS 60000u

/* What went wrong before or beside the append itself. */
enum publish_fault {
    PUBLISH_APPENDED, /* the append was tried: see result */
    PUBLISH_EMPTY,    /* no body where one is needed */
    PUBLISH_BAD_JSON,
    PUBLISH_EMPTY_ARRAY,
    PUBLISH_TOO_LARGE, /* 413 */
    PUBLISH_TIMED_OUT, /* full for too long: 503 */
};

struct publish_result {
    enum publish_fault fault;
    enum append_result result;
    struct append_outcome outcome;
};

struct publish {
    struct producer_claim producer; /* texts live in the request */
    struct str seq;
    struct str content_type; /* at NULL: the stream's own */
    bool close;
    bool live;        /* pieces are appended as they come; no claim, no seq */
    bool empty_fine;  /* no body is an append of nothing (creation, closing) */
    bool empty_array; /* "[]" is an append of nothing (creation) */
    size_t body_max;  /* bytes that are gathered */

    /* Answers the exchange, once. created is passed through. */
    void (*answer)(struct exchange *x, struct stream *s,
                   const struct publish_result *result, bool created);
    bool created;
};

/* Reads the body of x into s; how is copied. */
void publish_start(struct exchange *x, struct stream *s,
                   const struct publish *how);

#endif
