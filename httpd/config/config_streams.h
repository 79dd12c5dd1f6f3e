/* config_streams.h - whether a route's words about streams mean something.
 *
 * Promise    whatever passes is read by stream_policy_read(),
 *            slow_reader_read() and stream_from_read().
 * Threads    any. */
#ifndef HTTPD_CONFIG_CONFIG_STREAMS_H
#define HTTPD_CONFIG_CONFIG_STREAMS_H

#include "httpd/config/config.h"

/* What is wrong with a route's streams and what would be right, or NULL. */
const char *config_streams_fault(const struct route_config *route);

#endif
