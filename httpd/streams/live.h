/* live.h - readers that stay: what a mount asks for.
 *
 *      mount --response_begin(), headers--> live_follow() --> the connection
 *                                           live_wait()       follows
 *
 * Promise    a follower gets every byte from pos on in its form, or is told
 *            which it lost; it holds no request, no buffer and no timer while
 *            it waits.
 * Refuses    a reader that the budget cannot take as a new one: 503.
 * Owns       live_follow() and live_wait() take over a reference to the stream.
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_LIVE_H
#define HTTPD_STREAMS_LIVE_H

#include "httpd/streams/render.h"

struct exchange;

struct live_request {
    struct render_style style;
    enum slow_reader slow_reader;
    uint64_t lag_hard;
    uint64_t lag_soft;
    uint64_t lag_soft_ms;
    uint64_t pos;
    uint64_t lost;   /* bytes before pos that it should have got: told first */
    uint64_t cursor; /* the client's, 0: none; SSE_DS and WS_DS */
    uint64_t end_after_ms; /* the response is ended then; 0: never */
    uint64_t heartbeat_ms; /* 0: none */
};

/* What the stream's bounds say of its readers; all else is zero. */
void live_begin(struct live_request *ret, const struct stream *s);

/* Answers with the head that was begun and follows the stream from pos. HEAD
 * gets the head alone. */
void live_follow(struct exchange *x, struct stream *s,
                 const struct live_request *want);

/* Answers a request that websocket_wanted() with the handshake and follows the
 * stream from pos, as WS_DS when the client speaks ds.v1, else as WS; takes
 * over a reference. With may_publish each message of the client is an append
 * (ws_reader.h), else it ends the connection. */
void live_websocket(struct exchange *x, struct stream *s,
                    const struct live_request *want, bool may_publish);

/* There is no memory for a reader: 503, and a line in the log. */
void live_refuse(struct exchange *x);

/* Has the kernel notice a peer that is gone, as the route says. */
void live_watch_peer(struct exchange *x);

/* Why a wait is over. */
enum live_news {
    LIVE_DATA,    /* the tail is beyond pos */
    LIVE_CLOSED,  /* closed, and pos is the tail */
    LIVE_GONE,    /* deleted or expired */
    LIVE_TIMEOUT, /* nothing came */
};

/* Calls answer() once, which answers the exchange: at once when there is news,
 * else within ms. arg is any number of the caller's. The answer borrows s. */
void live_wait(struct exchange *x, struct stream *s, uint64_t pos, uint64_t ms,
               void (*answer)(struct exchange *x, struct stream *s,
                              enum live_news news, uint64_t arg),
               uint64_t arg);

#endif
