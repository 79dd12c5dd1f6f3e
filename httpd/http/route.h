/* route.h - which handler answers which path.
 *
 * Promise    the longest prefix wins; a prefix ends in '/', so "/lab/" covers
 *            "/lab/x" and "/lab" redirects to it.
 * Owns       the folders and tokens; nothing of the configuration: the texts
 *            live as long as it.
 * Threads    read only once built; shared by all workers. */
#ifndef HTTPD_HTTP_ROUTE_H
#define HTTPD_HTTP_ROUTE_H

#include "buffers/str.h"
#include "httpd/config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct exchange;
struct tokens;

struct route {
    struct str prefix;
    void (*handle)(struct exchange *x);
    const struct route_config *config;
    int root_fd; /* files: the folder, opened with O_PATH; else -1 */
    bool waits;  /* names there may wait for others: path_root_waits() */
    struct tokens *tokens; /* streams: who may; NULL: this machine only */
    unsigned id;           /* index in the table, for cache keys */
};

struct route_table {
    struct route *routes; /* longest prefix first */
    size_t n;
};

/* Builds the table, opens the folders and loads the tokens. On failure says why
 * in one line of ret_error and leaves nothing open. */
bool route_table_init(struct route_table *t, const struct config *config,
                      char *ret_error, size_t error_cap);
void route_table_fini(struct route_table *t);

/* The route of a decoded path, or NULL. */
const struct route *route_find(const struct route_table *t, struct str path);

/* Whether the path is a route's prefix without its slash, as "/lab". */
bool route_is_folder_of(const struct route_table *t, struct str path);

/* The path behind the route's prefix: "" or "dir/file", never with a leading
 * slash. */
struct str route_rest(const struct route *r, struct str path);

#endif
