/* answers.h - what every answer of a streams route has in common.
 *
 * Promise    each answer, errors too, has the lines that browsers want: of
 *            nosniff, Cross-Origin-Resource-Policy and CORS. Each result of an
 *            append or of the registry has one status and one line of text
 *            here.
 * Threads    the worker's.
 * Source     Durable Streams protocol (browser headers), WHATWG Fetch (CORS).
 */
#ifndef HTTPD_STREAMS_ANSWERS_H
#define HTTPD_STREAMS_ANSWERS_H

#include "httpd/streams/registry.h"
#include "httpd/streams/stream_append.h"

struct exchange;
struct route_config;

/* First of all: has the common lines added to whatever is answered. */
void answers_begin(struct exchange *x);

/* OPTIONS, also of a stream that is not there. */
void answer_options(struct exchange *x);

/* An error of the registry: 404, 409 (creating), 410, 503. */
void answer_registry(struct exchange *x, enum registry_result r, bool creating);

/* An append that was not made, or was made before. */
void answer_append(struct exchange *x, struct stream *s, const struct append *a,
                   enum append_result r, const struct append_outcome *outcome);

/* Header lines of a head that was begun. */
void put_offset(struct exchange *x, const char *name, uint64_t pos);
void put_number(struct exchange *x, const char *name, uint64_t n);
void put_next_offset(struct exchange *x, uint64_t pos);
void put_closed(struct exchange *x);
void put_life(struct exchange *x, const struct stream *s);

#endif
