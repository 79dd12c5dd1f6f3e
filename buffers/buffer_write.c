#include "buffers/buffer_layout.h"

#include <assert.h>

static size_t len_seen(const struct buffer *b, uint64_t read_pos)
{
    return (size_t)(own_pos(&b->write) - read_pos);
}

/* For want <= cap elements; while a peek is out, nothing is overwritten. */
static void overwrite(struct buffer *b, size_t want, struct attempt *a)
{
    struct side *r = &b->read;
    spin_lock_take(&r->lock);
    size_t room = b->store.cap - len_seen(b, own_pos(r));
    if (!r->out && room < want) {
        advance(b, r, want - room);
        count(&b->lost, want - room);
    }
    a->other_pos = own_pos(r);
    spin_lock_drop(&r->lock);
}

static enum flow make_room(struct buffer *b, size_t len, size_t want,
                           struct attempt *a)
{
    if (b->kind == BUFFER_RING)
        overwrite(b, min(want, b->store.cap), a);
    else if (b->kind == BUFFER_GROWABLE)
        return store_grow(b, len + min(want, b->ceiling));
    return FLOW_DONE;
}

/* A growable one is full for good: nobody waits for it. */
static enum flow full(const struct buffer *b, struct attempt *a)
{
    if (b->kind == BUFFER_GROWABLE && a->deadline_ns != TRY)
        a->deadline_ns = PASSED;
    return FLOW_FULL;
}

/* Room for want elements or less, perhaps in two pieces. */
static enum flow find_room(struct buffer *b, size_t want, struct attempt *a,
                           size_t *ret_room)
{
    *ret_room = 0;
    if (b->state != BUFFER_OPEN)
        return b->state == BUFFER_BROKEN ? FLOW_FAILED : FLOW_END;
    if (want == 0)
        return FLOW_DONE;
    if (b->write.out) {
        join_turn(b, &b->write, a);
        return FLOW_FULL;
    }
    a->epoch = atomic_load_explicit(&b->epoch, memory_order_relaxed);
    a->other_pos = seen_pos(&b->read);
    size_t len = len_seen(b, a->other_pos);
    if (b->store.cap - len < want &&
        make_room(b, len, want, a) == FLOW_NO_MEMORY)
        return FLOW_NO_MEMORY;
    *ret_room = b->store.cap - len_seen(b, a->other_pos);
    return *ret_room > 0 ? FLOW_DONE : full(b, a);
}

/* n elements have come to where the slot is. */
static void came(struct buffer *b, size_t n, uint64_t read_pos)
{
    struct side *w = &b->write;
    advance(b, w, n);
    count(&w->moved, n);
    size_t len = len_seen(b, read_pos);
    assert(len <= b->store.cap);
    if (len > counter(&b->len_max))
        atomic_store_explicit(&b->len_max, len, memory_order_relaxed);
    w->limit = read_pos + min(b->store.cap, counter(&b->len_max));
}

static void copy_in(struct buffer *b, const char *elems, size_t n)
{
    char *at = slot_at(b, &b->write);
    if (n == 1) {
        copy_elem(at, elems, b->elem_bytes);
        return;
    }
    size_t first = min(n, b->store.cap - b->write.slot);
    memcpy(at, elems, first * b->elem_bytes);
    memcpy(b->store.at, elems + first * b->elem_bytes,
           (n - first) * b->elem_bytes);
}

static enum flow put_some(struct buffer *b, const char *elems, size_t n,
                          struct attempt *a, size_t *ret_n)
{
    size_t room;
    enum flow r = find_room(b, n, a, &room);
    bool ring = b->kind == BUFFER_RING && !a->for_turn;
    *ret_n = 0;
    if (r != FLOW_DONE && !(ring && r == FLOW_FULL))
        return r;
    size_t k = min(n, room);
    if (ring && k == b->store.cap)
        elems += (n - k) * b->elem_bytes;
    if (k > 0) {
        copy_in(b, elems, k);
        came(b, k, a->other_pos);
    }
    *ret_n = k;
    if (k == n)
        return FLOW_DONE;
    if (!ring)
        return full(b, a);
    count(&b->write.moved, n - k);
    count(&b->lost, n - k);
    *ret_n = n;
    return FLOW_DONE;
}

/* The write lock is held, and dropped. */
static enum flow put_locked(struct buffer *b, const char *elems, size_t n,
                            uint64_t deadline_ns, size_t *ret_n)
{
    struct attempt a = {.deadline_ns = deadline_ns};
    size_t done = 0;
    enum flow r;
    for (;;) {
        size_t k;
        r = put_some(b, elems + done * b->elem_bytes, n - done, &a, &k);
        done += k;
        leave(b, &b->write, k);
        if (r != FLOW_FULL || !retry(b, &b->write, &a))
            break;
        spin_lock_take(&b->write.lock);
    }
    assert(r != FLOW_DONE || done == n);
    *ret_n = done;
    return r;
}

