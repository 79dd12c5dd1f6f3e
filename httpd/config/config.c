#include "httpd/config/config_build.h"

#include "buffers/str.h"
#include "httpd/config/config_streams.h"
#include "httpd/config/directive.h"
#include "parser/number.h"

#include <assert.h>
#include <ctype.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>

static bool set_defaults(enum directive_scope scope, void *owner)
{
    for (size_t i = 0; i < directives_n; i++) {
        const struct directive *d = &directives[i];
        if (d->scope == scope && !directive_default(d, owner))
            return false;
    }
    return true;
}

static void clear(enum directive_scope scope, void *owner)
{
    for (size_t i = 0; i < directives_n; i++) {
        if (directives[i].scope == scope)
            directive_clear(&directives[i], owner);
    }
}

bool config_route_init(struct route_config *route)
{
    *route = (struct route_config){.prefix = NULL};
    return set_defaults(DIRECTIVE_ROUTE, route);
}

void config_route_fini(struct route_config *route)
{
    clear(DIRECTIVE_ROUTE, route);
    free(route->prefix);
    route->prefix = NULL;
}

struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof(*config));
    if (config && !set_defaults(DIRECTIVE_SERVER, config)) {
        config_free(config);
        return NULL;
    }
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->routes_n; i++)
        config_route_fini(&config->routes[i]);
    free(config->routes);
    free(config->path);
    clear(DIRECTIVE_SERVER, config);
    free(config);
}

static bool prefix_is_sound(const char *prefix)
{
    size_t len = strlen(prefix);
    if (len == 0 || prefix[0] != '/' || prefix[len - 1] != '/')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isgraph((unsigned char)prefix[i]) || strchr("?#%", prefix[i]))
            return false;
    }
    return !strstr(prefix, "//") && !strstr(prefix, "/./") &&
           !strstr(prefix, "/../");
}

/* It goes into a head as it is. */
static bool field_is_sound(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len > CONFIG_FIELD_BYTES_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isprint((unsigned char)text[i]))
            return false;
    }
    return true;
}

const char *config_route_fault(const char *prefix,
                               const struct route_config *route)
{
    assert(prefix);
    bool files = route->files && route->files[0] != '\0';
    bool streams = route->streams && route->streams[0] != '\0';
    int handlers = files + route->lab + route->status + streams;
    if (!prefix_is_sound(prefix))
        return "is no prefix; it begins and ends with '/' and is plain "
               "between, like \"/docs/\"";
    if (handlers == 0)
        return "has no handler; give it files = \"FOLDER\", lab = true, "
               "status = true or streams = \"strict\"";
    if (handlers > 1)
        return "has two handlers; keep one of files, lab, status and streams";
    if (route->queue_low > route->queue_high)
        return "has queue_low above queue_high; make it smaller";
    if (!field_is_sound(route->cache_control))
        return "has a cache_control that is no field value; printable ASCII, "
               "1024 bytes at most";
    return config_streams_fault(route);
}

const char *config_server_fault(const struct config *config)
{
    assert(config);
    if (config->read_size_min > config->read_size_max)
        return "read_size_min is above read_size_max; make it smaller";
    if (config->sendfile_chunk_min > config->sendfile_chunk_max)
        return "sendfile_chunk_min is above sendfile_chunk_max; make it "
               "smaller";
    if (config->pool_keep > config->pool_keep_max)
        return "pool_keep is above pool_keep_max; make it smaller";
    return NULL;
}

/* Names and IPv4 addresses; an address with colons stands in brackets. */
static bool host_is_sound(struct str host)
{
    bool bracketed = host.len > 2 && host.at[0] == '[';
    if (bracketed && host.at[host.len - 1] != ']')
        return false;
    if (bracketed)
        host = (struct str){host.at + 1, host.len - 2};
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.at[i];
        const char *others = bracketed ? ":.%" : ".-_";
        if (!isalnum(c) && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return host.len > 0;
}

const char *config_listen_fault(const char *text)
{
    assert(text);
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (!colon || !host_is_sound((struct str){text, (size_t)(colon - text)}))
        return "is no address; write HOST:PORT or [HOST]:PORT, like "
               "127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080";
    if (!number_read_u64(str_from(colon + 1), &port) || port > 65535)
        return "has no such port; it is a number from 0 to 65535";
    return NULL;
}

/* Replaces a relative path by one that begins at folder. */
static bool resolve(const char *folder, char **path)
{
    if ((*path)[0] == '\0' || (*path)[0] == '/')
        return true;
    char *whole = NULL;
    const char *slash = strcmp(folder, "/") == 0 ? "" : "/";
    if (asprintf(&whole, "%s%s%s", folder, slash, *path) < 0)
        return false;
    free(*path);
    *path = whole;
    return true;
}

static bool resolve_all(struct config *config, const char *folder)
{
    bool to_file = strcmp(config->access_log, "off") != 0 &&
                   strcmp(config->access_log, "stderr") != 0;
    if (to_file && !resolve(folder, &config->access_log))
        return false;
    if (!resolve(folder, &config->mime_types))
        return false;
    for (size_t i = 0; i < config->routes_n; i++) {
        if (!resolve(folder, &config->routes[i].files) ||
            !resolve(folder, &config->routes[i].tokens))
            return false;
    }
    return true;
}

bool config_resolve(struct config *config)
{
    assert(config->path);
    char *copy = strdup(config->path);
    if (!copy)
        return false;
    const char *named = dirname(copy);
    char *folder = realpath(named, NULL);
    bool ok = resolve_all(config, folder ? folder : named);
    free(folder);
    free(copy);
    return ok;
}

static bool listen_on(struct config *config, const char *const *listen,
                      size_t listen_n)
{
    const struct directive *d = directive_find(DIRECTIVE_SERVER, "listen");
    struct directive_fault fault;
    assert(listen_n <= CONFIG_LISTEN_MAX);
    if (listen_n > 0)
        directive_clear(d, config);
    for (size_t i = 0; i < listen_n; i++) {
        if (!directive_read(d, listen[i], config, &fault))
            return false;
    }
    return true;
}

static bool add_folder(struct config *config, const char *dir, bool browse)
{
    config->routes = calloc(1, sizeof(*config->routes));
    if (!config->routes)
        return false;
    config->routes_n = 1;
    struct route_config *route = &config->routes[0];
    if (!config_route_init(route))
        return false;
    free(route->files);
    route->files = realpath(dir, NULL);
    if (!route->files)
        route->files = strdup(dir);
    route->prefix = strdup("/");
    route->browse = browse;
    return route->files && route->prefix;
}

struct config *config_for_folder(const char *dir, const char *const *listen,
                                 size_t listen_n, bool browse)
{
    assert(dir);
    struct config *config = config_new();
    if (!config)
        return NULL;
    if (!add_folder(config, dir, browse) ||
        !listen_on(config, listen, listen_n)) {
        config_free(config);
        return NULL;
    }
    return config;
}
