#include "httpd/server.h"

#include "buffers/budget.h"
#include "httpd/config/config.h"
#include "httpd/files/mime.h"
#include "httpd/guard/conn_count.h"
#include "httpd/guard/descriptors.h"
#include "httpd/guard/memory_limit.h"
#include "httpd/http/route.h"
#include "httpd/limits.h"
#include "httpd/loop/io_pool.h"
#include "httpd/loop/listener.h"
#include "httpd/loop/signals.h"
#include "httpd/loop/worker.h"
#include "httpd/observe/access_log.h"
#include "httpd/observe/inventory.h"
#include "httpd/observe/log.h"
#include "httpd/streams/registry.h"
#include "httpd/streams/stream_gauges.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ERROR_BYTES_MAX 512u
#define WORKERS_MAX     INVENTORY_WORKERS_MAX

struct thread {
    pthread_t id;
    struct worker *worker;
    atomic_size_t *running_n;
    atomic_bool *failed;
};

struct server {
    const struct config *config;
    struct route_table routes;
    struct budget budget;
    struct inventory *inventory;
    struct io_pool *io_pool;
    struct registry *registry;
    struct stream_gauges *stream_gauges;
    struct conn_count *conn_count;
    struct worker *workers[WORKERS_MAX];
    struct thread threads[WORKERS_MAX]; /* the first stays unused */
    size_t workers_n;
    size_t threads_n;
    atomic_size_t running_n; /* threads whose loop has not ended */
    atomic_bool failed;      /* a loop ended by itself */
    struct signals signals;
    bool draining;
};

static size_t workers_wanted(const struct config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = config->workers ? (size_t)config->workers : (size_t)cores;
    if (n < 1)
        n = 1;
    return n < WORKERS_MAX ? n : WORKERS_MAX;
}

/* Shares out what the system allows; an operator's own number of connections
 * stands, and accepting rests when the system runs out. */
static struct descriptor_shares share_descriptors(const struct config *config,
                                                  size_t workers_n)
{
    struct rlimit limit = {.rlim_cur = DESCRIPTORS_MAX};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    struct descriptor_shares shares = descriptors_share(
        limit.rlim_cur, workers_n, config->file_cache_entries, REFUSED_MAX);
    if (config->connections_max)
        shares.connections = config->connections_max;
    if (shares.files < config->file_cache_entries)
        log_line(LOG_WARN,
                 "the limit of open files (ulimit -n) allows %zu connections "
                 "and %zu cached files per worker",
                 shares.connections, shares.files);
    return shares;
}

/* conf/mime.types lies beside the configuration it came with. */
static bool load_mime_types(const struct config *config)
{
    char path[PATH_MAX];
    const char *slash = config->path ? strrchr(config->path, '/') : NULL;
    int dir_len = slash ? (int)(slash - config->path + 1) : 0;
    const char *dir = slash ? config->path : "";
    int n = snprintf(path, sizeof path, "%.*smime.types", dir_len, dir);
    bool fits = config->path && n > 0 && (size_t)n < sizeof path;
    return mime_init(config->mime_types, fits ? path : NULL);
}

/* Each port 0 picks another one. */
static bool picks_port(const char *text)
{
    size_t len = strlen(text);
    return len >= 2 && strcmp(text + len - 2, ":0") == 0;
}

static bool addresses_differ(const struct config *config, FILE *errors)
{
    const struct text_list *list = &config->listen;
    for (size_t i = 0; i < list->n; i++) {
        for (size_t k = 0; k < i; k++) {
            bool picked = picks_port(list->at[i]);
            if (picked || strcmp(list->at[i], list->at[k]) != 0)
                continue;
            fprintf(errors, "%s: listen: \"%s\" stands twice; once is enough\n",
                    config->path ? config->path : "sluice", list->at[i]);
            return false;
        }
    }
    return true;
}

/* What can be refused before anything is started. */
static bool prepare(struct server *s, FILE *errors)
{
    char error[ERROR_BYTES_MAX];
    const struct config *config = s->config;
    if (!addresses_differ(config, errors))
        return false;
    if (!route_table_init(&s->routes, config, error, sizeof error)) {
        fprintf(errors, "%s: %s\n", config->path ? config->path : "sluice",
                error);
        return false;
    }
    return load_mime_types(config);
}

