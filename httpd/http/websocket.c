#include "httpd/http/websocket.h"

#include "buffers/bytes.h"
#include "parser/utf8.h"

#include <wslay/wslay.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MASK_BYTES  4u
#define FIN         0x80u
#define WSLAY_BYTES 4272u /* one of its contexts; measured */

#define SHORT_OF_MEMORY "short of memory; try again later"
#define BAD_FRAME       "a frame is against the protocol"
#define READS_ONLY      "this connection reads only"
#define BAD_TEXT        "text is not UTF-8"

/* What there is of a frame and of a message. */
struct websocket_inbox {
    struct wslay_frame_context *frames;
    struct str in;        /* what is being fed */
    size_t unread;        /* bytes that wslay has, and no frame yet */
    bool in_frame;        /* its head was read */
    bool held;            /* message is whole, and was refused */
    bool fed;             /* since the last tick */
    unsigned char opcode; /* of the message under way; 0: none is */
    unsigned char control_n;
    char control[WEBSOCKET_CONTROL_MAX];
    uint64_t frame_got; /* payload bytes of the frame */
    struct bytes message;
    struct bytes rest; /* of what was fed, behind the one that is held */
    size_t charged;
    uint64_t since_ms; /* when it was seen to rest */
};

static_assert(sizeof(struct websocket_inbox) + WSLAY_BYTES <=
                  WEBSOCKET_INBOX_BYTES,
              "the purse is told less than is taken");

void websocket_init(struct websocket *ws, size_t message_max,
                    const struct websocket_ops *ops, void *self,
                    struct budget_purse *purse)
{
    *ws = (struct websocket){
        .ops = ops, .self = self, .purse = purse, .message_max = message_max};
}

static void close_inbox(struct websocket *ws)
{
    struct websocket_inbox *box = ws->inbox;
    if (!box)
        return;
    wslay_frame_context_free(box->frames);
    bytes_fini(&box->message);
    bytes_fini(&box->rest);
    if (ws->purse)
        budget_purse_give(ws->purse, box->charged);
    free(box);
    ws->inbox = NULL;
}

void websocket_fini(struct websocket *ws)
{
    close_inbox(ws);
}

static void say(struct websocket *ws, struct str bytes)
{
    if (!ws->broken && bytes.len > 0 && !ws->ops->say(ws->self, bytes))
        ws->broken = true;
}

size_t websocket_put_head(char out[WEBSOCKET_HEAD_MAX],
                          enum websocket_opcode opcode, uint64_t len)
{
    unsigned length_bytes = len < 126 ? 0 : len <= 0xffff ? 2 : 8;
    out[0] = (char)(FIN | opcode);
    out[1] = (char)(length_bytes == 0 ? len : length_bytes == 2 ? 126 : 127);
    for (unsigned i = 0; i < length_bytes; i++)
        out[2 + i] = (char)(len >> (8 * (length_bytes - 1 - i)) & 0xff);
    return 2 + length_bytes;
}

bool websocket_send(struct websocket *ws, enum websocket_opcode opcode,
                    struct str data)
{
    char frame[WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX];
    size_t n = websocket_put_head(frame, opcode, data.len);
    if (ws->over)
        return true;
    /* A short one is said at once. */
    if (data.len > 0 && data.len <= WEBSOCKET_CONTROL_MAX) {
        memcpy(frame + n, data.at, data.len);
        n += data.len;
        data.len = 0;
    }
    say(ws, (struct str){frame, n});
    say(ws, data);
    return !ws->broken;
}

void websocket_close(struct websocket *ws, unsigned code, const char *reason)
{
    char data[WEBSOCKET_CONTROL_MAX];
    struct str text = str_from(reason);
    size_t n = 0;
    if (code != WEBSOCKET_NONE) {
        if (text.len > WEBSOCKET_REASON_MAX)
            text.len = WEBSOCKET_REASON_MAX;
        data[0] = (char)(code >> 8 & 0xff);
        data[1] = (char)(code & 0xff);
        if (text.len > 0)
            memcpy(data + 2, text.at, text.len);
        n = 2 + text.len;
    }
    (void)websocket_send(ws, WEBSOCKET_CLOSE, (struct str){data, n});
    ws->over = true;
}

bool websocket_code_valid(unsigned code)
{
    bool defined = code >= 1000 && code <= 1014 && code != 1004 &&
                   code != 1005 && code != 1006;
    return defined || (code >= 3000 && code <= 4999);
}

