#include "httpd/streams/render_inner.h"
#include "parser/utf8.h"

#define HEAD_BYTES_MAX 4u /* no frame is longer than 16 bits can say */
#define SHORT_MAX      125u
#define FIN            0x80u

enum opcode {
    OP_CONTINUATION = 0x0,
    OP_TEXT = 0x1,
    OP_BINARY = 0x2,
    OP_CLOSE = 0x8,
    OP_PING = 0x9,
};

/* Leaves room for the head, which is put when the length is known. */
static char *frame_begin(struct pen *p)
{
    char *frame = p->at;
    assert((size_t)(p->end - p->at) >= HEAD_BYTES_MAX);
    p->at += HEAD_BYTES_MAX;
    return frame;
}

static void frame_end(struct pen *p, char *frame, unsigned first)
{
    size_t len = (size_t)(p->at - frame) - HEAD_BYTES_MAX;
    assert(len <= 0xffff);
    frame[0] = (char)first;
    if (len > SHORT_MAX) {
        frame[1] = 126;
        frame[2] = (char)(len >> 8);
        frame[3] = (char)(len & 0xff);
        return;
    }
    frame[1] = (char)len;
    memmove(frame + 2, frame + HEAD_BYTES_MAX, len);
    p->at -= HEAD_BYTES_MAX - 2;
}

/* Broken pieces are replaced. A character that is not whole waits for the next
 * part. */
static void put_text(struct pen *p, struct render_state *state,
                     const struct part *part)
{
    char scratch[RENDER_JOINED_BYTES];
    struct str text = render_join(state, part->bytes, scratch);
    while (text.len > 0) {
        size_t n = utf8_valid_bytes(text);
        size_t broken;
        pen_put(p, (struct str){text.at, n});
        text = str_skip(text, n);
        if (text.len == 0 || utf8_take(text, &broken))
            continue;
        if (broken == text.len && !part->last) {
            render_carry(state, text);
            return;
        }
        pen_put(p, STR("\xef\xbf\xbd"));
        text = str_skip(text, broken);
    }
}

void ws_part(struct pen *p, const struct render_style *style,
             struct render_state *state, const struct part *part)
{
    bool text = style->form == RENDER_WS && style->kind != STREAM_BINARY;
    unsigned first = text ? OP_TEXT : OP_BINARY;
    char *frame = frame_begin(p);
    if (text)
        put_text(p, state, part);
    else
        pen_put(p, part->bytes);
    if (!part->first)
        first = OP_CONTINUATION;
    frame_end(p, frame, part->last ? FIN | first : first);
}

void ws_control(struct pen *p, const struct control *c)
{
    char *frame = frame_begin(p);
    pen_control(p, c);
    frame_end(p, frame, FIN | OP_TEXT);
}

void ws_gap(struct pen *p, uint64_t from, uint64_t to)
{
    char *frame = frame_begin(p);
    pen_put(p, STR("{\"gap\":"));
    pen_gap(p, from, to);
    pen_put(p, STR("}"));
    frame_end(p, frame, FIN | OP_TEXT);
}

void ws_ping(struct pen *p)
{
    frame_end(p, frame_begin(p), FIN | OP_PING);
}

void ws_close(struct pen *p, unsigned code, struct str reason)
{
    char *frame = frame_begin(p);
    char bytes[2] = {(char)(code >> 8), (char)(code & 0xff)};
    if (reason.len > RENDER_REASON_MAX)
        reason.len = RENDER_REASON_MAX;
    pen_put(p, (struct str){bytes, sizeof bytes});
    pen_put(p, reason);
    frame_end(p, frame, FIN | OP_CLOSE);
}

void ws_cut(struct pen *p)
{
    frame_end(p, frame_begin(p), FIN | OP_CONTINUATION);
}
