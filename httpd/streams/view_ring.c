#include "httpd/streams/view.h"

#include "httpd/streams/hub_inner.h"
#include "httpd/streams/reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MIN 16u

size_t view_ring_max(uint64_t bytes)
{
    size_t cap = VIEW_BYTES_MIN;
    while (cap * 2 <= bytes)
        cap *= 2;
    return cap;
}

static struct frame *frame_at(const struct view *v, size_t i)
{
    assert(i < v->frames_n);
    return &v->frames[(v->frames_head + i) % v->frames_cap];
}

void view_free_ring(struct view *v)
{
    hub_discharge_view(v->tap->hub, v->cap + v->frames_cap * sizeof *v->frames);
    free(v->ring);
    free(v->frames);
    v->ring = NULL;
    v->frames = NULL;
    v->cap = 0;
    v->frames_cap = 0;
    v->frames_head = 0;
    v->frames_n = 0;
    v->begin = v->end;
    v->before = (struct frame){.end = v->end, .pos = v->pos, .state = v->state};
}

static bool grow_frames(struct view *v)
{
    size_t cap = v->frames_cap ? v->frames_cap * 2 : FRAMES_MIN;
    size_t more = (cap - v->frames_cap) * sizeof *v->frames;
    if (!hub_charge_view(v->tap->hub, more))
        return false;
    struct frame *frames = malloc(cap * sizeof *frames);
    if (!frames) {
        hub_discharge_view(v->tap->hub, more);
        return false;
    }
    for (size_t i = 0; i < v->frames_n; i++)
        frames[i] = *frame_at(v, i);
    free(v->frames);
    v->frames = frames;
    v->frames_head = 0;
    v->frames_cap = cap;
    return true;
}

int view_peek(const struct view *v, uint64_t view_pos, struct iovec iov[2])
{
    assert(view_pos >= v->begin && view_pos < v->end);
    size_t at = (size_t)view_pos & (v->cap - 1);
    size_t len = (size_t)(v->end - view_pos);
    size_t run = len < v->cap - at ? len : v->cap - at;
    iov[0] = (struct iovec){v->ring + at, run};
    iov[1] = (struct iovec){v->ring, len - run};
    return run < len ? 2 : 1;
}

void view_copy(const struct view *v, uint64_t view_pos, char *out, size_t len)
{
    struct iovec iov[2];
    if (len == 0)
        return;
    (void)view_peek(v, view_pos, iov);
    size_t run = iov[0].iov_len < len ? iov[0].iov_len : len;
    memcpy(out, iov[0].iov_base, run);
    memcpy(out + run, v->ring, len - run);
}

static bool grow_ring(struct view *v)
{
    size_t cap = v->cap ? v->cap * 2 : VIEW_BYTES_MIN;
    if (!hub_charge_view(v->tap->hub, cap - v->cap))
        return false;
    char *ring = malloc(cap);
    if (!ring) {
        hub_discharge_view(v->tap->hub, cap - v->cap);
        return false;
    }
    /* A byte keeps its place modulo the size. */
    for (uint64_t pos = v->begin; pos < v->end;) {
        size_t from = (size_t)pos & (v->cap - 1);
        size_t to = (size_t)pos & (cap - 1);
        size_t len = (size_t)(v->end - pos);
        len = len < v->cap - from ? len : v->cap - from;
        memcpy(ring + to, v->ring + from, len);
        pos += len;
    }
    free(v->ring);
    v->ring = ring;
    v->cap = cap;
    return true;
}

/* Forgets the first frame; who is still before its end goes on by himself. */
static void evict(struct view *v)
{
    struct frame first = *frame_at(v, 0);
    struct reader *next;
    for (struct reader *r = v->blocked; r; r = next) {
        next = r->next;
        if (r->view_pos < first.end)
            (void)reader_leave_view(r);
    }
    v->before = first;
    v->begin = first.end;
    v->frames_head = (v->frames_head + 1) % v->frames_cap;
    v->frames_n--;
}

/* Slots have yet to be served what stands behind served. */
static bool may_evict(const struct view *v)
{
    return v->frames_n > 0 &&
           (v->slots_n == 0 || frame_at(v, 0)->end <= v->served);
}

static bool make_room(struct view *v, size_t n)
{
    while (v->cap - (size_t)(v->end - v->begin) < n) {
        bool grows = v->cap < v->ring_max && (v->blocked || !may_evict(v));
        if (grows && grow_ring(v))
            continue;
        if (!may_evict(v))
            return false;
        evict(v);
    }
    while (v->frames_n == v->frames_cap) {
        if (v->frames_cap < VIEW_FRAMES_MAX && grow_frames(v))
            continue;
        if (!may_evict(v))
            return false;
        evict(v);
    }
    return true;
}

/* What shows nothing is the end of what was there. */
static void push_nothing(struct view *v)
{
    struct frame *last =
        v->frames_n > 0 ? frame_at(v, v->frames_n - 1) : &v->before;
    last->pos = v->pos;
    last->state = v->state;
}

bool view_push(struct view *v, uint64_t pos, const struct render_state *state)
{
    struct str bytes = bytes_view(&v->tap->hub->rendered);
    if (bytes.len == 0) {
        v->pos = pos;
        v->state = *state;
        push_nothing(v);
        return true;
    }
    if (!make_room(v, bytes.len)) {
        v->starved = v->served == v->end;
        return false;
    }
    size_t at = (size_t)v->end & (v->cap - 1);
    size_t run = bytes.len < v->cap - at ? bytes.len : v->cap - at;
    memcpy(v->ring + at, bytes.at, run);
    memcpy(v->ring, bytes.at + run, bytes.len - run);
    v->end += bytes.len;
    v->pos = pos;
    v->state = *state;
    v->frames_n++;
    *frame_at(v, v->frames_n - 1) =
        (struct frame){.end = v->end, .pos = pos, .state = *state};
    return true;
}

/* The first frame that ends at or behind view_pos; frames_n if there is none.
 */
static size_t frame_of(const struct view *v, uint64_t view_pos)
{
    size_t low = 0;
    size_t high = v->frames_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (frame_at(v, middle)->end < view_pos)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void view_locate(const struct view *v, uint64_t view_pos,
                 struct frame *ret_frame, size_t *ret_left)
{
    assert(view_pos >= v->begin && view_pos <= v->end);
    if (view_pos == v->begin) {
        *ret_frame = v->before;
        *ret_left = 0;
        return;
    }
    *ret_frame = *frame_at(v, frame_of(v, view_pos));
    *ret_left = (size_t)(ret_frame->end - view_pos);
}

uint64_t view_stream_pos(const struct view *v, uint64_t view_pos)
{
    if (view_pos == v->begin)
        return v->before.pos;
    size_t i = frame_of(v, view_pos);
    if (frame_at(v, i)->end == view_pos)
        return frame_at(v, i)->pos;
    return i == 0 ? v->before.pos : frame_at(v, i - 1)->pos;
}

bool view_find(const struct view *v, uint64_t pos, uint64_t *ret_view_pos)
{
    if (pos < v->before.pos || pos > v->pos)
        return false;
    size_t low = 0;
    size_t high = v->frames_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (frame_at(v, middle)->pos <= pos)
            low = middle + 1;
        else
            high = middle;
    }
    struct frame last = low == 0 ? v->before : *frame_at(v, low - 1);
    *ret_view_pos = last.end;
    return last.pos == pos && !last.state.in_message;
}
