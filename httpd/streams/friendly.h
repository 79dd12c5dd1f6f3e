/* friendly.h - the mount for people with curl, EventSource and WebSocket.
 *
 *      GET     what is there, a range, or live: raw, ndjson, SSE, WebSocket,
 *              long-poll; from= and wait=
 *      POST    and PUT append; the first write makes the stream
 *      HEAD, DELETE, OPTIONS as on the strict mount
 *
 * Promise    the same streams as on the strict mount, with fewer questions: a
 *            missing type is the stream's own, a missing offset has a meaning.
 * Threads    the worker's.
 * Source     RFC 8673 (ranges of what grows), RFC 6455, WHATWG HTML 9.2. */
#ifndef HTTPD_STREAMS_FRIENDLY_H
#define HTTPD_STREAMS_FRIENDLY_H

#include "httpd/streams/stream_request.h"

struct exchange;

void friendly_handle(struct exchange *x);

/* GET; the stream may have to come first. */
void friendly_read(struct exchange *x, struct str name);

/* Answers a Range field, if it is one that can be answered; takes over the
 * reference then. */
bool friendly_range(struct exchange *x, struct stream *s);

#endif
