/* tap.h - where one worker draws from one stream.
 *
 *      stream --tap_news()--> hub --turn--> tap
 *                                            | views: readers at the tail
 *                                            | behind, waiting: on their own
 *                                            '-> waiters: long polls and
 *                                                publishers
 *
 * Promise    a waiter is called once for every time it was armed: on news, at
 *            its deadline, or when the stream is gone.
 * Limits     a turn sends to TAP_TURN_SENDS readers and renders
 *            VIEW_TURN_BYTES a view.
 * Owns       a reference to the stream; freed when nobody is left at it.
 *            Itself is charged to the budget as what was accepted.
 * Threads    tap_news(): the worker's, and any that holds the stream's lock;
 *            the rest the worker's. */
#ifndef HTTPD_STREAMS_TAP_H
#define HTTPD_STREAMS_TAP_H

#include "httpd/streams/stream.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_TURN_SENDS 512u

struct exchange;
struct hub;
struct reader;
struct view;

/* Up to where one that follows by itself has everything: what it holds under
 * policy block. UINT64_MAX holds nothing. */
struct tap_hold {
    struct tap_hold *next;
    struct tap_hold **link;
    uint64_t pos;
};

struct tap {
    struct stream *stream;
    struct hub *hub;
    struct tap *next_of_stream; /* the stream's, by its lock */
    uint64_t floor;             /* the same; see stream_tap_floor() */
    atomic_size_t readers_n;
    atomic_bool queued; /* in the hub's news, or its list */
    struct tap *next_news;
    struct tap *next; /* in the hub's table */
    struct tap **link;
    struct view *views;
    struct reader *behind;  /* by themselves, as their sockets allow */
    struct reader *waiting; /* by themselves, for news */
    struct tap_waiter *waiters;
    struct tap_hold *holds;
    bool busy; /* in a turn or sweep: it is settled behind that */
    bool dead; /* out of the table: freed when the hub comes across it */
};

struct tap_waiter {
    struct tap *tap; /* NULL: not armed */
    struct tap_waiter *next;
    struct tap_waiter **link;
    uint64_t deadline_ms;    /* by worker_now_ms(); 0: none */
    uint64_t alone_ms;       /* since when nobody reads; 0: somebody does */
    uint64_t pos;            /* woken when the tail is beyond; see room */
    struct stream_need need; /* woken when there is room for it; see room */
    bool room;
    bool timed_out; /* set when it is woken by its deadline */
    void (*wake)(struct tap_waiter *w);
};

/* The worker's tap at a stream, made when there is none yet. NULL: no memory.
 * What is attached keeps it; tap_settle() frees it when nothing is. */
struct tap *tap_of(struct hub *h, struct stream *s);
void tap_settle(struct tap *t);

/* Frees one that the hub had in its list when it was settled. */
void tap_free_dead(struct tap *t);

/* Something changed. */
void tap_news(struct tap *t);

/* A turn: true when there is more to do. *sends_left is counted down. */
bool tap_turn(struct tap *t, size_t *sends_left);

/* Deadlines of waiters, heartbeats of views. */
void tap_sweep(struct tap *t, uint64_t now_ms);

/* Under policy block the stream is told up to where this worker's readers have
 * everything: of one that begins at pos at once, of those that got on or left
 * in the tap's next turn. */
void tap_floor_begins(struct tap *t, uint64_t pos);
void tap_floor_moved(struct tap *t);

/* Counts a reader that is no struct reader: in, with its first position, and
 * out. It sets hold->pos itself, and says tap_floor_moved(). */
void tap_hold_in(struct tap *t, struct tap_hold *hold, uint64_t pos);
void tap_hold_out(struct tap *t, struct tap_hold *hold);

/* Whether who has not got on since then keeps a publisher waiting for longer
 * than slow_after, under policy block. */
bool tap_stops_publishers(const struct tap *t, uint64_t since_ms,
                          uint64_t now_ms);

/* One line for the log: stream "NAME": what, so many bytes behind. */
#define TAP_TEXT_BYTES 384u
void tap_lag_text(const struct tap *t, const char *what, uint64_t lag,
                  char out[TAP_TEXT_BYTES]);
/* The same: bytes [from, to) were dropped before they could be sent. */
void tap_gap_text(const struct tap *t, uint64_t from, uint64_t to,
                  char out[TAP_TEXT_BYTES]);

/* Arms a waiter of worker x->worker: for room (policy block), or for news
 * beyond pos. False: no memory. It is woken soon if the stream is gone, closed
 * or has what is waited for already. */
bool tap_wait_room(struct exchange *x, struct stream *s, struct tap_waiter *w);
bool tap_wait_news(struct exchange *x, struct stream *s, uint64_t pos,
                   struct tap_waiter *w);

/* The same at a tap that is there. */
void tap_wait_more(struct tap *t, uint64_t pos, struct tap_waiter *w);
void tap_wait_space(struct tap *t, struct tap_waiter *w);

/* Disarms it; harmless when it is not armed. */
void tap_wait_stop(struct tap_waiter *w);

#endif
