/* latency.h - how long answers took, in little memory.
 *
 * Promise    any percentile, at most 3 % too small, whatever was added.
 * Limits     any 64-bit count of nanoseconds; LATENCY_BUCKETS counters.
 * Owns       nothing but itself; all zeros is empty.
 * Threads    one.
 * Cost       add: a few instructions.
 *
 * A bucket is as wide as 1/32 of the values in it: its number is the value's
 * leading six bits and how far they were shifted. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LATENCY_BITS = 6,
    LATENCY_STEPS = 1 << LATENCY_BITS,
    LATENCY_BUCKETS = (64 - LATENCY_BITS + 1) * LATENCY_STEPS,
};

struct latency {
    uint64_t n;
    uint64_t buckets[LATENCY_BUCKETS];
};

static inline void latency_add(struct latency *l, uint64_t ns)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(ns | 1);
    unsigned shift = bits > LATENCY_BITS ? bits - LATENCY_BITS : 0;
    size_t bucket = (size_t)shift * LATENCY_STEPS + (size_t)(ns >> shift);
    assert(bucket < LATENCY_BUCKETS);
    l->buckets[bucket]++;
    l->n++;
}

/* The time that this share of the answers stayed within; 0 when empty. */
static inline double latency_us(const struct latency *l, double share)
{
    uint64_t wanted = (uint64_t)((double)l->n * share);
    uint64_t seen = 0;
    assert(share >= 0 && share < 1);
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += l->buckets[i];
        if (seen > wanted)
            return (double)((uint64_t)(i % LATENCY_STEPS)
                            << i / LATENCY_STEPS) /
                   1000;
    }
    return 0;
}

#endif
