#include "httpd/streams/render_inner.h"

#include "parser/number.h"
#include "parser/stream_offset.h"

#define CURSOR_EPOCH_MS UINT64_C(1728432000000) /* 2024-10-09T00:00Z */
#define CURSOR_STEP_MS  20000u

#define CHUNK_HEAD_BYTES 6u /* four digits and a line end */
#define CHUNK_TAIL_BYTES 2u
#define CHUNK_LAST_BYTES 5u

static_assert(RENDER_IN_BYTES_MAX % 3 == 0, "base64 of parts is joined");
static_assert(RENDER_OUT_BYTES_MAX <= 0xffff,
              "four digits, and a frame's length of 16 bits");

static bool is_sse(const struct render_style *style)
{
    return style->form == RENDER_SSE || style->form == RENDER_SSE_DS;
}

static bool is_ws(const struct render_style *style)
{
    return style->form == RENDER_WS || style->form == RENDER_WS_DS;
}

/* One call's output: the body is written first, its chunk's head when its
 * length is known. */
struct sheet {
    struct bytes *out;
    char *room;
    char *body;
    struct pen pen;
    bool chunked;
};

static enum flow sheet_begin(struct sheet *s, const struct render_style *style,
                             size_t cap, struct bytes *out)
{
    enum flow flow = bytes_reserve(out, cap, &s->room);
    if (flow != FLOW_DONE)
        return flow;
    s->out = out;
    s->chunked = style->chunked;
    s->body = s->room + (s->chunked ? CHUNK_HEAD_BYTES : 0);
    s->pen = (struct pen){s->body,
                          s->room + cap - CHUNK_TAIL_BYTES - CHUNK_LAST_BYTES};
    return FLOW_DONE;
}

static void sheet_wrap(struct sheet *s)
{
    size_t len = (size_t)(s->pen.at - s->body);
    if (len == 0) {
        s->pen.at = s->room;
        return;
    }
    size_t digits = number_write_hex(s->room, len);
    char *body = s->room + digits + 2;
    if (body < s->body)
        memmove(body, s->body, len);
    memcpy(body - 2, "\r\n", 2);
    memcpy(body + len, "\r\n", 2);
    s->pen.at = body + len + 2;
}

static enum flow sheet_end(struct sheet *s, bool last)
{
    if (s->chunked)
        sheet_wrap(s);
    if (s->chunked && last) {
        memcpy(s->pen.at, "0\r\n\r\n", CHUNK_LAST_BYTES);
        s->pen.at += CHUNK_LAST_BYTES;
    }
    bytes_commit(s->out, (size_t)(s->pen.at - s->room));
    return FLOW_DONE;
}

void pen_u64(struct pen *p, uint64_t v)
{
    assert((size_t)(p->end - p->at) >= NUMBER_DIGITS_MAX);
    p->at += number_write_u64(p->at, v);
}

void pen_offset(struct pen *p, uint64_t pos)
{
    assert((size_t)(p->end - p->at) >= STREAM_OFFSET_BYTES);
    stream_offset_write(p->at, pos);
    p->at += STREAM_OFFSET_BYTES;
}

/* A client that has all needs no cursor to come back with. */
void pen_control(struct pen *p, const struct control *c)
{
    pen_put(p, STR("{\"streamNextOffset\":\""));
    pen_offset(p, c->pos);
    pen_put(p, STR("\""));
    if (!c->closed) {
        pen_put(p, STR(",\"streamCursor\":\""));
        pen_u64(p, c->cursor);
        pen_put(p, STR("\""));
    }
    if (c->up_to_date)
        pen_put(p, STR(",\"upToDate\":true"));
    if (c->closed)
        pen_put(p, STR(",\"streamClosed\":true"));
    pen_put(p, STR("}"));
}

void pen_gap(struct pen *p, uint64_t from, uint64_t to)
{
    pen_put(p, STR("{\"from\":\""));
    pen_offset(p, from);
    pen_put(p, STR("\",\"to\":\""));
    pen_offset(p, to);
    pen_put(p, STR("\"}"));
}

struct str render_join(struct render_state *state, struct str bytes,
                       char scratch[RENDER_JOINED_BYTES])
{
    size_t n = state->carry_n;
    assert(n <= RENDER_CARRY_BYTES_MAX && bytes.len <= RENDER_IN_BYTES_MAX);
    if (n == 0)
        return bytes;
    memcpy(scratch, state->carry, n);
    if (bytes.len > 0)
        memcpy(scratch + n, bytes.at, bytes.len);
    state->carry_n = 0;
    return (struct str){scratch, n + bytes.len};
}

