/* hub_inner.h - what the files of a worker's streams share; for nobody else.
 *
 * Promise    the scratch buffers are free between two calls.
 * Threads    the worker's; news is a stack that any thread pushes to. */
#ifndef HTTPD_STREAMS_HUB_INNER_H
#define HTTPD_STREAMS_HUB_INNER_H

#include "httpd/loop/io_watch.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/render.h"
#include "httpd/streams/tap.h"

#include <pthread.h>

#define HUB_BUCKETS 1024u

struct hub {
    struct worker *worker;
    struct registry *registry;
    _Atomic(const void *) owner; /* names the worker's thread */
    _Atomic(struct tap *) news;  /* pushed by any thread */
    struct tap *turns;           /* to have a turn, first come first */
    struct tap **turns_tail;
    struct tap *buckets[HUB_BUCKETS]; /* taps by stream */
    struct hub_publisher *publishers;
    struct budget_purse newcomers; /* readers */
    struct ready ready;
    struct io_watch watch;
    int wake_fd;
    uint64_t swept_ms;
    /* Read by any thread. */
    _Atomic uint64_t views_bytes; /* charged, what was taken along as well */
    _Atomic uint64_t readers_n;
    _Atomic uint64_t readers_dropped_n;
    char copied[STREAM_READ_BYTES]; /* of a stream */
    struct stream_copy copy;
    struct bytes rendered;
};

/* Memory of views, and of what a reader takes along from one, is charged as
 * what leaves. */
bool hub_charge_view(struct hub *h, size_t bytes);
void hub_discharge_view(struct hub *h, size_t bytes);

/* What was copied from pos on, as render_step() takes it. */
void hub_input(struct hub *h, uint64_t pos, struct render_input *ret);

/* The first used bytes of it were rendered. */
void hub_advance(struct hub *h, struct render_input *in, size_t used);

#endif
