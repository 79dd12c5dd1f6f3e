/* block_inner.h - what the files of the block pool share; for nobody else.
 *
 *      block_pool.c    get and put: the path of every response
 *      block_sweep.c   what is done now and then: sweep, statistics, the end
 *      block_fault.c   what shows that a block was misused, and telling of it
 *
 * Promise    a guard or a pattern that was set and not written since is whole.
 * Threads    the pool's owner; guards and faults: who holds the block. */
#ifndef BUFFERS_BLOCK_INNER_H
#define BUFFERS_BLOCK_INNER_H

#include "buffers/block.h"
#include "buffers/block_pool.h"

#include <assert.h>
#include <string.h>

#define BLOCK_POOL_MAGIC 0x4c4f4f50u

/* Words that memory rarely holds by chance, and that a debugger shows as text:
 * anything else is a damaged head. */
enum block_state {
    BLOCK_LENT = 0x544e454c,
    BLOCK_BACK = 0x4b434142,         /* on the return stack */
    BLOCK_KEPT = 0x5450454b,         /* its data is anything */
    BLOCK_KEPT_PATTERN = 0x5441504b, /* its data is the pattern */
    BLOCK_BAD = 0x21444142,          /* to be quarantined by the owner */
    BLOCK_GONE = 0x454e4f47,
};

static inline enum block_state block_state(const struct block *b)
{
    return (enum block_state)atomic_load_explicit(&b->state,
                                                  memory_order_relaxed);
}

static inline void block_set_state(struct block *b, enum block_state state)
{
    atomic_store_explicit(&b->state, state, memory_order_relaxed);
}

/* Another one in each block, so that a copied tail shows. */
static inline uint64_t block_guard_word(const struct block *b)
{
    return (uint64_t)(uintptr_t)b ^ UINT64_C(0x9e3779b97f4a7c15);
}

static inline void block_guard_set(struct block *b)
{
    uint64_t word = block_guard_word(b);
    memcpy(b->data + b->cap, &word, sizeof word);
}

static inline bool block_guard_whole(const struct block *b)
{
    uint64_t word;
    memcpy(&word, b->data + b->cap, sizeof word);
    return word == block_guard_word(b);
}

/* The owner alone writes a pool's figures, so nothing is locked. */
static inline uint64_t figure(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static inline void figure_set(_Atomic uint64_t *at, uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

static inline void figure_add(_Atomic uint64_t *at, uint64_t n)
{
    figure_set(at, figure(at) + n);
}

static inline void figure_subtract(_Atomic uint64_t *at, uint64_t n)
{
    assert(figure(at) >= n);
    figure_set(at, figure(at) - n);
}

/* block_pool.c */

bool block_pool_is_owner(const struct block_pool *p);

/* What is asked of malloc() for a block. */
size_t block_malloc_bytes(enum block_class c);

/* Takes home what other threads returned. */
void block_pool_collect(struct block_pool *p);

/* Frees the n blocks that were kept for longest. */
void block_pool_let_go(struct block_pool *p, enum block_class c, uint64_t n);

/* Tells the budget which classes its bytes serve now. */
void block_pool_settle(struct block_pool *p);

/* block_fault.c */

/* Counts a fault and tells of it; b may be NULL. */
void block_report(struct block_pool *p, enum block_fault fault,
                  enum block_class c, const struct block *b);

/* Of a damaged head; nothing in it is believed. */
void block_report_head(struct block_pool *p, const struct block *b);

/* A put of what is not lent. It stays in whatever list it is in, marked, so
 * that the owner takes it out there. */
void block_misput(struct block_pool *p, struct block *b);

/* The first n bytes of the data. */
void block_pattern_fill(struct block *b, size_t n);
bool block_pattern_whole(const struct block *b, size_t n);

/* Under the address sanitizer, nobody may touch the data in between. */
void block_poison(struct block *b);
void block_unpoison(struct block *b);

/* Kept for good, where a debugger and a leak checker find it. */
void block_quarantine(struct block *b);

#endif
