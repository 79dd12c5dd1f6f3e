/* block_trace.h - the blocks in a trace of allocations, ready to be replayed.
 *
 * Promise    acts are in the order of the trace; each block that is got is put
 *            once, at the end if the program never did; no slot holds two.
 * Limits     BLOCK_TRACE_LIVE_MAX blocks at a time.
 * Owns       its acts, which any process may map that is given the fd. */
#ifndef BENCH_TRACE_BLOCK_TRACE_H
#define BENCH_TRACE_BLOCK_TRACE_H

#include "buffers/block.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_TRACE_LIVE_MAX (1u << 15)

enum block_act_kind {
    BLOCK_ACT_GET,
    BLOCK_ACT_PUT,
    BLOCK_ACT_SECOND, /* the next second of the trace has begun */
};

struct block_act {
    uint32_t kind : 2;
    uint32_t class : 2;
    uint32_t slot : 28;
};

struct block_trace {
    struct block_act *acts;
    size_t acts_n;
    size_t gets_n;
    size_t gets_of[BLOCK_CLASSES];
    size_t live_max_of[BLOCK_CLASSES];
    size_t slots_n;
    uint64_t events_n;
    uint64_t events_lost;
    int fd;
};

/* Reads the file of bench/preload/alloc_trace.c. NULL, or what is wrong. */
const char *block_trace_read(struct block_trace *t, const char *path);

/* Maps what another process read. NULL, or what is wrong. */
const char *block_trace_map(struct block_trace *t, int fd);

#endif
