/* gzip_filter.h - what a source pushes, compressed on its way to the queue.
 *
 *      push(piece) --> deflate --> emit(out), at most one step at a time
 *
 * Promise    what was pushed before a flush can be decoded from what was
 *            emitted up to then; after finish the emitted bytes are one gzip
 *            member with its check sum. Nothing is emitted between calls.
 * Limits     one filter holds at most GZIP_FILTER_BYTES_MAX, asked for through
 *            its own counting allocator: more is refused, not taken. An emit
 *            gets 1 to GZIP_FILTER_STEP_BYTES bytes. One call emits at most
 *            its piece plus GZIP_FILTER_HELD_BYTES, the most that deflate
 *            keeps back: this fits into the slack of the write queue.
 * Owns       the state of deflate; the bytes given to emit are good during
 *            that call only.
 * Threads    one at a time.
 * Cost       one deflate; no copy beside it.
 * Source     RFC 1952, RFC 9110 section 8.4.1.3. */
#ifndef HTTPD_HTTP_GZIP_FILTER_H
#define HTTPD_HTTP_GZIP_FILTER_H

#include "buffers/flow.h"
#include "buffers/str.h"

#define GZIP_FILTER_LEVEL_MIN  1
#define GZIP_FILTER_LEVEL_MAX  9
#define GZIP_FILTER_STEP_BYTES (16u << 10)

/* 128 KiB of window and links, 64 KiB of hash heads and pending output, and
 * some 6 KiB of state. The usual memory level takes 64 KiB more and made text
 * less than half a per cent smaller, or larger. */
#define GZIP_FILTER_BYTES_MAX (208u << 10)

/* Pending output of one block, and head or trailer around it. */
#define GZIP_FILTER_HELD_BYTES (34u << 10)

struct gzip_filter;

/* level is LEVEL_MIN (fastest) to LEVEL_MAX (smallest). NULL when out of
 * memory. */
struct gzip_filter *gzip_filter_new(int level);

/* NULL is fine. A filter that was not finished leaves a member without end. */
void gzip_filter_free(struct gzip_filter *f);

/* Compresses the piece; it may all be held back. DONE, or what emit said if
 * that was not DONE, and FAILED from then on: what emit refused is lost. */
enum flow gzip_filter_push(struct gzip_filter *f, struct str piece,
                           enum flow (*emit)(void *arg, struct str out),
                           void *arg);

/* Emits everything that is held back, so that a reader can decode it now. Each
 * flush costs some bytes of output; nothing happens when nothing was pushed
 * since the last one. Results as of push. */
enum flow gzip_filter_flush(struct gzip_filter *f,
                            enum flow (*emit)(void *arg, struct str out),
                            void *arg);

/* Emits the rest and the trailer; only free may follow. Results as of push. */
enum flow gzip_filter_finish(struct gzip_filter *f,
                             enum flow (*emit)(void *arg, struct str out),
                             void *arg);

#endif