void render_carry(struct render_state *state, struct str rest)
{
    assert(state->carry_n == 0 && rest.len <= RENDER_CARRY_BYTES_MAX);
    if (rest.len > 0)
        memcpy(state->carry, rest.at, rest.len);
    state->carry_n = (unsigned char)rest.len;
}

/* A step on its way through the input. */
struct walk {
    const struct render_style *style;
    const struct render_input *in;
    size_t used;
    size_t ends_at; /* the first end that may lie beyond used */
    size_t parts_n;
};

/* The next whole message, or the begin of a long one if it is the first. */
static bool take_part(struct walk *w, bool in_message, struct part *ret)
{
    const struct render_input *in = w->in;
    while (w->ends_at < in->ends_n && in->ends[w->ends_at] <= w->used)
        w->ends_at++;
    bool ends =
        w->ends_at < in->ends_n && in->ends[w->ends_at] <= RENDER_IN_BYTES_MAX;
    if (!ends && w->used > 0)
        return false;
    size_t end =
        in->data.len < RENDER_IN_BYTES_MAX ? in->data.len : RENDER_IN_BYTES_MAX;
    if (ends)
        end = in->ends[w->ends_at];
    assert(end > w->used && end <= in->data.len);
    struct str bytes = {in->data.at + w->used, end - w->used};
    if (ends && w->style->kind == STREAM_JSON &&
        bytes.at[bytes.len - 1] == '\n')
        bytes.len--;
    w->used = end;
    w->parts_n++;
    *ret = (struct part){bytes, !in_message, ends};
    return true;
}

static struct control control_here(const struct walk *w)
{
    uint64_t pos = w->in->pos + w->used;
    bool tail = pos == w->in->tail;
    return (struct control){pos, w->in->cursor, tail, tail && w->in->closed};
}

static void put_part(struct pen *p, const struct walk *w,
                     struct render_state *state, const struct part *part)
{
    struct control here = control_here(w);
    switch (w->style->form) {
    case RENDER_RAW:
        break;
    case RENDER_SSE:
        sse_part(p, w->style, state, part);
        if (part->last)
            sse_id(p, here.pos);
        break;
    case RENDER_SSE_DS:
        if (w->style->kind == STREAM_JSON)
            sse_ds_json(p, state, part, w->parts_n > 1);
        else
            sse_ds_part(p, w->style, state, part);
        if (part->last && w->style->kind != STREAM_JSON)
            sse_ds_control(p, &here);
        break;
    case RENDER_WS:
    case RENDER_WS_DS:
        ws_part(p, w->style, state, part);
        break;
    }
    if (part->last)
        *state = (struct render_state){0};
    else
        state->in_message = true;
}

/* What stands behind a group of whole messages. */
static void put_behind(struct pen *p, const struct walk *w)
{
    struct control here = control_here(w);
    if (w->style->form == RENDER_WS_DS)
        ws_control(p, &here);
    if (w->style->form == RENDER_SSE_DS && w->style->kind == STREAM_JSON) {
        sse_ds_json_end(p);
        sse_ds_control(p, &here);
    }
}

static void put_raw(struct pen *p, struct walk *w)
{
    struct str data = w->in->data;
    if (data.len > RENDER_IN_BYTES_MAX)
        data.len = RENDER_IN_BYTES_MAX;
    pen_put(p, data);
    w->used = data.len;
}

static void put_group(struct pen *p, struct walk *w, struct render_state *state)
{
    const char *begin = p->at;
    struct part part;
    while (p->at - begin < (ptrdiff_t)RENDER_GROUP_BYTES &&
           take_part(w, state->in_message, &part)) {
        put_part(p, w, state, &part);
        if (!part.last)
            return;
    }
    put_behind(p, w);
}

enum flow render_step(const struct render_style *style,
                      struct render_state *state, const struct render_input *in,
                      struct bytes *out, size_t *ret_used)
{
    struct sheet s;
    struct walk w = {.style = style, .in = in};
    assert(in->data.len > 0);
    *ret_used = 0;
    enum flow flow = sheet_begin(&s, style, RENDER_OUT_BYTES_MAX, out);
    if (flow != FLOW_DONE)
        return flow;
    if (style->form == RENDER_RAW)
        put_raw(&s.pen, &w);
    else
        put_group(&s.pen, &w, state);
    assert(w.used > 0);
    *ret_used = w.used;
    return sheet_end(&s, false);
}

