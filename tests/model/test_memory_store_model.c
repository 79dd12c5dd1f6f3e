/* Random programs on stores in memory and their forks, against flat arrays of
 * bytes and lists of message ends. TEST_SEED in the environment picks others.
 */
#include "httpd/streams/store.h"
#include "tests/model/dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMS           12u
#define STEPS              1500u
#define STEPS_TO_NOTICE    400u
#define STORES_MAX         6u
#define HELD_BYTES_MAX     (1u << 20)
#define MESSAGES_AT_ONCE   600u
#define MESSAGES_HELD_MAX  6000u
#define LARGE_BYTES_MAX    (200u << 10)
#define FLAT_BYTES         (HELD_BYTES_MAX + 2 * LARGE_BYTES_MAX)
#define FLAT_MESSAGES      (MESSAGES_HELD_MAX + MESSAGES_AT_ONCE)
#define SOURCE_BYTES       (LARGE_BYTES_MAX + 251u)
#define BUDGET_LIMIT_BYTES (UINT64_C(1) << 30)

/* What a store should hold: bytes from first on, and where messages end. */
struct flat {
    struct store *store;
    struct store_ops ops;
    uint64_t first;
    size_t len;
    size_t n;
    char at[FLAT_BYTES];
    uint64_t ends[FLAT_MESSAGES];
};

/* What a fault can be planted into; each may be NULL. */
struct faults {
    enum flow (*append)(struct store *, struct block_pool *, const struct str *,
                        size_t, struct str);
    void (*drop)(struct store *, uint64_t);
    void (*copy)(struct store *, uint64_t, uint64_t, char *, size_t,
                 struct store_copy *);
    uint64_t (*message_end)(struct store *, uint64_t);
    uint64_t (*skip_messages)(struct store *, uint64_t, uint64_t, uint64_t *);
    struct store *(*fork)(struct store *, uint64_t);
};

struct trial {
    const struct faults *faults;
    struct dice dice;
    struct block_pool pool;
    struct budget budget;
    struct flat *flats[STORES_MAX];
    size_t flats_n;
    size_t step;
    char source[SOURCE_BYTES];
    char copied[128u << 10];
    char complaint[300];
};

static void complain(struct trial *t, const char *what, int line)
{
    if (t->complaint[0] == '\0')
        snprintf(t->complaint, sizeof t->complaint,
                 "seed %llu, step %zu, line %d: %s",
                 (unsigned long long)dice_seed(), t->step, line, what);
}

