#include "httpd/streams/many_inner.h"

#include "httpd/streams/render_inner.h"
#include "parser/escape.h"

#include <inttypes.h>
#include <stdio.h>

#define HEAD_BYTES_MAX 24u /* of a frame or a chunk */

static struct str name_of(const struct many_stream *s)
{
    return stream_name(s->tap->stream);
}

static enum flow put(struct bytes *out, struct str text)
{
    return bytes_append_str(out, text);
}

static enum flow put_offset_of(struct bytes *out, const char *key, uint64_t pos)
{
    return bytes_printf(out, "\"%s\":\"0000000000000000_%016" PRIu64 "\"", key,
                        pos);
}

static enum flow open_object(struct many_stream *s, struct bytes *out)
{
    enum flow r = put(out, STR("{\"stream\":\""));
    if (r == FLOW_DONE)
        r = escape_json(out, name_of(s));
    return r == FLOW_DONE ? put(out, STR("\",")) : r;
}

/* The offsets of all, so that one id says where to go on. */
static enum flow put_id(struct many *m, struct bytes *out)
{
    enum flow r = put(out, STR("\nid: "));
    for (size_t i = 0; r == FLOW_DONE && i < m->n; i++)
        r = bytes_printf(out, "%s%" PRIu64, i > 0 ? "," : "",
                         m->streams[i].pos);
    return r == FLOW_DONE ? put(out, STR("\n\n")) : r;
}

/* What stands in out from begin on becomes a frame or a chunk. */
static enum flow frame(struct many *m, struct bytes *out, size_t begin)
{
    char head[HEAD_BYTES_MAX];
    size_t len = out->len - begin;
    size_t n = 0;
    if (m->websocket)
        n = websocket_put_head(head, WEBSOCKET_TEXT, len);
    else if (m->chunked)
        n = (size_t)snprintf(head, sizeof head, "%zx\r\n", len);
    char *room;
    enum flow r = bytes_reserve(out, n, &room);
    if (r != FLOW_DONE)
        return r;
    memmove(out->data + begin + n, out->data + begin, len);
    memcpy(out->data + begin, head, n);
    bytes_commit(out, n);
    return m->chunked && !m->websocket ? put(out, STR("\r\n")) : FLOW_DONE;
}

static enum flow begin_object(struct many *m, struct many_stream *s,
                              struct bytes *out)
{
    enum flow r = FLOW_DONE;
    if (!m->websocket)
        r = put(out, STR("data: "));
    return r == FLOW_DONE ? open_object(s, out) : r;
}

static enum flow end_object(struct many *m, struct bytes *out, size_t begin)
{
    enum flow r = put(out, STR("}"));
    if (r == FLOW_DONE && !m->websocket)
        r = put_id(m, out);
    return r == FLOW_DONE ? frame(m, out, begin) : r;
}

static enum flow put_base64(struct bytes *out, struct str bytes)
{
    char *room;
    size_t most = (bytes.len + 2) / 3 * 4;
    enum flow r = bytes_reserve(out, most, &room);
    if (r != FLOW_DONE)
        return r;
    struct pen p = {room, room + most};
    pen_base64(&p, bytes);
    bytes_commit(out, (size_t)(p.at - room));
    return FLOW_DONE;
}

/* Not in the middle of a character, where that can be helped. */
static size_t whole_characters(const char *data, size_t len)
{
    size_t n = len;
    while (n > 0 && len - n < 3 && ((unsigned char)data[n] & 0xc0) == 0x80)
        n--;
    return n > 0 ? n : len;
}

struct piece {
    struct str bytes;
    bool more;
    bool inlined; /* a whole JSON message */
};

static struct piece next_piece(const struct many_stream *s,
                               const struct stream_copy *copy, const char *data,
                               size_t *ret_used)
{
    const struct store_copy *got = &copy->got;
    enum stream_kind kind = stream_kind(s->tap->stream);
    size_t end = got->ends_n > 0 ? got->ends[0] : got->len;
    bool whole = got->ends_n > 0;
    bool inlined = kind == STREAM_JSON && whole && !s->in_message;
    if (!inlined && end > MANY_PART_BYTES) {
        end = kind == STREAM_BINARY ? MANY_PART_BYTES
                                    : whole_characters(data, MANY_PART_BYTES);
        whole = false;
    }
    *ret_used = end;
    bool feed = kind == STREAM_JSON && whole && end > 0;
    return (struct piece){{data, end - feed}, !whole, inlined};
}

static enum flow put_payload(struct many_stream *s, const struct piece *piece,
                             struct bytes *out)
{
    enum stream_kind kind = stream_kind(s->tap->stream);
    enum flow r;
    if (piece->inlined) {
        r = put(out, STR(",\"data\":"));
        return r == FLOW_DONE ? put(out, piece->bytes) : r;
    }
    bool binary = kind == STREAM_BINARY;
    r = put(out, binary ? STR(",\"base64\":\"") : STR(",\"text\":\""));
    if (r == FLOW_DONE)
        r = binary ? put_base64(out, piece->bytes)
                   : escape_json(out, piece->bytes);
    return r == FLOW_DONE ? put(out, STR("\"")) : r;
}

enum flow many_object(struct many *m, struct many_stream *s,
                      const struct stream_copy *copy, const char *data,
                      struct bytes *out)
{
    size_t begin = out->len;
    size_t used;
    struct piece piece = next_piece(s, copy, data, &used);
    s->pos += used;
    s->in_message = piece.more;
    enum flow r = begin_object(m, s, out);
    if (r == FLOW_DONE)
        r = put_offset_of(out, "offset", s->pos);
    if (r == FLOW_DONE && piece.more)
        r = put(out, STR(",\"more\":true"));
    if (r == FLOW_DONE)
        r = put_payload(s, &piece, out);
    return r == FLOW_DONE ? end_object(m, out, begin) : r;
}

enum flow many_gap(struct many *m, struct many_stream *s, uint64_t from,
                   uint64_t to, struct bytes *out)
{
    size_t begin = out->len;
    enum flow r = begin_object(m, s, out);
    if (r == FLOW_DONE)
        r = put(out, STR("\"gap\":{"));
    if (r == FLOW_DONE)
        r = put_offset_of(out, "from", from);
    if (r == FLOW_DONE)
        r = put(out, STR(","));
    if (r == FLOW_DONE)
        r = put_offset_of(out, "to", to);
    if (r == FLOW_DONE)
        r = put(out, STR("}"));
    return r == FLOW_DONE ? end_object(m, out, begin) : r;
}

enum flow many_end(struct many *m, struct many_stream *s, bool gone,
                   struct bytes *out)
{
    size_t begin = out->len;
    enum flow r = begin_object(m, s, out);
    if (r == FLOW_DONE)
        r = put_offset_of(out, "offset", s->pos);
    if (r == FLOW_DONE)
        r = put(out, gone ? STR(",\"gone\":true") : STR(",\"closed\":true"));
    return r == FLOW_DONE ? end_object(m, out, begin) : r;
}
