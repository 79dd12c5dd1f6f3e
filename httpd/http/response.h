/* response.h - how a handler answers.
 *
 *      response_begin(x, 200);
 *      response_header(x, "Content-Type", STR("text/plain"));
 *      response_send_bytes(x, body);
 *
 * Promise    the head is built in the worker's head buffer and queued in one
 *            piece by exactly one of response_send_*(); Date, Server,
 *            Connection, Content-Length, Transfer-Encoding are added there,
 *            never by the handler. HEAD, 204 and 304 get no body, whatever was
 *            sent.
 * Limits     RESPONSE_HEAD_BYTES_MAX per head; beyond it the connection ends.
 * Threads    the loop thread; begin to send within one call of the handler.
 * Source     RFC 9110 section 6 and 8, RFC 9112 section 6. */
#ifndef HTTPD_HTTP_RESPONSE_H
#define HTTPD_HTTP_RESPONSE_H

#include "httpd/http/exchange.h"

#define RESPONSE_HEAD_BYTES_MAX (16u << 10)
#define RESPONSE_LENGTH_UNKNOWN UINT64_MAX

void response_begin(struct exchange *x, int status);

/* name: value. A value with CR, LF or NUL breaks the exchange. */
void response_header(struct exchange *x, const char *name, struct str value);
void response_headerf(struct exchange *x, const char *name, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

/* Whole lines made beforehand, each ending in CRLF. */
void response_header_lines(struct exchange *x, struct str lines);

/* No body; Content-Length: 0 where the status allows one. */
void response_send_empty(struct exchange *x);

/* Answers HEAD where the length that GET would have is not known: no field
 * tells of one. RFC 9110 section 8.6 */
void response_send_head(struct exchange *x);

/* The whole body, copied behind the head. */
void response_send_bytes(struct exchange *x, struct str body);

/* One range of a file as the body; takes over the range's owner. */
void response_send_file(struct exchange *x, const struct file_range *range);

/* A body pulled from a source; length in bytes or RESPONSE_LENGTH_UNKNOWN
 * (chunked, or until close for HTTP/1.0). The source is not pulled for HEAD:
 * it is stopped at once. */
void response_send_source(struct exchange *x, const struct source_ops *ops,
                          void *self, uint64_t length);

/* As response_send_source(), through gzip at that level (1 to 9); adds
 * Content-Encoding. The length is never known. */
void response_send_gzip(struct exchange *x, const struct source_ops *ops,
                        void *self, int level);

/* An error in one line of plain text that says what is wrong and what would
 * be right, of 429 and 503 also when to come back; nothing begun before is
 * kept. */
void response_error(struct exchange *x, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for an answer that was begun and has fields of its own. */
void response_send_error(struct exchange *x, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As response_error(405), with Allow. */
void response_not_allowed(struct exchange *x, const char *allow);

/* Answers OPTIONS: 204 with Allow. RFC 9110 section 9.3.7 */
void response_options(struct exchange *x, const char *methods);

/* The reason phrase of a status, "Unknown" if there is none. */
const char *status_reason(int status);

#endif
