/* block_pool.h - blocks of memory in two sizes, kept for reuse.
 *
 * Promise    a get is served from the kept blocks when one is there.
 * Limits     at most keep_bytes stay in the pool; what is beyond is freed.
 * Owns       the blocks it keeps; a borrower gives each back exactly once.
 * Threads    one: every worker has its own pool. */
#ifndef BUFFERS_BLOCK_POOL_H
#define BUFFERS_BLOCK_POOL_H

#include <stddef.h>
#include <stdint.h>

enum block_class {
    BLOCK_4K,
    BLOCK_64K,
    BLOCK_CLASSES,
};

/* Bytes of a block of each class, its allocator overhead left out. */
#define BLOCK_4K_BYTES  ((4u << 10) - 16u)
#define BLOCK_64K_BYTES ((64u << 10) - 16u)

struct block_pool_stats {
    uint64_t created;
    uint64_t retrieved;
    uint64_t returned;
    uint64_t destroyed;
    uint64_t in_use;
    uint64_t peak;
};

struct block_pool {
    void *kept[BLOCK_CLASSES]; /* linked through their first word */
    size_t kept_bytes;
    size_t keep_bytes;
    struct block_pool_stats stats[BLOCK_CLASSES];
};

/* Empty; it will keep at most keep_bytes for reuse. */
void block_pool_init(struct block_pool *p, size_t keep_bytes);

/* Frees the kept blocks. Every borrowed block must be back. */
void block_pool_fini(struct block_pool *p);

size_t block_class_bytes(enum block_class c);

/* A block of block_class_bytes(c) bytes with any content, or NULL. */
void *block_pool_get(struct block_pool *p, enum block_class c);

/* Gives back what block_pool_get() gave for the same class. */
void block_pool_put(struct block_pool *p, enum block_class c, void *block);

#endif
