/* buffer_layout.h - what buffer.c and its siblings know of struct buffer.
 *
 *      write side [lock pos slot limit ..]   pos: elements that ever came
 *      read side  [lock pos slot limit ..]   pos: elements that ever went
 *
 *      0          read.pos                write.pos
 *      ............[##########################].........
 *                             read.limit ^     ^ write.limit
 *
 * Limit      up to here a side moves without a look at the other one; behind it
 *            the slow path reads the other's pos, or finds why there is no way.
 *            0 while something is closed or handed out.
 * Awaited    who waits for a side to move stands in that side's list, under
 *            its lock: joining and looking once more are one section, so that
 *            no move is missed and a move without an audience costs nothing.
 * Locks      write before read. What both sides read (state, store, bounds) is
 *            changed with both held, and epoch tells that it was.
 * Threads    only the position, the counters, epoch and bound may be read
 *            without a lock. */
#ifndef BUFFERS_BUFFER_LAYOUT_H
#define BUFFERS_BUFFER_LAYOUT_H

#include "buffers/buffer.h"
#include "buffers/spin_lock.h"
#include "buffers/wait_list.h"

#include <string.h>

#define LINE_BYTES 64u
#define WAKES_MAX  8u  /* calls kept until the lock is dropped */
#define TRY        0u  /* a deadline: do not wait, but ask for a notification */
#define PASSED     1u  /* do not wait; no real clock is that early */
#define AGE_MARKS  64u /* of which half are kept at every interval */

enum buffer_state {
    BUFFER_OPEN,
    BUFFER_WRITE_CLOSED,
    BUFFER_SHUT, /* nothing is held any more */
    BUFFER_BROKEN,
};

struct store {
    void *memory; /* as malloc() gave it */
    char *at;
    size_t cap;
};

struct side {
    _Alignas(LINE_BYTES) struct spin_lock lock;
    bool attention; /* a list is not empty, or something is armed */
    bool out;       /* reserved or peeked */
    _Atomic uint64_t pos;
    uint64_t limit;
    size_t slot;            /* pos, within the store */
    _Atomic uint64_t moved; /* written or read, as buffer_stats counts */

    /* Seldom touched. The other side's threads, and this side's while
     * something is out. */
    _Alignas(LINE_BYTES) struct wait_list awaited;
    struct wait_list turn;
    bool awaited_armed;
    bool turn_armed;
    size_t out_n;
    unsigned spins_max;     /* 0 on one processor */
    _Atomic unsigned spins; /* before a sleep; learnt */
    _Atomic unsigned trust; /* that a yield spares the sleep; learnt */
    _Atomic uint64_t waits;
    _Atomic uint64_t blocked_ns;
};

struct age_mark {
    uint64_t pos;
    uint64_t ms;
};

struct buffer {
    /* Read by everyone, hardly ever changed. */
    enum buffer_kind kind;
    enum buffer_state state;
    size_t elem_bytes;
    struct store store;
    size_t ceiling;
    _Atomic size_t bound; /* what buffer_cap() says */
    _Atomic unsigned epoch;
    atomic_int error;
    void (*notify)(void *arg, unsigned events);
    void *notify_arg;
    uint64_t (*now_ns)(void);

    struct side write;
    struct side read;

    _Alignas(LINE_BYTES) _Atomic uint64_t lost; /* the write lock's */
    _Atomic uint64_t dropped;                   /* both locks' */
    _Atomic uint64_t len_max;                   /* the write lock's */
    _Atomic uint64_t grown;
    bool close_told;
    void *peeked_memory; /* an old store that a peek still shows, or NULL */
    void *memory;        /* of this struct */
    struct age_mark ages[AGE_MARKS];
    size_t ages_n;
    char name[BUFFER_NAME_BYTES];
};

/* What is told when no lock is held any more. */
struct news {
    unsigned events;
    size_t wakes_n;
    atomic_uint *wakes[WAKES_MAX];
};

/* One call of an operation, which may take several tries. */
struct attempt {
    uint64_t deadline_ns; /* or TRY or PASSED */
    uint64_t other_pos;   /* seen when there was no way */
    unsigned epoch;
    bool for_turn; /* not for the other side to move */
    bool called;   /* the other side gave it a wake-up */
    struct waiter waiter;
};

static inline size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline uint64_t counter(const _Atomic uint64_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

/* For counters with one writer at a time. */
static inline void count(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, counter(c) + n, memory_order_relaxed);
}

/* The lock's holder reads its own, everyone else what was published. */
static inline uint64_t own_pos(const struct side *s)
{
    return atomic_load_explicit(&s->pos, memory_order_relaxed);
}

static inline uint64_t seen_pos(const struct side *s)
{
    return atomic_load_explicit(&s->pos, memory_order_acquire);
}

static inline char *slot_at(const struct buffer *b, const struct side *s)
{
    return b->store.at + s->slot * b->elem_bytes;
}

/* Moves a side by n <= cap elements and lets the other one see it. */
static inline void advance(const struct buffer *b, struct side *s, size_t n)
{
    size_t slot = s->slot + n;
    s->slot = slot >= b->store.cap ? slot - b->store.cap : slot;
    atomic_store_explicit(&s->pos, own_pos(s) + n, memory_order_release);
}

static inline void copy_elem(char *to, const char *from, size_t bytes)
{
    switch (bytes) {
    case 1:
        memcpy(to, from, 1);
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    case 64:
        memcpy(to, from, 64);
        break;
    default:
        memcpy(to, from, bytes);
    }
}

static inline uint64_t deadline_of(uint64_t given_ns)
{
    return given_ns > PASSED ? given_ns : PASSED;
}

/* buffer_side.c */
void side_init(struct side *s);
void side_call_all(struct side *s, struct news *news);
void side_claim(struct buffer *b, struct side *s, struct news *news);
void side_claim_turn(struct buffer *b, struct side *s, struct news *news);
void leave_slow(struct buffer *b, struct side *s, size_t moved);
void tell(struct buffer *b, const struct news *news);
void join_turn(struct buffer *b, struct side *own, struct attempt *a);
bool retry(struct buffer *b, struct side *own, struct attempt *a);
void pass_on(struct buffer *b, struct side *other);

/* Drops the side's lock after it has moved by this much, and tells those who
 * wait for it. */
static inline void leave(struct buffer *b, struct side *s, size_t moved)
{
    if (s->attention)
        leave_slow(b, s, moved);
    else
        spin_lock_drop(&s->lock);
}

static inline void lock_both(struct buffer *b)
{
    spin_lock_take(&b->write.lock);
    spin_lock_take(&b->read.lock);
}

static inline void drop_both(struct buffer *b)
{
    spin_lock_drop(&b->read.lock);
    spin_lock_drop(&b->write.lock);
}

/* buffer_store.c */
bool store_init(struct store *s, size_t cap, size_t elem_bytes);

/* Both locks are held; cap is not less than what is held. */
enum flow store_resize(struct buffer *b, size_t cap);

/* The write lock is held. At least for want elements, if the ceiling allows.
 * DONE: it grew; FULL: the ceiling; NO_MEMORY. */
enum flow store_grow(struct buffer *b, size_t want);

#endif
