#include "httpd/server.h"

#include "httpd/config/config.h"
#include "httpd/files/mime.h"
#include "httpd/guard/conn_count.h"
#include "httpd/http/route.h"
#include "httpd/loop/listener.h"
#include "httpd/loop/worker.h"
#include "httpd/observe/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ERROR_BYTES_MAX   512u
#define WORKERS_MAX       256u
#define LISTENERS_MAX     16u
#define OWN_DESCRIPTORS   64u /* standard streams, listeners, event bases */
#define CONNECTIONS_LEAST 16u

struct server {
    const struct config *config;
    struct route_table routes;
    struct conn_count *conn_count;
    struct worker *workers[WORKERS_MAX];
    pthread_t threads[WORKERS_MAX];
    size_t workers_n;
    size_t running_n;
};

static size_t workers_wanted(const struct config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = config->workers ? (size_t)config->workers : (size_t)cores;
    if (n < 1)
        n = 1;
    return n < WORKERS_MAX ? n : WORKERS_MAX;
}

/* Every connection needs a descriptor, and may hold an open file. The file
 * caches take what they are configured to. */
static size_t connections_allowed(const struct config *config, size_t workers_n)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (config->connections_max)
        return (size_t)config->connections_max;
    size_t cached = config->file_cache_entries * workers_n;
    size_t spent = OWN_DESCRIPTORS + cached;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 1000000)
        return 1000000;
    if (limit.rlim_cur < spent + CONNECTIONS_LEAST)
        return CONNECTIONS_LEAST;
    return (size_t)limit.rlim_cur - spent;
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

static bool build(struct server *s)
{
    char error[ERROR_BYTES_MAX];
    size_t n = workers_wanted(s->config);
    if (!load_mime_types(s->config))
        return false;
    if (!route_table_init(&s->routes, s->config, error, sizeof error)) {
        log_line(LOG_ERROR, "%s", error);
        return false;
    }
    s->conn_count = conn_count_new(connections_allowed(s->config, n),
                                   s->config->connections_per_address_max);
    if (!s->conn_count) {
        log_line(LOG_ERROR, "out of memory");
        return false;
    }
    while (s->workers_n < n) {
        struct worker *w = worker_new(s->config, &s->routes, s->conn_count);
        if (!w) {
            log_line(LOG_ERROR, "worker %zu cannot start", s->workers_n);
            return false;
        }
        s->workers[s->workers_n++] = w;
    }
    return true;
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
    for (size_t i = 0; i < list->n && i < LISTENERS_MAX; i++) {
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
    worker_run(arg);
    return NULL;
}

static bool start_threads(struct server *s)
{
    for (size_t i = 0; i < s->workers_n; i++) {
        int failed =
            pthread_create(&s->threads[i], NULL, run_worker, s->workers[i]);
        if (failed) {
            log_line(LOG_ERROR, "worker %zu cannot start: %s", i,
                     strerror(failed));
            return false;
        }
        s->running_n++;
    }
    return true;
}

static void announce(const struct server *s,
                     const struct listen_address *addresses)
{
    char where[ERROR_BYTES_MAX];
    for (size_t i = 0; i < s->config->listen.n && i < LISTENERS_MAX; i++) {
        listen_address_write(&addresses[i], where, sizeof where);
        printf("listening on http://%s\n", where);
    }
    fflush(stdout);
}

static void command_all(struct server *s, enum worker_command command)
{
    for (size_t i = 0; i < s->running_n; i++)
        worker_command(s->workers[i], command);
}

static void join_all(struct server *s)
{
    for (size_t i = 0; i < s->running_n; i++)
        pthread_join(s->threads[i], NULL);
    s->running_n = 0;
}

/* Joins in the background of the signal loop: a second signal while draining
 * must still be heard. */
static void *join_then_tell(void *arg)
{
    join_all(arg);
    kill(getpid(), SIGUSR1);
    return NULL;
}

/* Waits for the end: the first SIGTERM drains, anything else stops. */
static void wait_for_signals(struct server *s, const sigset_t *signals)
{
    int sig = 0;
    pthread_t joiner;
    sigwait(signals, &sig);
    bool drains = sig == SIGTERM;
    log_line(LOG_INFO, drains ? "draining" : "stopping");
    command_all(s, drains ? WORKER_DRAIN : WORKER_STOP);
    if (!drains || pthread_create(&joiner, NULL, join_then_tell, s) != 0) {
        join_all(s);
        return;
    }
    size_t running_n = s->workers_n;
    do {
        sigwait(signals, &sig);
        for (size_t i = 0; sig != SIGUSR1 && i < running_n; i++)
            worker_command(s->workers[i], WORKER_STOP);
    } while (sig != SIGUSR1);
    pthread_join(joiner, NULL);
}

static void tear_down(struct server *s)
{
    command_all(s, WORKER_STOP);
    join_all(s);
    for (size_t i = 0; i < s->workers_n; i++)
        worker_free(s->workers[i]);
    conn_count_free(s->conn_count);
    route_table_fini(&s->routes);
    mime_fini();
    free(s);
}

/* Blocked before any thread starts, so that only sigwait() gets them. */
static void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGHUP);
    sigaddset(ret_signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int server_run(const struct config *config)
{
    sigset_t signals;
    struct listen_address addresses[LISTENERS_MAX];
    int exit_code = 1;
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        log_line(LOG_ERROR, "out of memory");
        return exit_code;
    }
    s->config = config;
    block_signals(&signals);
    if (!build(s) || !listen_all(s, addresses) || !start_threads(s))
        goto out;
    announce(s, addresses);
    wait_for_signals(s, &signals);
    log_line(LOG_INFO, "stopped");
    exit_code = 0;
out:
    tear_down(s);
    return exit_code;
}
