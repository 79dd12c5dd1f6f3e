/* view.h - a stream rendered once for all readers of a form that are at its
 * tail.
 *
 *      begin                       end
 *        v                          v
 *        [frame][frame.....][frame]        a ring of bytes, positions only grow
 *           ^ blocked          ^^^^ slots: readers that have everything, or
 *                                   will have it when the pass is over
 *
 * A turn is a pass, one send a reader from its position to the end; then what
 * is new is rendered behind the end, and the next pass begins. A reader whose
 * socket is full waits as blocked. When the ring needs its bytes, it leaves
 * with what is left of the frame that it was in, and goes on by itself.
 *
 * Promise    a reader sees whole frames in order, wherever it joins and leaves.
 * Invariant  begin <= every reader's position <= end; end - begin <= cap.
 * Limits     view_bytes of ring, VIEW_FRAMES_MAX frames.
 * Owns       ring, frames, slots; they and itself are charged to the budget as
 *            what leaves.
 * Threads    the worker's.
 * Cost       a reader at the tail: one slot of 16 bytes and its struct; a
 *            delivery: one send. */
#ifndef HTTPD_STREAMS_VIEW_H
#define HTTPD_STREAMS_VIEW_H

#include "httpd/streams/render.h"

#include <sys/uio.h>

#define VIEW_FRAMES_MAX 4096u
#define VIEW_TURN_BYTES (64u << 10)
#define VIEW_BYTES_MIN  (4u << 10)

struct outlet;
struct reader;
struct tap;

/* One rendered step: it ends at view position end, stream position pos. */
struct frame {
    uint64_t end;
    uint64_t pos;
    struct render_state state;
};

struct slot {
    struct reader *reader;
    uint64_t pos; /* view position */
};

struct view {
    struct view *next; /* of the tap */
    struct tap *tap;
    struct render_style style;
    char *ring;
    size_t cap;
    size_t ring_max;
    uint64_t begin;
    uint64_t end;
    struct frame *frames; /* a circle; the first begins at begin */
    size_t frames_head;
    size_t frames_n;
    size_t frames_cap;
    struct frame before; /* the frame that ends at begin */
    uint64_t pos;        /* stream position at end */
    struct render_state state;
    struct slot *slots;
    size_t slots_n;
    size_t slots_cap;
    size_t cursor;       /* slots before it were served in this pass */
    uint64_t served;     /* every slot has everything before it */
    uint64_t served_pos; /* the same as a position of the stream */
    struct reader *blocked;
    uint64_t rendered_ms;  /* when the last frame was made */
    uint64_t heartbeat_ms; /* shortest that a reader asked for; 0: none */
    bool told_closed;      /* a step said that the stream is closed */
    bool ended;            /* the last frame is there */
    bool wanted;           /* a reader waits for it to come to the tail */
    bool starved;          /* there was no memory to render */
};

/* The power of two that a ring grows to within so many bytes. */
size_t view_ring_max(uint64_t bytes);

/* The view of a form at a tap, made when there is none. It begins at the
 * stream's tail. NULL: no memory. */
struct view *view_of(struct tap *t, const struct render_style *style);
void view_free(struct view *v);

/* Whether nobody is left. */
bool view_idle(const struct view *v);

/* An idle view gives its memory back; whoever has what it has may come in. */
void view_rest(struct view *v);

/* The same, and it goes on at pos, between messages. */
void view_move(struct view *v, uint64_t pos);

/* A pass, rendering, as far as *sends_left allows. True: there is more to
 * do. */
bool view_turn(struct view *v, size_t *sends_left);

void view_sweep(struct view *v, uint64_t now_ms);

/* Appends what the hub has rendered as a frame that ends at stream position
 * pos; no bytes, and the last frame ends there. False: there is no room before
 * a pass, or no memory. */
bool view_push(struct view *v, uint64_t pos, const struct render_state *state);

void view_free_ring(struct view *v);

/* The position of a reader that has all up to stream position pos, when a frame
 * that is still there ends at pos between messages. */
bool view_find(const struct view *v, uint64_t pos, uint64_t *ret_view_pos);

/* What stands from a view position to the end, in two pieces at most. */
int view_peek(const struct view *v, uint64_t view_pos, struct iovec iov[2]);

/* Which frame a position lies in or behind: the stream position and state at
 * its end, and the bytes left of it. */
void view_locate(const struct view *v, uint64_t view_pos,
                 struct frame *ret_frame, size_t *ret_left);

/* Copies what is left of a frame. */
void view_copy(const struct view *v, uint64_t view_pos, char *out, size_t len);

/* A reader that has everything. False: no memory. */
bool view_add_slot(struct view *v, struct reader *r);
void view_remove_slot(struct view *v, size_t i);

/* The stream position up to which what stands before view_pos goes. */
uint64_t view_stream_pos(const struct view *v, uint64_t view_pos);

/* The stream position before which every reader here has got everything;
 * UINT64_MAX: it has none. */
uint64_t view_floor(const struct view *v);

#endif
