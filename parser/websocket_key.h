/* websocket_key.h - the proof that a server understood a WebSocket's opening.
 *
 * Promise    a key is taken only if it is base64 of exactly 16 bytes.
 * Threads    pure.
 * Source     RFC 6455 sections 4.1 and 4.2.2. */
#ifndef PARSER_WEBSOCKET_KEY_H
#define PARSER_WEBSOCKET_KEY_H

#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdbool.h>

#define WEBSOCKET_ACCEPT_BYTES 28u

/* Whether it is a Sec-WebSocket-Key, white space taken off already. */
bool websocket_key_valid(struct str key);

/* Writes Sec-WebSocket-Accept for it: WEBSOCKET_ACCEPT_BYTES bytes, no NUL.
 * DONE, FAILED (no valid key), NO_MEMORY. */
enum flow websocket_key_accept(struct str key, char *at);

#endif
