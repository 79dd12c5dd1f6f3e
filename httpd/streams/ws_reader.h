/* ws_reader.h - a reader of a stream by WebSocket, who may publish, too.
 *
 *      stream -> struct reader --frames, made once for all--> peer
 *      peer -> struct websocket --> ws_publisher_append() -> stream
 *                     '--- pong, close, {"error":...} ---> peer
 *
 * Each message of a client that may publish is one append, all or nothing: of a
 * JSON stream the messages in it, of any other its bytes. When it cannot be
 * appended
 *
 *      ds.v1      gets the text message {"error":{"status":N,"text":"..."}},
 *                 N as HTTP would answer, and goes on
 *      otherwise  the connection ends: 1008, or 1013 where the same may do
 *                 later, with the text as its reason
 *
 * Under policy block the client is not read while the stream is full, for
 * append_wait_ms() a message at most.
 *
 * Promise    what it says of its own stands between frames, and an error
 *            between messages.
 * Limits     a message: append_bytes_max of the route; beyond it 1009. While
 *            one waits for room, and what was read behind it, no more than
 *            WS_READ_BYTES and a message are held.
 * Threads    the worker's.
 * Cost       sizeof(struct ws_reader) while nothing is said; a publisher has a
 *            struct ws_publisher more. */
#ifndef HTTPD_STREAMS_WS_READER_H
#define HTTPD_STREAMS_WS_READER_H

#include "httpd/http/websocket.h"
#include "httpd/streams/reader.h"
#include "httpd/streams/stream_append.h"

/* One read; pongs for it and the rest of a frame fit into the queue's slack. */
#define WS_READ_BYTES        (32u << 10)
#define WS_REFUSAL_BYTES_MAX 120u

/* Why a message was not appended. */
struct ws_refusal {
    int status; /* 0: nothing was refused */
    char text[WS_REFUSAL_BYTES_MAX];
};

struct ws_publisher {
    struct tap_waiter waiter;
    struct outlet *outlet;
    struct tap *tap;
    uint64_t until_ms;         /* of the wait for room; 0: none */
    struct ws_refusal refusal; /* still to be told */
};

struct ws_reader {
    struct reader reader;
    struct websocket ws;
    struct ws_publisher *publisher; /* NULL: it only reads */
};

/* DONE: appended. FULL: it is to be offered again when wake() of the outlet has
 * been called. FAILED: refused, for the reason in refusal. */
enum flow ws_publisher_append(struct ws_publisher *p,
                              const struct websocket_message *m);

#endif
