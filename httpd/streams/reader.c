#include "httpd/streams/reader.h"

#include "httpd/streams/hub_inner.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct hub *hub_of(const struct reader *r)
{
    return r->tap->hub;
}

static struct stream *stream_of(const struct reader *r)
{
    return r->tap->stream;
}

static void link_into(struct reader *r, struct reader **list)
{
    r->next = *list;
    r->link = list;
    if (r->next)
        r->next->link = &r->next;
    *list = r;
}

static void unlink_from(struct reader *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->link = NULL;
}

bool reader_init(struct reader *r, struct outlet *o, struct stream *s,
                 const struct live_request *want)
{
    struct tap *t = tap_of(o->worker->hub, s);
    if (!t)
        return false;
    *r = (struct reader){
        .magic = READER_MAGIC,
        .place = READER_BEHIND,
        .outlet = o,
        .tap = t,
        .style = want->style,
        .pos = want->pos,
        .heartbeat_ms = (uint32_t)want->heartbeat_ms,
        .lag_hard = want->lag_hard,
        .lag_soft = want->lag_soft,
        .lag_soft_ms = (uint32_t)want->lag_soft_ms,
        .slow_reader = want->slow_reader,
        .moved_ms = o->worker->now_ms,
        .lost = want->lost,
        .cursor = want->cursor,
    };
    if (want->end_after_ms > 0)
        r->end_at_ms = o->worker->now_ms + want->end_after_ms;
    link_into(r, &t->behind);
    atomic_fetch_add(&t->readers_n, 1);
    atomic_fetch_add(&t->hub->readers_n, 1);
    tap_floor_begins(t, r->pos);
    return true;
}

static void drop_remnant(struct reader *r)
{
    if (!r->remnant)
        return;
    hub_discharge_view(hub_of(r), r->remnant_len);
    free(r->remnant);
    r->remnant = NULL;
    r->remnant_len = 0;
}

void reader_fini(struct reader *r)
{
    struct tap *t = r->tap;
    assert(r->magic == READER_MAGIC);
    if (r->place == READER_TAIL)
        view_remove_slot(r->view, r->slot);
    else
        unlink_from(r);
    drop_remnant(r);
    r->magic = 0;
    atomic_fetch_sub(&t->readers_n, 1);
    atomic_fetch_sub(&t->hub->readers_n, 1);
    tap_floor_moved(t);
    tap_settle(t);
}

bool reader_ends_by_close(const struct reader *r)
{
    return r->style.form == RENDER_RAW && !r->style.chunked;
}

void reader_drop(struct reader *r, const char *text)
{
    atomic_fetch_add(&hub_of(r)->readers_dropped_n, 1);
    r->outlet->ops->drop(r->outlet, text);
}

/* Off its view, at the frame that it is in. */
static void go_behind(struct reader *r, uint64_t view_pos)
{
    struct frame frame;
    size_t left;
    struct view *v = r->view;
    view_locate(v, view_pos, &frame, &left);
    r->pos = frame.pos;
    r->state = frame.state;
    r->told_closed = v->told_closed && frame.pos == v->pos;
    r->finished = v->ended && frame.end == v->end;
    if (r->place == READER_TAIL)
        view_remove_slot(v, r->slot);
    else
        unlink_from(r);
    r->place = READER_BEHIND;
    r->view = NULL;
    link_into(r, &r->tap->behind);
}

/* False: no memory. */
static bool take_along(struct reader *r, uint64_t view_pos, size_t len)
{
    if (len == 0)
        return true;
    if (!hub_charge_view(hub_of(r), len))
        return false;
    r->remnant = malloc(len);
    if (!r->remnant) {
        hub_discharge_view(hub_of(r), len);
        return false;
    }
    view_copy(r->view, view_pos, r->remnant, len);
    r->remnant_len = (uint32_t)len;
    return true;
}

