/* signals.h - signals as events of one worker's loop.
 *
 * Promise    the callback runs on that worker's thread, between turns.
 * Owns       its events; one set for the process.
 * Threads    the worker's; all other threads block these signals. */
#ifndef HTTPD_LOOP_SIGNALS_H
#define HTTPD_LOOP_SIGNALS_H

#include <event2/event_struct.h>
#include <stdbool.h>

#define SIGNALS_N 3

struct worker;

struct signals {
    struct event events[SIGNALS_N];
    void (*caught)(int signal, void *arg);
    void *arg;
};

/* Watches SIGTERM, SIGINT and SIGHUP. False: the loop cannot. */
bool signals_watch(struct signals *s, struct worker *w,
                   void (*caught)(int signal, void *arg), void *arg);
void signals_unwatch(struct signals *s);

/* Has the calling thread, and those it starts, leave them to the worker. */
void signals_block(void);
void signals_unblock(void);

#endif
