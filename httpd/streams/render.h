/* render.h - a stream's bytes in the form that a reader asked for.
 *
 *      copied bytes + message ends --render_step()--> framed bytes
 *
 *      RAW        the bytes
 *      SSE        "data: TEXT\nid: OFFSET\n\n", native EventSource; OFFSET is
 *                 where the next message begins
 *      SSE_DS     "event: data\ndata:TEXT\n\n" and its own control event. JSON:
 *                 a data event is an array of one or several messages
 *      WS         a message a message, fragmented when it is long
 *      WS_DS      a binary message a message; text messages are control
 *
 * Text forms show BINARY as base64 on one line, and JSON without the line feed
 * that it is stored with. In SSE each CR, LF, CRLF begins another data line.
 *
 * WS         TEXT and JSON are text messages, BINARY binary ones. A client must
 *            fail on text that is not UTF-8, so a broken piece is sent as
 *            U+FFFD, as an EventSource would show it, and fragments hold whole
 *            characters. RAW and WS_DS have the bytes themselves.
 * WS_DS      whatever the stream's type, its bytes come in binary messages, and
 *            each text message is one JSON object: control, as in SSE_DS, for
 *            all data before it, or {"gap":{"from":"OFFSET","to":"OFFSET"}}.
 * Gaps       SSE, SSE_DS: "event: gap\ndata: {"from":"OFFSET","to":"OFFSET"}".
 *            WS: the text message {"gap":…} where the reader goes on, else only
 *            a close frame, code RENDER_CODE_LAPPED, reason "lapped: FROM TO".
 *            What was sent of a message whose rest is lost ends as an
 *            "event: cut" (SSE), or as a shorter message (WebSocket) before it.
 *
 * All but frames of WebSocket are wrapped into one HTTP chunk a call when the
 * reader has HTTP/1.1.
 *
 * Promise    the same input and state give the same output, so that one
 *            rendering serves all readers of a form. A step ends behind a
 *            message, or within one that is longer than a step or not whole in
 *            the input. The input may be cut anywhere.
 * Limits     a step takes at most RENDER_IN_BYTES_MAX of payload and makes at
 *            most RENDER_OUT_BYTES_MAX; short messages are grouped up to
 *            RENDER_GROUP_BYTES of output. out may grow by as much.
 * Threads    pure; the time is an argument.
 * Not for    a JSON stream's bytes from the middle of a message, but where a
 *            state says so.
 * Source     WHATWG HTML 9.2 (server-sent events), RFC 6455 section 5,
 *            RFC 9112 section 7.1, Durable Streams protocol (SSE). */
#ifndef HTTPD_STREAMS_RENDER_H
#define HTTPD_STREAMS_RENDER_H

#include "buffers/bytes.h"
#include "httpd/streams/stream.h"

#define RENDER_IN_BYTES_MAX 1536u /* a multiple of 3, for base64 */
#define RENDER_GROUP_BYTES  (1u << 10)
/* Every byte a line feed: "\ndata: " each; and ids, controls, chunk heads. */
#define RENDER_OUT_BYTES_MAX   (8u * RENDER_IN_BYTES_MAX + 1024u)
#define RENDER_NOTE_BYTES_MAX  512u /* of any other call */
#define RENDER_REASON_MAX      123u /* of a close frame, in bytes */
#define RENDER_CODE_LAPPED     4410u
#define RENDER_CARRY_BYTES_MAX 3u

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

/* Where in a message the last step ended; all zero between messages. Only there
 * may a reader go over to what was rendered for others. */
struct render_state {
    bool in_message;
    bool after_cr;   /* the last byte was a CR: an LF next belongs to it */
    bool line_start; /* a data line was begun and nothing put on it */
    unsigned char carry_n;
    char carry[RENDER_CARRY_BYTES_MAX]; /* of base64's three bytes, or of a
                                           character, until there is more */
};

/* What a step renders. */
struct render_input {
    struct str data;      /* from pos on, as stream_copy() gave it */
    const uint32_t *ends; /* message ends in data, none missing */
    size_t ends_n;
    uint64_t pos;
    uint64_t tail;   /* of the stream at that moment */
    bool closed;     /* the stream, at that moment */
    uint64_t cursor; /* SSE_DS, WS_DS: Stream-Cursor */
};

/* Renders from the front of the input: appends one step to out and says how
 * many bytes of payload it took, at least one. DONE, NO_MEMORY, FULL; nothing
 * was changed when it is not DONE. data is not empty. */
enum flow render_step(const struct render_style *style,
                      struct render_state *state, const struct render_input *in,
                      struct bytes *out, size_t *ret_used);

/* What a reader at pos is told at once, before any data: the control event of
 * SSE_DS and WS_DS; in SSE the id alone, so that who loses the connection
 * before the first message comes back to the same place; nothing in RAW, WS. */
enum flow render_hello(const struct render_style *style, uint64_t pos,
                       bool up_to_date, bool closed, uint64_t cursor,
                       struct bytes *out);

/* Bytes [from, to) are lost to this reader, which goes on at to. Nothing in
 * RAW: there the connection ends. The state is between messages then. */
enum flow render_gap(const struct render_style *style,
                     struct render_state *state, uint64_t from, uint64_t to,
                     struct bytes *out);

/* The same for a reader that ends there. Nothing in RAW: a body that ends
 * without its last chunk, or by a reset, is seen to be incomplete. */
enum flow render_lapped(const struct render_style *style,
                        struct render_state *state, uint64_t from, uint64_t to,
                        struct bytes *out);

/* Something without meaning, so that silence is noticed: a comment, a ping.
 * Nothing in RAW, and within a message of SSE. */
enum flow render_heartbeat(const struct render_style *style,
                           const struct render_state *state, struct bytes *out);

/* The stream was closed at pos and all was sent: the closing control event
 * where no step said so before, "event: closed\ndata: {"offset":"OFFSET"}" in
 * SSE, so that a page can stop its EventSource; then the last HTTP chunk, or
 * the close frame (code 1000). told: the last step, or the hello, already said
 * that it is closed. */
enum flow render_close(const struct render_style *style, uint64_t pos,
                       bool told, uint64_t cursor, struct bytes *out);

/* The end for another reason: the last HTTP chunk, or a close frame with that
 * code and reason, plain ASCII, of which RENDER_REASON_MAX bytes are sent. */
enum flow render_end(const struct render_style *style,
                     struct render_state *state, unsigned code,
                     const char *reason, struct bytes *out);

/* Number of 20-second intervals since 2024-10-09T00:00Z. */
uint64_t render_cursor(uint64_t now_ms);

#endif
