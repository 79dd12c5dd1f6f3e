/* queue.h - a queue that takes part in bench/buffers.
 *
 * Promise    put() takes all n elements, waiting for room; get() gives at
 *            least one and at most n, or 0 when it was closed and is empty.
 * Limits     n is 1, or batch where that is larger.
 * Threads    put() and get() from as many as were made room for, who tells
 *            the producers apart; make() and drop() from one. */
#ifndef BENCH_QUEUES_QUEUE_H
#define BENCH_QUEUES_QUEUE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_BATCH 32
#define QUEUE_SPINS 100 /* before a turn of the processor is given up */

struct queue_shape {
    size_t elem_bytes;
    size_t cap;       /* elements */
    unsigned threads; /* on each side */
};

struct queue_ops {
    const char *name;
    size_t batch;     /* elements in one call */
    bool shared_spin; /* many a side spin inside, without yielding */
    void *(*make)(const struct queue_shape *shape);
    void (*drop)(void *q);
    void (*put)(void *q, unsigned who, const void *elems, size_t n);
    size_t (*get)(void *q, void *elems, size_t n);
    void (*close)(void *q);
    uint64_t (*lost)(void *q); /* NULL: nothing ever is */
};

/* The plain one is the measure for the others. */
extern const struct queue_ops queue_plain;
extern const struct queue_ops queue_block;
extern const struct queue_ops queue_block_batch;
extern const struct queue_ops queue_growable;
extern const struct queue_ops queue_ring;
extern const struct queue_ops queue_pipe;
extern const struct queue_ops queue_ck_ring;
extern const struct queue_ops queue_wfcqueue;

static inline void queue_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* One turn of waiting, for queues that cannot sleep. */
static inline void queue_spin(unsigned *spins)
{
    if (++*spins % QUEUE_SPINS == 0)
        sched_yield();
    else
        queue_pause();
}

#endif
