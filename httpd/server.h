/* server.h - the whole server, from a configuration to its end.
 *
 * Promise    what server_new() opened and read is what server_run() serves.
 *            It prints one line "listening on http://HOST:PORT" per address to
 *            stdout once every worker accepts. SIGTERM drains, SIGINT stops,
 *            SIGHUP is ignored with a line in the log.
 * Threads    the main thread, which runs the first worker and hears signals. */
#ifndef HTTPD_SERVER_H
#define HTTPD_SERVER_H

#include <stdbool.h>
#include <stdio.h>

struct config;
struct server;

/* Opens what the configuration names: folders and the file of media types are
 * there, no address stands twice. NULL: it cannot be served here; one line is
 * written to errors for the first thing that is not so. One server at a time;
 * config outlives it. */
struct server *server_new(const struct config *config, FILE *errors);

/* Serves until a signal ends it, once. Returns the exit code: 0, or 1 when it
 * could not start or run (the log says why). */
int server_run(struct server *s);

void server_free(struct server *s);

#endif
