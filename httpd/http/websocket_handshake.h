/* websocket_handshake.h - from a request to a WebSocket.
 *
 *      if (websocket_wanted(&x->req) && websocket_accept(x, ...))
 *          response_follow(x, ...)
 *
 * Promise    the head that is begun has Upgrade, Sec-WebSocket-Accept and the
 *            protocol that was chosen; response_follow() does the rest.
 * Refuses    another version with 426 and ours, a key that is not 16 bytes in
 *            base64 or a body with 400, each with a line that says so.
 * Threads    the worker's.
 * Source     RFC 6455 section 4; RFC 9110 section 7.8. */
#ifndef HTTPD_HTTP_WEBSOCKET_HANDSHAKE_H
#define HTTPD_HTTP_WEBSOCKET_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

struct exchange;
struct request;

#define WEBSOCKET_NO_PROTOCOL SIZE_MAX

/* Whether it is a GET of HTTP/1.1 that asks for a WebSocket; anything else
 * is to be answered as if Upgrade were not there. */
bool websocket_wanted(const struct request *req);

/* Begins the 101 head. *ret_protocol is the index of the first of the client's
 * subprotocols that is among n known ones, or WEBSOCKET_NO_PROTOCOL. False:
 * the request was answered. */
bool websocket_accept(struct exchange *x, const char *const *known, size_t n,
                      size_t *ret_protocol);

/* 426, for what can only be had as a WebSocket. */
void websocket_require(struct exchange *x);

#endif
