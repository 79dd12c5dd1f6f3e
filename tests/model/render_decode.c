#include "tests/model/render_decode.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>

static void put(struct bytes *b, const void *at, size_t n)
{
    enum flow flow = bytes_append(b, at, n);
    assert(flow == FLOW_DONE);
    (void)flow;
}

static void put_text(struct bytes *b, const char *text)
{
    put(b, text, strlen(text));
}

void log_event(struct bytes *log, const char *type, struct str bytes,
               struct str id)
{
    enum flow flow = bytes_printf(log, "%s %zu:", type, bytes.len);
    assert(flow == FLOW_DONE);
    put(log, bytes.at, bytes.len);
    put_text(log, " id=");
    put(log, id.at, id.len);
    put_text(log, "\n");
}

void log_word(struct bytes *log, const char *word, struct str text)
{
    put_text(log, word);
    put_text(log, " ");
    put(log, text.at, text.len);
    put_text(log, "\n");
}

static void broken(struct bytes *log, const char *why)
{
    log_word(log, "broken:", str_from(why));
}

static int hex_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at ? (int)(at - digits) : -1;
}

bool decode_chunks(struct str in, struct bytes *body, size_t *ret_chunks_n,
                   struct bytes *log)
{
    *ret_chunks_n = 0;
    while (in.len > 0) {
        size_t len = 0;
        size_t digits = 0;
        while (in.len > 0 && hex_of(in.at[0]) >= 0) {
            len = len * 16 + (size_t)hex_of(in.at[0]);
            in = str_skip(in, 1);
            digits++;
        }
        if (digits == 0 || in.len < len + 4 || memcmp(in.at, "\r\n", 2) != 0 ||
            memcmp(in.at + 2 + len, "\r\n", 2) != 0) {
            broken(log, "chunk");
            return false;
        }
        put(body, in.at + 2, len);
        in = str_skip(in, len + 4);
        if (len == 0) {
            if (in.len > 0)
                broken(log, "bytes behind the last chunk");
            return true;
        }
        *ret_chunks_n += 1;
    }
    return false;
}

/* A line, its end left out; the next one begins behind it. */
static bool take_line(struct str *rest, struct str *ret)
{
    for (size_t i = 0; i < rest->len; i++) {
        char c = rest->at[i];
        if (c != '\r' && c != '\n')
            continue;
        *ret = (struct str){rest->at, i};
        bool both = c == '\r' && i + 1 < rest->len && rest->at[i + 1] == '\n';
        *rest = str_skip(*rest, i + (both ? 2 : 1));
        return true;
    }
    return false;
}

struct event {
    char type[32];
    struct str id;
    bool has_id;
    bool has_data;
    struct bytes data;
};

static void dispatch(struct event *e, struct bytes *log)
{
    if (e->has_data)
        log_event(log, e->type[0] ? e->type : "message", bytes_view(&e->data),
                  e->has_id ? e->id : STR(""));
    else if (e->has_id)
        log_word(log, "id", e->id);
    bytes_reset(&e->data);
    e->type[0] = '\0';
    e->has_id = false;
    e->has_data = false;
}

static void take_field(struct event *e, struct str line, struct bytes *log)
{
    size_t colon = 0;
    while (colon < line.len && line.at[colon] != ':')
        colon++;
    if (colon == line.len) {
        broken(log, "a line without a colon");
        return;
    }
    struct str name = {line.at, colon};
    struct str value = str_skip(line, colon + 1);
    if (name.len == 0) {
        log_word(log, "comment", value);
        return;
    }
    if (value.len > 0 && value.at[0] == ' ')
        value = str_skip(value, 1);
    if (str_equal(name, STR("data"))) {
        if (e->has_data)
            put_text(&e->data, "\n");
        put(&e->data, value.at, value.len);
        e->has_data = true;
    } else if (str_equal(name, STR("id"))) {
        e->id = value;
        e->has_id = true;
    } else if (str_equal(name, STR("event")) && value.len < sizeof e->type) {
        memcpy(e->type, value.at, value.len);
        e->type[value.len] = '\0';
    } else {
        broken(log, "field");
    }
}

void decode_sse(struct str text, struct bytes *log)
{
    struct event e = {0};
    struct str line;
    bytes_init(&e.data, 1u << 20);
    while (take_line(&text, &line)) {
        if (line.len == 0)
            dispatch(&e, log);
        else
            take_field(&e, line, log);
    }
    if (text.len > 0 || e.has_data || e.has_id)
        broken(log, "the end of an event");
    bytes_fini(&e.data);
}

struct frame {
    unsigned opcode;
    bool fin;
    struct str payload;
};

