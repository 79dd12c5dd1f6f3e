/* What a peer may send on a WebSocket, read three ways: whole, one byte at a
 * time, and cut at places that the input itself decides. The messages, the
 * pongs and the close frame must be the same each time, and those that a naive
 * model finds in the same bytes. The first byte chooses the limits. */
#include "httpd/http/websocket.h"

#include "parser/utf8.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_BYTES_MAX 67108864u
#define BUDGET_BYTES   (UINT64_C(16) << 20)

/* What the first byte says. */
struct wishes {
    size_t message_max;
    unsigned says_max;   /* the last of them fails; 0: none does */
    unsigned refusals_n; /* of each message, before it is taken */
    bool reads_only;
};

static struct wishes read_wishes(uint8_t byte)
{
    static const size_t longest[] = {70000, 5000, 125, 5};
    return (struct wishes){
        .message_max = longest[byte & 3],
        .refusals_n = byte >> 2 & 3,
        .says_max = byte >> 4 & 3,
        .reads_only = (byte >> 6 & 3) == 3,
    };
}

static void print(struct bytes *text, const char *what, struct str s)
{
    check(bytes_printf(text, "%s %zu:", what, s.len) == FLOW_DONE, "room");
    check(bytes_append_str(text, s) == FLOW_DONE, "room");
}

static void print_close(struct bytes *text, unsigned code)
{
    check(bytes_printf(text, "close %u", code) == FLOW_DONE, "room");
}

/* The naive model: one frame after the other, with all of the bytes at hand. */

struct frame {
    unsigned op;
    bool fin;
    bool masked;
    bool reserved;
    bool short_form; /* its length is in as few bytes as it can be */
    uint64_t len;
    size_t head_len;
};

struct model {
    struct wishes wishes;
    struct bytes text;    /* what must be seen */
    struct bytes message; /* so far */
    unsigned op;          /* of the message under way */
    unsigned says_n;
    bool ended;
    bool rests;     /* between two messages */
    unsigned maybe; /* a code that may be said of a head that is cut */
};

static unsigned char byte_at(struct str s, size_t i)
{
    return i < s.len ? (unsigned char)s.at[i] : 0;
}

/* What is cut is read as zeros; head_len says how much there should be. */
static struct frame read_frame(struct str wire)
{
    unsigned char first = byte_at(wire, 0);
    unsigned char second = byte_at(wire, 1);
    struct frame f = {.op = first & 15,
                      .fin = first & 0x80,
                      .reserved = first & 0x70,
                      .masked = second & 0x80,
                      .len = second & 0x7f};
    unsigned ext = f.len == 126 ? 2 : f.len == 127 ? 8 : 0;
    if (ext > 0)
        f.len = 0;
    for (unsigned i = 0; i < ext; i++)
        f.len = f.len << 8 | byte_at(wire, 2 + i);
    f.short_form = ext == 0 || (ext == 2 && f.len >= 126) ||
                   (f.len > 0xffff && f.len >> 63 == 0);
    f.head_len = 2u + ext + (f.masked ? 4u : 0u);
    return f;
}

/* The code with which it is refused, or 0. */
static unsigned judge(const struct model *m, const struct frame *f)
{
    bool control = f->op >= 8;
    bool known = f->op <= 2 || (f->op >= 8 && f->op <= 10);
    bool in_order = control || (f->op == 0) == (m->op != 0);
    if (!known || f->reserved || !f->masked || !f->short_form || !in_order)
        return 1002;
    if (control)
        return !f->fin || f->len > 125 ? 1002 : 0;
    if (m->wishes.reads_only)
        return 1008;
    return f->len > m->wishes.message_max - m->message.len ? 1009 : 0;
}

static void model_close(struct model *m, unsigned code)
{
    print_close(&m->text, code);
    m->ended = true;
}

