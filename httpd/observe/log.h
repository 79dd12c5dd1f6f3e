/* log.h - lines for the operator, on stderr.
 *
 * Promise    one call is one line and one write(2):
 *            "2026-01-31T12:00:00.123Z warn  text".
 * Limits     LOG_LINE_BYTES_MAX; what is longer is cut, control bytes become
 *            '?'.
 * Threads    any. */
#ifndef HTTPD_OBSERVE_LOG_H
#define HTTPD_OBSERVE_LOG_H

#define LOG_LINE_BYTES_MAX 1024u

enum log_level {
    LOG_ERROR, /* something is lost or broken */
    LOG_WARN,  /* a client or the operator did something wrong */
    LOG_INFO,  /* starts, stops, addresses */
};

void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