bool reader_leave_view(struct reader *r)
{
    struct frame frame;
    size_t left;
    if (r->place == READER_BEHIND)
        return true;
    uint64_t view_pos =
        r->place == READER_TAIL ? r->view->slots[r->slot].pos : r->view_pos;
    view_locate(r->view, view_pos, &frame, &left);
    bool whole = take_along(r, view_pos, left);
    go_behind(r, view_pos);
    if (!whole)
        reader_drop(r, "no memory for a frame under way");
    return whole;
}

void reader_block(struct reader *r, uint64_t view_pos)
{
    assert(r->place == READER_TAIL);
    view_remove_slot(r->view, r->slot);
    r->place = READER_BLOCKED;
    r->view_pos = view_pos;
    r->moved_ms = r->outlet->worker->now_ms;
    link_into(r, &r->view->blocked);
    /* The peer may be gone, which a send by itself finds out. */
    if (r->outlet->writable)
        r->outlet->ops->wake(r->outlet);
}

void reader_finish(struct reader *r)
{
    struct view *v = r->view;
    go_behind(r, v->end);
    assert(r->finished);
    r->outlet->ops->wake(r->outlet);
}

void reader_drop_lapped(struct reader *r, uint64_t from, uint64_t to)
{
    char text[TAP_TEXT_BYTES];
    tap_gap_text(r->tap, from, to, text);
    reader_drop(r, text);
}

bool reader_skips(const struct reader *r)
{
    return r->style.form != RENDER_RAW && r->slow_reader == SLOW_SKIP;
}

uint64_t reader_floor(const struct reader *r)
{
    switch (r->place) {
    case READER_BEHIND:
        return r->pos;
    case READER_BLOCKED:
        return view_stream_pos(r->view, r->view_pos);
    case READER_TAIL:
        return r->view->served_pos;
    }
    return 0;
}

static enum flow push_rendered(struct reader *r)
{
    struct str bytes = bytes_view(&hub_of(r)->rendered);
    if (bytes.len == 0)
        return FLOW_DONE;
    enum flow flow = write_queue_push(r->outlet->out, bytes.at, bytes.len);
    return flow == FLOW_DONE ? FLOW_DONE : FLOW_FAILED;
}

static uint64_t cursor_of(const struct reader *r)
{
    return r->cursor ? r->cursor : render_cursor(hub_now_ms(hub_of(r)));
}

/* FAILED: it is still there, and nothing else may come before it. */
static enum flow push_remnant(struct reader *r)
{
    if (write_queue_push(r->outlet->out, r->remnant, r->remnant_len) !=
        FLOW_DONE)
        return FLOW_FAILED;
    drop_remnant(r);
    return FLOW_DONE;
}

static enum flow say_hello(struct reader *r, const struct stream_state *now)
{
    struct bytes *out = &hub_of(r)->rendered;
    bool tail = r->pos == now->tail;
    r->said_hello = true;
    bytes_reset(out);
    if (r->lost > 0 && render_gap(&r->style, &r->state, r->pos - r->lost,
                                  r->pos, out) != FLOW_DONE)
        return FLOW_FAILED;
    if (!tail && r->style.form == RENDER_SSE_DS)
        return push_rendered(r);
    if (render_hello(&r->style, r->pos, tail, now->closed, cursor_of(r), out) !=
        FLOW_DONE)
        return FLOW_FAILED;
    r->told_closed = tail && now->closed;
    return push_rendered(r);
}

static void end_lapped(struct reader *r, const char *text)
{
    atomic_fetch_add(&hub_of(r)->readers_dropped_n, 1);
    r->outlet->ops->note(r->outlet, text);
}

/* Bare bytes [from, to) will not come: a clean end would say that the body is
 * whole. */
static enum flow cut_off(struct reader *r, uint64_t from, uint64_t to)
{
    char text[TAP_TEXT_BYTES];
    tap_gap_text(r->tap, from, to, text);
    if (reader_ends_by_close(r))
        reader_drop(r, text);
    else
        end_lapped(r, text);
    return FLOW_FAILED;
}

