/* timer.h - one wake-up at a time, for sources that pace themselves.
 *
 * Promise    fires once, at or after its time, to about a millisecond.
 * Owns       its event inside the loop; timer_fini() takes it out.
 * Threads    its worker's loop thread.
 * Not for    timeouts of connections: those are fields, and the worker's sweep
 *            finds the late ones. */
#ifndef HTTPD_LOOP_TIMER_H
#define HTTPD_LOOP_TIMER_H

#include <event2/event_struct.h>
#include <stdint.h>

struct worker;

struct timer {
    struct event event;
    struct worker *worker;
    void (*fire)(void *arg);
    void *arg;
};

void timer_init(struct timer *t, struct worker *w, void (*fire)(void *arg),
                void *arg);

/* Starts it, or starts it anew. */
void timer_start(struct timer *t, uint64_t ms);

/* Stops it; harmless when it is not running. */
void timer_fini(struct timer *t);

#endif
