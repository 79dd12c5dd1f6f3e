/* advisor.h - turns the knobs that an operator would turn, and says why.
 *
 * A knob is a number within the operator's limits. Two kinds:
 *
 *      level    demand is a height (blocks in use): the knob follows the
 *               highest demand of the last ADVISOR_WINDOWS windows, plus a
 *               quarter; it rises at the next tick after it was passed, and
 *               falls when all windows agree on at least an eighth less
 *      size     demand is how much of its size an operation used (reads that
 *               came back full): doubled when most used all of it, halved when
 *               in ADVISOR_WINDOWS windows hardly any used half. What fills a
 *               size uses half of the next, so a steady load settles
 *
 *      demand  _.-^-._ _.-^-._        one burst in the windows is enough to
 *      knob    ---------------        stay prepared for the next
 *
 * Promise    a knob never leaves min..max; each change is told with its reason
 *            before it is made; switched off, nothing changes.
 * Limits     ADVISOR_KNOBS_MAX knobs.
 * Owns       nothing of the knobs: each is removed before it is freed.
 * Threads    one lock; observe functions may be called by any thread and take
 *            no lock. on_advice() and apply() run under the lock on the ticking
 *            thread: they do not call the advisor.
 * Clock      given: now_ms.
 * Cost       a tick: a few loads for each knob.
 * Source     the working set idea (Denning 1968): what was needed within a
 *            window will be needed again. */
#ifndef BUFFERS_ADVISOR_H
#define BUFFERS_ADVISOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADVISOR_TICK_MS      250u /* what advisor_tick() is meant for */
#define ADVISOR_WINDOWS      6u
#define ADVISOR_WINDOW_MS    5000u
#define ADVISOR_KNOBS_MAX    2048u
#define ADVISOR_REASON_BYTES 256u

/* Of a size: fewer operations tell nothing, so that a window goes on. */
#define ADVISOR_OPERATIONS_MIN 16u
#define ADVISOR_MANY_PERCENT   50u /* full: doubled */
#define ADVISOR_FEW_PERCENT    5u  /* half used, at most: halved */

enum knob_kind {
    KNOB_LEVEL,
    KNOB_SIZE,
};

struct knob {
    const char *name; /* "worker/0/pool/64k/keep"; lives as long as the knob */
    const char *unit; /* of the value; NULL: "blocks", of a size "bytes" */
    enum knob_kind kind;
    _Atomic uint64_t min;
    _Atomic uint64_t max;
    _Atomic uint64_t value;
    void *self;
    void (*apply)(void *self, uint64_t value); /* or NULL: value is read */

    /* What was seen. */
    _Atomic uint64_t demand_max;   /* level, in this window */
    _Atomic uint64_t operations_n; /* size, ever */
    _Atomic uint64_t full_n;
    _Atomic uint64_t half_n; /* used half at least, the full ones among them */

    /* The advisor's. */
    struct knob *next;
    struct knob **link;
    /* Latest first: the demand, or the per cent of half_n; began when. */
    uint64_t history[ADVISOR_WINDOWS];
    uint64_t history_ms[ADVISOR_WINDOWS];
    unsigned windows_n; /* filled, up to ADVISOR_WINDOWS */
    uint64_t began_ms;  /* this window */
    uint64_t operations_before;
    uint64_t full_before;
    uint64_t half_before;
};

struct advice {
    const char *knob;
    uint64_t from;
    uint64_t to;
    const char *reason; /* one sentence, good during the call */
};

struct advisor {
    pthread_mutex_t lock;
    struct knob *knobs;
    size_t knobs_n;
    atomic_bool enabled;
    uint64_t window_ms;
    uint64_t window_began_ms;
    bool ticked;
    _Atomic uint64_t changes_n;
    void (*on_advice)(void *arg, const struct advice *advice);
    void *on_advice_arg;
};

void advisor_init(struct advisor *a, uint64_t window_ms,
                  void (*on_advice)(void *arg, const struct advice *advice),
                  void *arg);

/* Every knob must have been removed. */
void advisor_fini(struct advisor *a);

/* A knob whose public fields are set, the rest zero; value is brought within
 * min..max, apply() is not called. False: ADVISOR_KNOBS_MAX. */
bool advisor_add(struct advisor *a, struct knob *k);

/* A knob that is not registered is fine. */
void advisor_remove(struct advisor *a, struct knob *k);

/* An operator's own choice: applied, and no longer the advisor's to turn. */
void advisor_pin(struct advisor *a, struct knob *k, uint64_t value);

/* Switched off, windows are still watched, so that switching on is prompt. */
void advisor_enable(struct advisor *a, bool enabled);

/* Raises levels that were passed; ends the window when it is over and turns
 * the other knobs. Every ADVISOR_TICK_MS: what a burst needs beyond a level
 * is missed until the next tick. */
void advisor_tick(struct advisor *a, uint64_t now_ms);

static inline uint64_t knob_value(const struct knob *k)
{
    return atomic_load_explicit(&k->value, memory_order_relaxed);
}

/* A demand of this height was seen. Once a window at least, also while it
 * stays the same: a window without a word is one without demand. */
void knob_observe_level(struct knob *k, uint64_t demand);

static inline void knob_count(_Atomic uint64_t *n)
{
    uint64_t before = atomic_load_explicit(n, memory_order_relaxed);
    atomic_store_explicit(n, before + 1, memory_order_relaxed);
}

/* An operation asked for so much and used so much of it. One that asked for
 * another size than the knob's tells nothing about it and is not counted. One
 * thread for each knob. */
static inline void knob_observe_size(struct knob *k, uint64_t asked,
                                     uint64_t used)
{
    if (asked != knob_value(k))
        return;
    knob_count(&k->operations_n);
    if (used >= asked / 2)
        knob_count(&k->half_n);
    if (used >= asked)
        knob_count(&k->full_n);
}

#endif
