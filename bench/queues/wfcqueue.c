#define _LGPL_SOURCE /* its calls inline: its best */

#include "bench/queues/queue.h"
#include "bench/queues/slots.h"

#include <urcu/wfcqueue.h>

struct wfc_queue {
    struct slots slots;
    _Alignas(SLOTS_LINE_BYTES) struct cds_wfcq_head head;
    _Alignas(SLOTS_LINE_BYTES) struct cds_wfcq_tail tail;
    bool single; /* one reader needs no lock */
    atomic_bool closed;
};

_Static_assert(sizeof(struct cds_wfcq_node) <= sizeof(void *[2]),
               "a slot has room for a node");

static void *make(const struct queue_shape *shape)
{
    struct wfc_queue *q = aligned_alloc(SLOTS_LINE_BYTES, sizeof *q);
    assert(q);
    memset(q, 0, sizeof *q);
    slots_init(&q->slots, shape);
    cds_wfcq_init(&q->head, &q->tail);
    q->single = shape->threads == 1;
    return q;
}

static void drop(void *arg)
{
    struct wfc_queue *q = arg;
    cds_wfcq_destroy(&q->head, &q->tail);
    slots_fini(&q->slots);
    free(q);
}

/* Bounded by its slots. */
static void put(void *arg, unsigned who, const void *elem, size_t n)
{
    struct wfc_queue *q = arg;
    assert(n == 1);
    struct slot *slot = slots_take(&q->slots, who, elem);
    struct cds_wfcq_node *node = (struct cds_wfcq_node *)(void *)slot->node;
    cds_wfcq_node_init(node);
    cds_wfcq_enqueue(&q->head, &q->tail, node);
}

static struct cds_wfcq_node *dequeue(struct wfc_queue *q)
{
    return q->single ? __cds_wfcq_dequeue_blocking(&q->head, &q->tail)
                     : cds_wfcq_dequeue_blocking(&q->head, &q->tail);
}

static size_t get(void *arg, void *elem, size_t n)
{
    struct wfc_queue *q = arg;
    struct cds_wfcq_node *node;
    unsigned spins = 0;
    assert(n == 1);
    for (;;) {
        /* Closed is looked at first: what came before it is found then. */
        bool closed = atomic_load(&q->closed);
        node = dequeue(q);
        if (node)
            break;
        if (closed)
            return 0;
        queue_spin(&spins);
    }
    slots_give(&q->slots, (struct slot *)(void *)node, elem);
    return 1;
}

static void close_queue(void *arg)
{
    struct wfc_queue *q = arg;
    atomic_store(&q->closed, true);
}

const struct queue_ops queue_wfcqueue = {
    .name = "liburcu wfcqueue, spinning",
    .batch = 1,
    .make = make,
    .drop = drop,
    .put = put,
    .get = get,
    .close = close_queue,
};
