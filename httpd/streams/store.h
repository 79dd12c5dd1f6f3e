/* store.h - where the bytes of a stream are kept: memory now, a log on disk
 * beside it later.
 *
 *      first                                            end
 *        v                                               v
 *        [message][message.........][message][message...]      positions only
 *        ^                          ^                    ^     grow
 *        a message begins           a message ends       next append
 *
 * Promise    an append is whole or nothing. Bytes once appended never change,
 *            so what stretch() lends may be read without the lock.
 * Invariant  first is a message's begin; end is the end of the last one.
 * Owns       what it keeps. A stretch that was lent is the caller's reference.
 * Threads    the stream's lock is held around every call.
 * Not for    policies: the stream decides what is dropped and when. */
#ifndef HTTPD_STREAMS_STORE_H
#define HTTPD_STREAMS_STORE_H

#include "buffers/block_pool.h"
#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Bytes [at, at + len) of a block; the reference is the caller's. */
struct stretch {
    struct block *block;
    size_t at;
    size_t len;
};

/* Message ends that one copy reports at most. */
#define STORE_ENDS_MAX 256u

/* What was copied from pos on: len bytes, and where in them messages end. */
struct store_copy {
    size_t len;
    size_t ends_n;
    uint32_t ends[STORE_ENDS_MAX]; /* offsets behind the last byte */
};

struct store_ops {
    const char *name;

    /* Each message is followed by suffix, which belongs to it. Blocks come
     * from pool, which belongs to the calling thread. DONE, NO_MEMORY. */
    enum flow (*append)(struct store *s, struct block_pool *pool,
                        const struct str *messages, size_t n,
                        struct str suffix);

    /* Lets go of what lies before pos, which is a message's begin or end; an
     * empty message lies before where it ends. */
    void (*drop)(struct store *s, uint64_t pos);

    /* Copies from pos at most cap bytes, and not more than end. */
    void (*copy)(struct store *s, uint64_t pos, uint64_t end, char *out,
                 size_t cap, struct store_copy *ret);

    /* The longest contiguous stretch from pos, up to end; pos < end. */
    void (*stretch)(struct store *s, uint64_t pos, uint64_t end,
                    struct stretch *ret);

    /* The end of the message that holds the byte at pos; first <= pos < end. */
    uint64_t (*message_end)(struct store *s, uint64_t pos);

    /* The begin of the message that holds the byte at pos, or pos where one
     * ends; first <= pos <= end. */
    uint64_t (*message_begin)(struct store *s, uint64_t pos);

    /* The end of the n-th message from pos on, n at least 1; end if there are
     * fewer, and *ret_found says how many there were. */
    uint64_t (*skip_messages)(struct store *s, uint64_t pos, uint64_t n,
                              uint64_t *ret_found);

    /* A store with the bytes before pos, first <= pos <= end, which are shared
     * and not copied. NULL when out of memory. */
    struct store *(*fork)(struct store *s, uint64_t pos);

    void (*free)(struct store *s);
};

struct store {
    const struct store_ops *ops;
    uint64_t first;
    uint64_t end;
    uint64_t messages_n; /* between first and end */
};

/* Keeps everything in blocks; memory is taken with the first byte. Holds less
 * than MEMORY_STORE_BYTES_MAX: an append beyond is NO_MEMORY. NULL when out of
 * memory. */
#define MEMORY_STORE_BYTES_MAX ((uint64_t)3 << 30)
struct store *memory_store_new(void);

#endif
