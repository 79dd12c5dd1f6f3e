/* render.h - a stream's bytes in the form that a reader asked for.
 *
 *      copied bytes + message ends --render_step()--> framed bytes
 *
 *      RAW        the bytes
 *      SSE        "id: OFFSET\ndata: TEXT\n\n", native EventSource
 *      SSE_DS     "event: data\ndata:…\n\n" and its control event, strict
 *      WS         a frame a message, fragmented when it is long
 *      WS_DS      the same, with control frames (text, JSON) between
 *
 * All but frames of WebSocket are wrapped into one HTTP chunk a step when the
 * reader has HTTP/1.1.
 *
 * Promise    the same bytes and state give the same output, so that one
 *            rendering serves all readers of a form. A step ends behind a
 *            message, or within one that is longer than a step.
 * Limits     a step takes at most RENDER_IN_BYTES_MAX of payload and makes at
 *            most RENDER_OUT_BYTES_MAX; short messages are grouped up to
 *            RENDER_GROUP_BYTES of output.
 * Threads    pure; the time is an argument.
 * Source     WHATWG HTML 9.2 (server-sent events), RFC 6455 section 5,
 *            RFC 9112 section 7.1, Durable Streams protocol (SSE). */
#ifndef HTTPD_STREAMS_RENDER_H
#define HTTPD_STREAMS_RENDER_H

#include "buffers/bytes.h"
#include "httpd/streams/stream.h"

#define RENDER_IN_BYTES_MAX (3u << 10) /* a multiple of 3, for base64 */
#define RENDER_GROUP_BYTES  (1u << 10)
/* Every byte a line feed: "\ndata: " each; and ids, controls, chunk heads. */
#define RENDER_OUT_BYTES_MAX (8u * RENDER_IN_BYTES_MAX + 1024u)

enum render_form {
    RENDER_RAW,
    RENDER_SSE,
    RENDER_SSE_DS,
    RENDER_WS,
    RENDER_WS_DS,
};

/* What readers must have in common to share a view. */
struct render_style {
    enum render_form form;
    enum stream_kind kind;
    bool chunked; /* wrapped into HTTP chunks; never for WS */
};

/* Where in a message the last step ended. */
struct render_state {
    bool in_message;
    bool after_cr; /* the last byte was a CR: an LF next belongs to it */
};

/* What a step renders. */
struct render_input {
    struct str data;      /* from pos on, as stream_copy() gave it */
    const uint32_t *ends; /* message ends in data */
    size_t ends_n;
    uint64_t pos;
    uint64_t tail;   /* of the stream at that moment */
    bool closed;     /* the stream, at that moment */
    uint64_t cursor; /* SSE_DS, WS_DS: Stream-Cursor */
};

/* Renders from the front of the input: appends one step to out and says how
 * many bytes of payload it took. DONE or NO_MEMORY (nothing was changed); data
 * is not empty. */
enum flow render_step(const struct render_style *style,
                      struct render_state *state, const struct render_input *in,
                      struct bytes *out, size_t *ret_used);

/* What a reader at pos is told at once, before any data: the control event of
 * SSE_DS and WS_DS, a comment in SSE; nothing in RAW and WS. */
enum flow render_hello(const struct render_style *style, uint64_t pos,
                       bool up_to_date, bool closed, uint64_t cursor,
                       struct bytes *out);

/* Bytes [from, to) are lost to this reader. Nothing in RAW and WS: there the
 * connection ends. */
enum flow render_gap(const struct render_style *style, uint64_t from,
                     uint64_t to, struct bytes *out);

/* Something without meaning, so that silence is noticed: a comment, a ping. */
enum flow render_heartbeat(const struct render_style *style, struct bytes *out);

/* The stream was closed at pos and all was sent: the closing control event
 * where no data event said so before, the last HTTP chunk, or the close frame
 * (code 1000). told: the last step already said that it is closed. */
enum flow render_close(const struct render_style *style, uint64_t pos,
                       bool told, uint64_t cursor, struct bytes *out);

/* The end for another reason: the last HTTP chunk, or a close frame with that
 * code and reason. */
enum flow render_end(const struct render_style *style, unsigned code,
                     const char *reason, struct bytes *out);

/* Its Content-Type; NULL for WebSocket. RAW has the stream's own. */
const char *render_content_type(const struct render_style *style);

/* Number of 20-second intervals since 2024-10-09T00:00Z. */
uint64_t render_cursor(uint64_t now_ms);

#endif
