#include "httpd/observe/worker_gauges.h"

#include "buffers/advisor.h"
#include "buffers/batch.h"
#include "buffers/monitor.h"
#include "httpd/config/config.h"
#include "httpd/conn/conn.h"
#include "httpd/files/file_cache.h"
#include "httpd/loop/worker.h"
#include "httpd/observe/access_log.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Write queues at the last sample. */
struct queue_figures {
    uint64_t bytes;
    uint64_t hard;      /* limits of those that hold something, together */
    uint64_t oldest_ms; /* age of the oldest byte */
    uint64_t waiting_n; /* sources that a high mark has stopped */
};

struct figures {
    struct queue_figures all;
    struct queue_figures fullest;
    struct file_cache_stats files;
    uint64_t all_bytes_max; /* the most that any sample found */
    uint64_t fullest_bytes_max;
    uint64_t blocked_us; /* sources stopped, as samples saw it */
};

struct pool_gauge {
    struct worker *worker;
    enum block_class class;
    struct monitor_entry entry;
    struct knob knob;
    char knob_name[MONITOR_NAME_BYTES];
    struct advisor *advisor;
    uint64_t keep_max; /* blocks, as configured */
};

struct worker_gauges {
    struct worker *worker;
    struct monitor *monitor;
    struct advisor *advisor;
    struct pool_gauge pools[BLOCK_CLASSES];
    struct monitor_entry queues;
    struct monitor_entry fullest;
    struct monitor_entry access_log;
    struct monitor_entry files;
    char read_name[MONITOR_NAME_BYTES];
    char send_name[MONITOR_NAME_BYTES];
    uint64_t sampled_ms;
    pthread_mutex_t lock; /* of the figures */
    struct figures figures;
};

/* A byte waits since its queue last moved, or since its request came. */
static uint64_t waited_ms(const struct conn *c, uint64_t now_ms)
{
    uint64_t since = c->out_ms > c->since_ms ? c->out_ms : c->since_ms;
    return now_ms > since ? now_ms - since : 0;
}

static bool fuller(const struct queue_figures *a, const struct queue_figures *b)
{
    return b->hard == 0 || a->bytes * b->hard > b->bytes * a->hard;
}

