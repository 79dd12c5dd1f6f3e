#include "buffers/buffer_layout.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void check_config(const struct buffer_config *c)
{
    assert(c->elem_bytes > 0 && c->elem_bytes <= BUFFER_ELEM_BYTES_MAX);
    assert(c->cap > 0 && c->cap <= BUFFER_CAP_BYTES_MAX / c->elem_bytes);
    if (c->kind == BUFFER_GROWABLE) {
        assert(c->cap_max >= c->cap);
        assert(c->cap_max <= BUFFER_CAP_BYTES_MAX / c->elem_bytes);
    } else {
        assert(c->kind == BUFFER_BLOCK || c->kind == BUFFER_RING);
        assert(c->cap_max == 0);
    }
}

/* Both sides on lines of their own, wherever malloc() puts it. */
static struct buffer *allocate(void)
{
    char *memory = malloc(sizeof(struct buffer) + LINE_BYTES - 1);
    if (!memory)
        return NULL;
    size_t off = (size_t)(-(uintptr_t)memory & (LINE_BYTES - 1));
    struct buffer *b = (void *)(memory + off);
    memset(b, 0, sizeof *b);
    b->memory = memory;
    return b;
}

static void set_bound(struct buffer *b, size_t cap)
{
    b->ceiling = cap;
    atomic_store_explicit(&b->bound, cap, memory_order_relaxed);
}

struct buffer *buffer_new(const struct buffer_config *config)
{
    check_config(config);
    struct buffer *b = allocate();
    if (!b)
        return NULL;
    if (!store_init(&b->store, config->cap, config->elem_bytes)) {
        free(b->memory);
        return NULL;
    }
    b->kind = config->kind;
    b->elem_bytes = config->elem_bytes;
    set_bound(b, b->kind == BUFFER_GROWABLE ? config->cap_max : config->cap);
    b->notify = config->notify;
    b->notify_arg = config->notify_arg;
    b->now_ns = config->now_ns;
    snprintf(b->name, sizeof b->name, "%s", config->name ? config->name : "");
    side_init(&b->write);
    side_init(&b->read);
    b->write.awaited_armed = b->write.attention = b->notify;
    return b;
}

void buffer_free(struct buffer *b)
{
    if (!b)
        return;
    assert(!b->write.awaited.first && !b->write.turn.first);
    assert(!b->read.awaited.first && !b->read.turn.first);
    free(b->peeked_memory);
    free(b->store.memory);
    free(b->memory);
}

size_t buffer_len(const struct buffer *b)
{
    uint64_t read = seen_pos(&b->read);
    size_t len = (size_t)(seen_pos(&b->write) - read);
    size_t cap = buffer_cap(b);
    return len < cap ? len : cap;
}

size_t buffer_cap(const struct buffer *b)
{
    return atomic_load_explicit(&b->bound, memory_order_relaxed);
}

int buffer_error(const struct buffer *b)
{
    return atomic_load_explicit(&b->error, memory_order_acquire);
}

const char *buffer_name(const struct buffer *b)
{
    return b->name;
}

enum buffer_kind buffer_kind(const struct buffer *b)
{
    return b->kind;
}

/* Both locks are held, here and where news are gathered below. */
static void drop_all(struct buffer *b)
{
    size_t len = (size_t)(own_pos(&b->write) - own_pos(&b->read));
    advance(b, &b->read, len);
    count(&b->dropped, len);
    b->read.limit = 0;
}

/* Everybody looks again. */
static void rouse(struct buffer *b, struct news *news)
{
    b->write.limit = 0;
    atomic_fetch_add_explicit(&b->epoch, 1, memory_order_relaxed);
    side_call_all(&b->write, news);
    side_call_all(&b->read, news);
}

static void close_as(struct buffer *b, enum buffer_state state, int error)
{
    struct news news = {.events = 0};
    lock_both(b);
    bool left = own_pos(&b->write) != own_pos(&b->read);
    bool may =
        b->state == BUFFER_OPEN || (b->state == BUFFER_WRITE_CLOSED && left &&
                                    state != BUFFER_WRITE_CLOSED);
    if (may) {
        b->state = state;
        atomic_store_explicit(&b->error, error, memory_order_release);
        if (state != BUFFER_WRITE_CLOSED)
            drop_all(b);
        rouse(b, &news);
        side_claim(b, &b->write, &news);
        side_claim(b, &b->read, &news);
        side_claim_turn(b, &b->write, &news);
        if (state != BUFFER_WRITE_CLOSED)
            side_claim_turn(b, &b->read, &news);
        if (!b->close_told)
            news.events |= BUFFER_CLOSED;
        b->close_told = true;
    }
    drop_both(b);
    tell(b, &news);
}

void buffer_close_write(struct buffer *b)
{
    close_as(b, BUFFER_WRITE_CLOSED, 0);
}

void buffer_close(struct buffer *b)
{
    close_as(b, BUFFER_SHUT, 0);
}

void buffer_close_with_error(struct buffer *b, int error)
{
    assert(error != 0);
    close_as(b, BUFFER_BROKEN, error);
}

enum flow buffer_reset(struct buffer *b)
{
    struct news news = {.events = 0};
    enum flow r = FLOW_AGAIN;
    lock_both(b);
    if (!b->write.out && !b->read.out) {
        drop_all(b);
        b->state = BUFFER_OPEN;
        b->close_told = false;
        atomic_store_explicit(&b->error, 0, memory_order_release);
        rouse(b, &news);
        side_claim(b, &b->read, &news);
        b->write.awaited_armed = b->write.attention = b->notify;
        r = FLOW_DONE;
    }
    drop_both(b);
    tell(b, &news);
    return r;
}

static enum flow set_cap(struct buffer *b, size_t cap)
{
    if (b->write.out || b->read.out)
        return FLOW_AGAIN;
    if (cap < own_pos(&b->write) - own_pos(&b->read))
        return FLOW_FULL;
    bool keep =
        b->kind == BUFFER_GROWABLE ? cap >= b->store.cap : cap == b->store.cap;
    if (!keep && store_resize(b, cap) != FLOW_DONE)
        return FLOW_NO_MEMORY;
    set_bound(b, cap);
    return FLOW_DONE;
}

enum flow buffer_set_cap(struct buffer *b, size_t cap)
{
    struct news news = {.events = 0};
    if (cap == 0 || cap > BUFFER_CAP_BYTES_MAX / b->elem_bytes)
        return FLOW_FULL;
    lock_both(b);
    enum flow r = set_cap(b, cap);
    if (r == FLOW_DONE) {
        rouse(b, &news);
        if (own_pos(&b->write) - own_pos(&b->read) < cap)
            side_claim(b, &b->read, &news);
    }
    drop_both(b);
    tell(b, &news);
    return r;
}

void buffer_stats(const struct buffer *b, struct buffer_stats *ret_stats)
{
    *ret_stats = (struct buffer_stats){
        .written = counter(&b->write.moved),
        .read = counter(&b->read.moved),
        .lost = counter(&b->lost),
        .dropped = counter(&b->dropped),
        .len_max = counter(&b->len_max),
        .write_waits = counter(&b->write.waits),
        .read_waits = counter(&b->read.waits),
        .write_blocked_ns = counter(&b->write.blocked_ns),
        .read_blocked_ns = counter(&b->read.blocked_ns),
        .grown = counter(&b->grown),
    };
}
