/* crowd_inner.h - what the two sides of a crowd share; for crowd*.c only.
 *
 * Promise    crowd_complain() keeps the first complaint of any thread.
 * Owns       struct crowd owns the buffer and the table of who was seen.
 * Threads    a producer and a consumer belong to their thread until it is
 *            joined; struct crowd is shared: what changes in it is atomic or
 *            under its lock. */
#ifndef TESTS_MODEL_CROWD_INNER_H
#define TESTS_MODEL_CROWD_INNER_H

#include "tests/model/crowd.h"
#include "tests/model/dice.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

struct crowd {
    const struct crowd_plan *plan;
    struct buffer *b;
    uint64_t share; /* elements of one producer */
    atomic_uchar *seen;
    atomic_bool over;
    sem_t readable; /* posted by the notify hook */
    sem_t writable;
    pthread_mutex_t lock;
    char *complaint;
};

struct producer {
    struct crowd *crowd;
    unsigned id;
    struct dice dice;
    uint64_t seq; /* of its next element: how many were taken */
    enum flow end;
};

struct consumer {
    struct crowd *crowd;
    struct dice dice;
    uint64_t got;
    uint64_t discarded;
    uint64_t next_seq[CROWD_SIDE_MAX]; /* the least that may come, each */
    enum flow end;
};

/* The bodies of the threads; arg is the struct above. */
void *crowd_produce(void *arg);
void *crowd_consume(void *arg);

void crowd_complain(struct crowd *crowd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Waits for the notify hook; complains when it is not called. */
void crowd_wait(struct crowd *crowd, sem_t *sem, const char *what);

uint64_t crowd_now_ns(void);
/* A deadline that is near, so that some pass. */
uint64_t crowd_deadline_ns(struct dice *dice);

struct crowd_item crowd_item(unsigned producer, uint64_t seq);

#endif
