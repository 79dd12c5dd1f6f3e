#include "buffers/spin_lock.h"

#include <sched.h>
#include <time.h>

#define LOOKS    40u /* in a row, longer than a section lasts */
#define YIELDS   8u
#define SLEEP_NS 50000

static bool take_when_free(struct spin_lock *l)
{
    for (unsigned i = 0; i < LOOKS; i++) {
        if (!atomic_load_explicit(&l->taken, memory_order_relaxed) &&
            !atomic_exchange_explicit(&l->taken, true, memory_order_acquire))
            return true;
        spin_pause();
    }
    return false;
}

void spin_lock_wait(struct spin_lock *l)
{
    const struct timespec pause = {.tv_nsec = SLEEP_NS};
    for (unsigned round = 0; !take_when_free(l); round++) {
        if (round < YIELDS)
            sched_yield();
        else
            nanosleep(&pause, NULL);
    }
}
