/* config.h - the configuration, read, checked and dumped from one table.
 *
 * Promise    directives.def is the only list: fields, defaults, bounds, help
 *            and the dump come from it. What loads is valid.
 * Refuses    an unknown directive (naming the nearest), a value of the wrong
 *            kind or out of bounds, a route without or with two handlers, a
 *            prefix twice, a lower bound above its upper one: "FILE:LINE: what
 *            is wrong; what would be right".
 * Owns       all texts. Free with config_free().
 * Limits     CONFIG_FILE_BYTES_MAX, CONFIG_ROUTES_MAX, CONFIG_LISTEN_MAX.
 * Threads    one thread loads at a time (the lexer below is global); read only
 *            after loading. */
#ifndef HTTPD_CONFIG_CONFIG_H
#define HTTPD_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct text_list {
    char **at;
    size_t n;
};

#define CONFIG_FIELD_BYTES(name)      uint64_t name;
#define CONFIG_FIELD_BYTES_AUTO(name) uint64_t name; /* 0 is auto */
#define CONFIG_FIELD_BYTES_OFF(name)  uint64_t name; /* 0 is off */
#define CONFIG_FIELD_MS(name)         uint64_t name##_ms;
#define CONFIG_FIELD_COUNT(name)      uint64_t name;
#define CONFIG_FIELD_COUNT_AUTO(name) uint64_t name; /* 0 is auto */
#define CONFIG_FIELD_BOOL(name)       bool name;
#define CONFIG_FIELD_TEXT(name)       char *name;
#define CONFIG_FIELD_LIST(name)       struct text_list name;

#define CONFIG_SCOPE_SERVER_SERVER(field) field
#define CONFIG_SCOPE_SERVER_ROUTE(field)
#define CONFIG_SCOPE_ROUTE_ROUTE(field) field
#define CONFIG_SCOPE_ROUTE_SERVER(field)

struct route_config {
    char *prefix; /* begins and ends with '/' */
#define DIRECTIVE(scope, type, name, def, min, max, help)                      \
    CONFIG_SCOPE_ROUTE_##scope(CONFIG_FIELD_##type(name))
#include "httpd/config/directives.def"
#undef DIRECTIVE
};

struct config {
    char *path; /* the file it came from, or NULL */
    struct route_config *routes;
    size_t routes_n;
#define DIRECTIVE(scope, type, name, def, min, max, help)                      \
    CONFIG_SCOPE_SERVER_##scope(CONFIG_FIELD_##type(name))
#include "httpd/config/directives.def"
#undef DIRECTIVE
};

#define CONFIG_FIELD_BYTES_MAX 1024u
#define CONFIG_ROUTES_MAX      64u
#define CONFIG_LISTEN_MAX      16
#define CONFIG_FILE_BYTES_MAX  (256u * 1024u)

/* Reads a file. On failure returns NULL and writes every error to errors, one
 * line each. Relative paths are resolved against the file's folder. */
struct config *config_load(const char *path, FILE *errors);

/* The defaults with one route "/" that serves dir; listen_n may be 0 for the
 * default address. NULL when out of memory. */
struct config *config_for_folder(const char *dir, const char *const *listen,
                                 size_t listen_n, bool browse);

/* Writes the effective configuration, readable by config_load(). */
void config_dump(const struct config *config, FILE *out);

/* Writes the reference of all directives as a Markdown table. */
void config_reference(FILE *out);

/* NULL when text is HOST:PORT or [HOST]:PORT, else what would be right. */
const char *config_listen_fault(const char *text);

void config_free(struct config *config);

#endif
