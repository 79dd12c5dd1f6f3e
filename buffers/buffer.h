/* buffer.h - elements between threads: growable, blocking or overwriting.
 *
 *      head                     tail              positions only grow
 *       v                        v
 *      [#########################.............]   cap elements
 *       ^ next, read, peek       ^ add, write, reserve
 *
 * Three kinds behind one interface, of elements of any one size:
 *
 *      growable   doubles up to cap_max, then refuses (FULL)
 *      block      the writer waits for room
 *      ring       never waits: the oldest element is lost, and counted
 *
 * What each operation answers, by the state of the buffer. "wait" stands for
 * the plain form; the try_ form and a deadline that has passed answer what
 * stands in brackets. An element is moved whole or not at all.
 *
 *                open     open     open           write side  closed  closed
 *                empty    part     full           closed,     *)      with
 *                                                 left                error
 *  write, add,   DONE     DONE     growable FULL  END         END     FAILED
 *  reserve                         block wait
 *                                    [FULL]
 *                                  ring DONE: the
 *                                    oldest go
 *  read, next,   wait     DONE     DONE           DONE        END     FAILED
 *  peek           [AGAIN]
 *  discard       AGAIN    DONE     DONE           DONE        END     FAILED
 *  len           0        n        cap            n           0       0
 *  error         0        0        0              0           0       the error
 *
 *  close_write   closed   write side closed       -           -       -
 *  close         closed   closed, the rest is dropped         -       -
 *  close_with_   closed with error, the rest is dropped       -       -
 *  error
 *  reset         DONE: open, empty, no error; counters stay. AGAIN while a
 *                reserve or a peek is out
 *
 *    -  nothing changes
 *    *) closed: by close(), or by close_write() and nothing is left.
 *
 * A close of any kind ends every wait at once with the answer of its column.
 *
 * Promise    order per writer is kept; every element is read once or counted
 *            as lost; count out-parameters are valid whatever the result.
 *            written == read + lost + dropped + len, when nobody is inside.
 * Reserve    hands out room in place: one reserve at a time; other writers
 *            wait ([FULL]) until buffer_commit(). A full ring loses as many as
 *            it hands out.
 * Peek       hands out elements in place: one peek at a time; other readers
 *            wait ([AGAIN]; discard too) until buffer_consume(). What is shown
 *            stays as it is: meanwhile a full ring loses the new elements
 *            instead of the shown ones (counted alike; a reserve waits), and a
 *            growable one grows beside.
 * After a close, commit and consume are still due; they move nothing, but for
 * a consume after buffer_close_write().
 * Limits     elem_bytes 1 to BUFFER_ELEM_BYTES_MAX; cap 1 to
 *            BUFFER_CAP_BYTES_MAX bytes in all.
 * Owns       its storage. No thread may be inside when it is freed.
 * Threads    any number on each side, all functions but buffer_free().
 * Cost       add and next: one lock of their own side, one copy, no system
 *            call unless the other side sleeps. A full ring takes both locks.
 *            Who must wait looks for some microseconds before it sleeps.
 * Clock      none of its own: deadlines are absolute nanoseconds of
 *            CLOCK_MONOTONIC, looked at where a thread would sleep: a long
 *            write that finds room at each look goes on behind its deadline.
 *            Blocked time is measured when now_ns is given.
 * Not for    bytes that only the loop thread handles: see write_queue.h. */
#ifndef BUFFERS_BUFFER_H
#define BUFFERS_BUFFER_H

#include "buffers/flow.h"

#include <stddef.h>
#include <stdint.h>

#define BUFFER_ELEM_BYTES_MAX ((size_t)1 << 20)
#define BUFFER_CAP_BYTES_MAX  ((size_t)1 << 40)
#define BUFFER_NAME_BYTES     48u
#define BUFFER_NO_DEADLINE    UINT64_MAX

enum buffer_kind {
    BUFFER_GROWABLE,
    BUFFER_BLOCK,
    BUFFER_RING,
};

enum buffer_event {
    BUFFER_READABLE = 1, /* elements, the end or its turn, for a reader */
    BUFFER_WRITABLE = 2, /* room, a close or its turn, for a writer */
    BUFFER_CLOSED = 4,   /* once, by whichever close came first */
};

struct buffer_config {
    const char *name; /* copied, cut to BUFFER_NAME_BYTES - 1 */
    enum buffer_kind kind;
    size_t elem_bytes;
    size_t cap;     /* elements; of a growable one the first allocation */
    size_t cap_max; /* growable: the ceiling, >= cap; else 0 */

    /* For event loops, or NULL. Called with enum buffer_event bits on the
     * thread that caused them, with no lock held; at most once for each time
     * that a try_ form answered AGAIN or FULL (a new buffer or one that was
     * reset counts as found empty), so that a loop reads until AGAIN and then
     * waits for the call. Another thread may be faster: then the loop finds
     * nothing, and is told again. It may call any function of the buffer but
     * buffer_free(). */
    void (*notify)(void *arg, unsigned events);
    void *notify_arg;

