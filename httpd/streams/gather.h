/* gather.h - a request body that is taken as a whole.
 *
 *      one piece from the read buffer ------------------> then(x, turn)
 *      several pieces --> growable bytes, bytes_max ----> then(x, turn)
 *                              '-- kept while it waits for room in a stream
 *
 * Promise    then() is called once, and once more for each time that it asked
 *            to wait: when there may be room, or at last with timed_out.
 * Refuses    a longer body with 413, none at all where a length must be with
 *            411, for want of memory 503.
 * Limits     bytes_max, charged as the request's; wait_ms.
 * Owns       the bytes, until the answer.
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_GATHER_H
#define HTTPD_STREAMS_GATHER_H

#include "httpd/streams/stream.h"

#include <stdbool.h>
#include <stddef.h>

struct exchange;
struct stream;

enum gather_step {
    GATHER_ANSWERED,
    GATHER_WAIT, /* for room in turn->stream, wait_ms at most in all */
};

struct gather_turn {
    char *body; /* may be written to when it was copied */
    size_t len;
    bool copied;
    bool timed_out;
    struct stream *stream;   /* out: a reference that is taken over */
    struct stream_need need; /* out */
    unsigned wait_ms;        /* out */
};

/* copies: the body is wanted in memory of its own. */
void gather_body(struct exchange *x, size_t bytes_max, bool copies,
                 enum gather_step (*then)(struct exchange *x,
                                          struct gather_turn *turn));

#endif
