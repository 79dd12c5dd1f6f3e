#include "httpd/files/file_gzip.h"

#include "buffers/file_residency.h"
#include "httpd/files/file_entry.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/limits.h"
#include "httpd/loop/io_pool.h"
#include "httpd/loop/timer.h"
#include "httpd/loop/worker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct reader;

/* A read that may wait. It outlives a reader that was stopped. */
struct read_job {
    struct io_job io;
    struct reader *reader; /* NULL: it was stopped */
    bool over;             /* bytes are there, or an error */
    int fd;
    uint64_t pos;
    size_t want;
    ssize_t got;
    char bytes[FILE_GZIP_JOB_BYTES];
};

struct reader {
    struct file_entry *entry;
    int fd;
    uint64_t pos;
    uint64_t left;
    struct read_job *job; /* under way, or with bytes from pos on, or NULL */
    struct exchange *x;
    struct timer retry;
};

static size_t smallest(size_t a, size_t b, uint64_t c)
{
    size_t least = a < b ? a : b;
    return c < least ? (size_t)c : least;
}

static ssize_t read_at(int fd, char *at, size_t len, uint64_t pos)
{
    ssize_t n;
    do
        n = pread(fd, at, len, (off_t)pos);
    while (n < 0 && errno == EINTR);
    return n;
}

static void job_free(struct read_job *job)
{
    if (!job)
        return;
    close(job->fd);
    free(job);
}

static void work(struct io_job *io)
{
    struct read_job *job = (struct read_job *)io;
    job->got = read_at(job->fd, job->bytes, job->want, job->pos);
}

static void done(struct io_job *io)
{
    struct read_job *job = (struct read_job *)io;
    struct reader *r = job->reader;
    if (!r) {
        job_free(job);
        return;
    }
    assert(r->job == job);
    job->over = true;
    exchange_wake(r->x);
}

static struct read_job *job_new(struct reader *r)
{
    struct read_job *job = malloc(sizeof(*job));
    if (!job)
        return NULL;
    job->io = (struct io_job){.work = work, .done = done};
    job->reader = r;
    job->over = false;
    job->fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
    job->pos = r->pos;
    job->want = smallest(sizeof(job->bytes), sizeof(job->bytes), r->left);
    job->got = -1; /* in case the pool ends before work() */
    if (job->fd >= 0)
        return job;
    free(job);
    return NULL;
}

static void retry(void *arg)
{
    struct reader *r = arg;
    exchange_wake(r->x);
}

static enum flow start_job(struct reader *r, struct exchange *x)
{
    struct read_job *job = job_new(r);
    if (job &&
        io_submit(x->worker->io, file_device(job->fd), &job->io) == FLOW_DONE) {
        r->job = job;
        return FLOW_AGAIN;
    }
    job_free(job);
    timer_start(&r->retry, SWEEP_MS);
    return FLOW_AGAIN;
}

static enum flow push(struct reader *r, struct exchange *x, const char *at,
                      size_t len)
{
    if (exchange_push(x, (struct str){at, len}) != FLOW_DONE) {
        x->failure = FAILURE_RESET;
        return FLOW_FAILED;
    }
    r->pos += len;
    r->left -= len;
    return r->left == 0 ? FLOW_END : FLOW_DONE;
}

/* What the job has read. */
static enum flow push_job(struct reader *r, struct exchange *x)
{
    struct read_job *job = r->job;
    if (job->got <= 0)
        return FLOW_FAILED;
    size_t used = (size_t)(r->pos - job->pos);
    size_t held = (size_t)job->got - used;
    size_t n = smallest(FILE_GZIP_STEP_BYTES, exchange_room(x), held);
    enum flow flow = push(r, x, job->bytes + used, n);
    if (n == held) {
        job_free(job);
        r->job = NULL;
    }
    return flow;
}

static enum flow pull(void *self, struct exchange *x)
{
    char step[FILE_GZIP_STEP_BYTES];
    struct reader *r = self;
    r->x = x;
    if (r->job)
        return r->job->over ? push_job(r, x) : FLOW_AGAIN;
    size_t want = smallest(sizeof(step), exchange_room(x), r->left);
    assert(want > 0);
    ssize_t n = x->worker->io ? file_read_resident(r->fd, step, want, r->pos)
                              : read_at(r->fd, step, want, r->pos);
    if (n > 0)
        return push(r, x, step, (size_t)n);
    if (n == 0)
        return FLOW_FAILED;
    bool waits = errno == EAGAIN || errno == EOPNOTSUPP || errno == EINTR;
    return waits ? start_job(r, x) : FLOW_FAILED;
}

static void stop(void *self)
{
    struct reader *r = self;
    timer_fini(&r->retry);
    if (r->job && r->job->over)
        job_free(r->job);
    else if (r->job)
        r->job->reader = NULL;
    file_entry_unref(r->entry);
    free(r);
}

static const struct source_ops ops = {
    .name = "file-gzip",
    .pull = pull,
    .stop = stop,
};

void file_gzip_send(struct exchange *x, struct file_entry *e)
{
    const struct file_variant *v = &e->variants[CODING_GZIP_MADE];
    assert(v->fd >= 0 && v->size > 0);
    struct reader *r = malloc(sizeof(*r));
    if (r == NULL) {
        response_error(x, 503, "out of memory; try again later");
        return;
    }
    *r = (struct reader){
        .entry = file_entry_ref(e), .fd = v->fd, .left = v->size, .x = x};
    timer_init(&r->retry, x->worker, retry, r);
    response_begin(x, 200);
    response_header_lines(x, v->lines);
    response_send_gzip(x, &ops, r, (int)x->route->config->gzip_level);
}
