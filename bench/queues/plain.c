#include "bench/queues/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A fixed circle under one lock. Who wakes others does so after the unlock,
 * and only when somebody sleeps. */
struct plain {
    pthread_mutex_t lock;
    pthread_cond_t data;
    pthread_cond_t room;
    unsigned readers_waiting;
    unsigned writers_waiting;
    bool closed;
    size_t elem_bytes;
    size_t cap;
    size_t head;
    size_t tail;
    size_t len;
    char *elems;
};

static void *make(const struct queue_shape *shape)
{
    struct plain *q = calloc(1, sizeof *q);
    assert(q);
    q->elem_bytes = shape->elem_bytes;
    q->cap = shape->cap;
    q->elems = malloc(q->cap * q->elem_bytes);
    assert(q->elems);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->data, NULL);
    pthread_cond_init(&q->room, NULL);
    return q;
}

static void drop(void *arg)
{
    struct plain *q = arg;
    pthread_cond_destroy(&q->room);
    pthread_cond_destroy(&q->data);
    pthread_mutex_destroy(&q->lock);
    free(q->elems);
    free(q);
}

static size_t after(const struct plain *q, size_t at)
{
    return at + 1 == q->cap ? 0 : at + 1;
}

static void put(void *arg, unsigned who, const void *elem, size_t n)
{
    struct plain *q = arg;
    (void)who;
    assert(n == 1);
    pthread_mutex_lock(&q->lock);
    while (q->len == q->cap) {
        q->writers_waiting++;
        pthread_cond_wait(&q->room, &q->lock);
        q->writers_waiting--;
    }
    memcpy(q->elems + q->tail * q->elem_bytes, elem, q->elem_bytes);
    q->tail = after(q, q->tail);
    q->len++;
    bool wake = q->readers_waiting > 0;
    pthread_mutex_unlock(&q->lock);
    if (wake)
        pthread_cond_signal(&q->data);
}

static size_t get(void *arg, void *elem, size_t n)
{
    struct plain *q = arg;
    assert(n == 1);
    pthread_mutex_lock(&q->lock);
    while (q->len == 0 && !q->closed) {
        q->readers_waiting++;
        pthread_cond_wait(&q->data, &q->lock);
        q->readers_waiting--;
    }
    bool found = q->len > 0;
    if (found) {
        memcpy(elem, q->elems + q->head * q->elem_bytes, q->elem_bytes);
        q->head = after(q, q->head);
        q->len--;
    }
    bool wake = found && q->writers_waiting > 0;
    pthread_mutex_unlock(&q->lock);
    if (wake)
        pthread_cond_signal(&q->room);
    return found;
}

static void close_queue(void *arg)
{
    struct plain *q = arg;
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_mutex_unlock(&q->lock);
    pthread_cond_broadcast(&q->data);
}

const struct queue_ops queue_plain = {
    .name = "plain mutex and condition",
    .batch = 1,
    .make = make,
    .drop = drop,
    .put = put,
    .get = get,
    .close = close_queue,
};
