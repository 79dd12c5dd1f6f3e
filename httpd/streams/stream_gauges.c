#include "httpd/streams/stream_gauges.h"

#include "buffers/budget.h"
#include "buffers/monitor.h"
#include "httpd/config/config.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/hub_inner.h"
#include "httpd/streams/registry.h"

#include <stdio.h>
#include <stdlib.h>

struct stream_gauges {
    struct monitor *monitor;
    struct registry *registry;
    struct budget *budget;
    uint64_t streams_max;
    struct monitor_entry streams;
    struct monitor_entry memory;
    struct monitor_entry *views; /* one for each worker */
    struct monitor_entry *readers;
    size_t workers_n;
};

static void report_streams(void *self, uint64_t now_ms, struct report *ret)
{
    const struct stream_gauges *g = self;
    (void)now_ms;
    ret->kind = REPORT_BUFFER;
    ret->policy = "refuse";
    ret->unit = "streams";
    ret->used = registry_streams_n(g->registry);
    ret->bound = g->streams_max;
}

static void report_memory(void *self, uint64_t now_ms, struct report *ret)
{
    const struct stream_gauges *g = self;
    (void)now_ms;
    ret->kind = REPORT_CACHE; /* full is as meant where the oldest yield */
    ret->policy = "per-stream";
    ret->unit = "bytes";
    ret->used = atomic_load(&g->budget->used_by[BUDGET_STREAM]);
    ret->bound = budget_limit_of(g->budget, BUDGET_STREAM);
    ret->refused = atomic_load(&g->budget->refused[BUDGET_STREAM]);
}

static void report_views(void *self, uint64_t now_ms, struct report *ret)
{
    const struct hub *h = self;
    (void)now_ms;
    ret->kind = REPORT_CACHE;
    ret->policy = "overwrite";
    ret->unit = "bytes";
    ret->used = atomic_load(&h->views_bytes);
}

static void report_readers(void *self, uint64_t now_ms, struct report *ret)
{
    const struct hub *h = self;
    (void)now_ms;
    ret->kind = REPORT_CACHE;
    ret->policy = "slow-reader";
    ret->unit = "readers";
    ret->used = atomic_load(&h->readers_n);
    ret->drops = atomic_load(&h->readers_dropped_n);
}

static bool add(struct stream_gauges *g, struct monitor_entry *e,
                const char *name, void *self,
                void (*report)(void *, uint64_t, struct report *))
{
    *e = (struct monitor_entry){.self = self, .report = report};
    snprintf(e->name, sizeof e->name, "%s", name);
    return monitor_add(g->monitor, e) == FLOW_DONE;
}

static bool add_worker(struct stream_gauges *g, size_t i, struct worker *w)
{
    char name[MONITOR_NAME_BYTES];
    snprintf(name, sizeof name, "worker/%zu/views", w->id);
    if (!add(g, &g->views[i], name, w->hub, report_views))
        return false;
    snprintf(name, sizeof name, "worker/%zu/readers", w->id);
    return add(g, &g->readers[i], name, w->hub, report_readers);
}

static bool add_all(struct stream_gauges *g, struct worker *const *workers)
{
    if (!add(g, &g->streams, "streams", g, report_streams) ||
        !add(g, &g->memory, "streams/memory", g, report_memory))
        return false;
    for (size_t i = 0; i < g->workers_n; i++)
        if (!add_worker(g, i, workers[i]))
            return false;
    return true;
}

struct stream_gauges *stream_gauges_new(struct monitor *m, struct registry *r,
                                        struct budget *budget,
                                        struct worker *const *workers,
                                        size_t workers_n)
{
    struct stream_gauges *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->monitor = m;
    g->registry = r;
    g->budget = budget;
    g->streams_max = workers[0]->config->streams_max;
    g->workers_n = workers_n;
    g->views = calloc(workers_n, sizeof *g->views);
    g->readers = calloc(workers_n, sizeof *g->readers);
    if (g->views && g->readers && add_all(g, workers))
        return g;
    stream_gauges_free(g);
    return NULL;
}

void stream_gauges_free(struct stream_gauges *g)
{
    if (!g)
        return;
    monitor_remove(g->monitor, &g->streams);
    monitor_remove(g->monitor, &g->memory);
    for (size_t i = 0; i < g->workers_n; i++) {
        if (g->views)
            monitor_remove(g->monitor, &g->views[i]);
        if (g->readers)
            monitor_remove(g->monitor, &g->readers[i]);
    }
    free(g->views);
    free(g->readers);
    free(g);
}
