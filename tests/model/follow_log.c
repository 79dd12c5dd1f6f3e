#include "tests/model/follow_log.h"

#include "tests/model/render_decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_BYTES_MAX (64u << 20)
#define OFFSET_DIGITS 16u

struct walk {
    const struct published *all;
    const struct render_style *style;
    struct followed *ret;
    bool cut;         /* an end in the middle is fine */
    bool within;      /* what came last was a part of a message */
    bool over;        /* nothing may come any more */
    uint64_t json_to; /* where the rest of a message may have been only its
                         line feed */
};

static void complain(struct walk *w, const char *what)
{
    if (!w->ret->complaint)
        w->ret->complaint = what;
}

static bool is_json(const struct walk *w)
{
    return w->style->kind == STREAM_JSON;
}

/* The end of the message that holds the byte at pos. */
static uint64_t message_end(const struct published *all, uint64_t pos)
{
    size_t low = 0;
    size_t high = all->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->ends[middle] <= pos)
            low = middle + 1;
        else
            high = middle;
    }
    return low < all->n ? all->ends[low] : all->len;
}

static bool is_end(const struct published *all, uint64_t pos)
{
    return pos == 0 || message_end(all, pos - 1) == pos;
}

/* One message, or a part of it; how much of bytes it is. */
static size_t match(struct walk *w, struct str bytes)
{
    struct followed *f = w->ret;
    uint64_t end = message_end(w->all, f->pos);
    size_t shown = (size_t)(end - f->pos) - is_json(w);
    size_t n = shown < bytes.len ? shown : bytes.len;
    if (f->pos >= w->all->len) {
        complain(w, "more than was published");
        return 0;
    }
    if (memcmp(bytes.at, w->all->at + f->pos, n) != 0)
        complain(w, "other bytes than were published");
    w->within = n < shown;
    w->json_to = n == shown && is_json(w) ? end - 1 : 0;
    f->pos = n == shown ? end : f->pos + n;
    return n;
}

/* "[1,2,3]", or its begin. */
static void take_array(struct walk *w, struct str bytes, bool whole)
{
    if (bytes.len == 0 || bytes.at[0] != '[') {
        complain(w, "no array");
        return;
    }
    do {
        bytes = str_skip(bytes, 1);
        bytes = str_skip(bytes, match(w, bytes));
    } while (bytes.len > 0 && bytes.at[0] == ',' && !w->ret->complaint);
    if (whole && !str_equal(bytes, STR("]")))
        complain(w, "the end of an array");
}

static void take_payload(struct walk *w, struct str bytes, bool whole)
{
    if (w->within)
        complain(w, "a part of a message, and no gap behind it");
    else if (w->style->form == RENDER_SSE_DS && is_json(w))
        take_array(w, bytes, whole);
    else if (match(w, bytes) != bytes.len)
        complain(w, "more than a message");
    if (whole && w->within && w->style->form != RENDER_WS &&
        w->style->form != RENDER_WS_DS)
        complain(w, "less than a message");
}

/* The position behind word, as offsets are written. */
static uint64_t offset_behind(struct str text, const char *word)
{
    const char *at = memmem(text.at, text.len, word, strlen(word));
    if (!at)
        return UINT64_MAX;
    at += strlen(word) + OFFSET_DIGITS + 1;
    return strtoull(at, NULL, 10);
}

static void take_gap_between(struct walk *w, uint64_t from, uint64_t to)
{
    struct followed *f = w->ret;
    bool here = from == f->pos || (w->json_to > 0 && from == w->json_to);
    if (!here)
        complain(w, "a gap that does not begin where it is");
    if (to <= from || to > w->all->len || !is_end(w->all, to))
        complain(w, "a gap that ends nowhere");
    f->pos = to;
    f->gaps_n++;
    f->gap_from = from;
    f->gap_to = to;
    f->ended_by_gap = true;
    w->within = false;
    w->json_to = 0;
}

static void take_gap(struct walk *w, struct str text)
{
    take_gap_between(w, offset_behind(text, "\"from\":\""),
                     offset_behind(text, "\"to\":\""));
}

static void take_control(struct walk *w, struct str text)
{
    if (offset_behind(text, "streamNextOffset\":\"") != w->ret->pos)
        complain(w, "a control event of another place");
    if (w->ret->told_closed)
        complain(w, "something behind what said that it is closed");
    if (memmem(text.at, text.len, "streamClosed", 12))
        w->ret->told_closed = true;
    if (w->ret->told_closed && w->ret->pos != w->all->len)
        complain(w, "closed before all was there");
}

