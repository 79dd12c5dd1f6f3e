/* stream_wait.h - a reader that comes before its stream.
 *
 * Promise    then() is called once, which answers the exchange: with the stream
 *            as soon as it is there, or with NULL when ms are over.
 * Limits     ms is bounded by the caller; the name is looked up every
 *            STREAM_WAIT_POLL_MS.
 * Owns       the reference that then() gets is then()'s.
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_STREAM_WAIT_H
#define HTTPD_STREAMS_STREAM_WAIT_H

#include "buffers/str.h"

#include <stdint.h>

struct exchange;
struct stream;

#define STREAM_WAIT_POLL_MS 50u

/* The name lives in the request. */
void stream_wait(struct exchange *x, struct str name, uint64_t ms,
                 void (*then)(struct exchange *x, struct stream *s));

#endif
