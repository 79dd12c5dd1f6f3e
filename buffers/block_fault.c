#include "buffers/block_inner.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#define PATTERN 0xdb

/* Of every pool; each counts its own. */
static _Atomic(struct block *) quarantined;

const char *block_fault_text(enum block_fault f)
{
    switch (f) {
    case BLOCK_FAULT_NONE:
        return "no fault";
    case BLOCK_DOUBLE_PUT:
        return "put twice";
    case BLOCK_USE_AFTER_PUT:
        return "written after it was put";
    case BLOCK_OVERRUN:
        return "written behind its end";
    case BLOCK_HEAD_DAMAGED:
        return "its head was overwritten";
    case BLOCK_LEAKED:
        return "never put";
    }
    return "unknown";
}

void block_report(struct block_pool *p, enum block_fault fault,
                  enum block_class c, const struct block *b)
{
    struct block_fault_report report = {
        .fault = fault,
        .class = c < BLOCK_CLASSES ? c : BLOCK_4K,
        .pool = p->name,
        .borrower = b && b->borrower ? b->borrower : "unknown",
        .lent_ms = b && b->tracked ? b->lent_ms : 0,
    };
    atomic_fetch_add_explicit(&p->faults, 1, memory_order_relaxed);
    assert(p->on_fault && "a block of a pool was misused");
    p->on_fault(p->on_fault_arg, &report);
}

void block_report_head(struct block_pool *p, const struct block *b)
{
    block_report(p, BLOCK_HEAD_DAMAGED, b->class, NULL);
}

static void mark_bad(struct block *b, uint32_t from)
{
    atomic_compare_exchange_strong_explicit(&b->state, &from, BLOCK_BAD,
                                            memory_order_relaxed,
                                            memory_order_relaxed);
}

void block_misput(struct block_pool *p, struct block *b)
{
    enum block_state state = block_state(b);
    switch (state) {
    case BLOCK_BACK:
    case BLOCK_KEPT:
    case BLOCK_KEPT_PATTERN:
        mark_bad(b, state);
        block_report(p, BLOCK_DOUBLE_PUT, b->class, b);
        break;
    case BLOCK_BAD:
    case BLOCK_GONE:
        block_report(p, BLOCK_DOUBLE_PUT, b->class, b);
        break;
    case BLOCK_LENT:
    default:
        block_report_head(p, b);
        break;
    }
}

void block_pattern_fill(struct block *b, size_t n)
{
    assert(n <= b->cap);
    memset(b->data, PATTERN, n);
}

/* The first byte is right, and each equals the one before it. */
bool block_pattern_whole(const struct block *b, size_t n)
{
    assert(n > 0 && n <= b->cap);
    return (unsigned char)b->data[0] == PATTERN &&
           memcmp(b->data, b->data + 1, n - 1) == 0;
}

void block_poison(struct block *b)
{
#ifdef __SANITIZE_ADDRESS__
    __asan_poison_memory_region(b->data, b->cap);
#else
    (void)b;
#endif
}

void block_unpoison(struct block *b)
{
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(b->data, b->cap);
#else
    (void)b;
#endif
}

void block_quarantine(struct block *b)
{
    block_set_state(b, BLOCK_BAD);
    b->next = atomic_load_explicit(&quarantined, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(
        &quarantined, &b->next, b, memory_order_release, memory_order_relaxed))
        continue;
}
