/* spin_lock.h - a lock of four bytes, for sections of a few instructions.
 *
 *      taken: try again at once, then yield, then sleep for short times
 *
 * Promise    mutual exclusion, nothing about order. A holder that was preempted
 *            gets the processor: who waits longer than a section lasts gives
 *            its own away, also to threads of lower priority.
 * Threads    any. Not recursive; the thread that takes it drops it.
 * Cost       one atomic exchange to take, one store to drop: nobody has to be
 *            woken. A pthread mutex needs a second exchange to find out.
 * Not for    sections that do I/O, wait, or call what is not known. */
#ifndef BUFFERS_SPIN_LOCK_H
#define BUFFERS_SPIN_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

struct spin_lock {
    atomic_bool taken;
};

/* The slow path of spin_lock_take(). */
void spin_lock_wait(struct spin_lock *l);

static inline void spin_lock_init(struct spin_lock *l)
{
    atomic_init(&l->taken, false);
}

static inline void spin_lock_take(struct spin_lock *l)
{
    if (atomic_exchange_explicit(&l->taken, true, memory_order_acquire))
        spin_lock_wait(l);
}

static inline void spin_lock_drop(struct spin_lock *l)
{
    atomic_store_explicit(&l->taken, false, memory_order_release);
}

/* What a processor does between two looks. */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

#endif
