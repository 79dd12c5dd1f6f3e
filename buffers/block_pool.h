/* block_pool.h - blocks of four sizes, kept for reuse by one thread.
 *
 *      owner: get --> kept list --> lent --> block_unref() on the owner: kept
 *                        ^                       '--- on another thread:
 *                        '--- collected by the owner <-- return stack (no lock)
 *
 * Life of a block: LENT -> KEPT -> LENT ... -> gone. A block that is put twice,
 * written after it was put or behind its end, or whose head is damaged is a
 * fault: it is named with its last borrower, counted, and goes to a quarantine
 * where a debugger finds it. It is never lent again and never freed.
 *
 * Promise    a get is served from the kept blocks when one is there; what was
 *            returned by other threads is collected before the system is asked.
 *            What is kept yields, the largest first, before the budget refuses
 *            a get.
 * Limits     per class: keep_max blocks stay, lend_max may be out; the
 *            process's budget above both. Kept blocks that were not needed for
 *            BLOCK_POOL_AGE_MS go back to the system, half of the surplus at
 *            a time, BLOCK_POOL_SWEEP_MAX in one sweep; when the budget is
 *            short for caches, none are kept.
 * Checks     each put and get: state and guard bytes behind the data. Every
 *            BLOCK_POOL_SAMPLE-th block (with track_all: each) is listed with
 *            its borrower while it is out, so that leaks have a name, and its
 *            first BLOCK_POOL_PATTERN_BYTES (with track_all: all) are filled
 *            with a pattern while it is kept, checked when it is lent again.
 *            The address sanitizer sees each write to a kept block.
 * Owns       the blocks it keeps. All must be back at fini.
 * Threads    the owner's, except block_unref(), block_pool_set_*() and
 *            block_pool_stats(), which any thread may call. A pool whose
 *            pointer in a block's head is overwritten ends the program: there
 *            is nobody left to tell.
 * Cost       get and put: a few stores, no lock, no system call on a hit. */
#ifndef BUFFERS_BLOCK_POOL_H
#define BUFFERS_BLOCK_POOL_H

#include "buffers/block.h"
#include "buffers/budget.h"

/* Bytes at data; a small block and its head fill whole pages of malloc(). */
#define BLOCK_GUARD_BYTES 8u
#define BLOCK_HEAD_BYTES  (sizeof(struct block) + BLOCK_GUARD_BYTES + 16)
#define BLOCK_4K_BYTES    ((4u << 10) - BLOCK_HEAD_BYTES)
#define BLOCK_64K_BYTES   ((64u << 10) - BLOCK_HEAD_BYTES)
#define BLOCK_1M_BYTES    (1u << 20)
#define BLOCK_4M_BYTES    (4u << 20)

#define BLOCK_POOL_AGE_MS        20000u
#define BLOCK_POOL_SWEEP_MAX     256u /* blocks of a class */
#define BLOCK_POOL_SAMPLE        64u
#define BLOCK_POOL_PATTERN_BYTES 4096u
#define BLOCK_POOL_NAME_BYTES    32u

enum block_fault {
    BLOCK_FAULT_NONE,
    BLOCK_DOUBLE_PUT,    /* unref of a block that nobody holds */
    BLOCK_USE_AFTER_PUT, /* written while it was kept */
    BLOCK_OVERRUN,       /* the guard behind the data is damaged */
    BLOCK_HEAD_DAMAGED,
    BLOCK_LEAKED, /* still lent when the pool ends */
};

struct block_fault_report {
    enum block_fault fault;
    enum block_class class;
    const char *pool;
    const char *borrower; /* the last one, or "unknown" */
    uint64_t lent_ms;     /* when; 0 when it was not tracked */
};

struct block_pool_config {
    const char *name;      /* copied */
    struct budget *budget; /* or NULL */
    uint32_t keep_max[BLOCK_CLASSES];
    uint32_t lend_max[BLOCK_CLASSES]; /* 0: only the budget bounds it */
    uint64_t leak_ms; /* lent longer than this is suspected; 0: only at fini */
    bool track_all;   /* each block, not a sample: builds made to find faults */

    /* Told of every fault, on the thread that found it. NULL: assert. */
    void (*on_fault)(void *arg, const struct block_fault_report *report);
    void *on_fault_arg;
};

