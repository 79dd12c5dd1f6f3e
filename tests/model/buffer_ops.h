/* buffer_ops.h - the calls that a checker makes through a table.
 *
 * Promise    buffer_ops_real is buffer.h itself. Each of the faulty tables
 *            plants one fault, about once in BUFFER_OPS_FAULT_EVERY chances,
 *            so that a test can prove that the checker would see it.
 * Limits     one faulty table in use at a time, with elements of at most
 *            BUFFER_OPS_ELEM_BYTES_MAX bytes.
 * Threads    any. */
#ifndef TESTS_MODEL_BUFFER_OPS_H
#define TESTS_MODEL_BUFFER_OPS_H

#include "buffers/buffer.h"

#define BUFFER_OPS_FAULT_EVERY    50u
#define BUFFER_OPS_ELEM_BYTES_MAX ((size_t)128)

struct buffer_ops {
    enum flow (*read)(struct buffer *b, void *elems, size_t n, size_t *ret_n);
    enum flow (*try_read)(struct buffer *b, void *elems, size_t n,
                          size_t *ret_n);
    enum flow (*read_until)(struct buffer *b, void *elems, size_t n,
                            uint64_t deadline_ns, size_t *ret_n);
    void (*stats)(const struct buffer *b, struct buffer_stats *ret_stats);
};

enum buffer_fault {
    BUFFER_FAULT_SWAP,     /* two elements of one read change places */
    BUFFER_FAULT_LOSE,     /* the last of one read is gone */
    BUFFER_FAULT_TWICE,    /* the last of one read comes once more */
    BUFFER_FAULT_MISCOUNT, /* one more is counted as lost */
    BUFFER_FAULTS
};

extern const struct buffer_ops buffer_ops_real;

/* The table with this fault, for elements of so many bytes. */
const struct buffer_ops *buffer_ops_faulty(enum buffer_fault fault,
                                           size_t elem_bytes);
const char *buffer_ops_fault_name(enum buffer_fault fault);

#endif