struct server *server_new(const struct config *config, FILE *errors)
{
    assert(config && errors);
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        fputs("sluice: out of memory\n", errors);
        return NULL;
    }
    s->config = config;
    if (prepare(s, errors))
        return s;
    server_free(s);
    return NULL;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    assert(s->workers_n == 0);
    route_table_fini(&s->routes);
    mime_fini();
    free(s);
}

/* What the workers share. */
static bool build_shared(struct server *s, size_t connections_max)
{
    const struct config *config = s->config;
    uint64_t bytes = config->memory_max;
    if (bytes == 0)
        bytes = memory_limit() / 2;
    budget_init(&s->budget, bytes);
    s->inventory = inventory_new(config, &s->budget);
    s->conn_count =
        conn_count_new(connections_max, config->connections_per_address_max);
    if (s->inventory)
        s->io_pool =
            io_pool_new(config->io_threads, inventory_monitor(s->inventory));
    s->registry = registry_new(&s->budget, config->streams_max);
    return s->inventory && s->conn_count && s->io_pool && s->registry;
}

static bool build_worker(struct server *s, const struct worker_share *share)
{
    struct worker *w = worker_new(s->workers_n, share);
    if (!w)
        return false;
    s->workers[s->workers_n++] = w;
    return inventory_add_worker(s->inventory, w);
}

static bool build(struct server *s)
{
    size_t n = workers_wanted(s->config);
    struct descriptor_shares shares = share_descriptors(s->config, n);
    if (!build_shared(s, shares.connections)) {
        log_line(LOG_ERROR, "out of memory");
        return false;
    }
    struct worker_share share = {
        .config = s->config,
        .routes = &s->routes,
        .descriptors = &shares,
        .conn_count = s->conn_count,
        .budget = &s->budget,
        .io_pool = s->io_pool,
        .registry = s->registry,
    };
    while (s->workers_n < n) {
        if (!build_worker(s, &share)) {
            log_line(LOG_ERROR, "worker %zu cannot start", s->workers_n);
            return false;
        }
    }
    s->stream_gauges =
        stream_gauges_new(inventory_monitor(s->inventory), s->registry,
                          &s->budget, s->workers, s->workers_n);
    return s->stream_gauges != NULL;
}

/* The first worker binds for itself alone, which finds out whether the address
 * is free and which port it is; the others share it. */
static bool listen_on(struct server *s, struct listen_address *a)
{
    for (size_t i = 0; i < s->workers_n; i++) {
        int fd = listener_bind(a, i == 0);
        if (fd < 0) {
            char where[ERROR_BYTES_MAX];
            listen_address_write(a, where, sizeof where);
            log_line(LOG_ERROR, "cannot listen on %s: %s", where,
                     strerror(errno));
            return false;
        }
        if (!listener_add(s->workers[i], fd)) {
            close(fd);
            log_line(LOG_ERROR, "out of memory");
            return false;
        }
    }
    return true;
}

static bool listen_all(struct server *s, struct listen_address *ret_addresses)
{
    char error[ERROR_BYTES_MAX];
    const struct text_list *list = &s->config->listen;
    for (size_t i = 0; i < list->n; i++) {
        struct listen_address *a = &ret_addresses[i];
        if (!listen_address_read(list->at[i], a, error, sizeof error)) {
            log_line(LOG_ERROR, "%s", error);
            return false;
        }
        if (!listen_on(s, a))
            return false;
    }
    return true;
}

static void *run_worker(void *arg)
{
    struct thread *t = arg;
    if (!worker_run(t->worker))
        *t->failed = true;
    atomic_fetch_sub(t->running_n, 1);
    return NULL;
}

/* The first worker runs on the main thread: with one worker the process has
 * one thread, and the kernel's descriptor look-ups need no atomics. */