/* Has what the inbox holds counted. */
static bool charge(struct websocket *ws)
{
    struct websocket_inbox *box = ws->inbox;
    size_t holds = WEBSOCKET_INBOX_BYTES + box->message.cap + box->rest.cap;
    if (!ws->purse || holds <= box->charged)
        return true;
    if (!budget_purse_take(ws->purse, holds - box->charged))
        return false;
    box->charged = holds;
    return true;
}

static ssize_t give(uint8_t *out, size_t cap, int flags, void *self)
{
    struct websocket_inbox *box = self;
    size_t n = box->in.len < cap ? box->in.len : cap;
    (void)flags;
    if (n == 0)
        return -1;
    memcpy(out, box->in.at, n);
    box->in = str_skip(box->in, n);
    box->unread += n;
    return (ssize_t)n;
}

static bool open_inbox(struct websocket *ws)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback =
                                                               give};
    struct websocket_inbox *box = calloc(1, sizeof *box);
    if (!box)
        return false;
    if (wslay_frame_context_init(&box->frames, &callbacks, box) != 0) {
        free(box);
        return false;
    }
    bytes_init(&box->message, ws->message_max);
    bytes_init(&box->rest, WEBSOCKET_PIECE_BYTES_MAX);
    ws->inbox = box;
    return true;
}

static bool keep(struct websocket *ws, struct bytes *b, struct str piece)
{
    if (bytes_append_str(b, piece) == FLOW_DONE && charge(ws))
        return true;
    websocket_close(ws, WEBSOCKET_TRY_LATER, SHORT_OF_MEMORY);
    return false;
}

static size_t head_bytes(uint64_t payload_len)
{
    size_t length_bytes = payload_len < 126 ? 0 : payload_len <= 0xffff ? 2 : 8;
    return 2 + length_bytes + MASK_BYTES;
}

static bool is_control(unsigned opcode)
{
    return opcode >= WEBSOCKET_CLOSE;
}

/* What the head of a frame says. wslay has checked that lengths are in their
 * shortest form, and that control frames are short and whole. */
static bool begin_frame(struct websocket *ws,
                        const struct wslay_frame_iocb *frame)
{
    struct websocket_inbox *box = ws->inbox;
    unsigned op = frame->opcode;
    bool known = op <= WEBSOCKET_BINARY ||
                 (op >= WEBSOCKET_CLOSE && op <= WEBSOCKET_PONG);
    bool in_order =
        is_control(op) || (op == WEBSOCKET_CONTINUATION) == (box->opcode != 0);
    if (!frame->mask || frame->rsv != 0 || !known || !in_order) {
        websocket_close(ws, WEBSOCKET_PROTOCOL, BAD_FRAME);
        return false;
    }
    if (!is_control(op) && !ws->ops->on_message) {
        websocket_close(ws, WEBSOCKET_POLICY, READS_ONLY);
        return false;
    }
    uint64_t room = ws->message_max - box->message.len;
    if (!is_control(op) && frame->payload_length > room) {
        websocket_close(ws, WEBSOCKET_TOO_BIG, "the message is too long");
        return false;
    }
    size_t head = head_bytes(frame->payload_length);
    assert(box->unread >= head);
    box->unread -= head;
    box->in_frame = true;
    box->frame_got = 0;
    box->control_n = 0;
    if (op == WEBSOCKET_TEXT || op == WEBSOCKET_BINARY)
        box->opcode = (unsigned char)op;
    return true;
}

static void answer_close(struct websocket *ws, struct str data)
{
    const unsigned char *at = (const unsigned char *)data.at;
    if (data.len == 0) {
        websocket_close(ws, WEBSOCKET_NONE, "");
        return;
    }
    unsigned code = data.len < 2 ? 0 : (unsigned)at[0] << 8 | at[1];
    struct str reason = str_skip(data, data.len < 2 ? data.len : 2);
    if (!websocket_code_valid(code))
        websocket_close(ws, WEBSOCKET_PROTOCOL, BAD_FRAME);
    else if (utf8_valid_bytes(reason) < reason.len)
        websocket_close(ws, WEBSOCKET_NOT_UTF8, BAD_TEXT);
    else
        websocket_close(ws, code, "");
}

static void take_control(struct websocket *ws,
                         const struct wslay_frame_iocb *frame)
{
    struct websocket_inbox *box = ws->inbox;
    assert(box->control_n + frame->data_length <= sizeof box->control);
    if (frame->data_length > 0)
        memcpy(box->control + box->control_n, frame->data, frame->data_length);
    box->control_n =
        (unsigned char)(box->control_n + (unsigned char)frame->data_length);
    if (box->in_frame)
        return;
    struct str data = {box->control, box->control_n};
    if (frame->opcode == WEBSOCKET_PING)
        (void)websocket_send(ws, WEBSOCKET_PONG, data);
    else if (frame->opcode == WEBSOCKET_CLOSE)
        answer_close(ws, data);
}

