/* conn_log.h - what a connection tells the operator.
 *
 * Promise    a refused request and a connection that ended badly give one line
 *            each, "PEER STATUS text" or "PEER word: text".
 * Limits     CONN_LOG_LINES_MAX lines between two sweeps of a worker, so that
 *            nobody can fill the disk; what was left out is counted.
 * Threads    the loop thread. */
#ifndef HTTPD_CONN_CONN_LOG_H
#define HTTPD_CONN_CONN_LOG_H

#include "httpd/conn/conn.h"

#define CONN_LOG_LINES_MAX 20u

void conn_log_refusal(struct conn *c, int status, const char *text);
void conn_log_note(struct conn *c, const char *text);
void conn_log_close(struct conn *c);

/* One access log line for the exchange; unsent bytes of what it queued have
 * not left and never will. */
void conn_log_access(struct conn *c, uint64_t unsent);

/* Says how many lines were left out, and allows new ones. */
void conn_log_sweep(struct worker *w);

#endif
