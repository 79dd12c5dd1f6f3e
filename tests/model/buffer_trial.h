/* buffer_trial.h - a random program on a buffer and on its model.
 *
 * Promise    every result, count, content and statistic of every step is
 *            compared; whoever found nothing and was promised a call is
 *            called. The first difference ends the program and is named.
 * Limits     BUFFER_TRIAL_BATCH_MAX elements in one call.
 * Owns       nothing beyond the call.
 * Threads    one.
 * Not for    calls that wait: see crowd.h. */
#ifndef TESTS_MODEL_BUFFER_TRIAL_H
#define TESTS_MODEL_BUFFER_TRIAL_H

#include "tests/model/buffer_ops.h"

#define BUFFER_TRIAL_BATCH_MAX       ((size_t)12)
#define BUFFER_TRIAL_ELEM_BYTES_MAX  ((size_t)100)
#define BUFFER_TRIAL_COMPLAINT_BYTES 200u

struct buffer_trial_plan {
    const struct buffer_ops *ops;
    enum buffer_kind kind;
    size_t elem_bytes;
    uint64_t seed;
    unsigned steps;
};

/* The first difference in words, with the step; "" when there is none. */
void buffer_trial(const struct buffer_trial_plan *plan,
                  char ret_complaint[BUFFER_TRIAL_COMPLAINT_BYTES]);

#endif
