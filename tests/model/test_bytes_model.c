/* Random programs on growable bytes and on a flat array. TEST_SEED in the
 * environment picks others. */
#include "buffers/bytes.h"
#include "tests/model/dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS           1000000u
#define STEPS_TO_NOTICE 20000u
#define BYTES_MAX       ((size_t)3000)
#define PIECE_BYTES     ((size_t)120)
#define LIFE_STEPS      5000
#define COMPLAINT_BYTES 200u

/* The calls that a fault can be planted into. */
struct bytes_ops {
    enum flow (*append)(struct bytes *b, const void *data, size_t len);
    void (*drop)(struct bytes *b, size_t n);
};

struct trial {
    const struct bytes_ops *ops;
    struct bytes b;
    char model[BYTES_MAX];
    size_t len;
    struct dice dice;
    unsigned step;
    char complaint[COMPLAINT_BYTES];
};

#define AGREE(t, what) agree(t, what, #what, __LINE__)

static void agree(struct trial *t, bool holds, const char *what, int line)
{
    if (!holds && t->complaint[0] == '\0')
        snprintf(t->complaint, sizeof t->complaint,
                 "seed %llu, step %u, line %d: %s",
                 (unsigned long long)dice_seed(), t->step, line, what);
}

static void new_bytes(struct trial *t, char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (char)dice_roll(&t->dice);
}

/* What an append of n answers; the model takes them when it is DONE. */
static enum flow model_append(struct trial *t, const char *data, size_t n)
{
    if (n > t->b.max - t->len)
        return FLOW_FULL;
    memcpy(t->model + t->len, data, n);
    t->len += n;
    return FLOW_DONE;
}

static void do_append(struct trial *t)
{
    char piece[PIECE_BYTES];
    size_t n = dice_between(&t->dice, 0, PIECE_BYTES);
    new_bytes(t, piece, n);
    enum flow r = t->ops->append(&t->b, piece, n);
    AGREE(t, r == model_append(t, piece, n));
}

static void do_append_str(struct trial *t)
{
    struct str s = STR("a literal");
    enum flow r = bytes_append_str(&t->b, s);
    AGREE(t, r == model_append(t, s.at, s.len));
}

static void do_printf(struct trial *t)
{
    char text[PIECE_BYTES];
    unsigned number = (unsigned)dice_roll(&t->dice);
    int n = snprintf(text, sizeof text, "%u and %x", number, t->step);
    enum flow r = bytes_printf(&t->b, "%u and %x", number, t->step);
    AGREE(t, r == model_append(t, text, (size_t)n));
}

/* Room is not content: only what is committed counts. */
static void do_reserve(struct trial *t)
{
    char *room = NULL;
    size_t n = dice_between(&t->dice, 1, PIECE_BYTES);
    size_t used = dice_between(&t->dice, 0, n);
    enum flow r = bytes_reserve(&t->b, n, &room);
    AGREE(t, r == (n > t->b.max - t->len ? FLOW_FULL : FLOW_DONE));
    if (r != FLOW_DONE)
        return;
    AGREE(t, t->b.cap - t->b.len >= n);
    new_bytes(t, room, n);
    AGREE(t, model_append(t, room, used) == FLOW_DONE);
    bytes_commit(&t->b, used);
}

static void do_skip(struct trial *t)
{
    size_t most = dice_one_in(&t->dice, 8) ? t->len : PIECE_BYTES;
    size_t n = dice_between(&t->dice, 0, most < t->len ? most : t->len);
    t->ops->drop(&t->b, n);
    t->len -= n;
    memmove(t->model, t->model + n, t->len);
}

static void do_reset(struct trial *t)
{
    bytes_reset(&t->b);
    t->len = 0;
}

static void do_trim(struct trial *t)
{
    size_t keep = dice_below(&t->dice, BYTES_MAX);
    size_t cap = t->b.cap;
    do_reset(t);
    bytes_trim(&t->b, keep);
    AGREE(t, t->b.cap == (cap > keep ? 0 : cap));
}

static void do_step(struct trial *t)
{
    bool filling = t->step / 200 % 2 == 0;
    size_t act = dice_below(&t->dice, 100);
    if (act < (filling ? 40u : 15u))
        do_append(t);
    else if (act < (filling ? 60u : 25u))
        do_reserve(t);
    else if (act < (filling ? 65u : 30u))
        do_append_str(t);
    else if (act < (filling ? 70u : 35u))
        do_printf(t);
    else if (act < 99)
        do_skip(t);
    else if (dice_one_in(&t->dice, 2))
        do_reset(t);
    else
        do_trim(t);
}

static void compare(struct trial *t)
{
    struct str view = bytes_view(&t->b);
    AGREE(t, view.len == t->len);
    AGREE(t, t->b.len == t->len);
    AGREE(t, t->b.len <= t->b.cap && t->b.cap <= t->b.max);
    AGREE(t, (t->b.data == NULL) == (t->b.cap == 0));
    if (view.len == t->len && t->len > 0)
        AGREE(t, memcmp(view.at, t->model, t->len) == 0);
}

static void live(struct trial *t, unsigned steps)
{
    size_t life = dice_between(&t->dice, 1, LIFE_STEPS);
    bytes_init(&t->b, dice_between(&t->dice, 1, BYTES_MAX));
    t->len = 0;
    for (size_t i = 0; i < life; i++) {
        if (t->step == steps || t->complaint[0] != '\0')
            break;
        do_step(t);
        compare(t);
        t->step++;
    }
    bytes_fini(&t->b);
}

static void run_program(struct trial *t, unsigned steps)
{
    t->dice.state = dice_seed();
    while (t->step < steps && t->complaint[0] == '\0')
        live(t, steps);
}

static void random_programs_agree_with_a_flat_array(void **state)
{
    static const struct bytes_ops real = {bytes_append, bytes_skip};
    struct trial t = {.ops = &real};
    (void)state;
    run_program(&t, STEPS);
    if (t.complaint[0] != '\0')
        fail_msg("%s", t.complaint);
}

static enum flow append_two_swapped(struct bytes *b, const void *data,
                                    size_t len)
{
    enum flow r = bytes_append(b, data, len);
    if (r == FLOW_DONE && len >= 2) {
        char *at = b->data + b->len - 2;
        char kept = at[0];
        at[0] = at[1];
        at[1] = kept;
    }
    return r;
}

static enum flow append_all_but_one(struct bytes *b, const void *data,
                                    size_t len)
{
    return bytes_append(b, data, len > 1 ? len - 1 : len);
}

static enum flow append_the_last_twice(struct bytes *b, const void *data,
                                       size_t len)
{
    enum flow r = bytes_append(b, data, len);
    if (r == FLOW_DONE && len > 0)
        bytes_append(b, (const char *)data + len - 1, 1);
    return r;
}

static void skip_one_less(struct bytes *b, size_t n)
{
    bytes_skip(b, n > 0 ? n - 1 : n);
}

static void every_planted_fault_is_noticed(void **state)
{
    static const struct bytes_ops faulty[] = {
        {append_two_swapped, bytes_skip},
        {append_all_but_one, bytes_skip},
        {append_the_last_twice, bytes_skip},
        {bytes_append, skip_one_less},
    };
    (void)state;
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++) {
        struct trial t = {.ops = &faulty[i]};
        run_program(&t, STEPS_TO_NOTICE);
        if (t.complaint[0] == '\0')
            fail_msg("fault %zu is not noticed", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_agree_with_a_flat_array),
        cmocka_unit_test(every_planted_fault_is_noticed),
    };
    print_message("TEST_SEED=%llu\n", (unsigned long long)dice_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
