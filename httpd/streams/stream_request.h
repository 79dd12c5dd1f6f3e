/* stream_request.h - what both mounts read from a request's head.
 *
 * Promise    every function that answers false has answered the request, with
 *            a line that says what would be right.
 * Owns       nothing: texts live in the request.
 * Threads    the worker's.
 * Source     Durable Streams protocol (headers and query parameters). */
#ifndef HTTPD_STREAMS_STREAM_REQUEST_H
#define HTTPD_STREAMS_STREAM_REQUEST_H

#include "httpd/streams/registry.h"
#include "httpd/streams/stream_append.h"

struct exchange;
struct route;

/* The name behind the route's prefix; 404 without one, 414 beyond
 * STREAM_NAME_BYTES_MAX. */
bool request_stream_name(struct exchange *x, struct str *ret_name);

enum stream_action {
    STREAM_READS,
    STREAM_WRITES, /* creates, appends, closes, deletes */
};

/* 401 or 403 when the client may not. */
bool request_allowed(struct exchange *x, enum stream_action action,
                     struct str name);

/* The same by the rules of another route. */
bool request_allowed_at(struct exchange *x, const struct route *route,
                        enum stream_action action, struct str name);

enum live_mode {
    LIVE_NONE,
    LIVE_LONG_POLL,
    LIVE_SSE,
    LIVE_RAW,
    LIVE_NDJSON,
};

enum read_from {
    READ_FROM_UNSAID,
    READ_FROM_START,
    READ_FROM_NOW,
    READ_FROM_POS,
    READ_FROM_BEYOND, /* well-formed, and no position that there could be */
};

struct read_request {
    enum live_mode live;
    enum read_from from;
    uint64_t pos;
    uint64_t cursor; /* 0: none was sent */
    bool resumes;    /* it should have all from pos on */
    bool relative;   /* pos was counted from this moment */
    bool waited;     /* it came before the stream did */
    bool by_accept;  /* Accept decided on the mode */
};

/* offset, live and cursor. 400 where they are malformed or given twice. */
bool request_read(struct exchange *x, struct read_request *ret);

/* The value of a parameter, decoded into out; at NULL when there is none. 400
 * when it is malformed or longer than cap. */
bool request_param(struct exchange *x, struct str name, char *out, size_t cap,
                   struct str *ret_value);

/* Whether Accept prefers events: of a friendly stream, a live read. */
bool request_asks_events(const struct exchange *x);

/* Whether Stream-Closed says true. */
bool request_closes(const struct exchange *x);

/* Producer claim and Stream-Seq. 400 */
bool request_append(struct exchange *x, struct append *ret);

/* Stream-TTL or Stream-Expires-At; *ret_given says whether there was one. */
bool request_life(struct exchange *x, struct life_span *ret, bool *ret_given);

/* A fork's source, which the client must be allowed to read and of which it
 * takes a reference, and where it begins. source is NULL when none is asked
 * for. */
struct fork_request {
    struct stream *source;
    uint64_t pos;
    bool offset_given;
    uint64_t sub_offset;
};
bool request_fork(struct exchange *x, struct fork_request *ret);

enum bound_unit {
    BOUND_COUNT,
    BOUND_MS,
    BOUND_BYTES,
};

/* Reads text into *value if it asks for less than that, 0 being no bound; else
 * 400, which calls it by its name. */
bool request_less(struct exchange *x, const char *name, struct str text,
                  enum bound_unit unit, uint64_t *value);

/* Bounds by the route, and by the creator within what the route allows. */
bool request_bounds(struct exchange *x, struct stream_bounds *ret);

/* Whether a stream with these bounds is as was asked; what the request does not
 * say is not compared. */
bool request_bounds_hold(struct exchange *x, const struct stream_bounds *asked,
                         const struct stream_bounds *b);

#endif
