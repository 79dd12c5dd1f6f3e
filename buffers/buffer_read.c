#include "buffers/buffer_layout.h"

#include <assert.h>
#include <stdlib.h>

static bool is_shut(const struct buffer *b)
{
    return b->state == BUFFER_SHUT || b->state == BUFFER_BROKEN;
}

/* How many there are; the limit is moved up to the last one. */
static enum flow find_elems(struct buffer *b, struct attempt *a,
                            size_t *ret_len)
{
    struct side *r = &b->read;
    *ret_len = 0;
    if (is_shut(b))
        return b->state == BUFFER_BROKEN ? FLOW_FAILED : FLOW_END;
    if (r->out) {
        join_turn(b, r, a);
        return FLOW_AGAIN;
    }
    a->epoch = atomic_load_explicit(&b->epoch, memory_order_relaxed);
    a->other_pos = seen_pos(&b->write);
    r->limit = a->other_pos;
    *ret_len = (size_t)(a->other_pos - own_pos(r));
    assert(*ret_len <= b->store.cap);
    if (*ret_len > 0)
        return FLOW_DONE;
    return b->state == BUFFER_OPEN ? FLOW_AGAIN : FLOW_END;
}

static void copy_out(const struct buffer *b, char *elems, size_t n)
{
    const char *at = slot_at(b, &b->read);
    if (n == 1) {
        copy_elem(elems, at, b->elem_bytes);
        return;
    }
    size_t first = min(n, b->store.cap - b->read.slot);
    memcpy(elems, at, first * b->elem_bytes);
    memcpy(elems + first * b->elem_bytes, b->store.at,
           (n - first) * b->elem_bytes);
}

/* elems may be NULL: they are dropped. */
static enum flow take_some(struct buffer *b, void *elems, size_t n,
                           struct attempt *a, size_t *ret_n)
{
    size_t len;
    enum flow r = find_elems(b, a, &len);
    *ret_n = 0;
    if (r != FLOW_DONE)
        return r;
    size_t k = min(n, len);
    if (elems && k > 0)
        copy_out(b, elems, k);
    advance(b, &b->read, k);
    count(&b->read.moved, k);
    *ret_n = k;
    return FLOW_DONE;
}

/* The read lock is held, and dropped. */
static enum flow take_locked(struct buffer *b, void *elems, size_t n,
                             uint64_t deadline_ns, size_t *ret_n)
{
    struct attempt a = {.deadline_ns = deadline_ns};
    enum flow r;
    for (;;) {
        r = take_some(b, elems, n, &a, ret_n);
        leave(b, &b->read, *ret_n);
        if (r != FLOW_AGAIN || !retry(b, &b->read, &a))
            return r;
        spin_lock_take(&b->read.lock);
    }
}

static enum flow take(struct buffer *b, void *elems, size_t n,
                      uint64_t deadline_ns, size_t *ret_n)
{
    assert(elems);
    assert(n > 0);
    spin_lock_take(&b->read.lock);
    return take_locked(b, elems, n, deadline_ns, ret_n);
}

enum flow buffer_read(struct buffer *b, void *elems, size_t n, size_t *ret_n)
{
    return take(b, elems, n, BUFFER_NO_DEADLINE, ret_n);
}

enum flow buffer_try_read(struct buffer *b, void *elems, size_t n,
                          size_t *ret_n)
{
    return take(b, elems, n, TRY, ret_n);
}

enum flow buffer_read_until(struct buffer *b, void *elems, size_t n,
                            uint64_t deadline_ns, size_t *ret_n)
{
    return take(b, elems, n, deadline_of(deadline_ns), ret_n);
}

static inline enum flow next(struct buffer *b, void *ret_elem,
                             uint64_t deadline_ns)
{
    struct side *r = &b->read;
    size_t n;
    spin_lock_take(&r->lock);
    if (own_pos(r) >= r->limit)
        return take_locked(b, ret_elem, 1, deadline_ns, &n);
    copy_elem(ret_elem, slot_at(b, r), b->elem_bytes);
    advance(b, r, 1);
    count(&r->moved, 1);
    leave(b, r, 1);
    return FLOW_DONE;
}

enum flow buffer_next(struct buffer *b, void *ret_elem)
{
    return next(b, ret_elem, BUFFER_NO_DEADLINE);
}

enum flow buffer_try_next(struct buffer *b, void *ret_elem)
{
    return next(b, ret_elem, TRY);
}

enum flow buffer_next_until(struct buffer *b, void *ret_elem,
                            uint64_t deadline_ns)
{
    return next(b, ret_elem, deadline_of(deadline_ns));
}

enum flow buffer_discard(struct buffer *b, size_t n, size_t *ret_n)
{
    spin_lock_take(&b->read.lock);
    return take_locked(b, NULL, n, PASSED, ret_n);
}

static enum flow peek_some(struct buffer *b, size_t n, struct attempt *a,
                           const void **ret_elems, size_t *ret_n)
{
    struct side *r = &b->read;
    size_t len;
    enum flow f = find_elems(b, a, &len);
    if (f != FLOW_DONE)
        return f;
    r->out = true;
    r->out_n = min(n, min(len, b->store.cap - r->slot));
    r->limit = 0;
    *ret_elems = slot_at(b, r);
    *ret_n = r->out_n;
    return FLOW_DONE;
}

static enum flow peek(struct buffer *b, size_t n, uint64_t deadline_ns,
                      const void **ret_elems, size_t *ret_n)
{
    struct attempt a = {.deadline_ns = deadline_ns};
    enum flow r;
    assert(n > 0);
    *ret_elems = NULL;
    *ret_n = 0;
    do {
        spin_lock_take(&b->read.lock);
        r = peek_some(b, n, &a, ret_elems, ret_n);
        leave(b, &b->read, 0);
    } while (r == FLOW_AGAIN && retry(b, &b->read, &a));
    return r;
}

enum flow buffer_peek(struct buffer *b, size_t n, const void **ret_elems,
                      size_t *ret_n)
{
    return peek(b, n, BUFFER_NO_DEADLINE, ret_elems, ret_n);
}

enum flow buffer_peek_until(struct buffer *b, size_t n, uint64_t deadline_ns,
                            const void **ret_elems, size_t *ret_n)
{
    return peek(b, n, deadline_of(deadline_ns), ret_elems, ret_n);
}

enum flow buffer_try_peek(struct buffer *b, size_t n, const void **ret_elems,
                          size_t *ret_n)
{
    return peek(b, n, TRY, ret_elems, ret_n);
}

/* A ring's writers may have waited for the end of the peek, all of them. */
static size_t freed(struct buffer *b, size_t n)
{
    if (b->kind != BUFFER_RING)
        return n;
    atomic_fetch_add_explicit(&b->epoch, 1, memory_order_relaxed);
    return SIZE_MAX;
}

void buffer_consume(struct buffer *b, size_t n)
{
    struct side *r = &b->read;
    spin_lock_take(&r->lock);
    assert(r->out);
    assert(n <= r->out_n);
    r->out = false;
    if (is_shut(b))
        n = 0;
    advance(b, r, n);
    count(&r->moved, n);
    void *memory = b->peeked_memory;
    b->peeked_memory = NULL;
    leave(b, r, freed(b, n));
    free(memory);
    if (n == 0)
        pass_on(b, &b->write);
}
