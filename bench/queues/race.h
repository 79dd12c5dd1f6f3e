/* race.h - one run of one queue: how fast, or how soon.
 *
 * Promise    what comes out is compared with what was put in, by number and
 *            by sum: a queue that cheats fails the run.
 * Limits     RACE_THREADS_MAX threads a side.
 * Threads    one caller; the run starts its own and joins them.
 * Cost       speed: as long as the elements take. Sparse: about
 *            RACE_SPARSE_NS for each element of each producer. */
#ifndef BENCH_QUEUES_RACE_H
#define BENCH_QUEUES_RACE_H

#include "bench/latency.h"
#include "bench/queues/queue.h"

#include <stdbool.h>

#define RACE_THREADS_MAX 4
#define RACE_SPARSE_NS   200000u /* between two arrivals, in the mean */

struct race {
    const struct queue_ops *ops;
    struct queue_shape shape;
    size_t elements; /* of all producers */
};

/* As fast as it goes. Nanoseconds per element, and the share that a ring
 * lost. False: what came out is not what was put in. */
bool race_speed(const struct race *race, double *ret_ns, double *ret_lost);

/* Single elements with pauses, so that readers sleep: adds the time from
 * before each put to after its get. */
bool race_sparse(const struct race *race, struct latency *latency);

uint64_t race_now_ns(void);

#endif
