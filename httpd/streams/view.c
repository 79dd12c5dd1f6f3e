#include "httpd/streams/view.h"

#include "httpd/config/config.h"
#include "httpd/streams/hub_inner.h"
#include "httpd/streams/reader.h"

#include <assert.h>
#include <stdlib.h>

#define SLOTS_MIN 4u

static struct hub *hub_of(const struct view *v)
{
    return v->tap->hub;
}

static bool same_style(const struct render_style *a,
                       const struct render_style *b)
{
    return a->form == b->form && a->kind == b->kind && a->chunked == b->chunked;
}

static struct view *view_new(struct hub *h)
{
    if (!hub_charge_view(h, sizeof(struct view)))
        return NULL;
    struct view *v = calloc(1, sizeof *v);
    if (!v)
        hub_discharge_view(h, sizeof *v);
    return v;
}

struct view *view_of(struct tap *t, const struct render_style *style)
{
    struct stream_state now;
    for (struct view *v = t->views; v; v = v->next)
        if (same_style(&v->style, style) && !v->ended)
            return v;
    struct view *v = view_new(t->hub);
    if (!v)
        return NULL;
    stream_look(t->stream, &now);
    v->tap = t;
    v->style = *style;
    v->ring_max = view_ring_max(t->hub->worker->config->view_bytes);
    v->pos = now.tail;
    v->served_pos = now.tail;
    v->before.pos = now.tail;
    v->rendered_ms = t->hub->worker->now_ms;
    v->next = t->views;
    t->views = v;
    return v;
}

void view_free(struct view *v)
{
    view_rest(v);
    hub_discharge_view(hub_of(v), sizeof *v);
    free(v);
}

void view_rest(struct view *v)
{
    assert(view_idle(v));
    view_free_ring(v);
    hub_discharge_view(hub_of(v), v->slots_cap * sizeof *v->slots);
    free(v->slots);
    v->slots = NULL;
    v->slots_cap = 0;
    v->cursor = 0;
    v->served = v->end;
    v->served_pos = v->pos;
    v->heartbeat_ms = 0;
    v->starved = false;
}

void view_move(struct view *v, uint64_t pos)
{
    view_rest(v);
    v->pos = pos;
    v->served_pos = pos;
    v->state = (struct render_state){0};
    v->before.pos = pos;
    v->before.state = v->state;
    v->told_closed = false;
}

bool view_idle(const struct view *v)
{
    return v->slots_n == 0 && !v->blocked;
}

static bool grow_slots(struct view *v)
{
    size_t cap = v->slots_cap ? v->slots_cap * 2 : SLOTS_MIN;
    size_t more = (cap - v->slots_cap) * sizeof *v->slots;
    if (!hub_charge_view(hub_of(v), more))
        return false;
    struct slot *slots = realloc(v->slots, cap * sizeof *slots);
    if (!slots) {
        hub_discharge_view(hub_of(v), more);
        return false;
    }
    v->slots = slots;
    v->slots_cap = cap;
    return true;
}

bool view_add_slot(struct view *v, struct reader *r)
{
    if (v->slots_n == v->slots_cap && !grow_slots(v))
        return false;
    bool pass_is_over = v->cursor == v->slots_n;
    r->slot = v->slots_n;
    v->slots[v->slots_n++] = (struct slot){.reader = r, .pos = v->end};
    v->cursor += pass_is_over;
    return true;
}

/* From where a slot was taken already, nothing is. */
static void move_slot(struct view *v, size_t from, size_t to)
{
    if (from == to)
        return;
    v->slots[to] = v->slots[from];
    v->slots[to].reader->slot = to;
}

/* What was served in this pass stays before the cursor. */
void view_remove_slot(struct view *v, size_t i)
{
    assert(i < v->slots_n);
    if (i < v->cursor) {
        move_slot(v, --v->cursor, i);
        i = v->cursor;
    }
    move_slot(v, --v->slots_n, i);
}

/* True: the slot was served and stays. */
static bool serve(struct view *v, struct slot *slot, size_t *sends_left)
{
    struct iovec iov[2];
    struct reader *r = slot->reader;
    size_t sent = 0;
    if (slot->pos < v->end) {
        size_t want = (size_t)(v->end - slot->pos);
        --*sends_left;
        int n = view_peek(v, slot->pos, iov);
        (void)outlet_send(r->outlet, iov, n, &sent);
        if (sent < want) {
            reader_block(r, slot->pos + sent);
            return false;
        }
        slot->pos = v->end;
    }
    if (!v->ended)
        return true;
    reader_finish(r);
    return false;
}

/* True: every slot has everything. */
static bool pass(struct view *v, size_t *sends_left)
{
    while (v->cursor < v->slots_n) {
        if (*sends_left == 0)
            return false;
        if (serve(v, &v->slots[v->cursor], sends_left))
            v->cursor++;
    }
    v->served = v->end;
    v->served_pos = v->pos;
    return true;
}