#define AGREE(t, what)                                                         \
    do {                                                                       \
        if (!(what))                                                           \
            complain(t, #what, __LINE__);                                      \
    } while (0)

static const struct store_ops *real_ops;

static struct flat *new_flat(struct trial *t, struct store *store)
{
    struct flat *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_non_null(store);
    real_ops = store->ops;
    f->store = store;
    f->ops = *store->ops;
    if (t->faults->append)
        f->ops.append = t->faults->append;
    if (t->faults->drop)
        f->ops.drop = t->faults->drop;
    if (t->faults->copy)
        f->ops.copy = t->faults->copy;
    if (t->faults->message_end)
        f->ops.message_end = t->faults->message_end;
    if (t->faults->skip_messages)
        f->ops.skip_messages = t->faults->skip_messages;
    if (t->faults->fork)
        f->ops.fork = t->faults->fork;
    t->flats[t->flats_n++] = f;
    return f;
}

static void free_flat(struct trial *t, size_t i)
{
    struct flat *f = t->flats[i];
    f->ops.free(f->store);
    free(f);
    t->flats[i] = t->flats[--t->flats_n];
}

static uint64_t end_of(const struct flat *f)
{
    return f->first + f->len;
}

/* How many messages end at or before pos. */
static size_t ends_before(const struct flat *f, uint64_t pos)
{
    size_t n = 0;
    while (n < f->n && f->ends[n] <= pos)
        n++;
    return n;
}

static uint64_t any_pos(struct trial *t, const struct flat *f)
{
    uint64_t pos = f->first + dice_below(&t->dice, f->len + 1);
    size_t n = ends_before(f, pos);
    return n > 0 && dice_one_in(&t->dice, 2) ? f->ends[n - 1] : pos;
}

/* What is done to both. */

static size_t message_bytes(struct trial *t, size_t n)
{
    if (n > 1)
        return dice_below(&t->dice, 60);
    switch (dice_below(&t->dice, 8)) {
    case 0:
        return dice_below(&t->dice, LARGE_BYTES_MAX + 1);
    case 1:
        return BLOCK_4K_BYTES - 1 + dice_below(&t->dice, 3);
    case 2:
        return BLOCK_64K_BYTES - 1 + dice_below(&t->dice, 3);
    case 3:
        return 0;
    default:
        return dice_below(&t->dice, 3000);
    }
}

static void put(struct flat *f, struct str s)
{
    if (s.len > 0)
        memcpy(f->at + f->len, s.at, s.len);
    f->len += s.len;
}

static void do_append(struct trial *t, struct flat *f)
{
    struct str messages[MESSAGES_AT_ONCE] = {0};
    struct str suffix = dice_one_in(&t->dice, 3) ? STR("\n") : (struct str){0};
    size_t n = 1;
    if (dice_one_in(&t->dice, 4))
        n = dice_between(&t->dice, 0, MESSAGES_AT_ONCE);
    for (size_t i = 0; i < n; i++)
        messages[i] = (struct str){t->source + dice_below(&t->dice, 251),
                                   message_bytes(t, n)};
    AGREE(t,
          f->ops.append(f->store, &t->pool, messages, n, suffix) == FLOW_DONE);
    for (size_t i = 0; i < n; i++) {
        put(f, messages[i]);
        put(f, suffix);
        f->ends[f->n++] = end_of(f);
    }
}

static void do_drop(struct trial *t, struct flat *f, uint64_t pos)
{
    size_t n = ends_before(f, pos);
    pos = n > 0 ? f->ends[n - 1] : f->first;
    f->ops.drop(f->store, pos);
    size_t gone = (size_t)(pos - f->first);
    memmove(f->at, f->at + gone, f->len - gone);
    memmove(f->ends, f->ends + n, (f->n - n) * sizeof f->ends[0]);
    f->first = pos;
    f->len -= gone;
    f->n -= n;
    (void)t;
}

static void do_fork(struct trial *t, struct flat *f)
{
    if (t->flats_n == STORES_MAX)
        free_flat(t, dice_below(&t->dice, STORES_MAX));
    f = t->flats[dice_below(&t->dice, t->flats_n)];
    uint64_t pos = any_pos(t, f);
    struct flat *to = new_flat(t, f->ops.fork(f->store, pos));
    to->first = f->first;
    to->len = (size_t)(pos - f->first);
    memcpy(to->at, f->at, to->len);
    to->n = pos == f->first ? 0 : ends_before(f, pos);
    memcpy(to->ends, f->ends, to->n * sizeof f->ends[0]);
    /* A message that is cut ends there. */
    if (pos > f->first && (to->n == 0 || to->ends[to->n - 1] != pos))
        to->ends[to->n++] = pos;
}

/* What is asked of both. */

static void look_at_copy(struct trial *t, const struct flat *f, uint64_t pos,
                         uint64_t end)
{
    struct store_copy got;
    size_t cap = dice_between(&t->dice, 1, sizeof t->copied);
    size_t len = (size_t)(end - pos) < cap ? (size_t)(end - pos) : cap;
    f->ops.copy(f->store, pos, end, t->copied, cap, &got);
    AGREE(t, got.len > 0 && got.len <= len);
    AGREE(t, got.len == len || got.ends_n == STORE_ENDS_MAX);
    AGREE(t, got.ends_n <= STORE_ENDS_MAX);
    if (t->complaint[0] != '\0')
        return;
    AGREE(t, memcmp(t->copied, f->at + (pos - f->first), got.len) == 0);
    size_t n = ends_before(f, pos);
    for (size_t i = 0; i < got.ends_n && n < f->n; i++)
        AGREE(t, got.ends[i] == f->ends[n++] - pos);
    AGREE(t, got.ends_n == STORE_ENDS_MAX || n == f->n ||
                 f->ends[n] > pos + got.len);
}

static void look_at_stretches(struct trial *t, const struct flat *f,
                              uint64_t pos, uint64_t end)
{
    while (pos < end && t->complaint[0] == '\0') {
        struct stretch s;
        f->ops.stretch(f->store, pos, end, &s);
        AGREE(t, s.len > 0 && s.len <= end - pos);
        AGREE(t, s.at + s.len <= s.block->cap);
        if (t->complaint[0] == '\0')
            AGREE(t, memcmp(s.block->data + s.at, f->at + (pos - f->first),
                            s.len) == 0);
        pos += s.len;
        block_unref(s.block);
    }
}

static void look_at_messages(struct trial *t, const struct flat *f,
                             uint64_t pos)
{
    size_t n = ends_before(f, pos);
    uint64_t begin = n > 0 ? f->ends[n - 1] : f->first;
    uint64_t found;
    size_t skipped = dice_between(&t->dice, 1, 20);
    AGREE(t, f->ops.message_begin(f->store, pos) == begin);
    if (pos < end_of(f))
        AGREE(t, f->ops.message_end(f->store, pos) == f->ends[n]);
    uint64_t to = f->ops.skip_messages(f->store, pos, skipped, &found);
    size_t there = f->n - n < skipped ? f->n - n : skipped;
    AGREE(t, found == there);
    AGREE(t, to == (there < skipped ? end_of(f) : f->ends[n + skipped - 1]));
}

static void look(struct trial *t, const struct flat *f)
{
    AGREE(t, f->store->first == f->first);
    AGREE(t, f->store->end == end_of(f));
    AGREE(t, f->store->messages_n == f->n);
    if (t->complaint[0] != '\0')
        return;
    look_at_messages(t, f, any_pos(t, f));
    if (f->len == 0)
        return;
    uint64_t pos = f->first + dice_below(&t->dice, f->len);
    uint64_t end = pos + 1 + dice_below(&t->dice, end_of(f) - pos);
    look_at_copy(t, f, pos, end);
    look_at_stretches(t, f, pos, end);
}

static void keep_small(struct trial *t, struct flat *f)
{
    if (f->len > HELD_BYTES_MAX || f->n > MESSAGES_HELD_MAX - MESSAGES_AT_ONCE)
        do_drop(t, f, f->first + f->len / 2 + LARGE_BYTES_MAX);
    if (f->n > MESSAGES_HELD_MAX - MESSAGES_AT_ONCE)
        do_drop(t, f, end_of(f));
}

static void do_something(struct trial *t)
{
    struct flat *f = t->flats[dice_below(&t->dice, t->flats_n)];
    switch (dice_below(&t->dice, 12)) {
    case 0:
        do_drop(t, f, any_pos(t, f));
        break;
    case 1:
        do_drop(t, f, dice_one_in(&t->dice, 8) ? end_of(f) : f->first);
        break;
    case 2:
        if (dice_one_in(&t->dice, 4))
            do_fork(t, f);
        break;
    case 3:
        if (t->flats_n > 1 && dice_one_in(&t->dice, 8))
            free_flat(t, dice_below(&t->dice, t->flats_n));
        break;
    default:
        do_append(t, f);
    }
    for (size_t i = 0; i < t->flats_n; i++)
        keep_small(t, t->flats[i]);
}

static void run_program(struct trial *t, size_t steps)
{
    struct block_pool_config config = {
        .name = "test", .budget = &t->budget, .track_all = true};
    budget_init(&t->budget, BUDGET_LIMIT_BYTES);
    block_pool_init(&t->pool, &config);
    new_flat(t, memory_store_new());
    for (t->step = 0; t->step < steps && t->complaint[0] == '\0'; t->step++) {
        do_something(t);
        for (size_t i = 0; i < t->flats_n && t->complaint[0] == '\0'; i++)
            look(t, t->flats[i]);
    }
    while (t->flats_n > 0)
        free_flat(t, 0);
    block_pool_sweep(&t->pool, 1);
    block_pool_fini(&t->pool);
    AGREE(t, atomic_load(&t->budget.used) == 0);
}

static struct trial *new_trial(const struct faults *faults)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->faults = faults;
    t->dice.state = dice_seed();
    for (size_t i = 0; i < SOURCE_BYTES; i++)
        t->source[i] = (char)(i % 251);
    return t;
}

