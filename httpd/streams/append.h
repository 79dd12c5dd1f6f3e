/* append.h - from a request body into a stream.
 *
 *      append_body()  a body that was gathered: one append, all or nothing
 *      append_live()  a chunked body of bytes: each piece as it comes
 *
 * Promise    the request is answered once. Under policy block the publisher is
 *            not read while the stream is full: its TCP window closes.
 *            A live publisher that is refused, also because the server ends, is
 *            told up to which offset its bytes were appended.
 * Limits     JSON: APPEND_MESSAGES_MAX messages; a wait for room:
 *            append_wait_ms(), then 503.
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_APPEND_H
#define HTTPD_STREAMS_APPEND_H

#include "httpd/streams/gather.h"
#include "httpd/streams/stream_append.h"

struct exchange;

#define APPEND_MESSAGES_MAX 65536u
#define APPEND_WAIT_MS      60000u /* at least */
#define APPEND_EVICT_MS     5000u  /* beyond slow_after */

enum body_fault {
    BODY_FINE,
    BODY_EMPTY_ARRAY, /* of JSON */
    BODY_BAD_JSON,
    BODY_TOO_MANY,
    BODY_NO_MEMORY,
};

/* The messages of a body; what many points to is freed by messages_fini(). */
struct messages {
    struct str one;
    struct str *many; /* NULL: there is one, or none */
    size_t n;
    size_t fault_pos; /* of BODY_BAD_JSON */
};

/* An empty body is no message. */
enum body_fault messages_read(struct messages *m, enum stream_kind kind,
                              const struct gather_turn *turn);
void messages_fini(struct messages *m);

/* Says what is wrong with it: 400, 413, 503. */
void answer_body_fault(struct exchange *x, const struct messages *m,
                       enum body_fault fault);

/* Appends the body and answers; a has everything but messages, pool and time.
 * The stream is borrowed. */
enum gather_step append_body(struct exchange *x, struct stream *s,
                             struct append *a, struct gather_turn *turn);

/* As append_body(), to a stream that is in no registry yet: it enters the
 * registry when the append was made. Who came first has the name; then it is
 * his stream that is appended to. */
enum gather_step append_first(struct exchange *x, struct stream *s,
                              struct append *a, struct gather_turn *turn);

/* Takes over a reference to s. close: it is closed at the body's end.
 * empty_fine: a body of no bytes is no fault without it. */
void append_live(struct exchange *x, struct stream *s, bool close,
                 bool empty_fine);

/* 400: an append without a body that closes nothing. */
void answer_no_body(struct exchange *x);

/* How long a publisher waits for room: readers that stand in its way are
 * evicted before. */
unsigned append_wait_ms(const struct stream *s);

#endif
