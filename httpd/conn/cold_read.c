#include "httpd/conn/cold_read.h"

#include "buffers/file_residency.h"
#include "httpd/conn/conn.h"
#include "httpd/loop/io_pool.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static_assert(COLD_READ_BYTES <= RESIDENCY_BYTES_MAX, "one question a job");

struct cold_job {
    struct io_job io;
    struct conn *conn; /* NULL: it has gone */
    int fd;
    const void *owner;
    uint64_t pos;
    uint64_t len;
    uint64_t ahead;
};

static struct cold_job *job_of(struct io_job *io)
{
    return (struct cold_job *)((char *)io - offsetof(struct cold_job, io));
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A disk that fails, and a file that ended, are sendfile()'s to find. */
static void work(struct io_job *io)
{
    struct cold_job *job = job_of(io);
    (void)file_fetch(job->fd, job->pos, job->len, job->ahead);
}

static void remember(struct conn *c, const void *owner, uint64_t pos,
                     uint64_t len)
{
    struct cold_read *r = &c->cold;
    r->owner = owner;
    r->warm_pos = pos;
    r->warm_end = pos + len;
    r->warm_ms = c->worker->now_ms;
}

/* The range may leave whole: what comes next may be another file with the same
 * owner, or where that one was. */
static void forget(struct conn *c)
{
    c->cold.warm_pos = c->cold.warm_end;
}

static void job_free(struct cold_job *job)
{
    close(job->fd);
    free(job);
}

static void done(struct io_job *io)
{
    struct cold_job *job = job_of(io);
    struct conn *c = job->conn;
    if (c) {
        assert(c->magic == CONN_MAGIC && c->cold.job == job);
        remember(c, job->owner, job->pos, job->len);
        c->cold.fetched = true;
        c->cold.job = NULL;
        worker_ready(c->worker, &c->ready);
    }
    job_free(job);
}

/* Whoever goes on behind what was warm reads a long piece. */
static uint64_t next_step(struct cold_read *r, const struct file_range *range)
{
    bool goes_on = r->owner == range->owner && range->pos == r->warm_end;
    if (!goes_on || r->step == 0)
        r->step = COLD_READ_BYTES_MIN;
    else if (r->step < COLD_READ_BYTES_MAX)
        r->step *= 2;
    return r->step;
}

static struct cold_job *job_new(struct conn *c, const struct file_range *range)
{
    struct cold_job *job = malloc(sizeof *job);
    if (!job)
        return NULL;
    uint64_t step = next_step(&c->cold, range);
    uint64_t len = least(range->len, step);
    *job = (struct cold_job){
        .io = {.work = work, .done = done},
        .conn = c,
        .fd = fcntl(range->fd, F_DUPFD_CLOEXEC, 0),
        .owner = range->owner,
        .pos = range->pos,
        .len = len,
        .ahead = least(range->len - len, step),
    };
    if (job->fd >= 0)
        return job;
    free(job);
    return NULL;
}

static void start_job(struct conn *c, const struct file_range *range)
{
    struct cold_job *job = job_new(c, range);
    c->cold.retry = true;
    if (!job)
        return;
    if (io_submit(c->worker->io, file_device(job->fd), &job->io) != FLOW_DONE) {
        job_free(job);
        return;
    }
    c->cold.retry = false;
    c->cold.job = job;
}

/* What is left of the bytes that were found or read last. */
static uint64_t still_warm(struct conn *c, const struct file_range *range)
{
    struct cold_read *r = &c->cold;
    bool within = r->owner == range->owner && range->pos >= r->warm_pos &&
                  range->pos < r->warm_end;
    bool fresh = r->fetched || c->worker->now_ms - r->warm_ms < WARM_TRUST_MS;
    r->fetched = false;
    return within && fresh ? r->warm_end - range->pos : 0;
}

uint64_t cold_read_warm(struct conn *c, const struct file_range *range,
                        uint64_t bytes_max)
{
    uint64_t want = least(range->len, bytes_max);
    assert(want > 0);
    if (!c->worker->io)
        return want;
    if (cold_read_waits(&c->cold))
        return 0;
    uint64_t n = still_warm(c, range);
    if (n == 0) {
        n = file_resident(range->fd, range->pos,
                          least(range->len, COLD_READ_BYTES));
        if (n == 0 || n == RESIDENCY_UNKNOWN) {
            start_job(c, range);
            return 0;
        }
        remember(c, range->owner, range->pos, n);
    }
    n = least(n, want);
    if (n == range->len)
        forget(c);
    return n;
}

void cold_read_sweep(struct conn *c)
{
    if (!c->cold.retry)
        return;
    c->cold.retry = false;
    worker_ready(c->worker, &c->ready);
}

void cold_read_stop(struct conn *c)
{
    if (c->cold.job)
        c->cold.job->conn = NULL;
    c->cold = (struct cold_read){0};
}