static void offer(struct websocket *ws, struct str data)
{
    struct websocket_inbox *box = ws->inbox;
    struct websocket_message m = {(char *)data.at, data.len,
                                  box->opcode == WEBSOCKET_TEXT};
    bool stands = box->message.len > 0;
    if (ws->ops->on_message(ws->self, &m) == FLOW_FULL) {
        box->held = stands || keep(ws, &box->message, data);
        return;
    }
    box->held = false;
    box->opcode = 0;
    bytes_reset(&box->message);
}

static void take_data(struct websocket *ws,
                      const struct wslay_frame_iocb *frame)
{
    struct websocket_inbox *box = ws->inbox;
    struct str data = {(const char *)frame->data, frame->data_length};
    bool last = frame->fin && !box->in_frame;
    bool whole = last && box->message.len == 0;
    if (!whole && !keep(ws, &box->message, data))
        return;
    if (!whole)
        data = bytes_view(&box->message);
    if (!last)
        return;
    if (box->opcode == WEBSOCKET_TEXT && utf8_valid_bytes(data) < data.len)
        websocket_close(ws, WEBSOCKET_NOT_UTF8, BAD_TEXT);
    else
        offer(ws, data);
}

/* Reads on in what was fed; true while there is more. */
static bool step(struct websocket *ws)
{
    struct websocket_inbox *box = ws->inbox;
    struct wslay_frame_iocb frame = {0};
    ssize_t r = wslay_frame_recv(box->frames, &frame);
    if (r == WSLAY_ERR_WANT_READ)
        return false;
    if (r < 0) {
        websocket_close(ws, WEBSOCKET_PROTOCOL, BAD_FRAME);
        return false;
    }
    if (!box->in_frame && !begin_frame(ws, &frame))
        return false;
    assert(box->unread >= frame.data_length);
    box->unread -= frame.data_length;
    box->frame_got += frame.data_length;
    box->in_frame = box->frame_got < frame.payload_length;
    if (is_control(frame.opcode))
        take_control(ws, &frame);
    else
        take_data(ws, &frame);
    return !ws->over && !ws->broken && !box->held;
}

static bool rests(const struct websocket_inbox *box)
{
    return box->unread == 0 && !box->in_frame && box->opcode == 0;
}

static void run(struct websocket *ws)
{
    bool more = !ws->over && !ws->broken;
    ws->inbox->fed = true;
    while (more)
        more = step(ws);
}

static enum flow settle(struct websocket *ws)
{
    if (ws->inbox && (ws->over || ws->broken || rests(ws->inbox)))
        close_inbox(ws);
    return ws->broken ? FLOW_FAILED : FLOW_DONE;
}

bool websocket_held(const struct websocket *ws)
{
    return ws->inbox && ws->inbox->held;
}

enum flow websocket_feed(struct websocket *ws, struct str piece)
{
    assert(!websocket_held(ws));
    assert(piece.len <= WEBSOCKET_PIECE_BYTES_MAX);
    if (ws->over)
        return FLOW_DONE;
    if ((!ws->inbox && !open_inbox(ws)) || !charge(ws)) {
        websocket_close(ws, WEBSOCKET_TRY_LATER, SHORT_OF_MEMORY);
        return settle(ws);
    }
    ws->inbox->in = piece;
    run(ws);
    if (websocket_held(ws))
        (void)keep(ws, &ws->inbox->rest, ws->inbox->in);
    return settle(ws);
}

enum flow websocket_resume(struct websocket *ws)
{
    struct websocket_inbox *box = ws->inbox;
    if (!websocket_held(ws))
        return FLOW_DONE;
    offer(ws, bytes_view(&box->message));
    if (!box->held) {
        box->in = bytes_view(&box->rest);
        run(ws);
        bytes_skip(&box->rest, box->rest.len - box->in.len);
    }
    return settle(ws);
}

void websocket_tick(struct websocket *ws, uint64_t now_ms, bool waits)
{
    struct websocket_inbox *box = ws->inbox;
    if (!box || ws->over)
        return;
    if (box->fed || waits || box->since_ms == 0)
        box->since_ms = now_ms;
    else if (now_ms - box->since_ms >= WEBSOCKET_STALL_MS)
        websocket_close(ws, WEBSOCKET_POLICY, "a message came to a halt");
    box->fed = false;
}
