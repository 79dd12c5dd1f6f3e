/* many.h - several streams on one connection: browsers allow six connections to
 * a host.
 *
 *      GET /s/?streams=a,b,c      SSE, or a WebSocket
 *
 *      {"stream":"a","offset":"…","data":{"x":1}}      a JSON message
 *      {"stream":"b","offset":"…","text":"hello"}      of a text stream
 *      {"stream":"c","offset":"…","base64":"AAEC"}     of any other
 *      {"stream":"a","gap":{"from":"…","to":"…"}}      what it has lost
 *      {"stream":"a","offset":"…","closed":true}       its end; "gone":true
 *
 * One object a message: the data of an event, whose id is the offsets of all
 * streams in their order ("12,0,55"), or a text message of a WebSocket. A long
 * message comes in parts, all but the last with "more":true; of JSON they are
 * text.
 *
 * Promise    every message of every stream in its order, or the gap. A stream
 *            without news does not hold up the others.
 *            Under policy block it holds up publishers as any reader does, and
 *            is evicted as such; limits of lag do not count, and a gap goes on
 *            at what is left.
 * Limits     MANY_STREAMS_MAX streams; parts of MANY_PART_BYTES.
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_MANY_H
#define HTTPD_STREAMS_MANY_H

#include "httpd/streams/stream_request.h"

#define MANY_STREAMS_MAX 64u
#define MANY_PART_BYTES  (12u << 10) /* a multiple of 3; escaped it fits */

struct exchange;

/* Answers GET of the mount itself when it has a list of streams; else false. */
bool many_handle(struct exchange *x);

#endif
