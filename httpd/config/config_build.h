/* config_build.h - what the loader and config_for_folder() share.
 *
 * Promise    whatever these return can be given to config_free() or
 *            config_route_fini(), half filled or whole.
 * Threads    any. */
#ifndef HTTPD_CONFIG_CONFIG_BUILD_H
#define HTTPD_CONFIG_CONFIG_BUILD_H

#include "httpd/config/config.h"

/* All defaults, no route. NULL when out of memory. */
struct config *config_new(void);

/* All defaults. False when out of memory. */
bool config_route_init(struct route_config *route);

void config_route_fini(struct route_config *route);

/* What is wrong with a route and what would be right, or NULL. */
const char *config_route_fault(const char *prefix,
                               const struct route_config *route);

/* The same of what stands outside of the routes. */
const char *config_server_fault(const struct config *config);

/* Makes the relative paths in config absolute: they begin at the folder that
 * holds config->path. False when out of memory. */
bool config_resolve(struct config *config);

#endif
