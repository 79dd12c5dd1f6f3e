/* ws_wire.h - a raw WebSocket client on a wire: frames as a test wants them.
 *
 * Promise    what is expected must come exactly so; every wait ends.
 * Limits     WS_FRAME_BYTES_MAX of payload in one frame that is expected.
 * Threads    one. */
#ifndef TESTS_SUPPORT_WS_WIRE_H
#define TESTS_SUPPORT_WS_WIRE_H

#include "tests/support/wire.h"

#define WS_FRAME_BYTES_MAX (1u << 20)
#define WS_HEAD_BYTES_MAX  14u

#define WS_KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define WS_FIELDS                                                              \
    "Host: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "          \
    "websocket\r\n"                                                            \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WS_KEY "\r\n"

/* First bytes of frames: FIN and opcode. */
enum {
    WS_TEXT = 0x81,
    WS_BINARY = 0x82,
    WS_CLOSE = 0x88,
    WS_PING = 0x89,
    WS_PONG = 0x8a,
    WS_TEXT_PART = 0x01,
    WS_BINARY_PART = 0x02,
    WS_PART = 0x00,
    WS_LAST_PART = 0x80,
};

/* Opens a connection and has it upgraded; fields are lines of the request. */
void ws_open(struct wire *w, int port, const char *target, const char *fields);

/* The same on a wire that is open. */
void ws_upgrade(struct wire *w, const char *target, const char *fields);

/* Writes a masked frame; out has room for len and WS_HEAD_BYTES_MAX. */
size_t ws_put(char *out, unsigned first, const void *data, size_t len);

/* Sends one. */
void ws_send(struct wire *w, unsigned first, const void *data, size_t len);
void ws_send_text(struct wire *w, const char *text);

/* The next frame: its first byte, and its payload in data, or a failure. The
 * payload is a malloced string. */
char *ws_take(struct wire *w, unsigned *ret_first, size_t *ret_len);

/* The next frame must be this one. */
void ws_expect(struct wire *w, unsigned first, const void *data, size_t len);
void ws_expect_text(struct wire *w, const char *text);

/* A close frame with that code (0: without one), then the end, not by RST. */
void ws_expect_close(struct wire *w, unsigned code);

#endif