static const char *take_frame(struct str *rest, struct frame *ret)
{
    const unsigned char *at = (const unsigned char *)rest->at;
    if (rest->len < 2)
        return "half a frame head";
    size_t len = at[1] & 127u;
    size_t head = 2;
    *ret = (struct frame){at[0] & 15u, at[0] >> 7, {0}};
    if (at[0] >> 4 & 7)
        return "a reserved bit";
    if (at[1] >> 7)
        return "a mask";
    if (len == 127)
        return "a long length";
    if (len == 126) {
        len = (size_t)at[2] << 8 | at[3];
        head = 4;
        if (len < 126)
            return "a length that is not the shortest";
    }
    if (ret->opcode >= 8 && (len > 125 || !ret->fin))
        return "a long or fragmented control frame";
    if (rest->len < head + len)
        return "half a frame";
    ret->payload = (struct str){rest->at + head, len};
    *rest = str_skip(*rest, head + len);
    return NULL;
}

static void log_close(struct str payload, struct bytes *log)
{
    char word[16] = "close ?";
    if (payload.len >= 2) {
        unsigned code = (unsigned)(unsigned char)payload.at[0] << 8 |
                        (unsigned char)payload.at[1];
        snprintf(word, sizeof word, "close %u", code);
        payload = str_skip(payload, 2);
    }
    log_word(log, word, payload);
}

static void check_text(struct str text, struct bytes *log)
{
    struct bytes mended;
    bytes_init(&mended, 1u << 20);
    mend_utf8(text, false, &mended);
    if (!str_equal(text, bytes_view(&mended)))
        broken(log, "a fragment of text that is not UTF-8");
    bytes_fini(&mended);
}

static const char *take_data(struct frame *f, unsigned *opcode,
                             struct bytes *message, struct bytes *log)
{
    if ((f->opcode == 0) != (*opcode != 0))
        return f->opcode ? "a message within a message" : "no message";
    if (f->opcode != 0)
        *opcode = f->opcode;
    if (*opcode == 1)
        check_text(f->payload, log);
    put(message, f->payload.at, f->payload.len);
    if (!f->fin)
        return NULL;
    log_event(log, *opcode == 1 ? "text" : "binary", bytes_view(message),
              STR(""));
    bytes_reset(message);
    *opcode = 0;
    return NULL;
}

void decode_ws(struct str frames, struct bytes *log)
{
    struct bytes message;
    unsigned opcode = 0;
    const char *why = NULL;
    bytes_init(&message, 1u << 20);
    while (frames.len > 0 && !why) {
        struct frame f;
        why = take_frame(&frames, &f);
        if (why)
            break;
        if (f.opcode == 9)
            log_word(log, "ping", f.payload);
        else if (f.opcode == 8)
            log_close(f.payload, log);
        else if (f.opcode <= 2)
            why = take_data(&f, &opcode, &message, log);
        else
            why = "opcode";
    }
    if (!why && opcode != 0)
        why = "half a message";
    if (why)
        broken(log, why);
    bytes_fini(&message);
}

void plain_lines(struct str text, struct bytes *out)
{
    struct str line;
    while (take_line(&text, &line)) {
        put(out, line.at, line.len);
        put_text(out, "\n");
    }
    put(out, text.at, text.len);
}

/* Whether exactly these n bytes are one character. */
static bool is_char(const unsigned char *s, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    static const unsigned char mask[] = {0, 0x80, 0xe0, 0xf0, 0xf8};
    if ((s[0] & mask[n]) != lead[n])
        return false;
    uint32_t v = s[0] & (unsigned char)~mask[n];
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2)
            return false;
        v = v << 6 | (s[i] & 63u);
    }
    return v >= least[n] && v <= 0x10ffff && v >> 11 != 0x1b;
}

/* Whether some bytes behind these n, fewer than 4, make them a character. */
static bool begins_char(const unsigned char *s, size_t n)
{
    static const unsigned char more[] = {0x80, 0x90, 0xa0, 0xbf};
    for (unsigned i = 0; i < 64; i++) {
        unsigned char c[6] = {0};
        memcpy(c, s, n);
        for (unsigned k = 0; k < 3; k++)
            c[n + k] = more[i >> 2 * k & 3];
        for (size_t len = n + 1; len <= 4; len++)
            if (is_char(c, len))
                return true;
    }
    return false;
}

void mend_utf8(struct str text, bool open, struct bytes *out)
{
    while (text.len > 0) {
        const unsigned char *at = (const unsigned char *)text.at;
        size_t n = 1;
        while (n <= 4 && n <= text.len && !is_char(at, n))
            n++;
        if (n <= 4 && n <= text.len) {
            put(out, text.at, n);
            text = str_skip(text, n);
            continue;
        }
        for (n = 3; n > 1; n--)
            if (n <= text.len && begins_char(at, n))
                break;
        if (open && n == text.len)
            return;
        put_text(out, "\xef\xbf\xbd");
        text = str_skip(text, n);
    }
}

void plain_base64(struct str bytes, struct bytes *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
                                 "nopqrstuvwxyz0123456789+/";
    size_t bits = bytes.len * 8;
    for (size_t at = 0; at < bits; at += 6) {
        unsigned v = 0;
        for (size_t i = at; i < at + 6; i++) {
            unsigned byte = i < bits ? (unsigned char)bytes.at[i / 8] : 0;
            v = v << 1 | (byte >> (7 - i % 8) & 1);
        }
        put(out, digits + v, 1);
    }
    while (out->len % 4 != 0)
        put_text(out, "=");
}