static void stores_and_forks_agree_with_flat_arrays(void **state)
{
    static const struct faults none = {0};
    struct trial *t = new_trial(&none);
    (void)state;
    for (size_t i = 0; i < PROGRAMS && t->complaint[0] == '\0'; i++)
        run_program(t, STEPS);
    if (t->complaint[0] != '\0')
        fail_msg("%s", t->complaint);
    free(t);
}

/* Faults. */

static enum flow append_without_last(struct store *s, struct block_pool *pool,
                                     const struct str *messages, size_t n,
                                     struct str suffix)
{
    return real_ops->append(s, pool, messages, n > 100 ? n - 1 : n, suffix);
}

static void drop_a_message_more(struct store *s, uint64_t pos)
{
    real_ops->drop(s, pos < s->end ? real_ops->message_end(s, pos) : pos);
}

static void drop_nothing(struct store *s, uint64_t pos)
{
    (void)s;
    (void)pos;
}

static void copy_with_wrong_byte(struct store *s, uint64_t pos, uint64_t end,
                                 char *out, size_t cap, struct store_copy *ret)
{
    real_ops->copy(s, pos, end, out, cap, ret);
    out[ret->len - 1] ^= 1;
}

static void copy_without_end(struct store *s, uint64_t pos, uint64_t end,
                             char *out, size_t cap, struct store_copy *ret)
{
    real_ops->copy(s, pos, end, out, cap, ret);
    if (ret->ends_n > 0 && ret->ends_n < STORE_ENDS_MAX)
        ret->ends_n--;
}