    /* Nanoseconds of any steady clock, or NULL: blocked_ns stays 0. */
    uint64_t (*now_ns)(void);
};

struct buffer_stats {
    uint64_t written;     /* elements that were taken, lost ones among them */
    uint64_t read;        /* elements, discarded ones among them */
    uint64_t lost;        /* overwritten, or not taken by a peeked ring */
    uint64_t dropped;     /* by close, close_with_error and reset */
    uint64_t len_max;     /* deepest that it has been */
    uint64_t write_waits; /* times that a writer slept */
    uint64_t read_waits;
    uint64_t write_blocked_ns;
    uint64_t read_blocked_ns;
    uint64_t grown; /* times that a growable one was laid out anew */
};

struct buffer;

/* NULL: out of memory. A configuration beyond the limits is a programmer's
 * error and asserts. */
struct buffer *buffer_new(const struct buffer_config *config);
void buffer_free(struct buffer *b);

/* All n elements, waiting for room as often as needed; *ret_n were taken. A
 * growable one that cannot have the memory for n takes none: NO_MEMORY. */
enum flow buffer_write(struct buffer *b, const void *elems, size_t n,
                       size_t *ret_n);
enum flow buffer_try_write(struct buffer *b, const void *elems, size_t n,
                           size_t *ret_n);
enum flow buffer_write_until(struct buffer *b, const void *elems, size_t n,
                             uint64_t deadline_ns, size_t *ret_n);

/* At least one and at most n elements, n >= 1. */
enum flow buffer_read(struct buffer *b, void *elems, size_t n, size_t *ret_n);
enum flow buffer_try_read(struct buffer *b, void *elems, size_t n,
                          size_t *ret_n);
enum flow buffer_read_until(struct buffer *b, void *elems, size_t n,
                            uint64_t deadline_ns, size_t *ret_n);

/* One element. */
enum flow buffer_add(struct buffer *b, const void *elem);
enum flow buffer_try_add(struct buffer *b, const void *elem);
enum flow buffer_add_until(struct buffer *b, const void *elem,
                           uint64_t deadline_ns);
enum flow buffer_next(struct buffer *b, void *ret_elem);
enum flow buffer_try_next(struct buffer *b, void *ret_elem);
enum flow buffer_next_until(struct buffer *b, void *ret_elem,
                            uint64_t deadline_ns);

/* Drops up to n of the oldest; never waits. */
enum flow buffer_discard(struct buffer *b, size_t n, size_t *ret_n);

/* Room for at least one and at most n elements in one piece. On DONE the
 * caller fills the first k of it and calls buffer_commit(b, k), k <= *ret_n,
 * from the same or another thread. */
enum flow buffer_reserve(struct buffer *b, size_t n, void **ret_room,
                         size_t *ret_n);
enum flow buffer_try_reserve(struct buffer *b, size_t n, void **ret_room,
                             size_t *ret_n);
enum flow buffer_reserve_until(struct buffer *b, size_t n, uint64_t deadline_ns,
                               void **ret_room, size_t *ret_n);
void buffer_commit(struct buffer *b, size_t n);

/* The oldest elements, at least one and at most n, in one piece. On DONE the
 * caller reads them and calls buffer_consume(b, k), k <= *ret_n. */
enum flow buffer_peek(struct buffer *b, size_t n, const void **ret_elems,
                      size_t *ret_n);
enum flow buffer_try_peek(struct buffer *b, size_t n, const void **ret_elems,
                          size_t *ret_n);
enum flow buffer_peek_until(struct buffer *b, size_t n, uint64_t deadline_ns,
                            const void **ret_elems, size_t *ret_n);
void buffer_consume(struct buffer *b, size_t n);

/* Elements held now; another thread may change it at once. */
size_t buffer_len(const struct buffer *b);
size_t buffer_cap(const struct buffer *b); /* of a growable one the ceiling */

enum flow buffer_reset(struct buffer *b);
void buffer_close_write(struct buffer *b);
void buffer_close_with_error(struct buffer *b, int error); /* error != 0 */
void buffer_close(struct buffer *b);
int buffer_error(const struct buffer *b);

/* Another cap (growable: another ceiling) while it runs. DONE; FULL: fewer
 * than are held, or beyond the limits; AGAIN: a reserve or a peek is out;
 * NO_MEMORY: as it was. */
enum flow buffer_set_cap(struct buffer *b, size_t cap);

const char *buffer_name(const struct buffer *b);
enum buffer_kind buffer_kind(const struct buffer *b);
void buffer_stats(const struct buffer *b, struct buffer_stats *ret_stats);

/* Notes where the tail is at now_ms; to be called at even intervals, by one
 * thread. Milliseconds since the oldest element came, 0 when empty: never too
 * little, and too much by at most one interval, or by an eighth of the age
 * that there was when it came to more than 32 intervals. What came before the
 * first call counts from there. */
uint64_t buffer_sample_age(struct buffer *b, uint64_t now_ms);

/* Takes both sides' locks and asserts every invariant; for tests. */
void buffer_check(struct buffer *b);

#endif
