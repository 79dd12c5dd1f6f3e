#include "tests/model/buffer_trial.h"

#include "tests/model/buffer_model.h"
#include "tests/model/dice.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LIFE_STEPS  5000 /* of one buffer, at most */
#define PHASE_STEPS 300  /* of filling, then of draining */
#define BATCH_BYTES (BUFFER_TRIAL_BATCH_MAX * BUFFER_TRIAL_ELEM_BYTES_MAX)
#define CHECK_EVERY 4

/* One side's waiting for the notify hook. */
struct ear {
    bool waits;       /* found nothing, and was not called since */
    unsigned allowed; /* calls that may still come */
};

struct trial {
    const struct buffer_trial_plan *plan;
    struct buffer *b;
    struct buffer_model m;
    struct dice dice;
    unsigned step;
    char *complaint;
    uint64_t last_id;
    unsigned char *room; /* reserved */
    size_t room_n;
    const unsigned char *shown;
    size_t shown_n;
    unsigned char shown_copy[BATCH_BYTES]; /* what it was when it was shown */
    struct ear reader;
    struct ear writer;
    unsigned closed_calls; /* since it was opened */
    bool was_closed;       /* by any close, since it was opened */
};

#define AGREE(t, what) agree(t, what, #what, __LINE__)

static void agree(struct trial *t, bool holds, const char *what, int line)
{
    if (!holds && t->complaint[0] == '\0')
        snprintf(t->complaint, BUFFER_TRIAL_COMPLAINT_BYTES,
                 "seed %llu, step %u, line %d: %s",
                 (unsigned long long)t->plan->seed, t->step, line, what);
}

static size_t some(struct trial *t)
{
    return dice_between(&t->dice, 1, BUFFER_TRIAL_BATCH_MAX);
}

static size_t bytes_of(const struct trial *t, size_t n)
{
    return n * t->plan->elem_bytes;
}

static void new_elems(struct trial *t, unsigned char *elems, size_t n)
{
    size_t bytes = bytes_of(t, n);
    for (size_t i = 0; i < bytes; i++) {
        if (i % t->plan->elem_bytes % sizeof t->last_id == 0)
            t->last_id += UINT64_C(0x9e3779b97f4a7c15);
        elems[i] = (unsigned char)(t->last_id >> (56 - i % 8 * 8));
    }
}

/* A deadline in the past says the same as the try_ form. */
static bool tries(struct trial *t)
{
    return !dice_one_in(&t->dice, 8);
}

static void found_none(struct ear *ear)
{
    ear->waits = true;
    ear->allowed++;
}

static void reader_got(struct trial *t, bool tried, enum flow r)
{
    if (tried && r == FLOW_AGAIN)
        found_none(&t->reader);
}

static void writer_got(struct trial *t, bool tried, enum flow r)
{
    if (tried && r == FLOW_FULL)
        found_none(&t->writer);
}

static void hear(struct trial *t, struct ear *ear)
{
    AGREE(t, ear->allowed > 0);
    if (ear->allowed > 0)
        ear->allowed--;
    ear->waits = false;
}

static void on_notify(void *arg, unsigned events)
{
    struct trial *t = arg;
    AGREE(t, events != 0);
    if (events & BUFFER_READABLE)
        hear(t, &t->reader);
    if (events & BUFFER_WRITABLE)
        hear(t, &t->writer);
    if (events & BUFFER_CLOSED)
        t->closed_calls++;
}

static void do_write(struct trial *t)
{
    unsigned char elems[BATCH_BYTES];
    size_t n = some(t);
    size_t n_real = SIZE_MAX;
    size_t n_model;
    bool tried = tries(t);
    new_elems(t, elems, n);
    enum flow r = tried ? buffer_try_write(t->b, elems, n, &n_real)
                        : buffer_write_until(t->b, elems, n, 0, &n_real);
    AGREE(t, r == buffer_model_write(&t->m, elems, n, &n_model));
    AGREE(t, n_real == n_model);
    writer_got(t, tried, r);
}

static void do_add(struct trial *t)
{
    unsigned char elem[BUFFER_TRIAL_ELEM_BYTES_MAX];
    size_t n_model;
    bool tried = tries(t);
    new_elems(t, elem, 1);
    enum flow r =
        tried ? buffer_try_add(t->b, elem) : buffer_add_until(t->b, elem, 0);
    AGREE(t, r == buffer_model_write(&t->m, elem, 1, &n_model));
    writer_got(t, tried, r);
}

