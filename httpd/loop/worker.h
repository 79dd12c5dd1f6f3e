/* worker.h - one thread, one event base, and what its connections share.
 *
 * Promise    a connection never changes its worker, so nothing here is locked.
 * Owns       read buffer, scratch, block pool, free exchanges, file cache.
 * Threads    the worker's own, except worker_stop(), which any thread may
 *            call. */
#ifndef HTTPD_LOOP_WORKER_H
#define HTTPD_LOOP_WORKER_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_cache;
struct worker;

#define WORKER_SCRATCH_BYTES (64u << 10)

/* Milliseconds on the monotonic clock, read once a turn. */
uint64_t worker_now_ms(const struct worker *w);

/* Seconds since 1970, read once a turn. */
int64_t worker_now_seconds(const struct worker *w);

/* WORKER_SCRATCH_BYTES for use within one call; never kept. */
char *worker_scratch(struct worker *w);

struct file_cache *worker_file_cache(struct worker *w);

#endif
