#include "buffers/buffer_layout.h"

#include <assert.h>

static size_t check_list(const struct wait_list *l)
{
    struct waiter *const *at = &l->first;
    size_t n = 0;
    for (; *at; at = &(*at)->next, n++) {
        assert((*at)->link == at);
        assert(!atomic_load_explicit(&(*at)->called, memory_order_relaxed));
    }
    assert(l->last == at);
    return n;
}

static void check_side(const struct buffer *b, const struct side *s)
{
    size_t waiting = check_list(&s->awaited) + check_list(&s->turn);
    bool armed = s->awaited_armed || s->turn_armed;
    assert(s->attention == (waiting > 0 || armed));
    assert(b->notify || !armed);
    assert(s->slot < b->store.cap);
    assert(!s->out || s->limit == 0);
    assert(!s->out || (s->out_n > 0 && s->out_n <= b->store.cap));
    assert(s->out || !s->turn_armed);
}

static void check_store(const struct buffer *b, size_t len)
{
    const struct store *s = &b->store;
    assert(s->cap > 0 && s->cap <= b->ceiling);
    assert(b->kind == BUFFER_GROWABLE || s->cap == b->ceiling);
    assert(buffer_cap(b) == b->ceiling);
    assert((uintptr_t)s->at % LINE_BYTES == 0);
    assert((b->read.slot + len) % s->cap == b->write.slot);
    assert(!b->peeked_memory || b->read.out);
    assert(b->peeked_memory != s->memory);
}

static void check_state(const struct buffer *b, size_t len)
{
    bool shut = b->state == BUFFER_SHUT || b->state == BUFFER_BROKEN;
    assert((b->state == BUFFER_BROKEN) == (buffer_error(b) != 0));
    assert(!shut || len == 0);
    assert(b->close_told == (b->state != BUFFER_OPEN));
    assert(b->state == BUFFER_OPEN || b->write.limit == 0);
}

void buffer_check(struct buffer *b)
{
    lock_both(b);
    uint64_t read = own_pos(&b->read);
    uint64_t write = own_pos(&b->write);
    assert(read <= write && write - read <= b->store.cap);
    size_t len = (size_t)(write - read);
    check_side(b, &b->write);
    check_side(b, &b->read);
    check_store(b, len);
    check_state(b, len);
    assert(b->write.limit <= read + b->store.cap);
    assert(b->read.limit <= write);
    assert(!b->write.out || b->write.out_n <= b->store.cap - len ||
           b->state != BUFFER_OPEN);
    assert(!b->read.out || b->read.out_n <= len || b->state >= BUFFER_SHUT);
    assert(counter(&b->len_max) >= len);
    assert(counter(&b->write.moved) == counter(&b->read.moved) +
                                           counter(&b->lost) +
                                           counter(&b->dropped) + len);
    drop_both(b);
}
