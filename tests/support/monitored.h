/* monitored.h - a monitor with things whose reports a test writes.
 *
 * Promise    every alert is noted in told; everything unexpected fails the test
 *            with an assertion.
 * Owns       the monitor and its things; each is in it at most once.
 * Threads    one, but for what the monitor itself allows. */
#ifndef TESTS_SUPPORT_MONITORED_H
#define TESTS_SUPPORT_MONITORED_H

#include "buffers/monitor.h"

#define MONITORED_THINGS   40
#define MONITORED_TOLD_MAX 512

struct monitored_thing {
    struct monitor_entry entry;
    struct report report; /* what it will say */
    uint64_t bound;       /* for a test's set_bound() */
    int looks_n;          /* reports asked for */
};

struct monitored {
    struct monitor m;
    struct monitored_thing things[MONITORED_THINGS];
    struct alert told[MONITORED_TOLD_MAX];
    size_t told_n;
    uint64_t now_ms;
    struct monitor_entry *remove_when_told; /* or NULL */
};

/* For cmocka; the state is a struct monitored. */
int monitored_set_up(void **state);
int monitored_tear_down(void **state);

enum flow monitored_add(struct monitored *f, struct monitored_thing *t,
                        const char *name);

/* The first thing, added as "thing", with a bound of 100. */
struct monitored_thing *
monitored_thing(struct monitored *f, enum report_kind kind, const char *policy);

void monitored_tick(struct monitored *f, uint64_t later_ms);

/* The only alert since the last call; it must be this one. */
const struct alert *monitored_told(struct monitored *f, enum alert_rule rule,
                                   bool ended);

/* Nothing was told since. */
void monitored_silent(struct monitored *f);

#endif
