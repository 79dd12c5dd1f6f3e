/* pace.h - how much of a body may have left by now.
 *
 *      bytes  ^            ____
 *             |        ____|        steps of equal size, evenly spread;
 *             |    ____|            the first is due at once
 *             |____|
 *             +----------------> ms since the body began
 *
 * Promise    after duration_ms everything is allowed; a late reader catches
 *            up, so the end does not drift.
 * Limits     at most one step a millisecond: steps are made larger for that.
 * Threads    pure; the time is an argument. */
#ifndef HTTPD_SOURCES_PACE_H
#define HTTPD_SOURCES_PACE_H

#include <stdint.h>

struct pace {
    uint64_t bytes;
    uint64_t steps;      /* at least 1 */
    uint64_t step_bytes; /* at least 1; the last step may be smaller */
    uint64_t duration_ms;
};

/* bytes in steps of step_bytes over duration_ms; 0 ms allows all at once. */
void pace_init(struct pace *p, uint64_t bytes, uint64_t step_bytes,
               uint64_t duration_ms);

/* Bytes that may have left after elapsed_ms. */
uint64_t pace_allowed(const struct pace *p, uint64_t elapsed_ms);

/* When more than sent bytes are allowed, in milliseconds since the start. */
uint64_t pace_due_ms(const struct pace *p, uint64_t sent);

#endif