static void model_control(struct model *m, unsigned op, struct str data)
{
    if (op == 10)
        return;
    m->says_n++;
    m->ended = m->says_n == m->wishes.says_max;
    if (op == 9) {
        print(&m->text, "pong", data);
        return;
    }
    unsigned code = (unsigned)byte_at(data, 0) << 8 | byte_at(data, 1);
    struct str reason = str_skip(data, data.len < 2 ? data.len : 2);
    bool valid = (code >= 1000 && code <= 1003) ||
                 (code >= 1007 && code <= 1014) ||
                 (code >= 3000 && code <= 4999);
    if (data.len > 0 && (data.len < 2 || !valid))
        code = 1002;
    else if (utf8_valid_bytes(reason) < reason.len)
        code = 1007;
    model_close(m, code);
}

static void model_data(struct model *m, const struct frame *f, struct str data)
{
    if (f->op != 0)
        m->op = f->op;
    check(bytes_append_str(&m->message, data) == FLOW_DONE, "room");
    if (!f->fin)
        return;
    struct str whole = bytes_view(&m->message);
    if (m->op == 1 && utf8_valid_bytes(whole) < whole.len)
        model_close(m, 1007);
    else
        print(&m->text, m->op == 1 ? "text" : "binary", whole);
    m->op = 0;
    bytes_reset(&m->message);
}

static void model_payload(struct model *m, const struct frame *f,
                          struct str wire)
{
    char *data = exact_copy((struct str){wire.at + f->head_len, f->len});
    for (size_t i = 0; i < f->len; i++)
        data[i] = (char)(data[i] ^ wire.at[f->head_len - 4 + i % 4]);
    if (f->op >= 8)
        model_control(m, f->op, (struct str){data, f->len});
    else
        model_data(m, f, (struct str){data, f->len});
    free(data);
}

/* Takes a frame off the wire; false when it is the last that can be read. */
static bool model_frame(struct model *m, struct str *wire)
{
    struct frame f = read_frame(*wire);
    unsigned code = wire->len < f.head_len ? 1002 : judge(m, &f);
    /* A head is looked at with the first byte behind it. */
    if (wire->len < f.head_len || (wire->len == f.head_len && f.len > 0)) {
        m->maybe = code;
        return false;
    }
    if (code != 0)
        model_close(m, code);
    if (code != 0 || wire->len - f.head_len < f.len)
        return false;
    model_payload(m, &f, *wire);
    *wire = str_skip(*wire, f.head_len + (size_t)f.len);
    return !m->ended;
}

static void model_run(struct model *m, struct str wire, struct wishes wishes)
{
    *m = (struct model){.wishes = wishes};
    bytes_init(&m->text, TEXT_BYTES_MAX);
    bytes_init(&m->message, TEXT_BYTES_MAX);
    while (wire.len > 0 && model_frame(m, &wire)) {
    }
    m->rests = wire.len == 0 && m->op == 0 && !m->ended;
}

static void model_fini(struct model *m)
{
    bytes_fini(&m->text);
    bytes_fini(&m->message);
}

/* The peer of the one that is tested. */

struct peer {
    struct websocket ws;
    struct wishes wishes;
    struct budget budget;
    struct budget_purse purse;
    struct bytes text; /* what was seen */
    struct cut_input in;
    uint64_t now_ms;
    unsigned says_n;
    unsigned refused_n; /* of the message that is offered */
    bool closed;
};

static bool say(void *self, struct str bytes)
{
    struct peer *p = self;
    struct str data = str_skip(bytes, 2);
    check(bytes.len >= 2 && data.len <= WEBSOCKET_CONTROL_MAX, "control frame");
    check(byte_at(bytes, 1) == data.len, "whole and not masked");
    check(!p->closed, "a close frame is the last");
    p->says_n++;
    if (byte_at(bytes, 0) == 0x8a) {
        print(&p->text, "pong", data);
    } else {
        check(byte_at(bytes, 0) == 0x88 && data.len != 1, "a close frame");
        struct str reason = str_skip(data, data.len < 2 ? data.len : 2);
        check(utf8_valid_bytes(reason) == reason.len, "a reason is UTF-8");
        print_close(&p->text,
                    (unsigned)byte_at(data, 0) << 8 | byte_at(data, 1));
        p->closed = true;
    }
    return p->says_n != p->wishes.says_max;
}