static uint64_t end_of_the_next(struct store *s, uint64_t pos)
{
    uint64_t end = real_ops->message_end(s, pos);
    return end < s->end ? real_ops->message_end(s, end) : end;
}

static uint64_t skip_one_more(struct store *s, uint64_t pos, uint64_t n,
                              uint64_t *ret_found)
{
    uint64_t to = real_ops->skip_messages(s, pos, n + 1, ret_found);
    *ret_found = *ret_found < n ? *ret_found : n;
    return to;
}

static struct store *fork_at_message(struct store *s, uint64_t pos)
{
    return real_ops->fork(s, real_ops->message_begin(s, pos));
}

static void every_planted_fault_is_noticed(void **state)
{
    static const struct faults faulty[] = {
        {.append = append_without_last},  {.drop = drop_a_message_more},
        {.drop = drop_nothing},           {.copy = copy_with_wrong_byte},
        {.copy = copy_without_end},       {.message_end = end_of_the_next},
        {.skip_messages = skip_one_more}, {.fork = fork_at_message},
    };
    (void)state;
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++) {
        struct trial *t = new_trial(&faulty[i]);
        run_program(t, STEPS_TO_NOTICE);
        if (t->complaint[0] == '\0')
            fail_msg("fault %zu is not noticed", i);
        free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_and_forks_agree_with_flat_arrays),
        cmocka_unit_test(every_planted_fault_is_noticed),
    };
    print_message("TEST_SEED=%llu\n", (unsigned long long)dice_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