enum flow render_hello(const struct render_style *style, uint64_t pos,
                       bool up_to_date, bool closed, uint64_t cursor,
                       struct bytes *out)
{
    struct sheet s;
    struct control c = {pos, cursor, up_to_date, up_to_date && closed};
    enum flow flow = sheet_begin(&s, style, RENDER_NOTE_BYTES_MAX, out);
    if (flow != FLOW_DONE)
        return flow;
    if (style->form == RENDER_SSE)
        sse_id(&s.pen, pos);
    else if (style->form == RENDER_SSE_DS)
        sse_ds_control(&s.pen, &c);
    else if (style->form == RENDER_WS_DS)
        ws_control(&s.pen, &c);
    return sheet_end(&s, false);
}

/* Ends a message whose rest will not come. */
static void put_cut(struct pen *p, const struct render_style *style,
                    struct render_state *state)
{
    if (state->in_message && is_sse(style))
        sse_cut(p);
    else if (state->in_message)
        ws_cut(p);
    *state = (struct render_state){0};
}

static void put_gap(struct pen *p, const struct render_style *style,
                    uint64_t from, uint64_t to)
{
    if (is_sse(style))
        sse_gap(p, from, to, style->form == RENDER_SSE);
    else if (is_ws(style))
        ws_gap(p, from, to);
}

enum flow render_gap(const struct render_style *style,
                     struct render_state *state, uint64_t from, uint64_t to,
                     struct bytes *out)
{
    struct sheet s;
    enum flow flow = sheet_begin(&s, style, RENDER_NOTE_BYTES_MAX, out);
    if (flow != FLOW_DONE)
        return flow;
    put_cut(&s.pen, style, state);
    put_gap(&s.pen, style, from, to);
    return sheet_end(&s, false);
}

/* What a close frame says of a gap. */
static void put_lapped(struct pen *p, uint64_t from, uint64_t to)
{
    char text[RENDER_REASON_MAX];
    struct pen reason = {text, text + sizeof text};
    pen_put(&reason, STR("lapped: "));
    pen_offset(&reason, from);
    pen_put(&reason, STR(" "));
    pen_offset(&reason, to);
    ws_close(p, RENDER_CODE_LAPPED,
             (struct str){text, (size_t)(reason.at - text)});
}

enum flow render_lapped(const struct render_style *style,
                        struct render_state *state, uint64_t from, uint64_t to,
                        struct bytes *out)
{
    struct sheet s;
    if (style->form == RENDER_RAW)
        return FLOW_DONE;
    enum flow flow = sheet_begin(&s, style, RENDER_NOTE_BYTES_MAX, out);
    if (flow != FLOW_DONE)
        return flow;
    put_cut(&s.pen, style, state);
    if (style->form != RENDER_WS)
        put_gap(&s.pen, style, from, to);
    if (is_ws(style))
        put_lapped(&s.pen, from, to);
    return sheet_end(&s, true);
}

enum flow render_heartbeat(const struct render_style *style,
                           const struct render_state *state, struct bytes *out)
{
    struct sheet s;
    enum flow flow = sheet_begin(&s, style, RENDER_NOTE_BYTES_MAX, out);
    if (flow != FLOW_DONE)
        return flow;
    if (is_sse(style) && !state->in_message)
        pen_put(&s.pen, STR(":\n\n"));
    else if (is_ws(style))
        ws_ping(&s.pen);
    return sheet_end(&s, false);
}

enum flow render_close(const struct render_style *style, uint64_t pos,
                       bool told, uint64_t cursor, struct bytes *out)
{
    struct sheet s;
    struct control c = {pos, cursor, true, true};
    enum flow flow = sheet_begin(&s, style, RENDER_NOTE_BYTES_MAX, out);
    if (flow != FLOW_DONE)
        return flow;
    if (style->form == RENDER_SSE)
        sse_closed(&s.pen, pos);
    else if (style->form == RENDER_SSE_DS && !told)
        sse_ds_control(&s.pen, &c);
    else if (style->form == RENDER_WS_DS && !told)
        ws_control(&s.pen, &c);
    if (is_ws(style))
        ws_close(&s.pen, 1000, STR("closed"));
    return sheet_end(&s, true);
}

enum flow render_end(const struct render_style *style,
                     struct render_state *state, unsigned code,
                     const char *reason, struct bytes *out)
{
    struct sheet s;
    enum flow flow = sheet_begin(&s, style, RENDER_NOTE_BYTES_MAX, out);
    if (flow != FLOW_DONE)
        return flow;
    put_cut(&s.pen, style, state);
    if (is_ws(style))
        ws_close(&s.pen, code, str_from(reason));
    return sheet_end(&s, true);
}

uint64_t render_cursor(uint64_t now_ms)
{
    return now_ms > CURSOR_EPOCH_MS
               ? (now_ms - CURSOR_EPOCH_MS) / CURSOR_STEP_MS
               : 0;
}
