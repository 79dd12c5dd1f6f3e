/* directive.h - one directive: its value's kind, bounds, text and place.
 *
 * Promise    the table is generated from directives.def; reading, writing,
 *            freeing and the help all go through it, so that a new line there
 *            is all that a new directive needs.
 * Owns       texts and lists that directive_read() stores belong to the
 *            configuration; directive_clear() frees them.
 * Threads    the table is constant. */
#ifndef HTTPD_CONFIG_DIRECTIVE_H
#define HTTPD_CONFIG_DIRECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DIRECTIVE_FAULT_BYTES_MAX 256u

enum directive_scope { DIRECTIVE_SERVER, DIRECTIVE_ROUTE };

enum directive_type {
    DIRECTIVE_BYTES,
    DIRECTIVE_BYTES_AUTO,
    DIRECTIVE_BYTES_OFF,
    DIRECTIVE_MS,
    DIRECTIVE_COUNT,
    DIRECTIVE_COUNT_AUTO,
    DIRECTIVE_BOOL,
    DIRECTIVE_TEXT,
    DIRECTIVE_LIST,
};

struct directive {
    enum directive_scope scope;
    enum directive_type type;
    const char *name;
    const char *def;
    uint64_t min;
    uint64_t max;
    const char *help;
    size_t offset; /* in struct config or struct route_config */
};

extern const struct directive directives[];
extern const size_t directives_n;

/* What is wrong with a value, and what would be right. */
struct directive_fault {
    char text[DIRECTIVE_FAULT_BYTES_MAX];
};

/* The directive of that name, or NULL. */
const struct directive *directive_find(enum directive_scope scope,
                                       const char *name);

/* The directive whose name is the fewest edits away, or NULL when none is
 * alike. */
const struct directive *directive_nearest(enum directive_scope scope,
                                          const char *name);

/* Reads text into the directive's field of owner (struct config or struct
 * route_config); a list grows by one. With owner NULL it only checks. */
bool directive_read(const struct directive *d, const char *text, void *owner,
                    struct directive_fault *ret_fault);

/* Stores the default. False when out of memory. */
bool directive_default(const struct directive *d, void *owner);

/* Writes the value as the configuration file has it. */
void directive_write(const struct directive *d, const void *owner, FILE *out);

/* Writes "4k to 64m", or nothing for a directive without bounds. */
void directive_write_bounds(const struct directive *d, FILE *out);

/* Frees what the field holds and makes it empty. */
void directive_clear(const struct directive *d, void *owner);

#endif
