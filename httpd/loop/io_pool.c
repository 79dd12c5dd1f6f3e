#include "httpd/loop/io_pool.h"

#include "buffers/buffer.h"
#include "buffers/monitor.h"
#include "httpd/loop/worker.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define AGE_EVERY_MS 1000u /* ages are sampled at even intervals */

/* A buffer of jobs as the monitor sees it; under the monitor's lock. */
struct gauge {
    struct buffer *jobs;
    uint64_t sampled_ms;
    uint64_t oldest_ms;
    struct monitor_entry entry;
};

struct thread {
    pthread_t id;
    struct lane *lane;
    bool ended; /* nothing is left to do but to join it */
    bool joined;
};

struct lane {
    struct io_pool *pool;
    struct buffer *jobs; /* of struct io_job *; NULL: not used yet */
    dev_t device;
    size_t threads_n;
    struct thread threads[IO_THREADS_MAX];
    struct gauge gauge;
};

struct io_pool {
    pthread_mutex_t lock; /* of how lanes begin, and threads end */
    pthread_cond_t all_ended;
    size_t running_n; /* threads */
    size_t threads_n; /* wanted in each lane */
    struct monitor *monitor;
    size_t lanes_n;
    struct lane lanes[IO_LANES];
    atomic_bool stopping;
};

struct io_done {
    struct io_pool *pool;
    struct worker *worker;
    struct buffer *finished; /* of struct io_job * */
    size_t under_way;
    int wake_fd;
    struct event event;
    struct gauge gauge;
};

/* Buffers of jobs, for the monitor. */

/* Whoever asks does so by its own worker's clock, and as often as it likes. */
static void sample_age(struct gauge *g, uint64_t now_ms)
{
    if (now_ms < g->sampled_ms + AGE_EVERY_MS)
        return;
    g->sampled_ms = now_ms;
    g->oldest_ms = buffer_sample_age(g->jobs, now_ms);
}

static void report(void *self, uint64_t now_ms, struct report *ret_report)
{
    struct gauge *g = self;
    struct buffer_stats stats;
    sample_age(g, now_ms);
    buffer_stats(g->jobs, &stats);
    *ret_report = (struct report){
        .kind = REPORT_BUFFER,
        .policy = "block",
        .unit = "jobs",
        .used = buffer_len(g->jobs),
        .bound = buffer_cap(g->jobs),
        .used_max = stats.len_max,
        .drops = stats.lost,
        .blocked_us = (stats.write_blocked_ns + stats.read_blocked_ns) / 1000,
        .oldest_ms = g->oldest_ms,
    };
}

static void show(struct io_pool *p, struct gauge *g, struct buffer *jobs)
{
    if (!p->monitor)
        return;
    g->jobs = jobs;
    snprintf(g->entry.name, sizeof g->entry.name, "%s", buffer_name(jobs));
    g->entry.self = g;
    g->entry.report = report;
    (void)monitor_add(p->monitor, &g->entry);
}

static void hide(struct io_pool *p, struct gauge *g)
{
    if (p->monitor)
        monitor_remove(p->monitor, &g->entry);
}

static struct buffer *jobs_new(const char *name, size_t cap,
                               void (*notify)(void *, unsigned), void *arg)
{
    const struct buffer_config config = {
        .name = name,
        .kind = BUFFER_BLOCK,
        .elem_bytes = sizeof(struct io_job *),
        .cap = cap,
        .notify = notify,
        .notify_arg = arg,
    };
    return buffer_new(&config);
}

/* I/O threads. */

/* There is always room: no more are under way than it holds. */
static void finish(struct io_job *job)
{
    struct io_done *d = job->to;
    enum flow r = buffer_try_add(d->finished, &job);
    assert(r == FLOW_DONE);
    (void)r;
}

static void leave(struct thread *t)
{
    struct io_pool *p = t->lane->pool;
    pthread_mutex_lock(&p->lock);
    t->ended = true;
    if (--p->running_n == 0)
        pthread_cond_signal(&p->all_ended);
    pthread_mutex_unlock(&p->lock);
}

static void *run_thread(void *arg)
{
    struct thread *t = arg;
    struct lane *l = t->lane;
    struct io_job *job;
    while (buffer_next(l->jobs, &job) == FLOW_DONE) {
        if (!atomic_load(&l->pool->stopping))
            job->work(job);
        finish(job);
    }
    leave(t);
    return NULL;
}

/* Signals are the loop threads'. */
static bool start_thread(struct lane *l)
{
    struct thread *t = &l->threads[l->threads_n];
    sigset_t all;
    sigset_t before;
    t->lane = l;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&t->id, NULL, run_thread, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return false;
    l->threads_n++;
    l->pool->running_n++;
    return true;
}

/* A lane with fewer threads than wanted still does its work. */
static bool start_lane(struct io_pool *p, struct lane *l, dev_t device)
{
    char name[BUFFER_NAME_BYTES];
    snprintf(name, sizeof name, "io/lane/%zu", p->lanes_n);
    l->pool = p;
    l->device = device;
    l->jobs = jobs_new(name, IO_LANE_JOBS, NULL, NULL);
    if (!l->jobs)
        return false;
    while (l->threads_n < p->threads_n && start_thread(l))
        continue;
    if (l->threads_n == 0) {
        buffer_free(l->jobs);
        l->jobs = NULL;
        return false;
    }
    show(p, &l->gauge, l->jobs);
    p->lanes_n++;
    return true;
}