static enum flow on_message(void *self, const struct websocket_message *m)
{
    struct peer *p = self;
    struct str data = {m->data, m->len};
    check(!p->closed, "no message behind a close frame");
    check(m->len <= p->wishes.message_max, "no message is too long");
    if (p->refused_n < p->wishes.refusals_n) {
        p->refused_n++;
        return FLOW_FULL;
    }
    p->refused_n = 0;
    print(&p->text, m->text ? "text" : "binary", data);
    if (m->len > 0)
        memset(m->data, '~', m->len); /* as it may be written to */
    return FLOW_DONE;
}

static const struct websocket_ops takes = {on_message, say};
static const struct websocket_ops reads_only = {NULL, say};

static void check_result(struct peer *p, enum flow flow)
{
    bool failed = p->wishes.says_max > 0 && p->says_n == p->wishes.says_max;
    check(p->ws.over == p->closed, "it is over with a close frame");
    check(flow == (failed ? FLOW_FAILED : FLOW_DONE), "result");
    check(p->ws.inbox || atomic_load(&p->budget.used) == p->purse.unused,
          "between messages nothing is taken");
}

static enum flow feed(struct peer *p)
{
    struct str piece = {p->in.rest.at, cut_len(&p->in)};
    if (piece.len > WEBSOCKET_PIECE_BYTES_MAX)
        piece.len = WEBSOCKET_PIECE_BYTES_MAX;
    char *copy = exact_copy(piece);
    enum flow flow = websocket_feed(&p->ws, (struct str){copy, piece.len});
    free(copy);
    check_result(p, flow);
    while (websocket_held(&p->ws)) {
        flow = websocket_resume(&p->ws);
        check_result(p, flow);
    }
    p->in.rest = str_skip(p->in.rest, piece.len);
    /* As long as something comes, it did not come to a halt. */
    p->now_ms += WEBSOCKET_STALL_MS - 1;
    websocket_tick(&p->ws, p->now_ms, false);
    return flow;
}

static void peer_run(struct peer *p, struct str wire, struct wishes wishes,
                     enum cutting cutting)
{
    *p = (struct peer){.wishes = wishes, .now_ms = 1};
    cut_init(&p->in, wire, cutting);
    bytes_init(&p->text, TEXT_BYTES_MAX);
    budget_init(&p->budget, BUDGET_BYTES);
    budget_purse_init(&p->purse, &p->budget, BUDGET_ACCEPTED);
    websocket_init(&p->ws, wishes.message_max,
                   wishes.reads_only ? &reads_only : &takes, p, &p->purse);
    enum flow flow = FLOW_DONE;
    while (flow == FLOW_DONE && p->in.rest.len > 0)
        flow = feed(p);
}

static void peer_fini(struct peer *p)
{
    bool partly = p->ws.inbox && !p->closed;
    p->wishes.says_max = 0;
    websocket_tick(&p->ws, p->now_ms + WEBSOCKET_STALL_MS, false);
    check(!partly || p->closed, "part of a message came to a halt");
    websocket_fini(&p->ws);
    budget_purse_fini(&p->purse);
    check(atomic_load(&p->budget.used) == 0, "all is given back");
    bytes_fini(&p->text);
}

/* What was seen, to the letter, but for a head that is cut. */
static void compare(struct model *m, struct peer *p)
{
    struct str seen = bytes_view(&p->text);
    if (!str_equal(seen, bytes_view(&m->text)) && m->maybe != 0) {
        print_close(&m->text, m->maybe);
        m->rests = false;
    }
    check(str_equal(seen, bytes_view(&m->text)), "what the model sees");
    check(!m->rests || !p->ws.inbox, "at rest it holds nothing");
    check(m->rests || m->ended || p->closed || p->ws.inbox,
          "what is partly there is held");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct model model;
    static struct peer peer;
    if (len == 0)
        return 0;
    struct wishes wishes = read_wishes(data[0]);
    struct str wire = {(const char *)data + 1, len - 1};
    model_run(&model, wire, wishes);
    for (enum cutting cutting = WHOLE; cutting <= RANDOM; cutting++) {
        peer_run(&peer, wire, wishes, cutting);
        compare(&model, &peer);
        peer_fini(&peer);
    }
    model_fini(&model);
    return 0;
}
