/* io_pool.h - threads for what may wait: reads from disks.
 *
 *      worker: io_submit(job) --> lane of the job's device --> I/O thread
 *         ^                       (a block buffer of jobs)      job->work()
 *         '-- job->done() <-- worker's buffer of finished jobs <-----'
 *                             (its notify hook wakes the loop)
 *
 * A lane serves one device, so that a disk that hangs stalls only those who
 * read from it; the first IO_LANES - 1 devices have a lane each, all others
 * share the last one. A lane's threads start when it gets its first job.
 *
 * Promise    done() is called exactly once for each job that was submitted, on
 *            the thread of its worker, also when the pool ends meanwhile.
 * Limits     IO_LANES lanes of threads_n threads; IO_LANE_JOBS waiting in each
 *            lane; IO_JOBS_MAX under way per worker.
 * Owns       its threads. A job is its submitter's and stays where it is until
 *            done() was called: a submitter that goes earlier leaves a job that
 *            frees itself in done().
 * At the end of the server: the loops have ended; io_pool_stop(); for each
 *            worker io_done_drain(), io_done_free(); io_pool_free(). When
 *            io_pool_stop() says that a disk hangs, nothing of this is freed
 *            and the process ends by _exit(): a thread that waits for a disk
 *            can be ended by nothing else.
 * Threads    io_pool_* the main one; io_submit(), io_done_*: the worker's own,
 *            or any when its loop does not run. */
#ifndef HTTPD_LOOP_IO_POOL_H
#define HTTPD_LOOP_IO_POOL_H

#include "buffers/flow.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define IO_LANES       8u
#define IO_LANE_JOBS   256u
#define IO_JOBS_MAX    1024u /* per worker */
#define IO_THREADS_MAX 64u   /* per lane */

struct io_done; /* a worker's end: finished jobs, and what wakes the loop */
struct io_pool;
struct monitor;
struct worker;

struct io_job {
    void (*work)(struct io_job *job); /* on an I/O thread */
    void (*done)(struct io_job *job); /* on the worker's, later */

    /* The pool's. */
    struct io_done *to;
};

/* threads_n, 1 to IO_THREADS_MAX, for each lane that is used. The pool's
 * buffers are registered with the monitor, which may be NULL. NULL: out of
 * memory. */
struct io_pool *io_pool_new(size_t threads_n, struct monitor *monitor);

/* Finishes what is running, hands out what is waiting without work(), and ends
 * the threads; every io_done must still be there. A job that hangs is waited
 * for at most timeout_ms; false: it still hangs, and the process must end as
 * said above. May be called again. */
bool io_pool_stop(struct io_pool *p, uint64_t timeout_ms);
void io_pool_free(struct io_pool *p);

/* A worker's end, watched by its loop. NULL: out of memory or descriptors. */
struct io_done *io_done_new(struct io_pool *p, struct worker *w, size_t id);

/* Calls done() of what is finished; after io_pool_stop() nothing is left. NULL
 * is fine, also for io_done_free(), of which the loop's base is still there. */
void io_done_drain(struct io_done *d);
void io_done_free(struct io_done *d);

/* Jobs submitted whose done() was not called yet. */
size_t io_done_under_way(const struct io_done *d);

/* Has job->work() run for a file of this device. DONE, or FULL: too many wait,
 * no thread could be started, or the pool ends; nothing was taken, try again
 * at the next sweep. */
enum flow io_submit(struct io_done *d, dev_t device, struct io_job *job);

#endif
