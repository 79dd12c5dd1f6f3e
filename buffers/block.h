/* block.h - a piece of memory from a pool, shared by counting references.
 *
 *      struct block          data                                guard
 *      [ head | refs | len ] [##################...............] [8]
 *                             0               len             cap
 *
 * Promise    whoever holds a reference may read [0, len); the bytes of a block
 *            with more than one reference are frozen. The last unref, on any
 *            thread, gives it back to the pool that it came from.
 * Owns       a reference each.
 * Threads    block_ref() and block_unref() any; writing: the sole holder.
 * Cost       a reference more or less: one locked instruction; the last one of
 *            a block that was never shared: none. */
#ifndef BUFFERS_BLOCK_H
#define BUFFERS_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum block_class {
    BLOCK_4K,
    BLOCK_64K,
    BLOCK_1M,
    BLOCK_4M,
    BLOCK_CLASSES,
};

struct block_pool;

/* What a holder may see; the rest is block_pool.c's. */
struct block {
    _Atomic uint32_t state; /* enum block_state */
    uint8_t class;          /* enum block_class */
    uint8_t budget;         /* enum budget_class that it was granted as */
    bool tracked;           /* in the pool's list of lent blocks */
    atomic_uint refs;
    uint32_t cap; /* bytes at data */
    uint32_t len; /* bytes filled; the holder's to set */
    struct block_pool *pool;
    struct block *next;   /* the pool's while it is kept, else the holder's */
    char *data;           /* of 1M and 4M blocks aligned to BLOCK_ALIGN_BYTES */
    const char *borrower; /* who has it: a literal */
    struct block *lent_next;
    struct block **lent_link;
    uint64_t lent_ms;
};

#define BLOCK_ALIGN_BYTES 4096u

/* One more holder; returns b. */
struct block *block_ref(struct block *b);

/* One holder less; NULL is fine. */
void block_unref(struct block *b);

static inline bool block_shared(const struct block *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) > 1;
}

#endif
