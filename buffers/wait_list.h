/* wait_list.h - threads that sleep until another one calls them by name.
 *
 *      first --> waiter --> waiter --> NULL      each on its thread's stack
 *      the one that is called: [called = 1]      in the order of their coming
 *
 * Promise    a call goes to one certain thread, which knows that it was meant:
 *            a waiter is in the list, or it was called, never both. So each
 *            sleep costs one wake-up however much happens before it runs.
 * Owns       nothing.
 * Threads    a list belongs to a lock of its user; waiter_sleep() and
 *            waiter_wake() are done without.
 * Clock      deadlines are nanoseconds of CLOCK_MONOTONIC. */
#ifndef BUFFERS_WAIT_LIST_H
#define BUFFERS_WAIT_LIST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct waiter {
    struct waiter *next;
    struct waiter **link; /* what points at it */
    atomic_uint called;
};

struct wait_list {
    struct waiter *first;
    struct waiter **last; /* the NULL at the end */
};

static inline void wait_list_init(struct wait_list *l)
{
    l->first = NULL;
    l->last = &l->first;
}

void wait_list_join(struct wait_list *l, struct waiter *w);

/* For one whose time is up. False: it was called meanwhile. */
bool wait_list_leave(struct wait_list *l, struct waiter *w);

/* Takes the first one out; what it returns is for waiter_wake(). NULL: nobody
 * waits. */
atomic_uint *wait_list_call(struct wait_list *l);

/* The word may be gone by now: only its address counts. */
void waiter_wake(atomic_uint *called);

/* Until it is called. False: the deadline has passed. */
bool waiter_sleep(struct waiter *w, uint64_t deadline_ns);

#endif
