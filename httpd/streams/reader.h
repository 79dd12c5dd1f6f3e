/* reader.h - a follower of one stream: a cursor, and how it gets on.
 *
 *      BEHIND   renders for itself into the connection's queue
 *        | ^    until it has what the view has, and the queue is empty
 *        v |
 *      BLOCKED  on the view, the socket is full
 *        | ^
 *        v |
 *      TAIL     in the view's slots: served by its passes
 *
 * Promise    every byte from its start on, in order; or a notice of exactly
 *            which are missing; or the end, with a line in the log.
 * Limits     what it holds beside the queue is what is left of one frame.
 * Owns       a tap's attention, and its outlet until it is stopped.
 * Threads    the worker's.
 * Cost       sizeof(struct reader), which its owner has charged; what is left
 *            of a frame is charged as what leaves. */
#ifndef HTTPD_STREAMS_READER_H
#define HTTPD_STREAMS_READER_H

#include "httpd/http/follower.h"
#include "httpd/streams/live.h"
#include "httpd/streams/tap.h"
#include "httpd/streams/view.h"

#define READER_MAGIC 0x5c117eadu

enum reader_place {
    READER_BEHIND,
    READER_BLOCKED,
    READER_TAIL,
};

struct reader {
    uint32_t magic;
    enum reader_place place;
    struct outlet *outlet;
    struct tap *tap;
    struct view *view;    /* BLOCKED, TAIL */
    struct reader *next;  /* of the tap's behind or waiting, or the view's
                             blocked */
    struct reader **link; /* NULL in TAIL */
    struct render_style style;
    uint64_t pos;      /* of the stream; BEHIND */
    uint64_t view_pos; /* BLOCKED */
    size_t slot;       /* TAIL */
    struct render_state state;
    char *remnant; /* of the frame that it was in when it left its view */
    uint32_t remnant_len;
    uint32_t heartbeat_ms;
    uint64_t lag_hard;
    uint64_t lag_soft;
    uint32_t lag_soft_ms;
    enum slow_reader slow_reader;
    uint64_t soft_since_ms; /* beyond lag_soft; 0: not */
    uint64_t moved_ms;      /* when bytes left last, as the sweep saw it */
    uint64_t moved_bytes;
    uint64_t stuck_since_ms; /* there is more, and it does not get on; 0: not */
    uint64_t end_at_ms;      /* 0: never */
    uint64_t lost;           /* bytes before pos, to be told with the hello */
    uint64_t cursor;         /* to be told in place of the clock's; 0: none */
    bool said_hello;
    bool told_closed;
    bool skips;    /* told of a gap as soon as it can be */
    bool finished; /* nothing comes behind the queue and the remnant */
    bool cut; /* ends without the last chunk: there is more to come elsewhere */
};

/* Begins to follow; borrows the stream. False: no memory. */
bool reader_init(struct reader *r, struct outlet *o, struct stream *s,
                 const struct live_request *want);
void reader_fini(struct reader *r);

enum flow reader_pull(struct reader *r);
void reader_tick(struct reader *r, uint64_t now_ms);

/* Leaves its view, if it is on one, between frames or with the remnant of one,
 * so that the queue may be written to. False: it was dropped for want of
 * memory. */
bool reader_leave_view(struct reader *r);

/* Says something of its own, between frames; nothing behind the last one. */
enum flow reader_say(struct reader *r, struct str bytes);

/* TAIL -> BLOCKED: the socket took less than all. */
void reader_block(struct reader *r, uint64_t view_pos);

/* The view's last frame was sent. */
void reader_finish(struct reader *r);

/* Whether it goes on behind a gap, with a notice. */
bool reader_skips(const struct reader *r);

/* Bare bytes of HTTP/1.0: only a reset says that they are not all. */
bool reader_ends_by_close(const struct reader *r);

/* It fell behind: its connection is reset, the log has the text. */
void reader_drop(struct reader *r, const char *text);

/* The same, because bytes [from, to) are lost to it. */
void reader_drop_lapped(struct reader *r, uint64_t from, uint64_t to);

/* The stream position up to which it has everything. */
uint64_t reader_floor(const struct reader *r);

#endif