static enum flow put(struct buffer *b, const void *elems, size_t n,
                     uint64_t deadline_ns, size_t *ret_n)
{
    assert(elems || n == 0);
    spin_lock_take(&b->write.lock);
    return put_locked(b, elems, n, deadline_ns, ret_n);
}

enum flow buffer_write(struct buffer *b, const void *elems, size_t n,
                       size_t *ret_n)
{
    return put(b, elems, n, BUFFER_NO_DEADLINE, ret_n);
}

enum flow buffer_try_write(struct buffer *b, const void *elems, size_t n,
                           size_t *ret_n)
{
    return put(b, elems, n, TRY, ret_n);
}

enum flow buffer_write_until(struct buffer *b, const void *elems, size_t n,
                             uint64_t deadline_ns, size_t *ret_n)
{
    return put(b, elems, n, deadline_of(deadline_ns), ret_n);
}

static inline enum flow add(struct buffer *b, const void *elem,
                            uint64_t deadline_ns)
{
    struct side *w = &b->write;
    size_t n;
    spin_lock_take(&w->lock);
    if (own_pos(w) >= w->limit)
        return put_locked(b, elem, 1, deadline_ns, &n);
    copy_elem(slot_at(b, w), elem, b->elem_bytes);
    advance(b, w, 1);
    count(&w->moved, 1);
    leave(b, w, 1);
    return FLOW_DONE;
}

enum flow buffer_add(struct buffer *b, const void *elem)
{
    return add(b, elem, BUFFER_NO_DEADLINE);
}

enum flow buffer_try_add(struct buffer *b, const void *elem)
{
    return add(b, elem, TRY);
}

enum flow buffer_add_until(struct buffer *b, const void *elem,
                           uint64_t deadline_ns)
{
    return add(b, elem, deadline_of(deadline_ns));
}

/* What is asked for is made room for only when there is none at all. */
static size_t reserve_want(const struct buffer *b, size_t n)
{
    if (len_seen(b, seen_pos(&b->read)) < b->store.cap)
        return 1;
    if (b->kind == BUFFER_RING)
        return min(n, b->store.cap - b->write.slot);
    return n;
}

static enum flow reserve_some(struct buffer *b, size_t n, struct attempt *a,
                              void **ret_room, size_t *ret_n)
{
    struct side *w = &b->write;
    size_t room;
    enum flow r = find_room(b, reserve_want(b, n), a, &room);
    if (r != FLOW_DONE)
        return r;
    w->out = true;
    w->out_n = min(n, min(room, b->store.cap - w->slot));
    w->limit = 0;
    *ret_room = slot_at(b, w);
    *ret_n = w->out_n;
    return FLOW_DONE;
}

static enum flow reserve(struct buffer *b, size_t n, uint64_t deadline_ns,
                         void **ret_room, size_t *ret_n)
{
    struct attempt a = {.deadline_ns = deadline_ns};
    enum flow r;
    assert(n > 0);
    *ret_room = NULL;
    *ret_n = 0;
    do {
        spin_lock_take(&b->write.lock);
        r = reserve_some(b, n, &a, ret_room, ret_n);
        leave(b, &b->write, 0);
    } while (r == FLOW_FULL && retry(b, &b->write, &a));
    return r;
}

enum flow buffer_reserve(struct buffer *b, size_t n, void **ret_room,
                         size_t *ret_n)
{
    return reserve(b, n, BUFFER_NO_DEADLINE, ret_room, ret_n);
}

enum flow buffer_reserve_until(struct buffer *b, size_t n, uint64_t deadline_ns,
                               void **ret_room, size_t *ret_n)
{
    return reserve(b, n, deadline_of(deadline_ns), ret_room, ret_n);
}

enum flow buffer_try_reserve(struct buffer *b, size_t n, void **ret_room,
                             size_t *ret_n)
{
    return reserve(b, n, TRY, ret_room, ret_n);
}

void buffer_commit(struct buffer *b, size_t n)
{
    struct side *w = &b->write;
    spin_lock_take(&w->lock);
    assert(w->out);
    assert(n <= w->out_n);
    w->out = false;
    if (b->state != BUFFER_OPEN)
        n = 0;
    if (n > 0)
        came(b, n, seen_pos(&b->read));
    leave(b, w, n);
    if (n == 0)
        pass_on(b, &b->read);
}
