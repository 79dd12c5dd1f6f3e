/* worker.h - one thread, one event base, and what its connections share.
 *
 * Promise    a connection never changes its worker, so nothing here is locked.
 * Owns       base, read buffer, block pool, free exchanges, file cache, access
 *            log buffer, its end of the I/O pool. What is in struct
 *            worker_share is borrowed.
 * Threads    the worker's own, except worker_command(), which any thread may
 *            call: one atomic and an eventfd. */
#ifndef HTTPD_LOOP_WORKER_H
#define HTTPD_LOOP_WORKER_H

#include "buffers/advisor.h"
#include "buffers/block_pool.h"
#include "buffers/budget_purse.h"
#include "buffers/bytes.h"
#include "buffers/str.h"
#include "httpd/loop/timer.h"
#include "parser/http_date.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct access_log;
struct budget;
struct config;
struct conn;
struct conn_count;
struct descriptor_shares;
struct event_base;
struct exchange;
struct file_cache;
struct hub;
struct inventory;
struct io_done;
struct io_pool;
struct registry;
struct route_table;

enum worker_command {
    WORKER_RUN,
    WORKER_DRAIN, /* no new connections; end when the last is done */
    WORKER_STOP,  /* end now */
};

/* Something to be looked at once more in this turn of the loop. */
struct ready {
    struct ready *next;
    struct ready **link; /* what points at this one */
    bool queued;
    void (*run)(struct ready *r);
};

/* What all workers share; it outlives them. */
struct worker_share {
    const struct config *config;
    const struct route_table *routes;
    const struct descriptor_shares *descriptors;
    struct conn_count *conn_count;
    struct budget *budget;
    struct io_pool *io_pool;
    struct registry *registry;
};

struct worker {
    size_t id;
    struct event_base *base;
    const struct config *config;
    const struct route_table *routes;
    struct conn_count *conn_count; /* shared by all workers */
    struct budget *budget;         /* shared, too */
    struct budget_purse accepted;  /* of it, for requests */
    struct io_done *io;            /* what I/O threads have finished */
    struct hub *hub;               /* its side of the live streams */
    struct inventory *inventory;   /* that it is in, or NULL; shared, too */

    uint64_t now_ms;
    int64_t now_seconds;
    uint64_t next_second_ms;    /* when now_seconds is to be read again */
    char date[HTTP_DATE_BYTES]; /* now_seconds as HTTP writes it */

    struct conn *conns; /* all connections, newest first */
    size_t conns_n;
    size_t log_lines; /* since the last sweep */
    size_t log_lines_left_out;
    size_t refused_max;
    size_t refused_n; /* of them: beyond a cap, waiting to read why */
    struct ready *ready_head;
    struct ready **ready_tail;
    struct exchange *free_exchanges;
    size_t free_exchanges_n;
    struct block_pool pool;
    struct file_cache *file_cache;
    size_t files_max;
    struct access_log *access_log; /* NULL when off */
    struct bytes head;             /* a response head is built here */

    struct listener *listeners;
    struct timer sweep;
    struct timer ready_timer;
    struct event command_event;
    int command_fd;
    _Atomic enum worker_command command;
    bool draining;
    uint64_t drain_deadline_ms;

    struct knob read_size; /* bytes of one body read, up to read_size_max */
    struct knob send_size; /* bytes of a file in one turn */
    char *read_buffer;
    size_t read_buffer_bytes; /* read_size_max, READ_BODY_BYTES at least */

    /* Called in each sweep, once all else is done; may be NULL. */
    void (*on_sweep)(void *arg, uint64_t now_ms);
    void *on_sweep_arg;
};

/* Everything but the listeners. NULL when out of memory or descriptors. */
struct worker *worker_new(size_t id, const struct worker_share *share);

/* Closes everything that may hold blocks of other workers' pools; its thread
 * has ended. All are stopped before the first is freed. */
void worker_stop(struct worker *w);
void worker_free(struct worker *w);

/* Runs the loop until a command ends it. False: it failed, the log says so. */
bool worker_run(struct worker *w);

/* Tells the worker what to do; any thread. */
void worker_command(struct worker *w, enum worker_command command);

/* Blocks of a class that a pool keeps of keep_bytes: each class has an equal
 * share of the bytes. */
uint32_t worker_pool_keep(uint64_t keep_bytes, enum block_class c);

/* Queues r to run before the loop waits again; once however often asked. */
void worker_ready(struct worker *w, struct ready *r);
void worker_unready(struct worker *w, struct ready *r);

/* Reads the clocks. Called once for every event. */
void worker_tick(struct worker *w);

/* A request and its response to use, charged to the budget (charged 0: it could
 * not be), or NULL; give it back when done. */
struct exchange *worker_exchange_get(struct worker *w);
void worker_exchange_put(struct worker *w, struct exchange *x);

/* Milliseconds on the monotonic clock, read once a turn. */
static inline uint64_t worker_now_ms(const struct worker *w)
{
    return w->now_ms;
}

/* Seconds since 1970, read once a turn. */
static inline int64_t worker_now_seconds(const struct worker *w)
{
    return w->now_seconds;
}

static inline struct file_cache *worker_file_cache(struct worker *w)
{
    return w->file_cache;
}

#endif
