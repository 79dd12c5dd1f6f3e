/* hub.h - one worker's side of all streams.
 *
 *      stream --tap_news()--> hub's list --eventfd or ready--> hub turn
 *                                                                | each tap:
 *                                            views, readers, waiters
 *
 * Promise    however many appends happen, a worker is woken once; a turn of a
 *            tap does bounded work and goes to the end of the list, so that no
 *            stream starves another.
 * Owns       taps, views and readers of its worker.
 * Limits     what stays for a reader is charged to the budget as what is new,
 *            so that new readers are refused before anything that runs; their
 *            taps as accepted, what views keep as what leaves.
 * Threads    hub_signal() any; the rest the worker's. */
#ifndef HTTPD_STREAMS_HUB_H
#define HTTPD_STREAMS_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;
struct registry;
struct worker;

/* NULL when out of memory or descriptors. */
struct hub *hub_new(struct worker *w, struct registry *registry);

/* Whoever reads, waits or publishes has left. */
void hub_free(struct hub *h);

/* The calling thread runs the worker. */
void hub_own(struct hub *h);

struct registry *hub_registry(struct hub *h);

/* Zeroed memory for what stays with a reader. NULL: the budget or the heap has
 * not so much, and the reader is refused. */
void *hub_allot(struct hub *h, size_t bytes);

/* Takes it back, of the size that was asked for; NULL is fine. */
void hub_take_back(struct hub *h, void *what, size_t bytes);

/* Deadlines, heartbeats, lags; in each sweep of the worker. The hub of the
 * first worker also sweeps the registry. */
void hub_sweep(struct hub *h, uint64_t now_ms);

/* A publisher whose body has no end by itself: asked in each sweep of the
 * worker to look whether there is reason to end it. */
struct hub_publisher {
    struct hub_publisher *next;
    struct hub_publisher **link; /* NULL: not in */
    void (*look)(struct hub_publisher *p);
};

void hub_publisher_in(struct hub *h, struct hub_publisher *p);

/* Harmless when it is not in. */
void hub_publisher_out(struct hub_publisher *p);

/* Milliseconds since 1970. */
uint64_t hub_now_ms(struct hub *h);

#endif
