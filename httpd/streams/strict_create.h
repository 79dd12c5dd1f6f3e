/* strict_create.h - PUT: create a stream, or make sure that it is as asked.
 *
 * Promise    201 with the first content in it, or 200 when it is there with the
 *            same type, life span, closed state, fork parameters, and bounds
 * that were asked for; else 409. Nobody sees a stream before its first content
 * is in it; what is refused leaves nothing behind. Threads    the worker's.
 * Source     Durable Streams protocol, create and forks. */
#ifndef HTTPD_STREAMS_STRICT_CREATE_H
#define HTTPD_STREAMS_STRICT_CREATE_H

#include "httpd/streams/gather.h"
#include "httpd/streams/stream.h"

/* The body is whole. */
enum gather_step strict_create(struct exchange *x, struct gather_turn *turn);

/* The type of a new stream by what the request says. */
struct str creation_type(struct exchange *x, struct stream *source);

#endif
