#include "httpd/http/route.h"

#include "httpd/files/files.h"
#include "httpd/files/path_open.h"
#include "httpd/guard/tokens.h"
#include "httpd/observe/log.h"
#include "httpd/observe/status.h"
#include "httpd/sources/lab.h"
#include "httpd/streams/friendly.h"
#include "httpd/streams/strict.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of what is wrong with one file: its path and a sentence. */
#define ROUTE_ERROR_BYTES_MAX 1024u

static int longest_first(const void *a, const void *b)
{
    const struct route *x = a;
    const struct route *y = b;
    if (x->prefix.len == y->prefix.len)
        return 0;
    return x->prefix.len < y->prefix.len ? 1 : -1;
}

static bool open_folder(struct route *r, char *ret_error, size_t error_cap)
{
    const char *files = r->config->files;
    r->root_fd = open(files, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (r->root_fd >= 0 && faccessat(AT_FDCWD, files, X_OK, AT_EACCESS) == 0) {
        r->waits = path_root_waits(r->root_fd);
        return true;
    }
    snprintf(ret_error, error_cap, "route \"%s\": files \"%s\": %s",
             r->config->prefix, files, strerror(errno));
    return false;
}

static bool load_tokens(struct route *r, char *ret_error, size_t error_cap)
{
    const char *path = r->config->tokens;
    if (!path || path[0] == '\0')
        return true;
    char error[ROUTE_ERROR_BYTES_MAX];
    r->tokens = tokens_load(path, error, sizeof error);
    if (!r->tokens) {
        snprintf(ret_error, error_cap, "route \"%s\": tokens: %s",
                 r->config->prefix, error);
        return false;
    }
    if (tokens_warning(r->tokens))
        log_line(LOG_WARN, "route \"%s\": tokens: %s: %s", r->config->prefix,
                 path, tokens_warning(r->tokens));
    return true;
}

static void (*handler_of(const struct route_config *config))(struct exchange *)
{
    if (config->lab)
        return lab_handle;
    if (config->status)
        return status_handle;
    if (config->streams[0] == '\0')
        return files_handle;
    return strcmp(config->streams, "strict") == 0 ? strict_handle
                                                  : friendly_handle;
}

/* Picks the handler and opens what it serves from. */
static bool prepare(struct route *r, const struct route_config *config,
                    char *ret_error, size_t error_cap)
{
    r->prefix = str_from(config->prefix);
    r->config = config;
    r->root_fd = -1;
    if (!load_tokens(r, ret_error, error_cap))
        return false;
    r->handle = handler_of(config);
    if (r->handle != files_handle)
        return true;
    return open_folder(r, ret_error, error_cap);
}

/* All mounts serve the same streams, one without tokens anybody here. */
static void warn_of_open_streams(const struct route_table *t)
{
    const struct route *open = NULL;
    bool guarded = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct route *r = &t->routes[i];
        bool streams =
            r->handle == strict_handle || r->handle == friendly_handle;
        guarded = guarded || (streams && r->tokens);
        if (streams && !r->tokens)
            open = r;
    }
    if (guarded && open)
        log_line(LOG_WARN,
                 "route \"%s\": has no tokens, so that anybody on this machine "
                 "may do there what the tokens of other routes forbid",
                 open->config->prefix);
}

bool route_table_init(struct route_table *t, const struct config *config,
                      char *ret_error, size_t error_cap)
{
    *t = (struct route_table){0};
    t->routes = calloc(config->routes_n, sizeof *t->routes);
    if (!t->routes) {
        snprintf(ret_error, error_cap, "out of memory");
        return false;
    }
    for (size_t i = 0; i < config->routes_n; i++) {
        t->n++;
        if (!prepare(&t->routes[i], &config->routes[i], ret_error, error_cap)) {
            route_table_fini(t);
            return false;
        }
    }
    warn_of_open_streams(t);
    qsort(t->routes, t->n, sizeof *t->routes, longest_first);
    for (size_t i = 0; i < t->n; i++)
        t->routes[i].id = (unsigned)i;
    return true;
}

void route_table_fini(struct route_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->routes[i].root_fd >= 0)
            close(t->routes[i].root_fd);
        tokens_free(t->routes[i].tokens);
    }
    free(t->routes);
    *t = (struct route_table){0};
}

const struct route *route_find(const struct route_table *t, struct str path)
{
    for (size_t i = 0; i < t->n; i++) {
        if (str_starts(path, t->routes[i].prefix))
            return &t->routes[i];
    }
    return NULL;
}

bool route_is_folder_of(const struct route_table *t, struct str path)
{
    for (size_t i = 0; i < t->n; i++) {
        struct str prefix = t->routes[i].prefix;
        if (prefix.len == path.len + 1 && str_starts(prefix, path))
            return true;
    }
    return false;
}

struct str route_rest(const struct route *r, struct str path)
{
    assert(str_starts(path, r->prefix));
    return str_skip(path, r->prefix.len);
}
