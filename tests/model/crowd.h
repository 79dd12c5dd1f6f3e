/* crowd.h - producers and consumers on one buffer, and what they saw.
 *
 *      producer 0 --.                  .-- consumer 0
 *      producer 1 ---> struct buffer -->-- consumer 1
 *      producer 2 --'    ^        ^    '-- consumer 2
 *                     set_cap    close
 *
 * Every element carries who made it, its number and a checksum. The forms of
 * the calls are mixed at random.
 *
 * Promise    noticed is: a torn element, one that comes twice, one that comes
 *            before an older one of the same producer, one that is missing
 *            and not counted, a result that buffer.h does not allow, a notify
 *            hook that is not called, and threads that outlive a close.
 * Limits     CROWD_SIDE_MAX threads a side. A crowd that stands still is
 *            ended by the caller's alarm.
 * Owns       nothing beyond the call.
 * Threads    one caller; it starts the others and joins them.
 * Not for    the exact answer to a call: see buffer_trial.h. */
#ifndef TESTS_MODEL_CROWD_H
#define TESTS_MODEL_CROWD_H

#include "tests/model/buffer_ops.h"

#include <stdbool.h>

#define CROWD_SIDE_MAX        4u
#define CROWD_BATCH_MAX       ((size_t)16)
#define CROWD_CAP_MAX         ((size_t)256)
#define CROWD_COMPLAINT_BYTES 200u

struct crowd_item {
    uint64_t seq;
    uint64_t producer;
    uint64_t check;
};

enum crowd_end {
    CROWD_DRAINS,      /* close_write() after the last element */
    CROWD_CLOSE_WRITE, /* the others in the midst of it */
    CROWD_CLOSE,
    CROWD_CLOSE_ERROR,
};

struct crowd_plan {
    const struct buffer_ops *ops;
    enum buffer_kind kind;
    unsigned producers;
    unsigned consumers;
    size_t elements; /* of all producers */
    uint64_t seed;
    enum crowd_end end;
    bool in_place;  /* reserve and peek are among the forms */
    bool disturbed; /* set_cap, stats, len and check meanwhile */
    bool by_ear;    /* only try_ forms; who finds nothing waits for notify */
};

/* The first fault in words; "" when there is none. */
void crowd_run(const struct crowd_plan *plan,
               char ret_complaint[CROWD_COMPLAINT_BYTES]);

#endif
