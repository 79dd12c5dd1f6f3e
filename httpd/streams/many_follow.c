#include "httpd/streams/many_inner.h"

#include "httpd/streams/hub_inner.h"
#include "httpd/streams/render.h"

#include <assert.h>

static void wake(struct tap_waiter *waiter)
{
    struct many_stream *s =
        (struct many_stream *)((char *)waiter -
                               offsetof(struct many_stream, waiter));
    s->many->outlet->ops->wake(s->many->outlet);
}

bool many_attach(struct many *m, struct stream *s, uint64_t pos)
{
    struct tap *t = tap_of(m->outlet->worker->hub, s);
    assert(m->n < m->most);
    if (!t)
        return false;
    struct many_stream *mine = &m->streams[m->n++];
    *mine = (struct many_stream){
        .waiter.wake = wake, .many = m, .tap = t, .pos = pos};
    /* The rest of a message is no value by itself. */
    mine->in_message =
        stream_kind(s) == STREAM_JSON && !stream_at_message(s, pos);
    tap_hold_in(t, &mine->hold, pos);
    return true;
}

static void detach(struct many_stream *s)
{
    tap_wait_stop(&s->waiter);
    tap_hold_out(s->tap, &s->hold);
}

void many_free(struct many *m)
{
    for (size_t i = 0; i < m->n; i++)
        detach(&m->streams[i]);
    if (m->websocket)
        websocket_fini(&m->ws);
    hub_take_back(m->outlet->worker->hub, m, MANY_BYTES(m->most));
}

static enum flow push(struct many *m, struct bytes *out, enum flow rendered)
{
    enum flow r = FLOW_FAILED;
    if (rendered == FLOW_DONE)
        r = write_queue_push(m->outlet->out, out->data, out->len);
    bytes_fini(out);
    m->said_ms = m->outlet->worker->now_ms;
    return r == FLOW_DONE ? FLOW_DONE : FLOW_FAILED;
}

static void hold_at(struct many_stream *s, uint64_t pos)
{
    if (s->hold.pos == pos)
        return;
    s->hold.pos = pos;
    tap_floor_moved(s->tap);
}

/* AGAIN: it has no news. */
static enum flow push_from(struct many *m, struct many_stream *s)
{
    struct hub *h = s->tap->hub;
    struct stream *stream = s->tap->stream;
    struct str buffer = {h->copied, sizeof h->copied};
    struct bytes out;
    bytes_init(&out, MANY_OBJECT_BYTES_MAX);
    enum stream_read r =
        stream_copy(stream, s->pos, UINT64_MAX, buffer, &h->copy);
    const struct stream_state *now = &h->copy.state;
    if (now->gone || (r == READ_TAIL && now->closed)) {
        s->ended = true;
        hold_at(s, UINT64_MAX);
        return push(m, &out, many_end(m, s, now->gone, &out));
    }
    if (r == READ_TAIL)
        return FLOW_AGAIN;
    if (r == READ_DONE) {
        enum flow rendered = many_object(m, s, &h->copy, h->copied, &out);
        hold_at(s, s->pos);
        return push(m, &out, rendered);
    }
    uint64_t from = s->pos;
    s->pos = now->first;
    hold_at(s, s->pos);
    s->in_message = false;
    return push(m, &out, many_gap(m, s, from, s->pos, &out));
}

static void arm(struct many *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct many_stream *s = &m->streams[i];
        if (!s->ended && !s->waiter.tap)
            tap_wait_more(s->tap, s->pos, &s->waiter);
    }
}

static struct render_style style_of(const struct many *m)
{
    return (struct render_style){.form = m->websocket ? RENDER_WS : RENDER_SSE,
                                 .chunked = m->chunked};
}

/* HTTP's last chunk, or a close frame. */
static enum flow push_last(struct many *m, unsigned code, const char *reason)
{
    struct bytes out;
    struct render_state state = {0};
    struct render_style style = style_of(m);
    bytes_init(&out, RENDER_OUT_BYTES_MAX);
    m->finished = true;
    return push(m, &out, render_end(&style, &state, code, reason, &out));
}

static bool all_ended(const struct many *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (!m->streams[i].ended)
            return false;
    return true;
}

