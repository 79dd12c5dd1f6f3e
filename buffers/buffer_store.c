#include "buffers/buffer_layout.h"

#include <assert.h>
#include <stdlib.h>

bool store_init(struct store *s, size_t cap, size_t elem_bytes)
{
    assert(cap > 0 && cap <= BUFFER_CAP_BYTES_MAX / elem_bytes);
    char *memory = malloc(cap * elem_bytes + LINE_BYTES - 1);
    if (!memory)
        return false;
    size_t off = (size_t)(-(uintptr_t)memory & (LINE_BYTES - 1));
    *s = (struct store){.memory = memory, .at = memory + off, .cap = cap};
    return true;
}

/* What is held comes to the front of a new store. */
static void move_elems(struct buffer *b, struct store *to, size_t len)
{
    size_t first = b->store.cap - b->read.slot;
    if (first > len)
        first = len;
    memcpy(to->at, slot_at(b, &b->read), first * b->elem_bytes);
    memcpy(to->at + first * b->elem_bytes, b->store.at,
           (len - first) * b->elem_bytes);
}

static void replace(struct buffer *b, struct store *with)
{
    size_t len = (size_t)(own_pos(&b->write) - own_pos(&b->read));
    assert(len <= with->cap);
    move_elems(b, with, len);
    if (b->read.out && !b->peeked_memory)
        b->peeked_memory = b->store.memory;
    else
        free(b->store.memory);
    b->store = *with;
    b->read.slot = 0;
    b->write.slot = len == with->cap ? 0 : len;
    atomic_fetch_add_explicit(&b->epoch, 1, memory_order_relaxed);
}

enum flow store_resize(struct buffer *b, size_t cap)
{
    struct store bigger;
    if (!store_init(&bigger, cap, b->elem_bytes))
        return FLOW_NO_MEMORY;
    replace(b, &bigger);
    return FLOW_DONE;
}

enum flow store_grow(struct buffer *b, size_t want)
{
    size_t cap = b->store.cap;
    if (cap == b->ceiling)
        return FLOW_FULL;
    if (want > b->ceiling)
        want = b->ceiling;
    while (cap < want || cap == b->store.cap)
        cap = cap > b->ceiling / 2 ? b->ceiling : cap * 2;
    struct store bigger;
    if (!store_init(&bigger, cap, b->elem_bytes))
        return FLOW_NO_MEMORY;
    spin_lock_take(&b->read.lock);
    replace(b, &bigger);
    spin_lock_drop(&b->read.lock);
    count(&b->grown, 1);
    return FLOW_DONE;
}