/* Nothing more of it will come. */
static enum flow push_last(struct reader *r, const struct stream_state *now)
{
    struct bytes *out = &hub_of(r)->rendered;
    if (now->gone && r->style.form == RENDER_RAW && r->pos < now->tail)
        return cut_off(r, r->pos, now->tail);
    bytes_reset(out);
    enum flow flow =
        now->gone ? render_end(&r->style, &r->state, 1001, "deleted", out)
                  : render_close(&r->style, r->pos, r->told_closed,
                                 cursor_of(r), out);
    if (flow != FLOW_DONE || push_rendered(r) != FLOW_DONE)
        return FLOW_FAILED;
    return FLOW_END;
}

/* What lies before the tail is lost to it. */
static enum flow push_gap(struct reader *r, const struct stream_state *now)
{
    struct bytes *out = &hub_of(r)->rendered;
    char text[TAP_TEXT_BYTES];
    uint64_t from = r->pos;
    bool goes_on = reader_skips(r);
    if (r->style.form == RENDER_RAW)
        return cut_off(r, from, now->first);
    r->skips = false;
    r->pos = goes_on ? now->tail : now->first;
    tap_gap_text(r->tap, from, r->pos, text);
    bytes_reset(out);
    if (!goes_on)
        end_lapped(r, text);
    enum flow flow =
        goes_on ? render_gap(&r->style, &r->state, from, r->pos, out)
                : render_lapped(&r->style, &r->state, from, r->pos, out);
    if (flow != FLOW_DONE || push_rendered(r) != FLOW_DONE)
        return FLOW_FAILED;
    return goes_on ? FLOW_DONE : FLOW_END;
}

static enum flow sent_all(struct reader *r)
{
    struct view *v = r->view;
    if (v->ended)
        return FLOW_END;
    if (!view_add_slot(v, r)) {
        end_lapped(r, "no memory for a place at the tail");
        return FLOW_FAILED;
    }
    unlink_from(r);
    r->place = READER_TAIL;
    tap_news(r->tap); /* it may have more by now, and the floor has moved */
    return FLOW_AGAIN;
}

/* Sends from the view, past the empty queue. */
static enum flow pull_blocked(struct reader *r)
{
    struct view *v = r->view;
    if (!write_queue_empty(r->outlet->out))
        return FLOW_FULL;
    while (r->view_pos < v->end) {
        struct iovec iov[2];
        size_t sent = 0;
        if (!r->outlet->writable)
            return FLOW_AGAIN;
        int n = view_peek(v, r->view_pos, iov);
        enum flow flow = outlet_send(r->outlet, iov, n, &sent);
        r->view_pos += sent;
        if (flow == FLOW_FAILED)
            return FLOW_FAILED;
    }
    return sent_all(r);
}

/* Bytes as they are need no copy. */
static enum flow push_stretch(struct reader *r, uint64_t end)
{
    struct stretch stretch;
    struct write_queue *out = r->outlet->out;
    if (stream_stretch(stream_of(r), r->pos, end, &stretch) != READ_DONE)
        return FLOW_DONE; /* dropped meanwhile: the next pull tells */
    r->pos += stretch.len;
    char head[24];
    int n = r->style.chunked
                ? snprintf(head, sizeof head, "%zx\r\n", stretch.len)
                : 0;
    if (n > 0 && write_queue_push(out, head, (size_t)n) != FLOW_DONE) {
        block_unref(stretch.block);
        return FLOW_FAILED;
    }
    if (write_queue_push_block(out, stretch.block, stretch.at, stretch.len) !=
        FLOW_DONE)
        return FLOW_FAILED;
    if (n > 0 && write_queue_push(out, "\r\n", 2) != FLOW_DONE)
        return FLOW_FAILED;
    return FLOW_DONE;
}

static enum flow push_steps(struct reader *r)
{
    struct hub *h = hub_of(r);
    struct render_input in;
    hub_input(h, r->pos, &in);
    in.cursor = cursor_of(r);
    while (in.data.len > 0 && write_queue_room(r->outlet->out) > 0) {
        size_t used;
        bytes_reset(&h->rendered);
        if (render_step(&r->style, &r->state, &in, &h->rendered, &used) !=
                FLOW_DONE ||
            push_rendered(r) != FLOW_DONE)
            return FLOW_FAILED;
        r->pos += used;
        hub_advance(h, &in, used);
    }
    r->told_closed = in.closed && r->pos == in.tail;
    return FLOW_DONE;
}

