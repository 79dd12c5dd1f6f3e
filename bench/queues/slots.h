/* slots.h - memory for the elements of queues that carry pointers only.
 *
 *      slot: | node | busy | element ... |  one after the other, from 64
 *
 * Promise    the bytes of an element are copied in and out, as they are in
 *            queues that own their storage; a slot is used again when its
 *            element was copied out.
 * Owns       the slots; a fixed number for each producer.
 * Threads    take() each producer for itself, give() any. Both ends spin and
 *            yield: nothing sleeps here.
 * Cost       no allocation for an element. */
#ifndef BENCH_QUEUES_SLOTS_H
#define BENCH_QUEUES_SLOTS_H

#include "bench/queues/queue.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_LINE_BYTES    64
#define SLOTS_PRODUCERS_MAX 4

struct slot {
    void *node[2]; /* for the queue's own links */
    atomic_bool busy;
    _Alignas(16) char elem[];
};

struct slots {
    size_t elem_bytes;
    size_t stride; /* bytes */
    size_t n;      /* slots of each producer */
    char *memory;
    struct {
        _Alignas(SLOTS_LINE_BYTES) size_t next;
    } producers[SLOTS_PRODUCERS_MAX];
};

static inline void slots_init(struct slots *s, const struct queue_shape *shape)
{
    size_t bytes = sizeof(struct slot) + shape->elem_bytes;
    memset(s, 0, sizeof *s);
    s->elem_bytes = shape->elem_bytes;
    s->stride =
        (bytes + SLOTS_LINE_BYTES - 1) & ~(size_t)(SLOTS_LINE_BYTES - 1);
    s->n = shape->cap / shape->threads;
    assert(s->n > 0 && shape->threads <= SLOTS_PRODUCERS_MAX);
    bytes = s->n * shape->threads * s->stride;
    s->memory = aligned_alloc(SLOTS_LINE_BYTES, bytes);
    assert(s->memory);
    memset(s->memory, 0, bytes);
}

static inline void slots_fini(struct slots *s)
{
    free(s->memory);
}

/* A free slot with a copy of the element, waiting until there is one. */
static inline struct slot *slots_take(struct slots *s, unsigned who,
                                      const void *elem)
{
    size_t *next = &s->producers[who].next;
    char *at = s->memory + (who * s->n + *next) * s->stride;
    struct slot *slot = (struct slot *)(void *)at;
    unsigned spins = 0;
    *next = *next + 1 == s->n ? 0 : *next + 1;
    while (atomic_load_explicit(&slot->busy, memory_order_acquire))
        queue_spin(&spins);
    atomic_store_explicit(&slot->busy, true, memory_order_relaxed);
    memcpy(slot->elem, elem, s->elem_bytes);
    return slot;
}

static inline void slots_give(const struct slots *s, struct slot *slot,
                              void *ret_elem)
{
    memcpy(ret_elem, slot->elem, s->elem_bytes);
    atomic_store_explicit(&slot->busy, false, memory_order_release);
}

#endif
