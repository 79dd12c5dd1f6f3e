#include "bench/queues/race.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* A sparse element is known by its first byte: its producer, and which of the
 * producer's last few it is. No more than these are ever on their way. */
#define STAMPS_EACH 64u

struct run {
    const struct race *race;
    void *q;
    bool sparse;
    pthread_barrier_t start;
    _Atomic uint64_t stamps[RACE_THREADS_MAX * STAMPS_EACH];
};

struct runner {
    struct run *run;
    unsigned id;
    uint64_t n;   /* elements put or got */
    uint64_t sum; /* over their stamps */
    uint64_t end_ns;
    struct latency latency;
    pthread_t thread;
};

uint64_t race_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void pause_ns(uint64_t ns)
{
    struct timespec pause = {.tv_nsec = (long)ns};
    nanosleep(&pause, NULL);
}

/* Large elements carry their value at both ends. */
static void stamp(char *elem, size_t bytes, uint64_t value)
{
    if (bytes < sizeof value) {
        elem[0] = (char)value;
        return;
    }
    memcpy(elem, &value, sizeof value);
    memcpy(elem + bytes - sizeof value, &value, sizeof value);
}

static uint64_t stamp_of(const char *elem, size_t bytes)
{
    uint64_t first;
    uint64_t last;
    if (bytes < sizeof first)
        return (unsigned char)elem[0];
    memcpy(&first, elem, sizeof first);
    memcpy(&last, elem + bytes - sizeof last, sizeof last);
    return first + last;
}

static void *produce(void *arg)
{
    struct runner *r = arg;
    const struct race *race = r->run->race;
    const struct queue_ops *ops = race->ops;
    size_t bytes = race->shape.elem_bytes;
    size_t share = race->elements / race->shape.threads;
    char *elems = calloc(ops->batch, bytes);
    assert(elems);
    pthread_barrier_wait(&r->run->start);
    while (r->n < share) {
        size_t n = share - r->n < ops->batch ? share - r->n : ops->batch;
        for (size_t i = 0; i < n; i++) {
            char *elem = elems + i * bytes;
            stamp(elem, bytes, r->n + i + r->id);
            r->sum += stamp_of(elem, bytes);
        }
        ops->put(r->run->q, r->id, elems, n);
        r->n += n;
    }
    free(elems);
    return NULL;
}

static void *consume(void *arg)
{
    struct runner *r = arg;
    const struct race *race = r->run->race;
    const struct queue_ops *ops = race->ops;
    size_t bytes = race->shape.elem_bytes;
    char *elems = calloc(ops->batch, bytes);
    size_t n;
    assert(elems);
    pthread_barrier_wait(&r->run->start);
    while ((n = ops->get(r->run->q, elems, ops->batch)) > 0) {
        for (size_t i = 0; i < n; i++)
            r->sum += stamp_of(elems + i * bytes, bytes);
        r->n += n;
    }
    r->end_ns = race_now_ns();
    free(elems);
    return NULL;
}

static void *produce_sparsely(void *arg)
{
    struct runner *r = arg;
    const struct race *race = r->run->race;
    size_t bytes = race->shape.elem_bytes;
    unsigned threads = race->shape.threads;
    size_t share = race->elements / threads;
    char *elem = calloc(1, bytes);
    assert(elem);
    pthread_barrier_wait(&r->run->start);
    pause_ns(RACE_SPARSE_NS * r->id / threads);
    for (; r->n < share; r->n++) {
        unsigned at = r->id * STAMPS_EACH + (unsigned)(r->n % STAMPS_EACH);
        pause_ns(RACE_SPARSE_NS);
        memset(elem, (int)at, bytes < sizeof(uint64_t) ? 1 : bytes);
        r->sum += stamp_of(elem, bytes);
        atomic_store(&r->run->stamps[at], race_now_ns());
        race->ops->put(r->run->q, r->id, elem, 1);
    }
    free(elem);
    return NULL;
}

