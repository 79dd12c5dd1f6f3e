#include "buffers/write_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char borrower[] = "write queue";

enum segment_kind {
    SEGMENT_BYTES,
    SEGMENT_SHARED,
    SEGMENT_FILE,
};

/* That of copied bytes stands in its block, the bytes behind it; the others
 * are allocated by themselves. */
struct write_segment {
    struct write_segment *next;
    enum segment_kind kind;
    union {
        struct {
            struct block *block;
            char *data;   /* in the block */
            size_t begin; /* first unsent byte in data */
            size_t end;   /* behind the last byte in data */
        };
        struct file_range file;
    };
};

static_assert(sizeof(struct write_segment) + BLOCK_HEAD_BYTES <=
                  WRITE_QUEUE_BLOCK_BYTES,
              "the overhead of a block is what the marks count for it");

static bool holds_block(const struct write_segment *s)
{
    return s->kind != SEGMENT_FILE;
}

static size_t segment_cap(const struct write_segment *s)
{
    return s->block->cap - sizeof *s;
}

static size_t segment_room(const struct write_segment *s)
{
    if (!s || s->kind != SEGMENT_BYTES)
        return 0;
    return segment_cap(s) - s->end;
}

static void segment_free(struct write_queue *q, struct write_segment *s)
{
    q->blocks_n -= holds_block(s);
    switch (s->kind) {
    case SEGMENT_BYTES:
        block_unref(s->block);
        return;
    case SEGMENT_SHARED:
        block_unref(s->block);
        break;
    case SEGMENT_FILE:
        s->file.release(s->file.owner);
        break;
    }
    free(s);
}

void write_queue_init(struct write_queue *q, struct block_pool *pool,
                      size_t high_bytes, size_t low_bytes)
{
    assert(high_bytes > 0);
    assert(low_bytes <= high_bytes);
    *q = (struct write_queue){.pool = pool,
                              .budget = BUDGET_LEAVING,
                              .high = high_bytes,
                              .low = low_bytes};
}

void write_queue_fini(struct write_queue *q)
{
    while (q->head) {
        struct write_segment *s = q->head;
        q->head = s->next;
        segment_free(q, s);
    }
    q->tail = NULL;
    q->len = 0;
    q->file_len = 0;
}

bool write_queue_empty(const struct write_queue *q)
{
    return q->head == NULL;
}

/* Memory, not bytes to send: the sent part of the first block is still held,
 * and each block has its own head, also the one that a push would take. */
static size_t held(const struct write_queue *q)
{
    bool part_sent = q->head && q->head->kind == SEGMENT_BYTES;
    size_t blocks = q->blocks_n + (segment_room(q->tail) == 0);
    return q->len + (part_sent ? q->head->begin : 0) +
           blocks * WRITE_QUEUE_BLOCK_BYTES;
}

size_t write_queue_room(const struct write_queue *q)
{
    size_t bytes = held(q);
    return bytes < q->high ? q->high - bytes : 0;
}

bool write_queue_low(const struct write_queue *q)
{
    return q->len <= q->low && write_queue_room(q) > 0;
}

static void link_tail(struct write_queue *q, struct write_segment *s)
{
    q->blocks_n += holds_block(s);
    s->next = NULL;
    if (q->tail)
        q->tail->next = s;
    else
        q->head = s;
    q->tail = s;
}

/* What begins a run of bytes is often short: a head, or the head of a part
 * between two file ranges. What follows bytes is likely to grow. */
static struct write_segment *segment_new(struct write_queue *q, size_t n)
{
    bool begins = !q->tail || q->tail->kind != SEGMENT_BYTES;
    bool small = n <= BLOCK_4K_BYTES - sizeof(struct write_segment);
    enum block_class class = begins && small ? BLOCK_4K : BLOCK_64K;
    struct block *block = block_pool_get(q->pool, class, q->budget, borrower);
    if (!block)
        return NULL;
    struct write_segment *s = (struct write_segment *)block->data;
    s->next = NULL;
    s->kind = SEGMENT_BYTES;
    s->block = block;
    s->data = (char *)(s + 1);
    s->begin = 0;
    s->end = 0;
    return s;
}

/* Blocks for n more bytes, taken before anything is changed. */
static enum flow take_blocks(struct write_queue *q, size_t n,
                             struct write_segment **ret_first)
{
    struct write_segment **link = ret_first;
    *ret_first = NULL;
    while (n > 0) {
        struct write_segment *s = segment_new(q, n);
        if (!s)
            goto undo;
        *link = s;
        link = &s->next;
        n -= n < segment_cap(s) ? n : segment_cap(s);
    }
    return FLOW_DONE;
undo:
    while (*ret_first) {
        struct write_segment *s = *ret_first;
        *ret_first = s->next;
        block_unref(s->block);
    }
    return FLOW_NO_MEMORY;
}

static void copy_in(struct write_queue *q, struct str piece,
                    struct write_segment **fresh)
{
    while (piece.len > 0) {
        if (segment_room(q->tail) == 0) {
            struct write_segment *s = *fresh;
            assert(s);
            *fresh = s->next;
            link_tail(q, s);
        }
        struct write_segment *tail = q->tail;
        size_t n = segment_room(tail);
        if (n > piece.len)
            n = piece.len;
        memcpy(tail->data + tail->end, piece.at, n);
        tail->end += n;
        piece = str_skip(piece, n);
    }
}

