/* worker_gauges.h - what one worker tells of its buffers, and its knobs.
 *
 *      worker/0/pool/64k              blocks in use; bound: what it keeps
 *      worker/0/write-queues          of all its connections together
 *      worker/0/write-queues/fullest  the one nearest to its hard limit
 *      worker/0/access-log            the batch of lines
 *      worker/0/file-cache            open files
 *
 * Figures that only the worker may compute (a walk over its connections) are
 * computed by it once a second and kept here, so that a report costs the loop
 * nothing and may be asked for by any thread.
 *
 * Promise    a knob shows what is in force, whoever set it: the advisor or the
 *            operator.
 * Owns       its entries and knobs; worker, monitor and advisor are borrowed.
 * Threads    sample: the worker's; a report: any; one lock for the figures. */
#ifndef HTTPD_OBSERVE_WORKER_GAUGES_H
#define HTTPD_OBSERVE_WORKER_GAUGES_H

#include "buffers/block.h"

#include <stddef.h>
#include <stdint.h>

struct advisor;
struct knob;
struct monitor;
struct worker;
struct worker_gauges;

#define WORKER_KNOBS (BLOCK_CLASSES + 2u) /* pool classes, read, sendfile */

/* Registers everything. NULL: out of memory, or too many entries. */
struct worker_gauges *worker_gauges_new(struct worker *w, struct monitor *m,
                                        struct advisor *a);

/* Takes everything back; NULL is fine. */
void worker_gauges_free(struct worker_gauges *g);

struct worker *worker_gauges_worker(const struct worker_gauges *g);

/* The figures anew. */
void worker_gauges_sample(struct worker_gauges *g, uint64_t now_ms);

/* What the advisor is to know of; every ADVISOR_TICK_MS. */
void worker_gauges_observe(struct worker_gauges *g);

/* A knob by its number, below WORKER_KNOBS. */
const struct knob *worker_gauges_knob(const struct worker_gauges *g, size_t n);

#endif
