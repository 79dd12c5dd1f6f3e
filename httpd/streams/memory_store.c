#include "httpd/streams/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char borrower[] = "stream";

#define EXTENTS_MIN 4u
#define ENDS_MIN    32u

/* Small streams stay small: the first blocks are of 4 KiB. */
#define SMALL_EXTENTS 2u

/* Part of a block. The block of the last extent is written behind what is
 * here, by its own store alone: a fork goes on in a block of its own. */
struct extent {
    struct block *block;
    uint64_t pos;
    uint32_t at;
    uint32_t len;
    bool own;
};

/* Both arrays are circles that grow. An end is kept by its lower 32 bits; all
 * that is held spans less. */
struct memory_store {
    struct store store;
    struct budget *budget; /* that the index is charged to */
    struct extent *extents;
    size_t extents_head;
    size_t extents_n;
    size_t extents_cap;
    uint32_t *ends;
    size_t ends_head;
    size_t ends_cap;
};

static struct memory_store *mine(struct store *s)
{
    return (struct memory_store *)s;
}

static struct extent *extent_at(const struct memory_store *m, size_t i)
{
    assert(i < m->extents_n);
    return &m->extents[(m->extents_head + i) % m->extents_cap];
}

/* The i-th message end, as a distance from first. */
static uint64_t end_at(const struct memory_store *m, uint64_t i)
{
    uint32_t low = m->ends[(m->ends_head + i) % m->ends_cap];
    return (uint32_t)(low - (uint32_t)m->store.first);
}