struct block_class_stats {
    uint64_t created;
    uint64_t retrieved;
    uint64_t returned;
    uint64_t destroyed;
    uint64_t hits; /* gets served from kept blocks */
    uint64_t misses;
    uint64_t refused; /* by lend_max, the budget, or malloc() */
    uint64_t foreign; /* returned by another thread */
    uint64_t in_use;  /* lent, and returned but not collected yet */
    uint64_t peak;
    uint64_t kept;
    uint64_t quarantined; /* created: in_use, kept, destroyed or this */
    uint64_t keep_max;
    uint64_t lend_max;
    uint64_t window_peak; /* most in use since the last stats that asked */
    uint64_t bytes;       /* in use and kept, heads among them */
    uint64_t suspects;   /* tracked, out for longer than leak_ms, no stream's */
    const char *suspect; /* who borrowed the oldest of them, or NULL */
};

struct block_pool_stats {
    struct block_class_stats class[BLOCK_CLASSES];
    uint64_t faults;
};

/* One writer each, read from any thread. */
struct block_class_state {
    struct block *kept; /* the latest first */
    uint32_t kept_low;  /* fewest kept since they were aged: the surplus */
    _Atomic uint32_t keep_max;
    _Atomic uint32_t lend_max;
    _Atomic uint64_t created, retrieved, returned, destroyed;
    _Atomic uint64_t hits, misses, refused, foreign, quarantined;
    _Atomic uint64_t in_use, peak, kept_n, window_peak;
    _Atomic uint64_t suspects;
    _Atomic(const char *) suspect;
};

struct block_pool {
    uint32_t magic;
    unsigned until_sample;       /* gets until one is tracked */
    _Atomic(const void *) owner; /* names the owning thread */
    struct budget *budget;
    _Atomic(struct block *) returned_stack; /* pushed by other threads */
    struct block_class_state class[BLOCK_CLASSES];
    int64_t moved[BUDGET_CLASSES]; /* bytes the budget was not told of yet */
    struct block *lent;            /* tracked blocks that are out */
    uint64_t leak_ms;
    uint64_t now_ms; /* of the last sweep */
    uint64_t aged_ms;
    bool track_all;
    void (*on_fault)(void *arg, const struct block_fault_report *report);
    void *on_fault_arg;
    _Atomic uint64_t faults;
    char name[BLOCK_POOL_NAME_BYTES];
};

/* Owned by the calling thread until another calls block_pool_own(). */
void block_pool_init(struct block_pool *p,
                     const struct block_pool_config *config);
void block_pool_own(struct block_pool *p);

/* Reports what is still lent as leaked, and frees the kept blocks. */
void block_pool_fini(struct block_pool *p);

/* Bytes at the data of a block, and bytes that it costs. */
size_t block_class_bytes(enum block_class c);
size_t block_class_cost_bytes(enum block_class c);

/* A block with one reference, len 0 and any content; NULL when refused. The
 * borrower is a literal that names the caller. */
struct block *block_pool_get(struct block_pool *p, enum block_class c,
                             enum budget_class budget, const char *borrower);

/* Lets kept blocks go, as many as are lacking for so many bytes of a class.
 * False: there were not enough; the budget may still grant them. */
bool block_pool_make_way(struct block_pool *p, enum budget_class budget,
                         size_t bytes);

/* Collects, lets go of what was not needed, looks for suspects. About once a
 * second. */
void block_pool_sweep(struct block_pool *p, uint64_t now_ms);

/* Other bounds while it runs; any thread. A lower keep_max acts at the next
 * put or sweep. */
void block_pool_set_keep(struct block_pool *p, enum block_class c,
                         uint32_t keep_max);
void block_pool_set_lend(struct block_pool *p, enum block_class c,
                         uint32_t lend_max);

/* A snapshot; each figure is exact, all together only roughly of one time.
 * window_peak begins anew when restart_window is set. */
void block_pool_stats(struct block_pool *p, bool restart_window,
                      struct block_pool_stats *ret_stats);

const char *block_class_name(enum block_class c); /* "4k" */
const char *block_fault_text(enum block_fault f);

/* Owner: walks kept and tracked blocks and asserts every invariant. */
void block_pool_check(struct block_pool *p);

#endif
