#include "httpd/sources/generator.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/timer.h"
#include "httpd/loop/worker.h"
#include "httpd/sources/chunk_writer.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/pace.h"
#include "httpd/sources/pattern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct generator {
    struct exchange *x;
    struct generator_plan plan; /* chunk_sizes points at sizes below */
    struct pace pace;
    struct chunk_writer chunk;
    struct timer timer;
    uint64_t start_pos;
    uint64_t started_ms;
    uint64_t held_until_ms; /* when holding */
    uint64_t give_up_ms;    /* no longer wait for a stuck reader; 0: not yet */
    size_t next_size;       /* index of the next chunk's size */
    bool started;
    bool holding;
    uint32_t sizes[];
};

static void wake(void *arg)
{
    struct generator *g = arg;

    exchange_wake(g->x);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void make(const struct generator *g, char *out, size_t len)
{
    switch (g->plan.fill) {
    case GENERATOR_PATTERN:
        pattern_fill(g->plan.seed, g->plan.pos, out, len);
        break;
    case GENERATOR_TEXT:
        pattern_text(g->plan.pos, out, len);
        break;
    case GENERATOR_STARS:
        memset(out, '*', len);
        break;
    }
}

/* Bytes that the pace allows now, from plan.pos on. */
static uint64_t allowed(const struct generator *g)
{
    const uint64_t elapsed = worker_now_ms(g->x->worker) - g->started_ms;
    const uint64_t sent = g->plan.pos - g->start_pos;

    return pace_allowed(&g->pace, elapsed) - sent;
}

static enum flow wait_ms(struct generator *g, uint64_t ms)
{
    timer_start(&g->timer, ms);
    return FLOW_AGAIN;
}

static enum flow wait_for_pace(struct generator *g)
{
    const uint64_t elapsed = worker_now_ms(g->x->worker) - g->started_ms;
    const uint64_t due = pace_due_ms(&g->pace, g->plan.pos - g->start_pos);

    return wait_ms(g, due > elapsed ? due - elapsed : 1);
}

static enum flow begin_chunk(struct generator *g, struct exchange *x)
{
    const uint64_t size = g->plan.chunk_sizes[g->next_size];

    g->next_size = (g->next_size + 1) % g->plan.chunk_sizes_n;
    return chunk_writer_begin(&g->chunk, x,
                              min_u64(size, g->plan.end - g->plan.pos));
}

/* Makes and pushes one piece of at most max bytes. */
static enum flow push_piece(struct generator *g, struct exchange *x,
                            uint64_t max, uint64_t *ret_len)
{
    char piece[LAB_PIECE_BYTES];
    uint64_t len = min_u64(max, sizeof(piece));
    enum flow flow = FLOW_DONE;

    *ret_len = 0;
    if (g->plan.chunk_sizes_n > 0 && g->chunk.left == 0)
        flow = begin_chunk(g, x);
    if (flow != FLOW_DONE)
        return flow;
    if (g->plan.chunk_sizes_n > 0)
        len = min_u64(len, g->chunk.left);
    make(g, piece, (size_t)len);
    g->plan.pos += len;
    *ret_len = len;
    if (g->plan.chunk_sizes_n > 0)
        return chunk_writer_push(&g->chunk, x, (struct str){piece, len});
    return exchange_push(x, (struct str){piece, len});
}

static enum flow produce(struct generator *g, struct exchange *x)
{
    uint64_t budget = min_u64(allowed(g), g->plan.end - g->plan.pos);
    unsigned pieces = 0;

    if (budget == 0)
        return wait_for_pace(g);
    budget = min_u64(budget, LAB_PULL_BYTES_MAX);
    while (budget > 0 && pieces++ < LAB_PULL_CHUNKS_MAX) {
        const size_t room = exchange_room(x);
        uint64_t len;

        if (room == 0)
            break;
        if (push_piece(g, x, min_u64(budget, room), &len) != FLOW_DONE)
            return FLOW_FAILED;
        budget -= len;
    }
    return FLOW_DONE;
}

/* A reset throws away what the kernel has not sent yet, so it is put off until
 * the queue has run dry; not for ever, the reader may be stuck. */
static bool put_off(struct generator *g, const struct exchange *x, uint64_t now)
{
    if (g->plan.ending != GENERATOR_IS_RESET || write_queue_empty(x->out))
        return false;
    if (g->give_up_ms == 0)
        g->give_up_ms = now + LAB_RESET_WAIT_MS;
    return now < g->give_up_ms;
}

static enum flow finish(struct generator *g, struct exchange *x)
{
    const uint64_t now = worker_now_ms(x->worker);

    if (g->plan.ending == GENERATOR_ENDS)
        return FLOW_END;
    if (!g->holding && put_off(g, x, now))
        return wait_ms(g, LAB_RESET_POLL_MS);
    if (!g->holding) {
        g->holding = true;
        g->held_until_ms = now + g->plan.hold_ms;
    }
    if (now < g->held_until_ms)
        return wait_ms(g, g->held_until_ms - now);
    x->failure =
        g->plan.ending == GENERATOR_IS_CUT ? FAILURE_CUT : FAILURE_RESET;
    return FLOW_FAILED;
}

static enum flow pull(void *self, struct exchange *x)
{
    struct generator *g = self;
    enum flow flow = FLOW_DONE;

    assert(g->x == x);
    if (!g->started) {
        g->started = true;
        g->started_ms = worker_now_ms(x->worker);
    }
    if (g->plan.pos < g->plan.end)
        flow = produce(g, x);
    if (flow == FLOW_DONE && g->plan.pos == g->plan.end)
        flow = finish(g, x);
    return flow;
}

static void stop(void *self)
{
    struct generator *g = self;

    timer_fini(&g->timer);
    free(g);
}

static const struct source_ops generator_ops = {
    .name = "generator", .pull = pull, .stop = stop};

static struct generator *generator_new(struct exchange *x,
                                       const struct generator_plan *plan)
{
    const size_t sizes_bytes = plan->chunk_sizes_n * sizeof(uint32_t);
    struct generator *g = calloc(1, sizeof(*g) + sizes_bytes);

    assert(plan->pos <= plan->end);
    assert(plan->chunk_sizes_n <= LAB_CHUNK_SIZES_MAX);
    if (g == NULL)
        return NULL;
    g->x = x;
    g->plan = *plan;
    g->start_pos = plan->pos;
    if (plan->chunk_sizes_n > 0)
        memcpy(g->sizes, plan->chunk_sizes, sizes_bytes);
    g->plan.chunk_sizes = g->sizes;
    pace_init(&g->pace, plan->end - plan->pos,
              plan->step_bytes > 0 ? plan->step_bytes : 1, plan->duration_ms);
    timer_init(&g->timer, x->worker, wake, g);
    return g;
}

void generator_send(struct exchange *x, const struct generator_plan *plan,
                    uint64_t length)
{
    struct generator *g = generator_new(x, plan);

    if (g == NULL)
        lab_out_of_memory(x);
    else
        response_send_source(x, &generator_ops, g, length);
}

void generator_send_gzip(struct exchange *x, const struct generator_plan *plan,
                         int level)
{
    struct generator *g = generator_new(x, plan);

    if (g == NULL)
        lab_out_of_memory(x);
    else
        response_send_gzip(x, &generator_ops, g, level);
}
