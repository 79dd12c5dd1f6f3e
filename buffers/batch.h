/* batch.h - small records gathered into large writes.
 *
 *      add, add, add ... --> [##########......] --> flush(bytes, n)
 *                                     because: bytes | count | time |
 *                                              key point | close
 *
 * Promise    records stay whole and in order; a flush is given whole records
 *            only, all that are held. What it could not take is counted as
 *            lost, never kept: after a flush the batch is empty.
 * Limits     bytes_max held; a record beyond it is refused (FULL). count_max
 *            records. delay_us_max from the oldest record on, as exactly as
 *            batch_tick() is called.
 * Memory     when storage cannot grow, what is held is flushed and its storage
 *            used again; only then is a record refused (NO_MEMORY).
 * Latency    of a flush: from the addition of its oldest record until the
 *            flush callback came back.
 * Owns       its storage, which it keeps between flushes.
 * Threads    one, except batch_stats() and batch_set_bounds(): any.
 * Clock      given: now_us, steady microseconds; read at the first record of a
 *            batch, after a flush and at a tick.
 * Cost       of a record: one copy or, reserved, none; a few stores.
 * Not for    data that must survive a failed flush: the durable log keeps its
 *            own copy until it is committed. */
#ifndef BUFFERS_BATCH_H
#define BUFFERS_BATCH_H

#include "buffers/bytes.h"
#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum batch_reason {
    BATCH_BYTES, /* it is full, or the next record would not fit */
    BATCH_COUNT,
    BATCH_TIME,
    BATCH_KEY_POINT, /* the caller asked: batch_flush() */
    BATCH_CLOSE,
    BATCH_REASONS,
};

struct batch_config {
    size_t bytes_max;      /* flushed before it would hold more */
    uint64_t count_max;    /* records; 0: any number */
    uint64_t delay_us_max; /* 0: time alone never flushes */
    uint64_t (*now_us)(void);

    /* Takes all of it, records_n of them, without calling the batch again.
     * *ret_taken bytes are safe whatever the result; the rest is lost. */
    enum flow (*flush)(void *arg, struct str bytes, uint64_t records_n,
                       size_t *ret_taken);
    void *flush_arg;
};

struct batch_stats {
    uint64_t records; /* accepted */
    uint64_t bytes;
    uint64_t flushes[BATCH_REASONS];
    uint64_t failed; /* flushes that lost bytes or said so */
    uint64_t lost_bytes;
    uint64_t refused;   /* records: too large, or out of memory */
    uint64_t held;      /* bytes, now */
    uint64_t held_max;  /* bytes, ever */
    uint64_t bytes_max; /* the bound */
    uint64_t oldest_us; /* when the oldest record came; 0: empty */
    uint64_t latency_us_last;
    uint64_t latency_us_max;
    uint64_t latency_us_sum; /* over all flushes */
};

/* Written by the batch's thread, read by any. */
struct batch_counters {
    _Atomic uint64_t records, bytes, failed, lost_bytes, refused;
    _Atomic uint64_t flushes[BATCH_REASONS];
    _Atomic uint64_t held, held_max, oldest_us;
    _Atomic uint64_t latency_us_last, latency_us_max, latency_us_sum;
};

struct batch {
    uint64_t (*now_us)(void);
    enum flow (*flush)(void *arg, struct str bytes, uint64_t records_n,
                       size_t *ret_taken);
    void *flush_arg;
    _Atomic size_t bytes_max;
    _Atomic uint64_t count_max;
    _Atomic uint64_t delay_us_max;
    struct bytes held;
    uint64_t records_n;
    size_t reserved;     /* bytes that batch_commit() may claim */
    enum flow made_room; /* what the flush of the last reserve said */
    struct batch_counters counters;
};

/* Allocates nothing. */
void batch_init(struct batch *b, const struct batch_config *config);

/* Flushes what is left and frees the storage. */
void batch_fini(struct batch *b);

/* Room for a record of up to n bytes; batch_commit() says how long it became.
 * Flushes first when the room would not suffice. DONE, FULL, NO_MEMORY.
 * A room that is not committed is forgotten by the next call. */
enum flow batch_reserve(struct batch *b, size_t n, char **ret_room);

/* The record is accepted. DONE, or FAILED: a flush that it or its reserve
 * caused lost bytes, maybe its own. */
enum flow batch_commit(struct batch *b, size_t n);

/* One whole record, copied. FULL, NO_MEMORY: it was refused; else as
 * batch_commit(). */
enum flow batch_add(struct batch *b, struct str record);

/* A key point: everything added so far leaves now. DONE, FAILED. */
enum flow batch_flush(struct batch *b);

/* Flushes when the oldest record has waited for delay_us_max, or a bound was
 * lowered to less than what is held. DONE, FAILED. */
enum flow batch_tick(struct batch *b);

/* When batch_tick() has something to do, in now_us' time; UINT64_MAX: never. */
uint64_t batch_due_us(const struct batch *b);

/* Other bounds while it runs; they act at the next call. */
void batch_set_bounds(struct batch *b, size_t bytes_max, uint64_t count_max,
                      uint64_t delay_us_max);

/* A snapshot; each figure is exact, all together only roughly of one time. */
void batch_stats(const struct batch *b, struct batch_stats *ret_stats);

/* Asserts every invariant. */
void batch_check(const struct batch *b);

#endif
