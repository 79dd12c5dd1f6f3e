/* many_inner.h - what the files of several streams on one connection share.
 *
 *      many.c          what was asked for, the answer's head
 *      many_follow.c   turns: who has news, and what is pushed
 *      many_text.c     a message as an object
 *
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_MANY_INNER_H
#define HTTPD_STREAMS_MANY_INNER_H

#include "buffers/bytes.h"
#include "httpd/http/follower.h"
#include "httpd/http/websocket.h"
#include "httpd/streams/many.h"
#include "httpd/streams/tap.h"

#define MANY_OBJECT_BYTES_MAX (80u << 10) /* of one object, framed */

struct many_stream {
    struct tap_waiter waiter;
    struct many *many;
    struct tap *tap; /* held by its count of readers */
    struct tap_hold hold;
    uint64_t pos;
    bool in_message; /* a part was sent with "more" */
    bool ended;
};

struct many {
    struct outlet *outlet;
    uint64_t heartbeat_ms;
    uint64_t said_ms;        /* when something was pushed last */
    uint64_t moved_bytes;    /* as the sweep saw it last */
    uint64_t stuck_since_ms; /* there is more, and it does not get on */
    size_t n;
    size_t next; /* whose turn it is */
    bool chunked;
    bool said_hello;
    bool finished;
    bool websocket;
    struct websocket ws;
    size_t most; /* that there is room for */
    struct many_stream streams[];
};

#define MANY_BYTES(most)                                                       \
    (sizeof(struct many) + (most) * sizeof(struct many_stream))

/* The copy's next object from its front: appends it to out, framed, and moves
 * the stream's position behind it. */
enum flow many_object(struct many *m, struct many_stream *s,
                      const struct stream_copy *copy, const char *data,
                      struct bytes *out);

/* {"stream":…,"gap":…} and {"stream":…,"closed":true}, framed. */
enum flow many_gap(struct many *m, struct many_stream *s, uint64_t from,
                   uint64_t to, struct bytes *out);
enum flow many_end(struct many *m, struct many_stream *s, bool gone,
                   struct bytes *out);

extern const struct follower_ops many_ops;
extern const struct follower_ops many_websocket_ops;
extern const struct websocket_ops many_message_ops;

/* Attaches stream i; false: no memory. */
bool many_attach(struct many *m, struct stream *s, uint64_t pos);
void many_free(struct many *m);

#endif