static void *consume_sparsely(void *arg)
{
    struct runner *r = arg;
    const struct race *race = r->run->race;
    size_t bytes = race->shape.elem_bytes;
    char *elem = calloc(race->ops->batch, bytes);
    assert(elem);
    pthread_barrier_wait(&r->run->start);
    while (race->ops->get(r->run->q, elem, 1) > 0) {
        uint64_t now_ns = race_now_ns();
        unsigned at = (unsigned char)elem[0];
        latency_add(&r->latency, now_ns - atomic_load(&r->run->stamps[at]));
        r->sum += stamp_of(elem, bytes);
        r->n++;
    }
    free(elem);
    return NULL;
}

static void start_side(struct run *run, struct runner *side,
                       void *(*body)(void *))
{
    for (unsigned i = 0; i < run->race->shape.threads; i++) {
        side[i].run = run;
        side[i].id = i;
        int failed = pthread_create(&side[i].thread, NULL, body, &side[i]);
        assert(!failed);
    }
}

static void join_side(const struct run *run, struct runner *side)
{
    for (unsigned i = 0; i < run->race->shape.threads; i++)
        pthread_join(side[i].thread, NULL);
}

/* What is lost is known by number only. */
static bool agree(const struct run *run, const struct runner *producers,
                  const struct runner *consumers)
{
    const struct race *race = run->race;
    uint64_t lost = race->ops->lost ? race->ops->lost(run->q) : 0;
    uint64_t sum = 0;
    uint64_t n = lost;
    for (unsigned i = 0; i < race->shape.threads; i++) {
        n += consumers[i].n - producers[i].n;
        sum += consumers[i].sum - producers[i].sum;
    }
    return n == 0 && (sum == 0 || lost > 0);
}

/* From the start to the last get. */
static uint64_t run_both(struct run *run, struct runner *producers,
                         struct runner *consumers)
{
    const struct race *race = run->race;
    uint64_t end_ns = 0;
    pthread_barrier_init(&run->start, NULL, race->shape.threads * 2 + 1);
    start_side(run, consumers, run->sparse ? consume_sparsely : consume);
    start_side(run, producers, run->sparse ? produce_sparsely : produce);
    uint64_t start_ns = race_now_ns();
    pthread_barrier_wait(&run->start);
    join_side(run, producers);
    race->ops->close(run->q);
    join_side(run, consumers);
    pthread_barrier_destroy(&run->start);
    for (unsigned i = 0; i < race->shape.threads; i++)
        if (consumers[i].end_ns > end_ns)
            end_ns = consumers[i].end_ns;
    return end_ns - start_ns;
}

bool race_speed(const struct race *race, double *ret_ns, double *ret_lost)
{
    struct run run = {.race = race, .q = race->ops->make(&race->shape)};
    struct runner producers[RACE_THREADS_MAX] = {0};
    struct runner consumers[RACE_THREADS_MAX] = {0};
    size_t put = race->elements / race->shape.threads * race->shape.threads;
    assert(race->shape.threads <= RACE_THREADS_MAX && put > 0);
    *ret_ns = (double)run_both(&run, producers, consumers) / (double)put;
    *ret_lost =
        race->ops->lost ? (double)race->ops->lost(run.q) / (double)put : 0;
    bool right = agree(&run, producers, consumers);
    race->ops->drop(run.q);
    return right;
}

static void latency_merge(struct latency *into, const struct latency *from)
{
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->n += from->n;
}

bool race_sparse(const struct race *race, struct latency *latency)
{
    struct run run = {
        .race = race, .q = race->ops->make(&race->shape), .sparse = true};
    struct runner producers[RACE_THREADS_MAX] = {0};
    struct runner consumers[RACE_THREADS_MAX] = {0};
    assert(race->shape.threads <= RACE_THREADS_MAX);
    run_both(&run, producers, consumers);
    for (unsigned i = 0; i < race->shape.threads; i++)
        latency_merge(latency, &consumers[i].latency);
    bool right = agree(&run, producers, consumers);
    race->ops->drop(run.q);
    return right;
}