static struct lane *find_lane(struct io_pool *p, dev_t device)
{
    for (size_t i = 0; i < p->lanes_n; i++) {
        if (p->lanes[i].device == device)
            return &p->lanes[i];
    }
    if (p->lanes_n == IO_LANES)
        return &p->lanes[IO_LANES - 1];
    struct lane *l = &p->lanes[p->lanes_n];
    return start_lane(p, l, device) ? l : NULL;
}

static struct lane *lane_of(struct io_pool *p, dev_t device)
{
    pthread_mutex_lock(&p->lock);
    struct lane *l = atomic_load(&p->stopping) ? NULL : find_lane(p, device);
    pthread_mutex_unlock(&p->lock);
    return l;
}

struct io_pool *io_pool_new(size_t threads_n, struct monitor *monitor)
{
    assert(threads_n >= 1 && threads_n <= IO_THREADS_MAX);
    struct io_pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->all_ended, &steady);
    pthread_condattr_destroy(&steady);
    p->threads_n = threads_n;
    p->monitor = monitor;
    return p;
}

static struct timespec deadline_in(uint64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

static void await_end(struct io_pool *p, const struct timespec *deadline)
{
    int late = 0;
    pthread_mutex_lock(&p->lock);
    while (p->running_n > 0 && !late)
        late = pthread_cond_timedwait(&p->all_ended, &p->lock, deadline);
    pthread_mutex_unlock(&p->lock);
}

/* True: none is left. */
static bool join_ended(struct io_pool *p, struct lane *l)
{
    bool all = true;
    for (size_t i = 0; i < l->threads_n; i++) {
        struct thread *t = &l->threads[i];
        pthread_mutex_lock(&p->lock);
        bool ended = t->ended;
        pthread_mutex_unlock(&p->lock);
        if (ended && !t->joined)
            t->joined = pthread_join(t->id, NULL) == 0;
        all = all && t->joined;
    }
    return all;
}

bool io_pool_stop(struct io_pool *p, uint64_t timeout_ms)
{
    struct timespec deadline = deadline_in(timeout_ms);
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stopping, true);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->lanes_n; i++)
        buffer_close_write(p->lanes[i].jobs);
    await_end(p, &deadline);
    bool all = true;
    for (size_t i = 0; i < p->lanes_n; i++)
        all = join_ended(p, &p->lanes[i]) && all;
    return all;
}

void io_pool_free(struct io_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->lanes_n; i++) {
        bool none_left = join_ended(p, &p->lanes[i]);
        assert(none_left);
        (void)none_left;
        hide(p, &p->lanes[i].gauge);
        buffer_free(p->lanes[i].jobs);
    }
    pthread_cond_destroy(&p->all_ended);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* A worker's end. */

static void wake(void *arg, unsigned events)
{
    struct io_done *d = arg;
    if (events & BUFFER_READABLE)
        (void)eventfd_write(d->wake_fd, 1);
}

static void on_wake(int fd, short what, void *arg)
{
    (void)what;
    struct io_done *d = arg;
    eventfd_t n;
    (void)eventfd_read(fd, &n);
    worker_tick(d->worker);
    io_done_drain(d);
}

struct io_done *io_done_new(struct io_pool *p, struct worker *w, size_t id)
{
    char name[BUFFER_NAME_BYTES];
    struct io_done *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->pool = p;
    d->worker = w;
    d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (d->wake_fd < 0)
        goto out;
    snprintf(name, sizeof name, "io/done/%zu", id);
    d->finished = jobs_new(name, IO_JOBS_MAX, wake, d);
    if (!d->finished)
        goto out;
    event_assign(&d->event, w->base, d->wake_fd, EV_READ | EV_PERSIST, on_wake,
                 d);
    if (event_add(&d->event, NULL) != 0)
        goto out;
    show(p, &d->gauge, d->finished);
    return d;
out:
    if (d->wake_fd >= 0)
        close(d->wake_fd);
    if (d->finished)
        buffer_free(d->finished);
    free(d);
    return NULL;
}

/* Until nothing is there: only then the buffer tells of more. What done()
 * submits may be finished already, so the round is bounded by its start. */
void io_done_drain(struct io_done *d)
{
    struct io_job *job;
    if (!d)
        return;
    for (size_t left = d->under_way + 1; left > 0; left--) {
        if (buffer_try_next(d->finished, &job) != FLOW_DONE)
            return;
        assert(d->under_way > 0);
        d->under_way--;
        job->done(job);
    }
    (void)eventfd_write(d->wake_fd, 1);
}

void io_done_free(struct io_done *d)
{
    if (!d)
        return;
    assert(d->under_way == 0);
    hide(d->pool, &d->gauge);
    event_del(&d->event);
    close(d->wake_fd);
    buffer_free(d->finished);
    free(d);
}

size_t io_done_under_way(const struct io_done *d)
{
    return d->under_way;
}

enum flow io_submit(struct io_done *d, dev_t device, struct io_job *job)
{
    assert(job->work && job->done);
    if (d->under_way >= IO_JOBS_MAX)
        return FLOW_FULL;
    struct lane *l = lane_of(d->pool, device);
    if (!l)
        return FLOW_FULL;
    job->to = d;
    if (buffer_try_add(l->jobs, &job) != FLOW_DONE)
        return FLOW_FULL;
    d->under_way++;
    return FLOW_DONE;
}
