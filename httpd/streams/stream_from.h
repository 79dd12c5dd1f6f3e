/* stream_from.h - where a reader begins, in words: ?from= and burst.
 *
 *      now     at the tail: what comes next
 *      start   at the oldest that is kept
 *      -64k    so many bytes before the tail, at the next message's begin
 *      -10s    with what was published in that time
 *
 * Bytes as number_read_bytes() has them; time ends in "s", "ms" or "h": "m" is
 * a mebibyte, so that five minutes are "-300s".
 *
 * Threads    pure; stream_from_pos() as of the stream. */
#ifndef HTTPD_STREAMS_STREAM_FROM_H
#define HTTPD_STREAMS_STREAM_FROM_H

#include "httpd/streams/stream.h"

enum stream_from_kind {
    FROM_NOW,
    FROM_START,
    FROM_BYTES,
    FROM_MS,
};

struct stream_from {
    enum stream_from_kind kind;
    uint64_t amount; /* of bytes or milliseconds back */
};

/* False, and *ret unchanged, when the text is none of these. */
bool stream_from_read(struct str text, struct stream_from *ret);

/* A position between first and tail, at a message's begin or the tail; now_ms
 * is since 1970. */
uint64_t stream_from_pos(struct stream *s, const struct stream_from *from,
                         uint64_t now_ms);

#endif
