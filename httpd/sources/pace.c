#include "httpd/sources/pace.h"

#include <assert.h>

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    assert(b > 0);
    return a / b + (a % b != 0);
}

void pace_init(struct pace *p, uint64_t bytes, uint64_t step_bytes,
               uint64_t duration_ms)
{
    assert(step_bytes > 0);
    /* Also keeps steps * elapsed_ms far from 2^64. */
    if (duration_ms > 0 && divide_up(bytes, step_bytes) > duration_ms)
        step_bytes = divide_up(bytes, duration_ms);
    p->bytes = bytes;
    p->step_bytes = step_bytes;
    p->steps = bytes > 0 ? divide_up(bytes, step_bytes) : 1;
    p->duration_ms = duration_ms;
}

uint64_t pace_allowed(const struct pace *p, uint64_t elapsed_ms)
{
    if (elapsed_ms >= p->duration_ms)
        return p->bytes;
    const uint64_t step = elapsed_ms * p->steps / p->duration_ms;
    const uint64_t allowed = (step + 1) * p->step_bytes;

    return allowed < p->bytes ? allowed : p->bytes;
}

uint64_t pace_due_ms(const struct pace *p, uint64_t sent)
{
    assert(sent <= p->bytes);
    return divide_up(sent / p->step_bytes * p->duration_ms, p->steps);
}
