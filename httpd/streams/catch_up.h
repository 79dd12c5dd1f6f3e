/* catch_up.h - a finite answer: what a stream has between two positions.
 *
 * Promise    Content-Length, and views of the stream's own blocks: nothing is
 *            copied but JSON, whose line feeds become commas in an array.
 *            Bytes that are dropped while a slow reader is under way reset the
 *            connection: a short body must not look whole.
 * Owns       a reference to the stream of its own.
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_CATCH_UP_H
#define HTTPD_STREAMS_CATCH_UP_H

#include "httpd/streams/stream.h"

struct exchange;

/* Sends the head that was begun and bytes [from, to) as the body; array: as a
 * JSON array of the messages. The stream is borrowed. */
void catch_up_send(struct exchange *x, struct stream *s, uint64_t from,
                   uint64_t to, bool array);

#endif
