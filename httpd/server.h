/* server.h - the whole server, from a configuration to its end.
 *
 * Promise    prints one line "listening on http://HOST:PORT" per address to
 *            stdout once every worker accepts. SIGTERM drains, SIGINT stops,
 *            SIGHUP is ignored with a line in the log.
 * Threads    the main thread, which runs the first worker and hears signals. */
#ifndef HTTPD_SERVER_H
#define HTTPD_SERVER_H

#include <stdbool.h>
#include <stdio.h>

struct config;

/* Whether the configuration could be served here: folders and the file of
 * media types are there, no address stands twice. Writes one line to errors
 * for the first thing that is not so. */
bool server_check(const struct config *config, FILE *errors);

/* Serves until a signal ends it. Returns the exit code: 0, or 1 when it could
 * not start or run (the log says why). */
int server_run(const struct config *config);

#endif