static enum flow push_comment(struct many *m)
{
    struct bytes out;
    struct render_state state = {0};
    struct render_style style = style_of(m);
    bytes_init(&out, RENDER_OUT_BYTES_MAX);
    return push(m, &out, render_heartbeat(&style, &state, &out));
}

static enum flow pull(void *self)
{
    struct many *m = self;
    if (m->finished || (m->websocket && m->ws.over))
        return FLOW_END;
    if (!m->outlet->writable)
        return FLOW_AGAIN;
    if (!m->said_hello) {
        m->said_hello = true;
        return push_comment(m);
    }
    for (size_t i = 0; i < m->n; i++) {
        struct many_stream *s = &m->streams[(m->next + i) % m->n];
        if (s->ended)
            continue;
        enum flow r = push_from(m, s);
        if (r == FLOW_AGAIN)
            continue;
        /* A message under way is finished first. */
        m->next = (m->next + i + !s->in_message) % m->n;
        return r;
    }
    if (all_ended(m))
        return push_last(m, 1000, "closed") == FLOW_DONE ? FLOW_END
                                                         : FLOW_FAILED;
    arm(m);
    return FLOW_AGAIN;
}

static size_t room(void *self)
{
    const struct many *m = self;
    bool takes =
        !m->ws.over && !m->finished && write_queue_room(m->outlet->out) > 0;
    return takes ? WEBSOCKET_PIECE_BYTES_MAX : 0;
}

static uint64_t lag_of(const struct many_stream *s)
{
    struct stream_state now;
    if (s->ended)
        return 0;
    stream_look(s->tap->stream, &now);
    return now.tail - s->pos;
}

static void drop(struct many *m, const struct many_stream *s, uint64_t lag)
{
    char text[TAP_TEXT_BYTES];
    tap_lag_text(s->tap, "no progress while a publisher waits", lag, text);
    atomic_fetch_add(&s->tap->hub->readers_dropped_n, 1);
    m->outlet->ops->drop(m->outlet, text);
}

/* Under policy block one without progress would stop a publisher for ever. One
 * that had nothing to get for a while is given all of the time. */
static void check_progress(struct many *m, uint64_t now_ms)
{
    uint64_t moved = m->outlet->direct_bytes;
    uint64_t lag = 0;
    for (size_t i = 0; i < m->n; i++) {
        moved += m->streams[i].pos;
        lag += lag_of(&m->streams[i]);
    }
    if (moved != m->moved_bytes || lag == 0)
        m->stuck_since_ms = now_ms;
    m->moved_bytes = moved;
    for (size_t i = 0; i < m->n; i++) {
        struct many_stream *s = &m->streams[i];
        if (!tap_stops_publishers(s->tap, m->stuck_since_ms, now_ms))
            continue;
        lag = lag_of(s);
        if (lag > 0) {
            drop(m, s, lag);
            return;
        }
    }
}

static void tick(void *self, uint64_t now_ms)
{
    struct many *m = self;
    if (m->finished)
        return;
    check_progress(m, now_ms);
    if (m->websocket)
        websocket_tick(&m->ws, now_ms, room(m) == 0);
    if (m->ws.over) {
        m->outlet->ops->wake(m->outlet);
        return;
    }
    if (m->outlet->worker->draining) {
        (void)push_last(m, 1001, "the server is going away");
        m->outlet->ops->wake(m->outlet);
    } else if (m->heartbeat_ms > 0 && write_queue_empty(m->outlet->out) &&
               now_ms >= m->said_ms + m->heartbeat_ms) {
        (void)push_comment(m);
        m->outlet->ops->wake(m->outlet);
    }
}

static void stop(void *self)
{
    many_free(self);
}

const struct follower_ops many_ops = {
    .name = "streams", .pull = pull, .tick = tick, .stop = stop};

static enum flow feed(void *self, struct str piece)
{
    struct many *m = self;
    enum flow r = websocket_feed(&m->ws, piece);
    m->outlet->ops->wake(m->outlet);
    return r;
}

const struct follower_ops many_websocket_ops = {.name = "streams",
                                                .pull = pull,
                                                .room = room,
                                                .push = feed,
                                                .tick = tick,
                                                .stop = stop};

static bool say(void *self, struct str bytes)
{
    struct many *m = self;
    return write_queue_push(m->outlet->out, bytes.at, bytes.len) == FLOW_DONE;
}

/* It reads only. */
const struct websocket_ops many_message_ops = {.say = say};
