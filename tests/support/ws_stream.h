/* ws_stream.h - streams of a server's /s/, and readers by WebSocket.
 *
 * Promise    what is not as it must be is a failed assertion.
 * Threads    one. */
#ifndef TESTS_SUPPORT_WS_STREAM_H
#define TESTS_SUPPORT_WS_STREAM_H

#include "tests/support/ws_wire.h"

#define WS_STREAM_LONG_BYTES   (1u << 20)
#define WS_STREAM_NARROW_BYTES 32768 /* less, and acknowledgements are late */
#define WS_DS                  "Sec-WebSocket-Protocol: ds.v1\r\n"

/* /s/, where little stays in the kernel, and /beat/ with an early heartbeat. */
#define WS_STREAM_ROUTES                                                       \
    "route \"/s/\" {\n    streams = \"friendly\"\n    heartbeat = \"0\"\n"     \
    "    append_bytes_max = 2m\n    sndbuf = 16k\n}\n"                         \
    "route \"/beat/\" {\n    streams = \"friendly\"\n    heartbeat = 300ms\n"  \
    "}\n"

/* A name that no other test has; good for four calls. */
const char *ws_stream_name(void);

/* POST; fields are lines of the request. */
void ws_stream_publish(int port, const char *name, const char *fields,
                       const void *data, size_t len, int status);
void ws_stream_text(int port, const char *name, const char *text);
void ws_stream_json(int port, const char *name, const char *text);

void ws_stream_follow(struct wire *w, int port, const char *name,
                      const char *query, const char *fields);

/* A reader that has not read for a while. */
void ws_stream_stuck(struct wire *w, int port, const char *name,
                     const char *query, const char *fields);

/* The next message must be a control message of ds.v1. */
void ws_expect_control(struct wire *w);

/* Takes the frames of one message of so many bytes. */
void ws_take_long(struct wire *w, unsigned first, size_t bytes);

/* A JSON text of WS_STREAM_LONG_BYTES, malloced. */
char *ws_long_json(void);

/* Sends until nothing more is taken for a while; how many bytes were. */
size_t ws_send_until_full(struct wire *w, const char *data, size_t len);

#endif
