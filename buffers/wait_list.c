#include "buffers/wait_list.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

static void take_out(struct wait_list *l, struct waiter *w)
{
    assert(*w->link == w);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    else
        l->last = w->link;
}

void wait_list_join(struct wait_list *l, struct waiter *w)
{
    assert(!*l->last);
    atomic_store_explicit(&w->called, 0, memory_order_relaxed);
    w->next = NULL;
    w->link = l->last;
    *l->last = w;
    l->last = &w->next;
}

bool wait_list_leave(struct wait_list *l, struct waiter *w)
{
    if (atomic_load_explicit(&w->called, memory_order_relaxed))
        return false;
    take_out(l, w);
    return true;
}

atomic_uint *wait_list_call(struct wait_list *l)
{
    struct waiter *w = l->first;
    if (!w)
        return NULL;
    take_out(l, w);
    /* From here on its thread may return, and w be gone. */
    atomic_uint *called = &w->called;
    atomic_store_explicit(called, 1, memory_order_release);
    return called;
}

void waiter_wake(atomic_uint *called)
{
    syscall(SYS_futex, called, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* FUTEX_WAIT_BITSET has absolute times of CLOCK_MONOTONIC. */
static bool sleep_while_zero(atomic_uint *word, uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                             .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, 0,
                     deadline_ns == UINT64_MAX ? NULL : &until, NULL,
                     FUTEX_BITSET_MATCH_ANY);
    assert(r == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
    return r == 0 || errno != ETIMEDOUT;
}

bool waiter_sleep(struct waiter *w, uint64_t deadline_ns)
{
    while (!atomic_load_explicit(&w->called, memory_order_acquire))
        if (!sleep_while_zero(&w->called, deadline_ns))
            return false;
    return true;
}