static bool start_threads(struct server *s)
{
    for (size_t i = 1; i < s->workers_n; i++) {
        struct thread *t = &s->threads[i];
        *t = (struct thread){.worker = s->workers[i],
                             .running_n = &s->running_n,
                             .failed = &s->failed};
        int failed = pthread_create(&t->id, NULL, run_worker, t);
        if (failed) {
            log_line(LOG_ERROR, "worker %zu cannot start: %s", i,
                     strerror(failed));
            return false;
        }
        atomic_fetch_add(&s->running_n, 1);
        s->threads_n = i + 1;
    }
    return true;
}

static void announce(const struct server *s,
                     const struct listen_address *addresses)
{
    char where[ERROR_BYTES_MAX];
    for (size_t i = 0; i < s->config->listen.n; i++) {
        listen_address_write(&addresses[i], where, sizeof where);
        printf("listening on http://%s\n", where);
    }
    fflush(stdout);
}

static void command_all(struct server *s, enum worker_command command)
{
    for (size_t i = 0; i < s->workers_n; i++)
        worker_command(s->workers[i], command);
}

/* The first SIGTERM drains; a second one, and SIGINT, stop. */
static void on_signal(int signal, void *arg)
{
    struct server *s = arg;
    if (signal == SIGHUP) {
        log_line(LOG_INFO, "SIGHUP: the configuration is not read again; "
                           "ignored");
        return;
    }
    bool drains = signal == SIGTERM && !s->draining;
    s->draining = true;
    log_line(LOG_INFO, drains ? "draining" : "stopping");
    command_all(s, drains ? WORKER_DRAIN : WORKER_STOP);
}

/* The first worker is done; the others may still drain, and a signal must
 * still be heard meanwhile. Bounded by their drain timeouts. */
static void wait_for_others(struct server *s)
{
    sigset_t set;
    const struct timespec poll = {.tv_nsec = 50 * 1000 * 1000};
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signals_block();
    signals_unwatch(&s->signals);
    while (atomic_load(&s->running_n) > 0) {
        if (sigtimedwait(&set, NULL, &poll) > 0)
            command_all(s, WORKER_STOP);
    }
}

/* A disk that hangs has a thread in it, and that thread a job with memory and
 * descriptors: the process can only go as it stands. */
static void leave_hanging(struct server *s, int exit_code)
{
    log_line(LOG_ERROR, "a disk does not answer; ending without waiting");
    for (size_t i = 0; i < s->workers_n; i++) {
        if (s->workers[i]->access_log)
            access_log_flush(s->workers[i]->access_log);
    }
    _exit(exit_code);
}

static void tear_down(struct server *s, int exit_code)
{
    signals_unwatch(&s->signals);
    command_all(s, WORKER_STOP);
    for (size_t i = 1; i < s->threads_n; i++)
        pthread_join(s->threads[i].id, NULL);
    if (s->io_pool && !io_pool_stop(s->io_pool, IO_STOP_MS))
        leave_hanging(s, exit_code);
    stream_gauges_free(s->stream_gauges);
    s->stream_gauges = NULL;
    for (size_t i = 0; i < s->workers_n; i++)
        worker_stop(s->workers[i]);
    if (s->registry)
        registry_drop_all(s->registry);
    while (s->workers_n > 0) {
        struct worker *w = s->workers[--s->workers_n];
        inventory_remove_worker(s->inventory, w);
        worker_free(w);
    }
    io_pool_free(s->io_pool);
    inventory_free(s->inventory);
    conn_count_free(s->conn_count);
    registry_free(s->registry);
    s->registry = NULL;
}

int server_run(struct server *s)
{
    struct listen_address addresses[CONFIG_LISTEN_MAX];
    int exit_code = 1;
    signal(SIGPIPE, SIG_IGN);
    signals_block();
    if (!build(s) || !listen_all(s, addresses) || !start_threads(s))
        goto out;
    if (!signals_watch(&s->signals, s->workers[0], on_signal, s)) {
        log_line(LOG_ERROR, "signals cannot be watched");
        goto out;
    }
    signals_unblock();
    announce(s, addresses);
    if (!worker_run(s->workers[0])) {
        s->failed = true;
        command_all(s, WORKER_STOP);
    }
    wait_for_others(s);
    log_line(LOG_INFO, "stopped");
    exit_code = s->failed ? 1 : 0;
out:
    tear_down(s, exit_code);
    return exit_code;
}
