#include "tests/model/buffer_ops.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

const struct buffer_ops buffer_ops_real = {
    .read = buffer_read,
    .try_read = buffer_try_read,
    .read_until = buffer_read_until,
    .stats = buffer_stats,
};

static struct {
    enum buffer_fault fault;
    size_t elem_bytes;
    atomic_uint chances;
} planted;

static void swap_first_and_last(unsigned char *elems, size_t n)
{
    unsigned char kept[BUFFER_OPS_ELEM_BYTES_MAX];
    size_t bytes = planted.elem_bytes;
    unsigned char *last = elems + (n - 1) * bytes;
    memcpy(kept, elems, bytes);
    memcpy(elems, last, bytes);
    memcpy(last, kept, bytes);
}

static void repeat_last(unsigned char *elems, size_t n)
{
    size_t bytes = planted.elem_bytes;
    memcpy(elems + n * bytes, elems + (n - 1) * bytes, bytes);
}

/* Whether this read of room for n elements, which gave k, can be spoilt. */
static bool is_chance(size_t n, size_t k)
{
    switch (planted.fault) {
    case BUFFER_FAULT_SWAP:
    case BUFFER_FAULT_LOSE:
        return k >= 2;
    case BUFFER_FAULT_TWICE:
        return k >= 1 && k < n;
    default:
        return false;
    }
}

static enum flow spoil(enum flow r, void *elems, size_t n, size_t *ret_n)
{
    if (r != FLOW_DONE || !is_chance(n, *ret_n) ||
        atomic_fetch_add(&planted.chances, 1) % BUFFER_OPS_FAULT_EVERY != 0)
        return r;
    if (planted.fault == BUFFER_FAULT_SWAP)
        swap_first_and_last(elems, *ret_n);
    else if (planted.fault == BUFFER_FAULT_LOSE)
        --*ret_n;
    else
        repeat_last(elems, (*ret_n)++);
    return r;
}

static enum flow faulty_read(struct buffer *b, void *elems, size_t n,
                             size_t *ret_n)
{
    return spoil(buffer_read(b, elems, n, ret_n), elems, n, ret_n);
}

static enum flow faulty_try_read(struct buffer *b, void *elems, size_t n,
                                 size_t *ret_n)
{
    return spoil(buffer_try_read(b, elems, n, ret_n), elems, n, ret_n);
}

static enum flow faulty_read_until(struct buffer *b, void *elems, size_t n,
                                   uint64_t deadline_ns, size_t *ret_n)
{
    return spoil(buffer_read_until(b, elems, n, deadline_ns, ret_n), elems, n,
                 ret_n);
}

static void faulty_stats(const struct buffer *b, struct buffer_stats *ret_stats)
{
    buffer_stats(b, ret_stats);
    if (planted.fault == BUFFER_FAULT_MISCOUNT)
        ret_stats->lost++;
}

const struct buffer_ops *buffer_ops_faulty(enum buffer_fault fault,
                                           size_t elem_bytes)
{
    static const struct buffer_ops faulty = {
        .read = faulty_read,
        .try_read = faulty_try_read,
        .read_until = faulty_read_until,
        .stats = faulty_stats,
    };
    assert(elem_bytes <= BUFFER_OPS_ELEM_BYTES_MAX);
    planted.fault = fault;
    planted.elem_bytes = elem_bytes;
    atomic_store(&planted.chances, 0);
    return &faulty;
}

const char *buffer_ops_fault_name(enum buffer_fault fault)
{
    static const char *const names[BUFFER_FAULTS] = {
        "two swapped", "one lost", "one twice", "loss miscounted"};
    return names[fault];
}
