#include "bench/queues/queue.h"
#include "buffers/buffer.h"

#include <assert.h>

#define GROWABLE_FIRST 64 /* elements of the first allocation */
#define GROWABLE_TIMES 16 /* its ceiling, beside the caps of the others */

static void *make(enum buffer_kind kind, const struct queue_shape *shape)
{
    struct buffer_config config = {.name = "bench",
                                   .kind = kind,
                                   .elem_bytes = shape->elem_bytes,
                                   .cap = shape->cap};
    if (kind == BUFFER_GROWABLE) {
        config.cap = GROWABLE_FIRST;
        config.cap_max = shape->cap * GROWABLE_TIMES;
    }
    struct buffer *b = buffer_new(&config);
    assert(b);
    return b;
}

static void *make_block(const struct queue_shape *shape)
{
    return make(BUFFER_BLOCK, shape);
}

static void *make_growable(const struct queue_shape *shape)
{
    return make(BUFFER_GROWABLE, shape);
}

static void *make_ring(const struct queue_shape *shape)
{
    return make(BUFFER_RING, shape);
}

static void drop(void *b)
{
    buffer_free(b);
}

static void put_one(void *b, unsigned who, const void *elem, size_t n)
{
    enum flow r = buffer_add(b, elem);
    (void)who;
    (void)n;
    assert(r == FLOW_DONE);
}

/* At its ceiling it refuses, and the caller decides. */
static void put_growable(void *b, unsigned who, const void *elem, size_t n)
{
    (void)who;
    (void)n;
    while (buffer_add(b, elem) == FLOW_FULL)
        sched_yield();
}

static void put_batch(void *b, unsigned who, const void *elems, size_t n)
{
    size_t taken;
    enum flow r = buffer_write(b, elems, n, &taken);
    (void)who;
    assert(r == FLOW_DONE && taken == n);
}

static size_t get_one(void *b, void *elem, size_t n)
{
    (void)n;
    return buffer_next(b, elem) == FLOW_DONE;
}

static size_t get_batch(void *b, void *elems, size_t n)
{
    size_t got;
    buffer_read(b, elems, n, &got);
    return got;
}

static void close_queue(void *b)
{
    buffer_close_write(b);
}

static uint64_t lost(void *b)
{
    struct buffer_stats stats;
    buffer_stats(b, &stats);
    return stats.lost;
}

const struct queue_ops queue_block = {
    .name = "Sluice block, add and next",
    .batch = 1,
    .make = make_block,
    .drop = drop,
    .put = put_one,
    .get = get_one,
    .close = close_queue,
};

const struct queue_ops queue_block_batch = {
    .name = "Sluice block, write and read of 32",
    .batch = QUEUE_BATCH,
    .make = make_block,
    .drop = drop,
    .put = put_batch,
    .get = get_batch,
    .close = close_queue,
};

const struct queue_ops queue_growable = {
    .name = "Sluice growable, add and next",
    .batch = 1,
    .make = make_growable,
    .drop = drop,
    .put = put_growable,
    .get = get_one,
    .close = close_queue,
};

const struct queue_ops queue_ring = {
    .name = "Sluice ring, add and next",
    .batch = 1,
    .make = make_ring,
    .drop = drop,
    .put = put_one,
    .get = get_one,
    .close = close_queue,
    .lost = lost,
};
