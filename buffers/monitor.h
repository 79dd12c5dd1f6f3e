/* monitor.h - every buffer and pool by name, with its numbers and alerts.
 *
 *      entry --report()--> struct report --thresholds--> alert --on_alert()
 *
 * Each entry is looked at once a tick. A threshold (alert.def) that is passed
 * for its hold time raises an alert; the alert ends when the value is back
 * behind the clear level, so that one that hovers does not flap. New drops
 * have no level between: they must stay away for MONITOR_CALM_MS.
 *
 *      rule        of                              value
 *      MEMORY      budgets                         used, per cent of the bound
 *      FILL        buffers that do not overwrite   used, per cent of the bound
 *      HIT_RATE    pools, over MONITOR_GETS_MIN    hits, per cent of the gets
 *                  gets at least                   since it was last judged
 *      LEAK        pools                           suspects
 *      CORRUPTION  pools                           faults; it never ends
 *      DROPS       everything                      new ones since the last tick
 *      AGE         all that does not overwrite     age of the oldest byte
 *
 * Promise    an alert is told when it begins and when it ends, unless its entry
 *            is removed before; it says how bad, what it means and what to do.
 * Limits     MONITOR_ENTRIES_MAX entries; one alert per entry and rule.
 * Owns       nothing of the entries: each is removed before it is freed.
 * Threads    any; one lock; one thread ticks. report(), set_bound() and the
 *            walker of monitor_each() run under the lock on the thread that
 *            asks: they read atomics or copies and do not call the monitor.
 *            on_alert() runs on the ticking thread after the lock was let go:
 *            it may call anything, and may come just after its entry was
 *            removed by another thread.
 * Clock      given: now_ms, steady.
 * Cost       add: a walk over the names; tick and each: one report an entry. */
#ifndef BUFFERS_MONITOR_H
#define BUFFERS_MONITOR_H

#include "buffers/flow.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MONITOR_ENTRIES_MAX 4096u
#define MONITOR_NAME_BYTES  64u

#define MONITOR_CALM_MS  10000u /* without new drops: their alert ends */
#define MONITOR_GETS_MIN 100u   /* fewer tell nothing of a hit rate */
#define MONITOR_IDLE_MS  60000u /* with fewer gets: nothing to complain of */

enum report_kind {
    REPORT_BUFFER, /* elements or bytes that wait */
    REPORT_BATCH,
    REPORT_POOL, /* one size class of a pool */
    REPORT_BUDGET,
    REPORT_CACHE, /* full is as meant: no alert but drops and age */
};

/* What one buffer or pool tells; what does not apply stays 0. */
struct report {
    enum report_kind kind;
    const char *policy; /* "block", "ring" (overwrites), "pool", "flush", … */
    const char *unit; /* of used, bound and used_max: "bytes", "blocks", … */
    uint64_t used;
    uint64_t bound; /* 0: none of its own */
    uint64_t used_max;
    uint64_t drops;
    uint64_t blocked_us;
    uint64_t flush_us; /* the latest flush */
    uint64_t flush_us_max;
    uint64_t oldest_ms; /* age of the oldest byte */

    /* Pools. */
    uint64_t created;
    uint64_t retrieved;
    uint64_t returned;
    uint64_t destroyed;
    uint64_t hits;
    uint64_t misses;
    uint64_t refused;
    uint64_t kept;
    uint64_t bytes;
    uint64_t suspects;
    uint64_t faults;
    const char *suspect; /* who borrowed what is missing, or NULL */
};

enum alert_severity {
    ALERT_NOTICE,   /* look when there is time */
    ALERT_WARNING,  /* clients will feel it soon, or do now */
    ALERT_CRITICAL, /* something is lost or broken */
};

enum alert_rule {
#define ALERT(name, severity, raise, clear, hold_ms, means, cure) ALERT_##name,
#include "buffers/alert.def"
#undef ALERT
    ALERT_RULES,
};

struct alert {
    enum alert_rule rule;
    enum alert_severity severity;
    const char *rule_name; /* "fill" */
    const char *means;
    const char *cure;
    char entry[MONITOR_NAME_BYTES];
    const char *suspect; /* for a leak: the borrower, or NULL */
    uint64_t value;      /* in the rule's unit, when it was raised or ended */
    uint64_t since_ms;   /* when it was raised */
    bool ended;
};

struct monitor_entry {
    char name[MONITOR_NAME_BYTES]; /* "worker/0/pool/4k" */
    void *self;
    void (*report)(void *self, uint64_t now_ms, struct report *ret_report);

    /* Another bound while it runs, or NULL: not tunable. */
    enum flow (*set_bound)(void *self, uint64_t bound);

    /* The monitor's; alerts[] and raised[] may be read in monitor_each(). */
    struct monitor_entry *next;
    struct monitor_entry **link;
    struct alert alerts[ALERT_RULES]; /* the latest */
    bool raised[ALERT_RULES];
    /* Since when beyond raise; of a raised one, behind clear; 0: not. */
    uint64_t beyond_ms[ALERT_RULES];
    uint64_t hits_before; /* when the rate was last judged */
    uint64_t misses_before;
    uint64_t judged_ms;
    uint64_t drops_before;
    uint64_t refused_before; /* at the last tick */
    uint64_t ticks_n;        /* of the monitor, when last looked at */
};

struct monitor {
    pthread_mutex_t lock;
    struct monitor_entry *entries;
    size_t entries_n;
    uint64_t ticks_n;
    void (*on_alert)(void *arg, const struct alert *alert);
    void *on_alert_arg;
    uint64_t raise[ALERT_RULES]; /* thresholds, from alert.def at init */
    uint64_t clear[ALERT_RULES];
    uint64_t hold_ms[ALERT_RULES];
    uint64_t calm_ms[ALERT_RULES];
};

void monitor_init(struct monitor *m,
                  void (*on_alert)(void *arg, const struct alert *alert),
                  void *arg);

/* Every entry must have been removed. */
void monitor_fini(struct monitor *m);

/* Registers an entry whose name, self and functions are set and the rest is
 * zero; names are unique. DONE; FULL: MONITOR_ENTRIES_MAX; FAILED: the name is
 * taken. */
enum flow monitor_add(struct monitor *m, struct monitor_entry *e);

/* Ends its alerts without a word. An entry that is not registered is fine. */
void monitor_remove(struct monitor *m, struct monitor_entry *e);

/* Another threshold. False and no change unless raise is beyond clear in the
 * direction of the rule: HIT_RATE below, the others above. */
bool monitor_set_threshold(struct monitor *m, enum alert_rule rule,
                           uint64_t raise, uint64_t clear, uint64_t hold_ms);

/* Looks at every entry and tells what began and what ended. About once a
 * second. */
void monitor_tick(struct monitor *m, uint64_t now_ms);

/* Calls fn for every entry in the order of names, numbers in them by value;
 * false ends the walk. */
void monitor_each(struct monitor *m, uint64_t now_ms,
                  bool (*fn)(void *arg, const struct monitor_entry *e,
                             const struct report *report),
                  void *arg);

/* Sets the bound of a named entry. DONE, what its set_bound() says, or END:
 * there is none of this name, or it cannot be tuned. */
enum flow monitor_set_bound(struct monitor *m, const char *name,
                            uint64_t bound);

const char *alert_unit(enum alert_rule r); /* of its value: "%", "ms" … */
const char *alert_severity_name(enum alert_severity s);
const char *report_kind_name(enum report_kind k);

#endif