/* A view that has what this reader has, and how far it should come by itself
 * to meet it. */
static enum flow join(struct reader *r, uint64_t *ret_end)
{
    uint64_t view_pos;
    *ret_end = UINT64_MAX;
    if (r->cursor || r->state.in_message)
        return FLOW_DONE;
    struct view *v = view_of(r->tap, &r->style);
    if (!v)
        return FLOW_DONE;
    if (r->pos > v->pos && view_idle(v))
        view_move(v, r->pos);
    if (r->pos < v->pos)
        *ret_end = v->pos;
    if (!view_find(v, r->pos, &view_pos))
        return FLOW_DONE;
    if (!write_queue_empty(r->outlet->out))
        return FLOW_FULL;
    unlink_from(r);
    r->place = READER_BLOCKED;
    r->view = v;
    r->view_pos = view_pos;
    link_into(r, &v->blocked);
    if (r->heartbeat_ms > 0 &&
        (v->heartbeat_ms == 0 || r->heartbeat_ms < v->heartbeat_ms))
        v->heartbeat_ms = r->heartbeat_ms;
    return pull_blocked(r);
}

/* It has what the stream has, and its view has not come there yet. */
static enum flow wait_for_view(struct reader *r)
{
    struct view *v = r->cursor ? NULL : view_of(r->tap, &r->style);
    unlink_from(r);
    link_into(r, &r->tap->waiting);
    if (v && v->pos < r->pos && !v->wanted) {
        v->wanted = true;
        /* Without memory it is the sweep's to try again. */
        if (!v->starved)
            tap_news(r->tap);
    }
    return FLOW_AGAIN;
}

static enum flow pull_behind(struct reader *r)
{
    struct hub *h = hub_of(r);
    struct stream_state now;
    uint64_t end;
    /* Until the socket takes bytes again nothing is made for it. */
    if (!r->outlet->writable)
        return FLOW_AGAIN;
    if (r->remnant)
        return push_remnant(r);
    stream_look(stream_of(r), &now);
    if (!r->said_hello)
        return say_hello(r, &now);
    if (now.gone)
        return push_last(r, &now);
    r->skips = r->skips && r->pos < now.tail;
    if (r->skips || r->pos < now.first)
        return push_gap(r, &now);
    if (r->pos >= now.tail && now.closed)
        return push_last(r, &now);
    enum flow flow = join(r, &end);
    if (flow != FLOW_DONE || r->place != READER_BEHIND)
        return flow;
    if (r->pos >= now.tail)
        return wait_for_view(r);
    if (r->style.form == RENDER_RAW)
        return push_stretch(r, end);
    struct str buffer = {h->copied, sizeof h->copied};
    if (stream_copy(stream_of(r), r->pos, end, buffer, &h->copy) != READ_DONE)
        return FLOW_DONE;
    return push_steps(r);
}

enum flow reader_pull(struct reader *r)
{
    assert(r->magic == READER_MAGIC);
    if (r->finished && !r->remnant)
        return r->cut ? FLOW_FAILED : FLOW_END;
    enum flow flow = FLOW_AGAIN;
    uint64_t floor = reader_floor(r);
    if (r->place == READER_BLOCKED)
        flow = pull_blocked(r);
    else if (r->place == READER_BEHIND)
        flow = pull_behind(r);
    if (reader_floor(r) != floor)
        tap_floor_moved(r->tap);
    return flow;
}

enum flow reader_say(struct reader *r, struct str bytes)
{
    if (!reader_leave_view(r))
        return FLOW_FAILED;
    if (r->remnant && push_remnant(r) != FLOW_DONE)
        return FLOW_FAILED;
    r->outlet->ops->wake(r->outlet);
    if (r->finished)
        return FLOW_DONE;
    return write_queue_push(r->outlet->out, bytes.at, bytes.len) == FLOW_DONE
               ? FLOW_DONE
               : FLOW_FAILED;
}
