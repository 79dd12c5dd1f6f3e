#include "httpd/loop/worker.h"

#include "httpd/config/config.h"
#include "httpd/conn/conn.h"
#include "httpd/files/file_cache.h"
#include "httpd/guard/descriptors.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/limits.h"
#include "httpd/loop/io_pool.h"
#include "httpd/loop/listener.h"
#include "httpd/observe/access_log.h"
#include "httpd/observe/log.h"
#include "httpd/streams/hub.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

void worker_tick(struct worker *w)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    w->now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (w->now_ms < w->next_second_ms)
        return;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    w->next_second_ms = w->now_ms + 1000 - (uint64_t)now.tv_nsec / 1000000;
    w->now_seconds = now.tv_sec;
    http_date_write(w->date, w->now_seconds);
}

void worker_ready(struct worker *w, struct ready *r)
{
    assert(r->run);
    if (r->queued)
        return;
    if (!w->ready_head)
        timer_start(&w->ready_timer, 0);
    r->queued = true;
    r->next = NULL;
    r->link = w->ready_tail;
    *w->ready_tail = r;
    w->ready_tail = &r->next;
}

void worker_unready(struct worker *w, struct ready *r)
{
    if (!r->queued)
        return;
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    else
        w->ready_tail = r->link;
    r->queued = false;
}

/* Runs what was queued before; what is queued meanwhile has the next turn. */
static void run_ready(void *arg)
{
    struct worker *w = arg;
    size_t n = 0;
    for (struct ready *r = w->ready_head; r; r = r->next)
        n++;
    while (n-- > 0 && w->ready_head) {
        struct ready *r = w->ready_head;
        worker_unready(w, r);
        r->run(r);
    }
    if (w->ready_head)
        timer_start(&w->ready_timer, 0);
}

static void stop_when_drained(struct worker *w)
{
    if (!w->draining)
        return;
    if (w->conns_n == 0 || w->now_ms >= w->drain_deadline_ms)
        event_base_loopbreak(w->base);
}

static void sweep(void *arg)
{
    struct worker *w = arg;
    conn_sweep(w);
    hub_sweep(w->hub, w->now_ms);
    listener_sweep(w);
    file_cache_sweep(w->file_cache, w->now_ms);
    block_pool_sweep(&w->pool, w->now_ms);
    budget_purse_settle(&w->accepted);
    if (w->access_log)
        access_log_tick(w->access_log);
    stop_when_drained(w);
    if (w->ready_head)
        timer_start(&w->ready_timer, 0); /* in case that failed for memory */
    if (w->on_sweep)
        w->on_sweep(w->on_sweep_arg, w->now_ms);
    timer_start(&w->sweep, SWEEP_MS);
}

static void drain(struct worker *w)
{
    if (w->draining)
        return;
    w->draining = true;
    w->drain_deadline_ms = w->now_ms + w->config->drain_timeout_ms;
    listener_close_all(w);
    conn_sweep(w);
    stop_when_drained(w);
}

static void on_command(int fd, short what, void *arg)
{
    (void)what;
    struct worker *w = arg;
    eventfd_t value;
    (void)eventfd_read(fd, &value);
    worker_tick(w);
    switch (atomic_load(&w->command)) {
    case WORKER_RUN:
        break;
    case WORKER_DRAIN:
        drain(w);
        break;
    case WORKER_STOP:
        event_base_loopbreak(w->base);
        break;
    }
}

void worker_command(struct worker *w, enum worker_command command)
{
    atomic_store(&w->command, command);
    (void)eventfd_write(w->command_fd, 1);
}

/* No change list: interest never changes, and a removal that waits until after
 * close() would name a descriptor that another worker may have by then. */
static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* The start is the middle of what used to be fixed. */
static void init_sizes(struct worker *w)
{
    const struct config *config = w->config;
    w->read_size = (struct knob){.kind = KNOB_SIZE,
                                 .min = config->read_size_min,
                                 .max = config->read_size_max,
                                 .value = READ_BODY_BYTES};
    w->read_buffer_bytes = config->read_size_max;
    if (w->read_buffer_bytes < READ_BODY_BYTES)
        w->read_buffer_bytes = READ_BODY_BYTES;
    w->send_size = (struct knob){.kind = KNOB_SIZE,
                                 .min = config->sendfile_chunk_min,
                                 .max = config->sendfile_chunk_max,
                                 .value = TURN_FILE_BYTES};
}

static bool start_parts(struct worker *w, const struct worker_share *share)
{
    const struct config *config = w->config;
    w->base = base_new();
    w->command_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w->read_buffer = malloc(w->read_buffer_bytes);
    w->file_cache = file_cache_new(w->files_max, config->file_cache_check_ms);
    if (!w->base || w->command_fd < 0 || !w->read_buffer || !w->file_cache)
        return false;
    w->io = io_done_new(share->io_pool, w, w->id);
    w->hub = hub_new(w, share->registry);
    return w->io && w->hub &&
           access_log_open(&w->access_log, config->access_log);
}

