/* alloc_trace.h - the file that bench/preload/alloc_trace.c writes.
 *
 *      [ head ][ event ][ event ] ... in the order in which they happened
 *
 * Promise    a free stands before any allocation that gets the same address.
 * Limits     ALLOC_TRACE_EVENTS_MAX events; what comes later is counted only.
 * Threads    written by all of a process, read when it has ended. */
#ifndef BENCH_TRACE_ALLOC_TRACE_H
#define BENCH_TRACE_ALLOC_TRACE_H

#include <stdatomic.h>
#include <stdint.h>

#define ALLOC_TRACE_MAGIC      UINT64_C(0x3165636172546c41)
#define ALLOC_TRACE_EVENTS_MAX (4u << 20)

struct alloc_event {
    uint64_t address;
    uint32_t bytes; /* 0: freed */
    uint32_t ms;    /* since the trace began */
};

struct alloc_trace {
    uint64_t magic;
    _Atomic uint64_t events_n; /* also of those that had no room */
    struct alloc_event events[ALLOC_TRACE_EVENTS_MAX];
};

#endif
