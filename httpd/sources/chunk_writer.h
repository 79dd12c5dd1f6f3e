/* chunk_writer.h - chunks of an exact size, larger than the queue if need be.
 *
 *      1000 CRLF | piece | piece | … | CRLF
 *      ^ raw       ^ raw, as there is room
 *
 * Promise    what was begun as one chunk is one chunk on the wire, however
 *            small the pieces in which it is pushed.
 * Limits     framing of at most CHUNK_FRAME_BYTES_MAX a chunk goes past the
 *            room of the exchange; the queue's slack is there for that.
 * Threads    the loop thread.
 * Not for    HTTP/1.0, which has no chunks: there the pieces go out plain.
 * Source     RFC 9112 section 7.1. */
#ifndef HTTPD_SOURCES_CHUNK_WRITER_H
#define HTTPD_SOURCES_CHUNK_WRITER_H

#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdint.h>

#define CHUNK_FRAME_BYTES_MAX 20u

struct exchange;

struct chunk_writer {
    uint64_t left; /* bytes that the chunk still lacks; 0 between chunks */
};

/* Begins a chunk; the one before is complete and size is at least 1. */
enum flow chunk_writer_begin(struct chunk_writer *w, struct exchange *x,
                             uint64_t size);

/* Pushes a part of the chunk, at most left bytes. */
enum flow chunk_writer_push(struct chunk_writer *w, struct exchange *x,
                            struct str piece);

#endif