uint32_t worker_pool_keep(uint64_t keep_bytes, enum block_class c)
{
    return (uint32_t)(keep_bytes / BLOCK_CLASSES / block_class_bytes(c));
}

/* The damaged block is out of use already; the others serve on. */
static void on_fault(void *arg, const struct block_fault_report *report)
{
    (void)arg;
    log_line(LOG_ERROR, "%s: a block of %s, borrowed by %s: %s", report->pool,
             block_class_name(report->class), report->borrower,
             block_fault_text(report->fault));
}

static void init_pool(struct worker *w)
{
    char name[BLOCK_POOL_NAME_BYTES];
    snprintf(name, sizeof name, "worker/%zu/pool", w->id);
    struct block_pool_config pool = {
        .name = name,
        .budget = w->budget,
        .leak_ms = w->config->leak_after_ms,
        .track_all = BLOCKS_TRACKED,
        .on_fault = on_fault,
    };
    for (unsigned c = 0; c < BLOCK_CLASSES; c++)
        pool.keep_max[c] =
            worker_pool_keep(w->config->pool_keep, (enum block_class)c);
    block_pool_init(&w->pool, &pool);
}

struct worker *worker_new(size_t id, const struct worker_share *share)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->id = id;
    w->config = share->config;
    w->routes = share->routes;
    w->conn_count = share->conn_count;
    w->budget = share->budget;
    w->refused_max = share->descriptors->refused;
    w->files_max = share->descriptors->files;
    w->command_fd = -1;
    w->ready_tail = &w->ready_head;
    budget_purse_init(&w->accepted, w->budget, BUDGET_ACCEPTED);
    init_pool(w);
    init_sizes(w);
    bytes_init(&w->head, RESPONSE_HEAD_BYTES_MAX);
    if (!start_parts(w, share)) {
        worker_free(w);
        return NULL;
    }
    worker_tick(w);
    event_assign(&w->command_event, w->base, w->command_fd,
                 EV_READ | EV_PERSIST, on_command, w);
    if (event_add(&w->command_event, NULL) != 0) {
        worker_free(w);
        return NULL;
    }
    timer_init(&w->sweep, w, sweep, w);
    timer_start(&w->sweep, SWEEP_MS);
    timer_init(&w->ready_timer, w, run_ready, w);
    return w;
}

static void stop_parts(struct worker *w)
{
    listener_close_all(w);
    io_done_drain(w->io);
    conn_close_all(w);
    hub_free(w->hub);
    w->hub = NULL;
    while (w->free_exchanges) {
        struct exchange *x = w->free_exchanges;
        w->free_exchanges = x->next;
        exchange_free(x);
    }
    timer_fini(&w->sweep);
    timer_fini(&w->ready_timer);
    event_del(&w->command_event);
}

void worker_stop(struct worker *w)
{
    block_pool_own(&w->pool);
    if (w->sweep.fire)
        stop_parts(w);
    w->sweep.fire = NULL;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    worker_stop(w);
    hub_free(w->hub); /* where it could not be started */
    io_done_free(w->io);
    if (w->base)
        event_base_free(w->base);
    file_cache_free(w->file_cache);
    access_log_close(w->access_log);
    if (w->command_fd >= 0)
        close(w->command_fd);
    block_pool_fini(&w->pool);
    budget_purse_fini(&w->accepted);
    bytes_fini(&w->head);
    free(w->read_buffer);
    free(w);
}

bool worker_run(struct worker *w)
{
    block_pool_own(&w->pool);
    hub_own(w->hub);
    bool failed = event_base_dispatch(w->base) < 0;
    if (failed)
        log_line(LOG_ERROR, "the event loop failed");
    if (w->draining && w->conns_n > 0 && w->now_ms >= w->drain_deadline_ms)
        log_line(LOG_WARN, "drain timeout: %zu connections cut", w->conns_n);
    return !failed;
}

struct exchange *worker_exchange_get(struct worker *w)
{
    struct exchange *x = w->free_exchanges;
    if (x) {
        w->free_exchanges = x->next;
        w->free_exchanges_n--;
    } else {
        x = exchange_new(w);
    }
    if (x)
        exchange_charge(x);
    return x;
}

void worker_exchange_put(struct worker *w, struct exchange *x)
{
    exchange_reset(x);
    if (w->free_exchanges_n >= EXCHANGES_KEPT_MAX) {
        exchange_free(x);
        return;
    }
    x->next = w->free_exchanges;
    w->free_exchanges = x;
    w->free_exchanges_n++;
}