/* How many messages end at or before pos. */
static uint64_t ends_upto(const struct memory_store *m, uint64_t pos)
{
    uint64_t distance = pos - m->store.first;
    uint64_t low = 0;
    uint64_t high = m->store.messages_n;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (end_at(m, middle) <= distance)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The extent that holds the byte at pos. */
static size_t extent_of(const struct memory_store *m, uint64_t pos)
{
    size_t low = 0;
    size_t high = m->extents_n;
    assert(high > 0);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (extent_at(m, middle)->pos <= pos)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Lays a circle of n elements out anew, in cap places. */
static void *relaid(const void *from, size_t size, size_t head, size_t n,
                    size_t cap_before, size_t cap)
{
    char *to = malloc(size * cap);
    if (!to || n == 0)
        return to;
    size_t run = n < cap_before - head ? n : cap_before - head;
    memcpy(to, (const char *)from + head * size, run * size);
    memcpy(to + run * size, from, (n - run) * size);
    return to;
}

static bool reserve_extents(struct memory_store *m, size_t n)
{
    if (m->extents_n + n <= m->extents_cap)
        return true;
    size_t cap = m->extents_cap ? m->extents_cap * 2 : EXTENTS_MIN;
    while (cap < m->extents_n + n)
        cap *= 2;
    void *to = relaid(m->extents, sizeof *m->extents, m->extents_head,
                      m->extents_n, m->extents_cap, cap);
    if (!to)
        return false;
    free(m->extents);
    m->extents = to;
    m->extents_head = 0;
    m->extents_cap = cap;
    return true;
}

static bool resize_ends(struct memory_store *m, size_t cap)
{
    size_t bytes = cap * sizeof *m->ends;
    if (!budget_take(m->budget, BUDGET_STREAM, bytes))
        return false;
    void *to = relaid(m->ends, sizeof *m->ends, m->ends_head,
                      m->store.messages_n, m->ends_cap, cap);
    if (!to) {
        budget_give(m->budget, BUDGET_STREAM, bytes);
        return false;
    }
    budget_give(m->budget, BUDGET_STREAM, m->ends_cap * sizeof *m->ends);
    free(m->ends);
    m->ends = to;
    m->ends_head = 0;
    m->ends_cap = cap;
    return true;
}

/* Grows by a quarter: the index of short messages is a part of the memory that
 * counts. */
static bool reserve_ends(struct memory_store *m, size_t n)
{
    size_t need = m->store.messages_n + n;
    if (need <= m->ends_cap)
        return true;
    size_t cap = m->ends_cap + m->ends_cap / 4;
    if (cap < ENDS_MIN)
        cap = ENDS_MIN;
    return resize_ends(m, cap < need ? need : cap);
}

static size_t tail_room(const struct memory_store *m)
{
    if (m->extents_n == 0)
        return 0;
    const struct extent *tail = extent_at(m, m->extents_n - 1);
    return tail->own ? tail->block->cap - tail->at - tail->len : 0;
}

static void unref_all(struct block *list)
{
    while (list) {
        struct block *b = list;
        list = b->next;
        block_unref(b);
    }
}

/* Blocks for n more bytes, linked; *ret_n says how many. NULL: none. */
static struct block *take_blocks(struct memory_store *m,
                                 struct block_pool *pool, size_t n,
                                 size_t *ret_n)
{
    struct block *list = NULL;
    struct block **link = &list;
    *ret_n = 0;
    while (n > 0) {
        bool small =
            m->extents_n + *ret_n < SMALL_EXTENTS && n <= BLOCK_4K_BYTES;
        struct block *b = block_pool_get(pool, small ? BLOCK_4K : BLOCK_64K,
                                         BUDGET_STREAM, borrower);
        if (!b) {
            unref_all(list);
            return NULL;
        }
        /* Extents say how much of it is written. */
        b->len = b->cap;
        b->next = NULL;
        *link = b;
        link = &b->next;
        n -= n < b->cap ? n : b->cap;
        ++*ret_n;
    }
    return list;
}

static void push_extent(struct memory_store *m, struct block **fresh)
{
    struct block *b = *fresh;
    assert(b && m->extents_n < m->extents_cap);
    *fresh = b->next;
    b->next = NULL;
    m->extents_n++;
    *extent_at(m, m->extents_n - 1) =
        (struct extent){.block = b, .pos = m->store.end, .own = true};
}

static void write_in(struct memory_store *m, struct str piece,
                     struct block **fresh)
{
    while (piece.len > 0) {
        if (tail_room(m) == 0)
            push_extent(m, fresh);
        struct extent *tail = extent_at(m, m->extents_n - 1);
        size_t n = tail_room(m) < piece.len ? tail_room(m) : piece.len;
        memcpy(tail->block->data + tail->at + tail->len, piece.at, n);
        tail->len += (uint32_t)n;
        m->store.end += n;
        piece = str_skip(piece, n);
    }
}

static enum flow append(struct store *s, struct block_pool *pool,
                        const struct str *messages, size_t n, struct str suffix)
{
    struct memory_store *m = mine(s);
    size_t total = n * suffix.len;
    size_t blocks_n = 0;
    for (size_t i = 0; i < n; i++)
        total += messages[i].len;
    if (s->end - s->first + total >= MEMORY_STORE_BYTES_MAX)
        return FLOW_NO_MEMORY;
    if (!m->budget)
        m->budget = pool->budget;
    size_t room = tail_room(m);
    struct block *fresh = NULL;
    if (total > room) {
        fresh = take_blocks(m, pool, total - room, &blocks_n);
        if (!fresh)
            return FLOW_NO_MEMORY;
    }
    if (!reserve_extents(m, blocks_n) || !reserve_ends(m, n)) {
        unref_all(fresh);
        return FLOW_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        write_in(m, messages[i], &fresh);
        write_in(m, suffix, &fresh);
        size_t place = (m->ends_head + s->messages_n++) % m->ends_cap;
        m->ends[place] = (uint32_t)s->end;
    }
    assert(!fresh);
    return FLOW_DONE;
}

static void drop(struct store *s, uint64_t pos)
{
    struct memory_store *m = mine(s);
    assert(pos >= s->first && pos <= s->end);
    uint64_t n = ends_upto(m, pos);
    if (n == 0) {
        assert(pos == s->first);
        return;
    }
    assert(end_at(m, n - 1) == pos - s->first);
    m->ends_head = (m->ends_head + n) % m->ends_cap;
    s->messages_n -= n;
    s->first = pos;
    while (m->extents_n > 0) {
        struct extent *head = extent_at(m, 0);
        if (head->pos + head->len > pos)
            break;
        block_unref(head->block);
        m->extents_head = (m->extents_head + 1) % m->extents_cap;
        m->extents_n--;
    }
}

static void copy_bytes(struct memory_store *m, uint64_t pos, char *out,
                       size_t len)
{
    for (size_t i = extent_of(m, pos); len > 0; i++) {
        const struct extent *e = extent_at(m, i);
        size_t skip = (size_t)(pos - e->pos);
        size_t n = e->len - skip < len ? e->len - skip : len;
        memcpy(out, e->block->data + e->at + skip, n);
        out += n;
        pos += n;
        len -= n;
    }
}

static void copy(struct store *s, uint64_t pos, uint64_t end, char *out,
                 size_t cap, struct store_copy *ret)
{
    struct memory_store *m = mine(s);
    assert(pos >= s->first && pos < end && end <= s->end);
    uint64_t left = end - pos;
    ret->len = left < cap ? (size_t)left : cap;
    ret->ends_n = 0;
    for (uint64_t i = ends_upto(m, pos);
         i < s->messages_n && ret->ends_n < STORE_ENDS_MAX; i++) {
        uint64_t at = s->first + end_at(m, i) - pos;
        if (at > ret->len)
            break;
        ret->ends[ret->ends_n++] = (uint32_t)at;
    }
    /* Bytes behind the last end that could be told are left for the next. */
    if (ret->ends_n == STORE_ENDS_MAX)
        ret->len = ret->ends[STORE_ENDS_MAX - 1];
    copy_bytes(m, pos, out, ret->len);
}

static void stretch(struct store *s, uint64_t pos, uint64_t end,
                    struct stretch *ret)
{
    struct memory_store *m = mine(s);
    assert(pos >= s->first && pos < end && end <= s->end);
    const struct extent *e = extent_at(m, extent_of(m, pos));
    uint64_t skip = pos - e->pos;
    uint64_t len = e->len - skip;
    ret->block = block_ref(e->block);
    ret->at = e->at + (size_t)skip;
    ret->len = (size_t)(len < end - pos ? len : end - pos);
}

static uint64_t message_end(struct store *s, uint64_t pos)
{
    const struct memory_store *m = mine(s);
    assert(pos >= s->first && pos < s->end);
    return s->first + end_at(m, ends_upto(m, pos));
}

static uint64_t message_begin(struct store *s, uint64_t pos)
{
    const struct memory_store *m = mine(s);
    assert(pos >= s->first && pos <= s->end);
    uint64_t n = ends_upto(m, pos);
    return n == 0 ? s->first : s->first + end_at(m, n - 1);
}

static uint64_t skip_messages(struct store *s, uint64_t pos, uint64_t n,
                              uint64_t *ret_found)
{
    const struct memory_store *m = mine(s);
    assert(pos >= s->first && pos <= s->end && n > 0);
    uint64_t i = ends_upto(m, pos);
    *ret_found = s->messages_n - i;
    if (n > *ret_found)
        return s->end;
    *ret_found = n;
    return s->first + end_at(m, i + n - 1);
}

static void free_store(struct store *s)
{
    struct memory_store *m = mine(s);
    for (size_t i = 0; i < m->extents_n; i++)
        block_unref(extent_at(m, i)->block);
    if (m->ends_cap > 0)
        budget_give(m->budget, BUDGET_STREAM, m->ends_cap * sizeof *m->ends);
    free(m->extents);
    free(m->ends);
    free(m);
}

/* The extents before pos, shared. */
static void share_extents(struct memory_store *to,
                          const struct memory_store *from, uint64_t pos)
{
    for (size_t i = 0; i < from->extents_n; i++) {
        struct extent e = *extent_at(from, i);
        if (e.pos >= pos)
            break;
        if (e.pos + e.len > pos)
            e.len = (uint32_t)(pos - e.pos);
        e.own = false;
        block_ref(e.block);
        to->extents_n++;
        *extent_at(to, i) = e;
    }
}

static struct store *fork(struct store *s, uint64_t pos)
{
    struct memory_store *from = mine(s);
    assert(pos >= s->first && pos <= s->end);
    struct store *forked = memory_store_new();
    if (!forked)
        return NULL;
    struct memory_store *to = mine(forked);
    forked->first = s->first;
    forked->end = s->first;
    if (pos == s->first)
        return forked;
    uint64_t n = ends_upto(from, pos);
    to->budget = from->budget;
    if (!reserve_extents(to, from->extents_n) ||
        !reserve_ends(to, (size_t)n + 1)) {
        free_store(forked);
        return NULL;
    }
    assert(to->ends);
    share_extents(to, from, pos);
    for (uint64_t i = 0; i < n; i++)
        to->ends[i] = from->ends[(from->ends_head + i) % from->ends_cap];
    if (n == 0 || end_at(from, n - 1) != pos - s->first)
        to->ends[n++] = (uint32_t)pos;
    forked->messages_n = n;
    forked->end = pos;
    return forked;
}

static const struct store_ops memory_ops = {
    .name = "memory",
    .append = append,
    .drop = drop,
    .copy = copy,
    .stretch = stretch,
    .message_end = message_end,
    .message_begin = message_begin,
    .skip_messages = skip_messages,
    .fork = fork,
    .free = free_store,
};

struct store *memory_store_new(void)
{
    struct memory_store *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->store.ops = &memory_ops;
    return &m->store;
}