/* Frames of what was copied, one after the other, as far as there is room. */
static bool render_copy(struct view *v, size_t *made)
{
    struct hub *h = hub_of(v);
    struct render_input in;
    hub_input(h, v->pos, &in);
    while (in.data.len > 0) {
        struct render_state state = v->state;
        size_t used;
        bytes_reset(&h->rendered);
        if (render_step(&v->style, &state, &in, &h->rendered, &used) !=
                FLOW_DONE ||
            !view_push(v, v->pos + used, &state))
            return false;
        *made += h->rendered.len;
        hub_advance(h, &in, used);
    }
    v->told_closed = in.closed && v->pos == in.tail;
    return true;
}

/* The view itself was lapped: some bear a notice here, the others leave and
 * are told by themselves. */
static bool jump(struct view *v, uint64_t to)
{
    struct hub *h = hub_of(v);
    uint64_t from = v->pos;
    while (v->blocked)
        (void)reader_leave_view(v->blocked);
    for (size_t i = v->slots_n; i-- > 0;) {
        struct reader *r = v->slots[i].reader;
        if (!reader_skips(r) && reader_leave_view(r))
            r->outlet->ops->wake(r->outlet);
    }
    bytes_reset(&h->rendered);
    struct render_state state = v->state;
    return render_gap(&v->style, &state, from, to, &h->rendered) == FLOW_DONE &&
           view_push(v, to, &state);
}

/* Who gets bare bytes that are not all is told so by himself. */
static bool leaves_some(struct view *v, const struct stream_state *now)
{
    bool some = now->gone && v->style.form == RENDER_RAW && v->pos < now->tail;
    while (some && v->slots_n > 0) {
        struct reader *r = v->slots[0].reader;
        (void)reader_leave_view(r);
        r->outlet->ops->wake(r->outlet);
    }
    return some;
}

/* What comes behind all data, once. */
static bool render_last(struct view *v, const struct stream_state *now)
{
    struct hub *h = hub_of(v);
    struct render_state state = v->state;
    enum flow r;
    if (leaves_some(v, now))
        return false;
    bytes_reset(&h->rendered);
    if (now->gone)
        r = render_end(&v->style, &state, 1001, "deleted", &h->rendered);
    else
        r = render_close(&v->style, v->pos, v->told_closed,
                         render_cursor(hub_now_ms(h)), &h->rendered);
    if (r != FLOW_DONE || !view_push(v, v->pos, &state))
        return false;
    v->ended = true;
    return true;
}

static bool render_more(struct view *v, size_t *made)
{
    struct hub *h = hub_of(v);
    struct str buffer = {h->copied, sizeof h->copied};
    enum stream_read r =
        stream_copy(v->tap->stream, v->pos, UINT64_MAX, buffer, &h->copy);
    const struct stream_state *now = &h->copy.state;
    if (now->gone)
        return render_last(v, now) && (*made += h->rendered.len);
    switch (r) {
    case READ_DONE:
        return render_copy(v, made);
    case READ_LAPPED:
        return jump(v, now->tail) && (*made += h->rendered.len);
    case READ_TAIL:
        return now->closed && render_last(v, now) && (*made += h->rendered.len);
    }
    return false;
}

/* True: there is something for a pass. */
static bool render(struct view *v, size_t *made)
{
    size_t before = *made;
    bool wanted = v->wanted;
    v->wanted = false;
    v->starved = false;
    if (v->ended || (v->slots_n == 0 && !wanted))
        return false;
    while (*made < VIEW_TURN_BYTES && !v->ended && render_more(v, made)) {
    }
    if (*made == before && !v->ended)
        return false;
    v->rendered_ms = hub_of(v)->worker->now_ms;
    v->cursor = 0;
    return true;
}

bool view_turn(struct view *v, size_t *sends_left)
{
    size_t made = 0;
    do {
        if (!pass(v, sends_left) || made >= VIEW_TURN_BYTES)
            return true;
    } while (render(v, &made));
    return false;
}

void view_sweep(struct view *v, uint64_t now_ms)
{
    struct hub *h = hub_of(v);
    bool silent = v->heartbeat_ms > 0 && v->slots_n > 0 && !v->ended &&
                  v->cursor == v->slots_n &&
                  now_ms >= v->rendered_ms + v->heartbeat_ms;
    if (silent) {
        bytes_reset(&h->rendered);
        if (render_heartbeat(&v->style, &v->state, &h->rendered) == FLOW_DONE &&
            h->rendered.len > 0 && view_push(v, v->pos, &v->state))
            v->cursor = 0;
        v->rendered_ms = now_ms;
        tap_news(v->tap);
    }
    if (v->starved)
        tap_news(v->tap);
}

uint64_t view_floor(const struct view *v)
{
    uint64_t floor = v->slots_n > 0 ? v->served_pos : UINT64_MAX;
    for (const struct reader *r = v->blocked; r; r = r->next) {
        uint64_t pos = view_stream_pos(v, r->view_pos);
        floor = pos < floor ? pos : floor;
    }
    return floor;
}