static void take_close(struct walk *w, unsigned code, struct str text)
{
    struct followed *f = w->ret;
    w->over = true;
    f->whole = true;
    if (code == 1000 && str_equal(text, STR("closed"))) {
        f->told_closed = true;
        if (f->pos != w->all->len)
            complain(w, "closed before all was there");
    } else if (code == RENDER_CODE_LAPPED) {
        if (w->style->form == RENDER_WS)
            take_gap_between(
                w, offset_behind(text, "lapped: "),
                strtoull(text.at + text.len - OFFSET_DIGITS, NULL, 10));
    } else if (code != 1000 && code != 1001) {
        complain(w, "a close frame of another code");
    }
}

/* An event or a message. */
static void take_event(struct walk *w, struct str type, struct str bytes,
                       struct str id)
{
    bool object = bytes.len > 0 && bytes.at[0] == '{';
    w->ret->ended_by_gap = false;
    if (str_equal(type, STR("gap")) ||
        (str_equal(type, STR("text")) && object &&
         memmem(bytes.at, bytes.len, "\"gap\"", 5)))
        take_gap(w, bytes);
    else if (str_equal(type, STR("control")) ||
             (str_equal(type, STR("text")) && object))
        take_control(w, bytes);
    else if (str_equal(type, STR("closed")))
        w->ret->told_closed = true;
    else
        take_payload(w, bytes, !str_equal(type, STR("cut")));
    if (id.len > 0 && offset_behind(id, "") != w->ret->pos)
        complain(w, "an id of another place");
    if (str_equal(type, STR("closed")) && w->ret->pos != w->all->len)
        complain(w, "closed before all was there");
}

static void take_word(struct walk *w, struct str word, struct str text)
{
    unsigned code;
    if (str_equal(word, STR("comment")) || str_equal(word, STR("ping")))
        return;
    if (str_equal(word, STR("id"))) {
        if (offset_behind(text, "") != w->ret->pos)
            complain(w, "an id of another place");
    } else if (sscanf(word.at, "close %u", &code) == 1) {
        take_close(w, code, text);
    } else {
        complain(w, "a line that nobody wrote");
    }
}

static struct str before(struct str *rest, char c)
{
    const char *at = memchr(rest->at, c, rest->len);
    size_t n = at ? (size_t)(at - rest->at) : rest->len;
    struct str part = {rest->at, n};
    *rest = str_skip(*rest, n < rest->len ? n + 1 : n);
    return part;
}

/* "TYPE LEN:BYTES id=ID", or "WORD TEXT". */
static void take_line(struct walk *w, struct str *log)
{
    struct str line = *log;
    struct str type = before(&line, ' ');
    if (str_equal(type, STR("broken:"))) {
        if (!w->cut)
            complain(w, "what a client could not understand");
        w->over = true;
        *log = (struct str){0};
        return;
    }
    if (str_equal(type, STR("close")))
        type.len += before(&line, ' ').len + 1;
    char *end;
    size_t len = strtoull(line.at, &end, 10);
    if (end == line.at || *end != ':' || len >= line.len) {
        struct str text = before(&line, '\n');
        take_word(w, type, text);
        *log = line;
        return;
    }
    struct str bytes = {end + 1, len};
    *log = str_skip(bytes, len);
    log->len = line.len - (size_t)(log->at - line.at);
    struct str id = before(log, '\n');
    take_event(w, type, bytes, str_skip(id, strlen(" id=")));
}

static void take_log(struct walk *w, struct str log)
{
    while (log.len > 0 && !w->ret->complaint) {
        bool comes_after = w->over;
        take_line(w, &log);
        if (comes_after)
            complain(w, "something behind the end");
    }
    w->ret->within = w->within;
}

static void take_raw(struct walk *w, struct str body)
{
    struct followed *f = w->ret;
    if (body.len > w->all->len - f->pos)
        complain(w, "more than was published");
    else if (body.len > 0 &&
             memcmp(body.at, w->all->at + f->pos, body.len) != 0)
        complain(w, "other bytes than were published");
    f->pos += body.len;
}

void follow_log(const struct published *all, const struct render_style *style,
                uint64_t from, struct str got, bool cut, struct followed *ret)
{
    struct walk w = {.all = all, .style = style, .ret = ret, .cut = cut};
    struct bytes body;
    struct bytes log;
    size_t chunks_n;
    *ret = (struct followed){.pos = from};
    bytes_init(&body, LOG_BYTES_MAX);
    bytes_init(&log, LOG_BYTES_MAX);
    if (style->chunked) {
        ret->whole = decode_chunks(got, &body, &chunks_n, &log);
        if (log.len > 0 && !cut)
            complain(&w, "what is no chunk");
        bytes_reset(&log);
        got = bytes_view(&body);
    }
    if (style->form == RENDER_RAW) {
        take_raw(&w, got);
    } else {
        if (style->form == RENDER_WS || style->form == RENDER_WS_DS)
            decode_ws(got, &log);
        else
            decode_sse(got, &log);
        take_log(&w, bytes_view(&log));
    }
    bytes_fini(&log);
    bytes_fini(&body);
}
