/* inventory.h - everything where bytes wait, in one list, watched and tuned.
 *
 *      worker, each second: figures of its queues --> gauges --.
 *      pools, batches, I/O pool: their own counters -----------+--> monitor
 *                                                              |      | alerts
 *      advisor <-- demand of pools, reads, file turns ---------'      v
 *         '--> pool_keep, read size, sendfile chunk              the log
 *
 * Promise    each alert is logged when it begins and when it ends, with what it
 *            means and what to do; each turn of a knob with its reason.
 * Owns       monitor and advisor, and an entry for each thing that is watched.
 * Limits     INVENTORY_WORKERS_MAX workers.
 * Threads    workers are added before the threads start and removed after they
 *            have ended; all else any thread. */
#ifndef HTTPD_OBSERVE_INVENTORY_H
#define HTTPD_OBSERVE_INVENTORY_H

#include "buffers/advisor.h"
#include "buffers/monitor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INVENTORY_WORKERS_MAX  256u
#define INVENTORY_TICK_MS      1000u
#define INVENTORY_REASON_BYTES ADVISOR_REASON_BYTES

struct budget;
struct config;
struct inventory;
struct worker;

/* NULL when out of memory. The budget outlives it. */
struct inventory *inventory_new(const struct config *config,
                                struct budget *budget);
void inventory_free(struct inventory *i);

struct monitor *inventory_monitor(struct inventory *i);
struct budget *inventory_budget(struct inventory *i);

/* Watches a worker from its next sweep on. False: out of memory, or too many.
 * To be removed before the worker is freed; one that was not added is fine. */
bool inventory_add_worker(struct inventory *i, struct worker *w);
void inventory_remove_worker(struct inventory *i, struct worker *w);

/* Looks at all entries and knobs; about once a second. */
void inventory_tick(struct inventory *i, uint64_t now_ms);

/* The advisor, as the operator sees it. */
struct knob_view {
    const struct knob *knob;
    char reason[INVENTORY_REASON_BYTES]; /* of its last turn; "" when none */
};

bool inventory_advisor_enabled(const struct inventory *i);
void inventory_enable_advisor(struct inventory *i, bool enabled);
uint64_t inventory_advisor_changes(const struct inventory *i);

/* Every knob in the order of the workers; false ends the walk. */
void inventory_each_knob(struct inventory *i,
                         bool (*fn)(void *arg, const struct knob_view *view),
                         void *arg);

#endif
