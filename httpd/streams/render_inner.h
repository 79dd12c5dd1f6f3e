/* render_inner.h - what the files of the renderer share; for nobody else.
 *
 * Promise    a pen writes into room that was reserved for the worst case.
 * Threads    pure. */
#ifndef HTTPD_STREAMS_RENDER_INNER_H
#define HTTPD_STREAMS_RENDER_INNER_H

#include "httpd/streams/render.h"

#include <assert.h>

struct pen {
    char *at;
    char *end;
};

static inline void pen_put(struct pen *p, struct str s)
{
    assert((size_t)(p->end - p->at) >= s.len);
    if (s.len > 0)
        memcpy(p->at, s.at, s.len);
    p->at += s.len;
}

void pen_u64(struct pen *p, uint64_t v);
void pen_offset(struct pen *p, uint64_t pos);
void pen_base64(struct pen *p, struct str s);

/* What a control event says. */
struct control {
    uint64_t pos;
    uint64_t cursor;
    bool up_to_date;
    bool closed; /* and pos is the tail */
};

/* {"streamNextOffset":…} and {"from":…,"to":…} */
void pen_control(struct pen *p, const struct control *c);
void pen_gap(struct pen *p, uint64_t from, uint64_t to);

/* A message, or what of it fits into a step. */
struct part {
    struct str bytes; /* as they are shown: JSON without its line feed */
    bool first;
    bool last;
};

/* The bytes carried over and then those given, in scratch if there are any of
 * the former; nothing is carried then. */
#define RENDER_JOINED_BYTES (RENDER_IN_BYTES_MAX + RENDER_CARRY_BYTES_MAX)
struct str render_join(struct render_state *state, struct str bytes,
                       char scratch[RENDER_JOINED_BYTES]);

/* Keeps what stands at the end for the next part. */
void render_carry(struct render_state *state, struct str rest);

/* An event's data lines; the last part of the strict form ends the event. */
void sse_part(struct pen *p, const struct render_style *style,
              struct render_state *state, const struct part *part);
void sse_ds_part(struct pen *p, const struct render_style *style,
                 struct render_state *state, const struct part *part);

/* A message in an array, which was begun if this one continues it. */
void sse_ds_json(struct pen *p, struct render_state *state,
                 const struct part *part, bool continues);
void sse_ds_json_end(struct pen *p);
void sse_ds_control(struct pen *p, const struct control *c);

/* The id, and the end of the event. */
void sse_id(struct pen *p, uint64_t pos);

void sse_gap(struct pen *p, uint64_t from, uint64_t to, bool with_id);
void sse_closed(struct pen *p, uint64_t pos);

/* Ends the event that was begun as one that nobody takes for a message. */
void sse_cut(struct pen *p);

void ws_part(struct pen *p, const struct render_style *style,
             struct render_state *state, const struct part *part);
void ws_control(struct pen *p, const struct control *c);
void ws_gap(struct pen *p, uint64_t from, uint64_t to);
void ws_ping(struct pen *p);

/* reason is cut to RENDER_REASON_MAX. */
void ws_close(struct pen *p, unsigned code, struct str reason);

/* The last fragment of a message, without bytes. */
void ws_cut(struct pen *p);

#endif