static void add_queue(struct figures *f, const struct conn *c, uint64_t now_ms)
{
    if (write_queue_empty(&c->out))
        return;
    struct queue_figures one = {
        .bytes = c->out.len,
        .hard = c->out.high + WRITE_QUEUE_SLACK_BYTES,
        .oldest_ms = waited_ms(c, now_ms),
        .waiting_n = c->above_high,
    };
    f->all.bytes += one.bytes;
    f->all.hard += one.hard;
    f->all.waiting_n += one.waiting_n;
    if (one.oldest_ms > f->all.oldest_ms)
        f->all.oldest_ms = one.oldest_ms;
    if (fuller(&one, &f->fullest))
        f->fullest = one;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void sample_queues(struct worker_gauges *g, uint64_t now_ms)
{
    struct figures now = {.files = file_cache_stats(g->worker->file_cache)};
    uint64_t past_ms = g->sampled_ms ? now_ms - g->sampled_ms : 0;
    for (const struct conn *c = g->worker->conns; c; c = c->next)
        add_queue(&now, c, now_ms);
    pthread_mutex_lock(&g->lock);
    const struct figures *old = &g->figures;
    now.blocked_us = old->blocked_us + now.all.waiting_n * past_ms * 1000;
    now.all_bytes_max = greater(old->all_bytes_max, now.all.bytes);
    now.fullest_bytes_max = greater(old->fullest_bytes_max, now.fullest.bytes);
    g->figures = now;
    pthread_mutex_unlock(&g->lock);
}

void worker_gauges_sample(struct worker_gauges *g, uint64_t now_ms)
{
    sample_queues(g, now_ms);
    g->sampled_ms = now_ms;
}

void worker_gauges_observe(struct worker_gauges *g)
{
    struct block_pool_stats stats;
    block_pool_stats(&g->worker->pool, true, &stats);
    for (unsigned c = 0; c < BLOCK_CLASSES; c++)
        knob_observe_level(&g->pools[c].knob, stats.class[c].window_peak);
}

static struct figures figures_of(struct worker_gauges *g)
{
    pthread_mutex_lock(&g->lock);
    struct figures copy = g->figures;
    pthread_mutex_unlock(&g->lock);
    return copy;
}

static void report_queues(void *self, uint64_t now_ms, struct report *ret)
{
    struct figures f = figures_of(self);
    (void)now_ms;
    ret->kind = REPORT_BUFFER;
    ret->policy = "back-pressure";
    ret->unit = "bytes";
    ret->used = f.all.bytes;
    ret->bound = f.all.hard;
    ret->used_max = f.all_bytes_max;
    ret->blocked_us = f.blocked_us;
    ret->oldest_ms = f.all.oldest_ms;
}

static void report_fullest(void *self, uint64_t now_ms, struct report *ret)
{
    struct figures f = figures_of(self);
    (void)now_ms;
    ret->kind = REPORT_BUFFER;
    ret->policy = "back-pressure";
    ret->unit = "bytes";
    ret->used = f.fullest.bytes;
    ret->bound = f.fullest.hard;
    ret->used_max = f.fullest_bytes_max;
    ret->oldest_ms = f.fullest.oldest_ms;
}

static void report_pool(void *self, uint64_t now_ms, struct report *ret)
{
    struct pool_gauge *p = self;
    struct block_pool_stats stats;
    (void)now_ms;
    block_pool_stats(&p->worker->pool, false, &stats);
    const struct block_class_stats *c = &stats.class[p->class];
    ret->kind = REPORT_POOL;
    ret->policy = "pool";
    ret->unit = "blocks";
    ret->used = c->in_use;
    ret->bound = c->keep_max;
    ret->used_max = c->peak;
    ret->created = c->created;
    ret->retrieved = c->retrieved;
    ret->returned = c->returned;
    ret->destroyed = c->destroyed;
    ret->hits = c->hits;
    ret->misses = c->misses;
    ret->refused = c->refused;
    ret->kept = c->kept;
    ret->bytes = c->bytes;
    ret->suspects = c->suspects;
    ret->suspect = c->suspect;
    /* Of the pool as a whole, so told once. */
    if (p->class == BLOCK_4K)
        ret->faults = stats.faults;
}

static uint64_t us_since(uint64_t begin_us, uint64_t now_ms)
{
    uint64_t now_us = now_ms * 1000;
    return begin_us > 0 && now_us > begin_us ? now_us - begin_us : 0;
}

static void report_access_log(void *self, uint64_t now_ms, struct report *ret)
{
    const struct worker_gauges *g = self;
    struct batch_stats stats;
    batch_stats(access_log_batch(g->worker->access_log), &stats);
    ret->kind = REPORT_BATCH;
    ret->policy = "flush";
    ret->unit = "bytes";
    ret->used = stats.held;
    ret->bound = stats.bytes_max;
    ret->used_max = stats.held_max;
    ret->drops = stats.lost_bytes;
    ret->refused = stats.refused;
    ret->flush_us = stats.latency_us_last;
    ret->flush_us_max = stats.latency_us_max;
    ret->oldest_ms = us_since(stats.oldest_us, now_ms) / 1000;
}

static enum flow set_log_bound(void *self, uint64_t bound)
{
    struct worker_gauges *g = self;
    return access_log_set_bound(g->worker->access_log, bound);
}

static void report_files(void *self, uint64_t now_ms, struct report *ret)
{
    struct worker_gauges *g = self;
    struct figures f = figures_of(g);
    (void)now_ms;
    ret->kind = REPORT_CACHE;
    ret->policy = "least-recently-used";
    ret->unit = "files";
    ret->used = f.files.files;
    ret->bound = g->worker->files_max;
    ret->retrieved = f.files.hits + f.files.misses;
    ret->hits = f.files.hits;
    ret->misses = f.files.misses;
    ret->destroyed = f.files.dropped + f.files.replaced;
    ret->kept = f.files.entries;
}

static enum flow set_keep(void *self, uint64_t bound)
{
    struct pool_gauge *p = self;
    if (bound > p->keep_max)
        return FLOW_FULL;
    advisor_pin(p->advisor, &p->knob, bound);
    return FLOW_DONE;
}

static void apply_keep(void *self, uint64_t value)
{
    struct pool_gauge *p = self;
    block_pool_set_keep(&p->worker->pool, p->class, (uint32_t)value);
}

__attribute__((format(printf, 2, 3))) static void
set_name(char at[static MONITOR_NAME_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(at, MONITOR_NAME_BYTES, format, args);
    va_end(args);
    assert(n > 0 && (size_t)n < MONITOR_NAME_BYTES);
}

static void init_pools(struct worker_gauges *g)
{
    struct worker *w = g->worker;
    for (unsigned n = 0; n < BLOCK_CLASSES; n++) {
        struct pool_gauge *p = &g->pools[n];
        enum block_class class = (enum block_class)n;
        const char *class_name = block_class_name(class);
        p->worker = w;
        p->class = class;
        p->advisor = g->advisor;
        p->keep_max = worker_pool_keep(w->config->pool_keep_max, class);
        p->entry = (struct monitor_entry){
            .self = p, .report = report_pool, .set_bound = set_keep};
        set_name(p->entry.name, "worker/%zu/pool/%s", w->id, class_name);
        set_name(p->knob_name, "%s/keep", p->entry.name);
        p->knob = (struct knob){
            .name = p->knob_name,
            .unit = "blocks",
            .kind = KNOB_LEVEL,
            .min = worker_pool_keep(w->config->pool_keep, class),
            .max = p->keep_max,
            .value = worker_pool_keep(w->config->pool_keep, class),
            .self = p,
            .apply = apply_keep,
        };
    }
}

static void init_entry(struct monitor_entry *e, struct worker_gauges *g,
                       const char *name,
                       void (*report)(void *, uint64_t, struct report *))
{
    *e = (struct monitor_entry){.self = g, .report = report};
    set_name(e->name, "worker/%zu/%s", g->worker->id, name);
}

static void init_names(struct worker_gauges *g)
{
    struct worker *w = g->worker;
    init_entry(&g->queues, g, "write-queues", report_queues);
    init_entry(&g->fullest, g, "write-queues/fullest", report_fullest);
    init_entry(&g->access_log, g, "access-log", report_access_log);
    g->access_log.set_bound = set_log_bound;
    init_entry(&g->files, g, "file-cache", report_files);
    set_name(g->read_name, "worker/%zu/read-size", w->id);
    set_name(g->send_name, "worker/%zu/sendfile-chunk", w->id);
    w->read_size.name = g->read_name;
    w->read_size.unit = "bytes";
    w->send_size.unit = "bytes";
    w->send_size.name = g->send_name;
}

static bool add_all(struct worker_gauges *g)
{
    struct monitor *m = g->monitor;
    struct advisor *a = g->advisor;
    bool ok = true;
    for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
        ok = ok && monitor_add(m, &g->pools[c].entry) == FLOW_DONE &&
             advisor_add(a, &g->pools[c].knob);
    }
    ok = ok && monitor_add(m, &g->queues) == FLOW_DONE &&
         monitor_add(m, &g->fullest) == FLOW_DONE &&
         monitor_add(m, &g->files) == FLOW_DONE;
    if (g->worker->access_log)
        ok = ok && monitor_add(m, &g->access_log) == FLOW_DONE;
    return ok && advisor_add(a, &g->worker->read_size) &&
           advisor_add(a, &g->worker->send_size);
}

struct worker_gauges *worker_gauges_new(struct worker *w, struct monitor *m,
                                        struct advisor *a)
{
    assert(w && m && a);
    struct worker_gauges *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->worker = w;
    g->monitor = m;
    g->advisor = a;
    pthread_mutex_init(&g->lock, NULL);
    init_pools(g);
    init_names(g);
    if (add_all(g))
        return g;
    worker_gauges_free(g);
    return NULL;
}

void worker_gauges_free(struct worker_gauges *g)
{
    if (!g)
        return;
    for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
        monitor_remove(g->monitor, &g->pools[c].entry);
        advisor_remove(g->advisor, &g->pools[c].knob);
    }
    monitor_remove(g->monitor, &g->queues);
    monitor_remove(g->monitor, &g->fullest);
    monitor_remove(g->monitor, &g->access_log);
    monitor_remove(g->monitor, &g->files);
    advisor_remove(g->advisor, &g->worker->read_size);
    advisor_remove(g->advisor, &g->worker->send_size);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

struct worker *worker_gauges_worker(const struct worker_gauges *g)
{
    return g->worker;
}

const struct knob *worker_gauges_knob(const struct worker_gauges *g, size_t n)
{
    assert(n < WORKER_KNOBS);
    if (n < BLOCK_CLASSES)
        return &g->pools[n].knob;
    return n == BLOCK_CLASSES ? &g->worker->read_size : &g->worker->send_size;
}