static void do_read(struct trial *t)
{
    unsigned char real[BATCH_BYTES];
    unsigned char model[BATCH_BYTES];
    const struct buffer_ops *ops = t->plan->ops;
    size_t n = some(t);
    size_t n_real = SIZE_MAX;
    size_t n_model;
    bool tried = tries(t);
    enum flow r = tried ? ops->try_read(t->b, real, n, &n_real)
                        : ops->read_until(t->b, real, n, 0, &n_real);
    AGREE(t, r == buffer_model_read(&t->m, model, n, &n_model));
    AGREE(t, n_real == n_model);
    if (n_real == n_model)
        AGREE(t, memcmp(real, model, bytes_of(t, n_model)) == 0);
    reader_got(t, tried, r);
}

static void do_next(struct trial *t)
{
    unsigned char real[BUFFER_TRIAL_ELEM_BYTES_MAX];
    unsigned char model[BUFFER_TRIAL_ELEM_BYTES_MAX];
    size_t n_model;
    bool tried = tries(t);
    enum flow r =
        tried ? buffer_try_next(t->b, real) : buffer_next_until(t->b, real, 0);
    AGREE(t, r == buffer_model_read(&t->m, model, 1, &n_model));
    if (r == FLOW_DONE && n_model == 1)
        AGREE(t, memcmp(real, model, t->plan->elem_bytes) == 0);
    reader_got(t, tried, r);
}

static void do_discard(struct trial *t)
{
    size_t n = some(t);
    size_t n_real = SIZE_MAX;
    size_t n_model;
    enum flow r = buffer_discard(t->b, n, &n_real);
    AGREE(t, r == buffer_model_discard(&t->m, n, &n_model));
    AGREE(t, n_real == n_model);
}

static void do_commit(struct trial *t)
{
    if (!t->room)
        return;
    size_t n = dice_between(&t->dice, 0, t->room_n);
    new_elems(t, t->room, n);
    buffer_model_commit(&t->m, t->room, n);
    t->room = NULL;
    buffer_commit(t->b, n);
}

static void do_reserve(struct trial *t)
{
    void *room = NULL;
    size_t n = some(t);
    size_t n_real = SIZE_MAX;
    size_t most;
    bool tried = tries(t);
    enum flow r = tried ? buffer_try_reserve(t->b, n, &room, &n_real)
                        : buffer_reserve_until(t->b, n, 0, &room, &n_real);
    AGREE(t, r == buffer_model_may_reserve(&t->m, n, &most));
    AGREE(t, n_real <= most);
    writer_got(t, tried, r);
    if (r != FLOW_DONE || n_real > most)
        return;
    AGREE(t, n_real >= 1);
    AGREE(t, room != NULL);
    buffer_model_reserved(&t->m, n_real);
    t->room = room;
    t->room_n = n_real;
}

static void check_shown(struct trial *t)
{
    AGREE(t, memcmp(t->shown, t->shown_copy, bytes_of(t, t->shown_n)) == 0);
}

static void do_peek(struct trial *t)
{
    const void *elems = NULL;
    size_t n = some(t);
    size_t n_real = SIZE_MAX;
    size_t most;
    bool tried = tries(t);
    enum flow r = tried ? buffer_try_peek(t->b, n, &elems, &n_real)
                        : buffer_peek_until(t->b, n, 0, &elems, &n_real);
    AGREE(t, r == buffer_model_may_peek(&t->m, n, &most));
    AGREE(t, n_real <= most);
    reader_got(t, tried, r);
    if (r != FLOW_DONE || n_real > most)
        return;
    AGREE(t, n_real >= 1);
    buffer_model_peeked(&t->m);
    t->shown = elems;
    t->shown_n = n_real;
    memcpy(t->shown_copy, t->m.elems, bytes_of(t, n_real));
    check_shown(t);
}

static void do_consume(struct trial *t)
{
    if (!t->shown)
        return;
    size_t n = dice_between(&t->dice, 0, t->shown_n);
    check_shown(t);
    t->shown = NULL;
    buffer_model_consume(&t->m, n);
    buffer_consume(t->b, n);
}

static void do_set_cap(struct trial *t)
{
    size_t cap = dice_between(&t->dice, 1, BUFFER_MODEL_CAP_MAX);
    enum flow r = buffer_model_set_cap(&t->m, cap);
    AGREE(t, buffer_set_cap(t->b, cap) == r);
}

static void do_reset(struct trial *t)
{
    enum flow r = buffer_model_reset(&t->m);
    if (r == FLOW_DONE) {
        t->closed_calls = 0;
        t->was_closed = false;
        t->reader.allowed++;
        t->writer.allowed++;
    }
    AGREE(t, buffer_reset(t->b) == r);
}

static void do_any_close(struct trial *t)
{
    size_t which = dice_below(&t->dice, 4);
    t->was_closed = true;
    if (which == 0) {
        buffer_model_close(&t->m);
        buffer_close(t->b);
    } else if (which == 1) {
        buffer_model_close_with_error(&t->m, (int)which + (int)t->step);
        buffer_close_with_error(t->b, (int)which + (int)t->step);
    } else {
        buffer_model_close_write(&t->m);
        buffer_close_write(t->b);
    }
}

