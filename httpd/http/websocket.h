/* websocket.h - messages over a connection that was upgraded.
 *
 *      bytes --websocket_feed()--> frames --> on_message()
 *                                     '-----> say(): pong, close
 *      websocket_send(), websocket_close() -> say()
 *
 * Promise    on_message() gets whole messages in order, text that is UTF-8. A
 *            ping is answered by its pong, a close by a close with the same
 *            code. Whatever else is not right ends it with a close frame:
 *
 *            1002  against the protocol      1008  a message came to a halt
 *            1007  text that is not UTF-8    1009  longer than message_max
 *            1013  no memory for it
 *
 *            After a close frame was said nothing more is, and nothing more of
 *            the peer is looked at.
 * Limits     a message: message_max bytes; a piece that is fed:
 *            WEBSOCKET_PIECE_BYTES_MAX. Taken from the purse while a message
 *            or frame is partly there, WEBSOCKET_INBOX_BYTES among it. Between
 *            messages it holds nothing but this struct.
 * Owns       what it has of a message.
 * Threads    one at a time.
 * Cost       a copy of what was read, one more of a message that is longer than
 *            4 KiB, fragmented or cut.
 * Not for    the handshake (websocket_handshake.h); frames that many get are
 *            made by httpd/streams/render.h; no extensions.
 * Source     RFC 6455 sections 5 to 8. */
#ifndef HTTPD_HTTP_WEBSOCKET_H
#define HTTPD_HTTP_WEBSOCKET_H

#include "buffers/budget_purse.h"
#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEBSOCKET_PIECE_BYTES_MAX (64u << 10)
#define WEBSOCKET_HEAD_MAX        10u    /* bytes of a frame's head, unmasked */
#define WEBSOCKET_CONTROL_MAX     125u   /* bytes of a ping, pong or close */
#define WEBSOCKET_REASON_MAX      123u   /* bytes of a close frame's text */
#define WEBSOCKET_STALL_MS        30000u /* part of a message, and no more */
#define WEBSOCKET_INBOX_BYTES     4640u  /* what reading frames takes */

enum websocket_code {
    WEBSOCKET_NONE = 0, /* a close frame without a code */
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL = 1002,
    WEBSOCKET_NOT_UTF8 = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_TRY_LATER = 1013,
};

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0x0,
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_CLOSE = 0x8,
    WEBSOCKET_PING = 0x9,
    WEBSOCKET_PONG = 0xa,
};

/* Good during the call only; the bytes may be written to. */
struct websocket_message {
    char *data;
    size_t len;
    bool text;
};

struct websocket_ops {
    /* NULL: a message is 1008, as soon as its head is there.
     * DONE; FULL: not now, it is held and offered again by websocket_resume().
     * May send and close. */
    enum flow (*on_message)(void *self, const struct websocket_message *m);

    /* Bytes for the peer, behind what was said before. False: the connection
     * cannot go on. */
    bool (*say)(void *self, struct str bytes);
};

struct websocket_inbox;

struct websocket {
    const struct websocket_ops *ops;
    void *self;
    struct budget_purse *purse;
    struct websocket_inbox *inbox; /* while something is partly there */
    size_t message_max;
    bool over;   /* a close frame was said */
    bool broken; /* say() failed */
};

/* Allocates nothing. The purse may be NULL. */
void websocket_init(struct websocket *ws, size_t message_max,
                    const struct websocket_ops *ops, void *self,
                    struct budget_purse *purse);
void websocket_fini(struct websocket *ws);

/* Takes all of the piece; not while websocket_held(). DONE, or FAILED: say()
 * did. */
enum flow websocket_feed(struct websocket *ws, struct str piece);

/* Whether on_message() has refused one, so that nothing more is to be fed. */
bool websocket_held(const struct websocket *ws);

/* Offers it again, and what came behind it. As websocket_feed(). */
enum flow websocket_resume(struct websocket *ws);

/* Writes the head of a frame that is a whole message of len bytes; returns how
 * long it is. RFC 6455 section 5.2 */
size_t websocket_put_head(char out[WEBSOCKET_HEAD_MAX],
                          enum websocket_opcode opcode, uint64_t len);

/* Says a message, or a ping, in one frame. False: say() failed. */
bool websocket_send(struct websocket *ws, enum websocket_opcode opcode,
                    struct str data);

/* Says the close frame; the reason is cut at WEBSOCKET_REASON_MAX. The second
 * and later ones do nothing. */
void websocket_close(struct websocket *ws, unsigned code, const char *reason);

/* Now and then: closes one whose peer has sent part of a message and nothing
 * more for WEBSOCKET_STALL_MS. waits: it is not read from at the moment. */
void websocket_tick(struct websocket *ws, uint64_t now_ms, bool waits);

/* Whether a close frame may carry it. RFC 6455 section 7.4 */
bool websocket_code_valid(unsigned code);

#endif
