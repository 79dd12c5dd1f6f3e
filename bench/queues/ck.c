#include "bench/queues/queue.h"
#include "bench/queues/slots.h"

#include <ck_ring.h>

/* One more than it holds, and a power of two. */
#define RING_SIZE_MAX 4096u

struct ck_queue {
    struct slots slots;
    struct ck_ring ring;
    struct ck_ring_buffer *pointers;
    bool single; /* one on each side: the variant without atomic updates */
    atomic_bool closed;
};

static unsigned ring_size(size_t cap)
{
    unsigned size = 4;
    while (size < cap + 1)
        size *= 2;
    assert(size <= RING_SIZE_MAX);
    return size;
}

static void *make(const struct queue_shape *shape)
{
    struct ck_queue *q = aligned_alloc(SLOTS_LINE_BYTES, sizeof *q);
    assert(q);
    memset(q, 0, sizeof *q);
    slots_init(&q->slots, shape);
    unsigned size = ring_size(shape->cap);
    q->pointers = calloc(size, sizeof q->pointers[0]);
    assert(q->pointers);
    ck_ring_init(&q->ring, size);
    q->single = shape->threads == 1;
    return q;
}

static void drop(void *arg)
{
    struct ck_queue *q = arg;
    free(q->pointers);
    slots_fini(&q->slots);
    free(q);
}

static bool enqueue(struct ck_queue *q, struct slot *slot)
{
    return q->single ? ck_ring_enqueue_spsc(&q->ring, q->pointers, slot)
                     : ck_ring_enqueue_mpmc(&q->ring, q->pointers, slot);
}

static bool dequeue(struct ck_queue *q, void *ret_slot)
{
    return q->single ? ck_ring_dequeue_spsc(&q->ring, q->pointers, ret_slot)
                     : ck_ring_dequeue_mpmc(&q->ring, q->pointers, ret_slot);
}

static void put(void *arg, unsigned who, const void *elem, size_t n)
{
    struct ck_queue *q = arg;
    unsigned spins = 0;
    assert(n == 1);
    struct slot *slot = slots_take(&q->slots, who, elem);
    while (!enqueue(q, slot))
        queue_spin(&spins);
}

static size_t get(void *arg, void *elem, size_t n)
{
    struct ck_queue *q = arg;
    struct slot *slot = NULL;
    unsigned spins = 0;
    assert(n == 1);
    for (;;) {
        /* Closed is looked at first: what came before it is found then. */
        bool closed = atomic_load(&q->closed);
        if (dequeue(q, (void *)&slot))
            break;
        if (closed)
            return 0;
        queue_spin(&spins);
    }
    slots_give(&q->slots, slot, elem);
    return 1;
}

static void close_queue(void *arg)
{
    struct ck_queue *q = arg;
    atomic_store(&q->closed, true);
}

const struct queue_ops queue_ck_ring = {
    .name = "ck_ring, spinning",
    .batch = 1,
    .shared_spin = true,
    .make = make,
    .drop = drop,
    .put = put,
    .get = get,
    .close = close_queue,
};