static void do_reopen(struct trial *t)
{
    if (!t->was_closed)
        return;
    do_commit(t);
    do_consume(t);
    do_reset(t);
}

struct act {
    void (*run)(struct trial *t);
    unsigned filling; /* of a thousand steps */
    unsigned draining;
};

static const struct act acts[] = {
    {do_write, 180, 60},   {do_add, 150, 60},    {do_read, 60, 180},
    {do_next, 60, 140},    {do_discard, 10, 20}, {do_reserve, 130, 90},
    {do_commit, 160, 150}, {do_peek, 80, 110},   {do_consume, 130, 150},
    {do_set_cap, 15, 15},  {do_reset, 2, 2},     {do_any_close, 3, 3},
    {do_reopen, 20, 20},
};

static const struct act *choose(struct trial *t)
{
    bool filling = t->step / PHASE_STEPS % 2 == 0;
    size_t left = dice_below(&t->dice, 1000);
    size_t i = 0;
    for (; i + 1 < sizeof acts / sizeof acts[0]; i++) {
        size_t weight = filling ? acts[i].filling : acts[i].draining;
        if (left < weight)
            break;
        left -= weight;
    }
    return &acts[i];
}

static void compare_stats(struct trial *t)
{
    struct buffer_stats stats;
    t->plan->ops->stats(t->b, &stats);
    AGREE(t, stats.written == t->m.written);
    AGREE(t, stats.read == t->m.read);
    AGREE(t, stats.lost == t->m.lost);
    AGREE(t, stats.dropped == t->m.dropped);
    AGREE(t, stats.len_max == t->m.len_max);
    AGREE(t,
          stats.written == stats.read + stats.lost + stats.dropped + t->m.len);
}

static void compare_calls(struct trial *t)
{
    AGREE(t, !t->reader.waits || !buffer_model_readable(&t->m));
    AGREE(t, !t->writer.waits || !buffer_model_writable(&t->m));
    AGREE(t, t->closed_calls == (t->was_closed ? 1u : 0u));
}

static void compare(struct trial *t)
{
    AGREE(t, buffer_len(t->b) == t->m.len);
    AGREE(t, buffer_cap(t->b) == t->m.cap);
    AGREE(t, buffer_error(t->b) == t->m.error);
    compare_stats(t);
    compare_calls(t);
    if (t->step % CHECK_EVERY == 0)
        buffer_check(t->b);
}

static struct buffer_config any_config(struct trial *t)
{
    size_t most = dice_one_in(&t->dice, 3) ? 4 : BUFFER_MODEL_CAP_MAX;
    size_t cap = dice_between(&t->dice, 1, most);
    struct buffer_config config = {.name = "trial",
                                   .kind = t->plan->kind,
                                   .elem_bytes = t->plan->elem_bytes,
                                   .cap = cap,
                                   .notify = on_notify,
                                   .notify_arg = t};
    if (config.kind == BUFFER_GROWABLE)
        config.cap_max = dice_between(&t->dice, cap, BUFFER_MODEL_CAP_MAX);
    return config;
}

/* A new buffer counts as found empty. */
static void begin_life(struct trial *t)
{
    struct buffer_config config = any_config(t);
    t->reader = (struct ear){.waits = true, .allowed = 1};
    t->writer = (struct ear){0};
    t->closed_calls = 0;
    t->was_closed = false;
    t->b = buffer_new(&config);
    bool ready = buffer_model_init(&t->m, &config) && t->b;
    assert(ready);
}

static void end_life(struct trial *t)
{
    if (t->room)
        buffer_commit(t->b, 0);
    if (t->shown)
        buffer_consume(t->b, 0);
    t->room = NULL;
    t->shown = NULL;
    buffer_check(t->b);
    buffer_free(t->b);
    buffer_model_fini(&t->m);
}

static void live(struct trial *t)
{
    size_t steps = dice_between(&t->dice, 1, LIFE_STEPS);
    begin_life(t);
    for (size_t i = 0; i < steps; i++) {
        if (t->step == t->plan->steps || t->complaint[0] != '\0')
            break;
        choose(t)->run(t);
        compare(t);
        t->step++;
    }
    end_life(t);
}

void buffer_trial(const struct buffer_trial_plan *plan,
                  char ret_complaint[BUFFER_TRIAL_COMPLAINT_BYTES])
{
    struct trial t = {
        .plan = plan, .dice = {plan->seed}, .complaint = ret_complaint};
    assert(plan->elem_bytes <= BUFFER_TRIAL_ELEM_BYTES_MAX);
    ret_complaint[0] = '\0';
    while (t.step < plan->steps && ret_complaint[0] == '\0')
        live(&t);
}
