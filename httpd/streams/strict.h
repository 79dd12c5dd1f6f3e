/* strict.h - the mount that speaks the Durable Streams protocol.
 *
 *      PUT create | POST append, close | GET read, long-poll, SSE
 *      HEAD look  | DELETE             | OPTIONS for browsers
 *
 * Promise    what the protocol says, and nothing that it does not; the
 *            conformance suite runs against it.
 * Threads    the worker's.
 * Source     Durable Streams protocol 1.0 (durable-streams/durable-streams,
 *            PROTOCOL.md). */
#ifndef HTTPD_STREAMS_STRICT_H
#define HTTPD_STREAMS_STRICT_H

#include "httpd/streams/stream_request.h"

struct exchange;
struct gather_turn;

void strict_handle(struct exchange *x);

/* GET of either mount, once the stream is found; takes over the reference.
 * Catch-up, long-poll and the strict SSE. */
void strict_read(struct exchange *x, struct stream *s,
                 const struct read_request *want);

/* The entity tag of a stream's bytes [from, to); closed: and then no more. */
#define STREAM_TAG_BYTES 96u
size_t stream_tag(char out[STREAM_TAG_BYTES], const struct stream *s,
                  uint64_t from, uint64_t to, bool closed);

/* HEAD, and DELETE, of either mount. ranges: GET takes Range. */
void answer_head_of(struct exchange *x, struct str name, bool ranges);
void answer_head(struct exchange *x, struct stream *s, bool ranges);
void answer_delete(struct exchange *x, struct str name);

/* Finds a stream or answers why not. */
struct stream *find_or_refuse(struct exchange *x, struct str name);

/* The position that was asked for, or false and an answer: 400, 410. */
bool resolve_pos(struct exchange *x, struct stream *s,
                 const struct read_request *want, uint64_t *ret_pos);

/* 410: the offset that was asked for is beyond the tail. */
void answer_beyond(struct exchange *x, const struct stream_state *now);

/* A cursor beyond what the client sent. */
uint64_t next_cursor(struct exchange *x, uint64_t sent);

#endif
