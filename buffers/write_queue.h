/* write_queue.h - what a connection still has to send, in order.
 *
 *      head                                                      tail
 *       v                                                         v
 *      [bytes 312]->[file 4096..1073741824]->[shared 65536]->[bytes 96....]
 *
 * Three kinds of segment: copied bytes in a block of the pool, a view of a
 * block that others may hold too, and a range of a file that leaves by
 * sendfile(). The marks count memory: bytes held, the sent part of the first
 * block of copied bytes among them, and the head of each block; file ranges
 * count nothing. A shared view counts its bytes, as if they were its own: the
 * last holder's are.
 *
 *      0 ........ low ............... high ........ hard
 *                  |                   |             |
 *      pull again below low    stop pulling at high  push refuses (FULL)
 *
 * Promise    bytes leave in the order in which they were pushed; a push takes
 *            everything or nothing.
 * Invariant  write_queue_check() walks it whole.
 * Limits     hard = high + WRITE_QUEUE_SLACK_BYTES: room for heads and framing
 *            around what a source was allowed to push. Only one shared view
 *            that came when no other bytes were held may go beyond.
 * Owns       its blocks, and a reference to each shared one; holds each file
 *            range until it is sent or dropped and then calls its release().
 * Threads    loop thread only.
 * Cost       push: one copy; skip: none. */
#ifndef BUFFERS_WRITE_QUEUE_H
#define BUFFERS_WRITE_QUEUE_H

#include "buffers/block_pool.h"
#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define WRITE_QUEUE_SLACK_BYTES (80u << 10)
#define WRITE_QUEUE_BLOCK_BYTES 192u /* overhead that a block counts with */

/* Part of an open file, and how to let go of it. */
struct file_range {
    int fd;
    uint64_t pos; /* first byte to send */
    uint64_t len; /* bytes to send, at least 1 */
    void (*release)(void *owner);
    void *owner;
};

struct write_segment;

struct write_queue {
    struct write_segment *head;
    struct write_segment *tail;
    struct block_pool *pool;
    enum budget_class budget; /* of its blocks; BUDGET_LEAVING at first */
    size_t blocks_n;
    size_t len;        /* bytes held, copied and shared */
    uint64_t file_len; /* bytes of file ranges held */
    size_t high;       /* bytes */
    size_t low;        /* bytes, <= high */
};

/* What may be sent next: copied bytes, or one file range, or neither. */
struct write_view {
    struct iovec *iov; /* the caller's array */
    int iov_n;
    const struct file_range *file; /* set when the head is a file range */
    bool more;                     /* something stands behind what is shown */
};

/* Empty; allocates nothing. The pool outlives the queue. */
void write_queue_init(struct write_queue *q, struct block_pool *pool,
                      size_t high_bytes, size_t low_bytes);

/* Drops what is left and releases every file range. */
void write_queue_fini(struct write_queue *q);

bool write_queue_empty(const struct write_queue *q);

/* Bytes a source may still push before the high mark. */
size_t write_queue_room(const struct write_queue *q);

/* Whether a source that was stopped by the high mark may be pulled again. */
bool write_queue_low(const struct write_queue *q);

/* Copies len bytes to the tail. DONE, FULL (beyond hard), NO_MEMORY. */
enum flow write_queue_push(struct write_queue *q, const void *data, size_t len);

/* Copies several pieces as one push, so that they stand in one block where
 * that is possible. DONE, FULL, NO_MEMORY. */
enum flow write_queue_push_all(struct write_queue *q, const struct str *pieces,
                               size_t n);

/* Appends bytes [at, at + len) of a block that nobody writes any more, len at
 * least 1, and takes over one reference of the caller's, also when the result
 * is not DONE. While no other bytes are held, a view of any size is taken:
 * FULL says wait, not never. DONE, FULL, NO_MEMORY. */
enum flow write_queue_push_block(struct write_queue *q, struct block *block,
                                 size_t at, size_t len);

/* Appends a file range and takes over its owner: release() is called once,
 * also when the result is not DONE. DONE, NO_MEMORY. */
enum flow write_queue_push_file(struct write_queue *q,
                                const struct file_range *range);

/* Shows what may be sent next, in at most iov_n pieces of the caller's iov. */
void write_queue_peek(const struct write_queue *q, struct iovec *iov, int iov_n,
                      struct write_view *ret_view);

/* Drops n bytes from the head, n <= len + file_len; they were sent. */
void write_queue_skip(struct write_queue *q, uint64_t n);

/* Walks the queue and asserts every invariant; for tests and debug builds. */
void write_queue_check(const struct write_queue *q);

#endif
