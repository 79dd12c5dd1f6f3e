#include "httpd/streams/render_inner.h"

#define ONES  (UINT64_MAX / 255)
#define HIGHS (ONES * 0x80)

/* Nonzero when a byte of the word is c. */
static uint64_t holds(uint64_t word, char c)
{
    uint64_t x = word ^ (ONES * (unsigned char)c);
    return (x - ONES) & ~x & HIGHS;
}

/* Bytes before the next CR or LF. */
static size_t line_bytes(struct str text)
{
    size_t n = 0;
    uint64_t word;
    for (; n + sizeof word <= text.len; n += sizeof word) {
        memcpy(&word, text.at + n, sizeof word);
        if ((holds(word, '\n') | holds(word, '\r')) != 0)
            break;
    }
    while (n < text.len && text.at[n] != '\n' && text.at[n] != '\r')
        n++;
    return n;
}

/* A client drops one space behind the colon. Where none was put there, a line
 * that begins with one needs it twice. */
static void put_line(struct pen *p, struct render_state *state, struct str line,
                     bool strict)
{
    if (line.len == 0)
        return;
    if (strict && state->line_start && line.at[0] == ' ')
        pen_put(p, STR(" "));
    pen_put(p, line);
    state->line_start = false;
}

static void put_text(struct pen *p, struct render_state *state, struct str text,
                     bool strict)
{
    if (text.len > 0 && state->after_cr && text.at[0] == '\n')
        text = str_skip(text, 1);
    else if (text.len == 0)
        return;
    state->after_cr = false;
    while (text.len > 0) {
        size_t n = line_bytes(text);
        put_line(p, state, (struct str){text.at, n}, strict);
        if (n == text.len)
            return;
        bool cr = text.at[n] == '\r';
        text = str_skip(text, n + 1);
        pen_put(p, strict ? STR("\ndata:") : STR("\ndata: "));
        state->line_start = true;
        state->after_cr = cr && text.len == 0;
        if (cr && text.len > 0 && text.at[0] == '\n')
            text = str_skip(text, 1);
    }
}

void pen_base64(struct pen *p, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    assert((size_t)(p->end - p->at) >= (s.len + 2) / 3 * 4);
    const unsigned char *in = (const unsigned char *)s.at;
    char *at = p->at;
    size_t n = 0;
    for (; n + 3 <= s.len; n += 3) {
        unsigned v = (unsigned)in[n] << 16 | (unsigned)in[n + 1] << 8 |
                     (unsigned)in[n + 2];
        *at++ = digits[v >> 18];
        *at++ = digits[v >> 12 & 63];
        *at++ = digits[v >> 6 & 63];
        *at++ = digits[v & 63];
    }
    p->at = at;
    if (n == s.len)
        return;
    bool two = s.len - n == 2;
    unsigned v = (unsigned)in[n] << 16 | (two ? (unsigned)in[n + 1] << 8 : 0);
    char last[4] = {digits[v >> 18], digits[v >> 12 & 63], '=', '='};
    if (two)
        last[2] = digits[v >> 6 & 63];
    pen_put(p, (struct str){last, sizeof last});
}

/* Whole threes, so that the parts of a message make one text. */
static void put_binary(struct pen *p, struct render_state *state,
                       const struct part *part)
{
    char scratch[RENDER_JOINED_BYTES];
    struct str bytes = render_join(state, part->bytes, scratch);
    size_t rest = part->last ? 0 : bytes.len % 3;
    pen_base64(p, (struct str){bytes.at, bytes.len - rest});
    render_carry(state, str_skip(bytes, bytes.len - rest));
}

static void put_payload(struct pen *p, const struct render_style *style,
                        struct render_state *state, const struct part *part)
{
    if (style->kind == STREAM_BINARY)
        put_binary(p, state, part);
    else
        put_text(p, state, part->bytes, style->form == RENDER_SSE_DS);
}

void sse_part(struct pen *p, const struct render_style *style,
              struct render_state *state, const struct part *part)
{
    if (part->first)
        pen_put(p, STR("data: "));
    put_payload(p, style, state, part);
    if (part->last)
        pen_put(p, STR("\n"));
}

void sse_ds_part(struct pen *p, const struct render_style *style,
                 struct render_state *state, const struct part *part)
{
    if (part->first) {
        pen_put(p, STR("event: data\ndata:"));
        state->line_start = true;
    }
    put_payload(p, style, state, part);
    if (part->last)
        pen_put(p, STR("\n\n"));
}

void sse_ds_json(struct pen *p, struct render_state *state,
                 const struct part *part, bool continues)
{
    if (part->first)
        pen_put(p, continues ? STR(",") : STR("event: data\ndata:["));
    put_text(p, state, part->bytes, true);
}

void sse_ds_json_end(struct pen *p)
{
    pen_put(p, STR("]\n\n"));
}

void sse_ds_control(struct pen *p, const struct control *c)
{
    pen_put(p, STR("event: control\ndata:"));
    pen_control(p, c);
    pen_put(p, STR("\n\n"));
}

void sse_id(struct pen *p, uint64_t pos)
{
    pen_put(p, STR("id: "));
    pen_offset(p, pos);
    pen_put(p, STR("\n\n"));
}

void sse_gap(struct pen *p, uint64_t from, uint64_t to, bool with_id)
{
    pen_put(p, STR("event: gap\ndata: "));
    pen_gap(p, from, to);
    pen_put(p, STR("\n"));
    if (with_id)
        sse_id(p, to);
    else
        pen_put(p, STR("\n"));
}

void sse_closed(struct pen *p, uint64_t pos)
{
    pen_put(p, STR("event: closed\ndata: {\"offset\":\""));
    pen_offset(p, pos);
    pen_put(p, STR("\"}\n\n"));
}

void sse_cut(struct pen *p)
{
    pen_put(p, STR("\nevent: cut\n\n"));
}