enum flow write_queue_push_all(struct write_queue *q, const struct str *pieces,
                               size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += pieces[i].len;
    if (q->len + total > q->high + WRITE_QUEUE_SLACK_BYTES)
        return FLOW_FULL;

    struct write_segment *fresh = NULL;
    size_t room = segment_room(q->tail);
    if (total > room) {
        enum flow r = take_blocks(q, total - room, &fresh);
        if (r != FLOW_DONE)
            return r;
    }
    for (size_t i = 0; i < n; i++)
        copy_in(q, pieces[i], &fresh);
    assert(!fresh);
    q->len += total;
    return FLOW_DONE;
}

enum flow write_queue_push(struct write_queue *q, const void *data, size_t len)
{
    struct str piece = {data, len};
    return write_queue_push_all(q, &piece, 1);
}

/* An oversized view is let in where it is alone, or it would never be. */
static bool shared_fits(const struct write_queue *q, size_t len)
{
    return q->len == 0 || q->len + len <= q->high + WRITE_QUEUE_SLACK_BYTES;
}

enum flow write_queue_push_block(struct write_queue *q, struct block *block,
                                 size_t at, size_t len)
{
    assert(len > 0 && at <= block->len && len <= block->len - at);
    enum flow result = FLOW_FULL;
    if (!shared_fits(q, len))
        goto out;
    result = FLOW_NO_MEMORY;
    struct write_segment *s = malloc(sizeof *s);
    if (!s)
        goto out;
    *s = (struct write_segment){.kind = SEGMENT_SHARED,
                                .block = block,
                                .data = block->data,
                                .begin = at,
                                .end = at + len};
    link_tail(q, s);
    q->len += len;
    return FLOW_DONE;
out:
    block_unref(block);
    return result;
}

enum flow write_queue_push_file(struct write_queue *q,
                                const struct file_range *range)
{
    assert(range->len > 0);
    assert(range->release);
    struct write_segment *s = malloc(sizeof *s);
    if (!s) {
        range->release(range->owner);
        return FLOW_NO_MEMORY;
    }
    *s = (struct write_segment){.kind = SEGMENT_FILE, .file = *range};
    link_tail(q, s);
    q->file_len += range->len;
    return FLOW_DONE;
}

void write_queue_peek(const struct write_queue *q, struct iovec *iov, int iov_n,
                      struct write_view *ret_view)
{
    assert(iov_n > 0);
    const struct write_segment *s = q->head;
    *ret_view = (struct write_view){.iov = iov};
    if (s && s->kind == SEGMENT_FILE) {
        ret_view->file = &s->file;
        s = s->next;
    }
    while (!ret_view->file && s && s->kind != SEGMENT_FILE &&
           ret_view->iov_n < iov_n) {
        iov[ret_view->iov_n].iov_base = s->data + s->begin;
        iov[ret_view->iov_n].iov_len = s->end - s->begin;
        ret_view->iov_n++;
        s = s->next;
    }
    ret_view->more = s != NULL;
}

/* Takes up to n bytes off the head segment; returns how many. */
static uint64_t skip_head(struct write_queue *q, uint64_t n)
{
    struct write_segment *s = q->head;
    if (s->kind == SEGMENT_FILE) {
        uint64_t used = n < s->file.len ? n : s->file.len;
        s->file.pos += used;
        s->file.len -= used;
        q->file_len -= used;
        return used;
    }
    size_t left = s->end - s->begin;
    size_t used = n < left ? (size_t)n : left;
    s->begin += used;
    q->len -= used;
    return used;
}

static bool segment_spent(const struct write_segment *s)
{
    return s->kind == SEGMENT_FILE ? s->file.len == 0 : s->begin == s->end;
}

void write_queue_skip(struct write_queue *q, uint64_t n)
{
    assert(n <= q->len + q->file_len);
    while (n > 0) {
        struct write_segment *s = q->head;
        assert(s);
        n -= skip_head(q, n);
        if (!segment_spent(s))
            break;
        q->head = s->next;
        if (!q->head)
            q->tail = NULL;
        segment_free(q, s);
    }
    assert(n == 0);
}

static void check_segment(const struct write_queue *q,
                          const struct write_segment *s)
{
    assert(!segment_spent(s));
    switch (s->kind) {
    case SEGMENT_BYTES:
        assert(s == (const struct write_segment *)s->block->data);
        assert(s->data == (const char *)(s + 1));
        assert(s->block->pool == q->pool && !block_shared(s->block));
        assert(s->begin < s->end && s->end <= segment_cap(s));
        break;
    case SEGMENT_SHARED:
        assert(s->data == s->block->data);
        assert(s->begin < s->end && s->end <= s->block->len);
        break;
    case SEGMENT_FILE:
        assert(s->file.release);
        break;
    }
}

/* More than the hard limit is one oversized view, and nothing came behind. */
static bool within_limits(const struct write_queue *q)
{
    const struct write_segment *s = q->head;
    if (q->len <= q->high + WRITE_QUEUE_SLACK_BYTES)
        return true;
    while (s && s->kind == SEGMENT_FILE)
        s = s->next;
    return s && s->kind == SEGMENT_SHARED && q->len == s->end - s->begin;
}

void write_queue_check(const struct write_queue *q)
{
    size_t len = 0;
    size_t blocks_n = 0;
    uint64_t file_len = 0;
    const struct write_segment *last = NULL;
    for (const struct write_segment *s = q->head; s; s = s->next) {
        check_segment(q, s);
        if (holds_block(s)) {
            len += s->end - s->begin;
            blocks_n++;
        } else {
            file_len += s->file.len;
        }
        last = s;
    }
    assert(last == q->tail);
    assert(len == q->len && file_len == q->file_len);
    assert(blocks_n == q->blocks_n);
    assert(within_limits(q));
}
