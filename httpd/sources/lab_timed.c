#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/timer.h"
#include "httpd/sources/generator.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct lab_bound time_bound = {"TIME", LAB_TIME, 0,
                                            LAB_DELAY_MS_MAX};
static const struct lab_bound delay_bound = {"delay", LAB_TIME, 0,
                                             LAB_DELAY_MS_MAX};
static const struct lab_bound bytes_bound = {"bytes", LAB_SIZE, 0,
                                             LAB_BYTES_MAX};
static const struct lab_bound duration_bound = {"duration", LAB_TIME, 0,
                                                LAB_DURATION_MS_MAX};
static const struct lab_bound code_bound = {"code", LAB_COUNT, 200, 599};
static const struct lab_bound after_bound = {"after", LAB_SIZE, 0,
                                             LAB_BYTES_MAX};

/* What is to be answered, and how long from now. */
struct plan {
    void (*answer)(struct exchange *x, const struct plan *plan);
    uint64_t delay_ms;
    uint64_t bytes;
    uint64_t duration_ms;
    uint64_t status;
};

/* An answer that has not begun. */
struct waiting {
    struct exchange *x;
    struct timer timer;
    bool due;
    struct plan plan;
};

static void fire(void *arg)
{
    struct waiting *w = arg;

    w->due = true;
    exchange_wake(w->x);
}

/* The answer replaces this source, so self is left alone from there on. */
static enum flow pull(void *self, struct exchange *x)
{
    const struct waiting *w = self;
    const struct plan plan = w->plan;

    assert(w->x == x);
    if (!w->due)
        return FLOW_AGAIN;
    plan.answer(x, &plan);
    return FLOW_DONE;
}

static void stop(void *self)
{
    struct waiting *w = self;

    timer_fini(&w->timer);
    free(w);
}

static const struct source_ops delay_ops = {
    .name = "delay", .pull = pull, .stop = stop};

static void answer_later(struct exchange *x, const struct plan *plan)
{
    struct waiting *w;

    if (plan->delay_ms == 0) {
        plan->answer(x, plan);
        return;
    }
    w = calloc(1, sizeof(*w));
    if (w == NULL) {
        lab_out_of_memory(x);
        return;
    }
    w->x = x;
    w->plan = *plan;
    timer_init(&w->timer, x->worker, fire, w);
    timer_start(&w->timer, plan->delay_ms);
    exchange_defer(x, &delay_ops, w);
}

static void answer_delay(struct exchange *x, const struct plan *plan)
{
    char line[64];
    const int n =
        snprintf(line, sizeof(line), "waited %" PRIu64 " ms\n", plan->delay_ms);

    assert(n > 0 && (size_t)n < sizeof(line));
    lab_begin(x, 200, LAB_TYPE_TEXT);
    response_send_bytes(x, (struct str){line, (size_t)n});
}

void lab_delay(struct exchange *x, struct str part)
{
    struct plan plan = {.answer = answer_delay};

    if (lab_part(x, &time_bound, part, &plan.delay_ms))
        answer_later(x, &plan);
}

static void answer_drip(struct exchange *x, const struct plan *plan)
{
    const struct generator_plan drip = {
        .end = plan->bytes,
        .fill = GENERATOR_STARS,
        .duration_ms = plan->duration_ms,
    };

    lab_begin(x, (int)plan->status, LAB_TYPE_BYTES);
    generator_send(x, &drip, drip.end);
}

static bool may_have_body(struct exchange *x, uint64_t status)
{
    if (status != 204 && status != 205 && status != 304)
        return true;
    response_error(x, 400,
                   "code: %" PRIu64 " has no body to drip; give one from 200 "
                   "to 599 other than 204, 205 and 304",
                   status);
    return false;
}

void lab_drip(struct exchange *x, struct str part)
{
    struct plan plan = {
        .answer = answer_drip,
        .bytes = LAB_DRIP_BYTES,
        .duration_ms = LAB_DRIP_MS,
        .status = 200,
    };

    assert(part.len == 0);
    if (lab_param(x, &bytes_bound, &plan.bytes) &&
        lab_param(x, &duration_bound, &plan.duration_ms) &&
        lab_param(x, &delay_bound, &plan.delay_ms) &&
        lab_param(x, &code_bound, &plan.status) &&
        may_have_body(x, plan.status))
        answer_later(x, &plan);
}

void lab_stall(struct exchange *x, struct str part)
{
    uint64_t declared = LAB_STALL_BYTES;
    struct generator_plan plan = {
        .end = LAB_STALL_AFTER_BYTES,
        .fill = GENERATOR_PATTERN,
        .ending = GENERATOR_IS_CUT,
        .hold_ms = LAB_STALL_MS,
    };

    assert(part.len == 0);
    if (!lab_param(x, &after_bound, &plan.end) ||
        !lab_param(x, &bytes_bound, &declared) ||
        !lab_param(x, &duration_bound, &plan.hold_ms))
        return;
    if (declared <= plan.end)
        declared = plan.end + 1;
    lab_begin(x, 200, LAB_TYPE_BYTES);
    generator_send(x, &plan, declared);
}
