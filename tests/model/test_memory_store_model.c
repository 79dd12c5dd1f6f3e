/* A random program on stores and their forks, each beside a naive model: flat
 * bytes from position 0 on and a list of message ends. What was lent is looked
 * at again when its store may be gone. Faults that are planted into a store
 * prove that the checker can fail. TEST_SEED in the environment picks another
 * program. */
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

#define STEPS          200000u
#define PLANTED_STEPS  5000u
#define STORES_MAX     6u
#define LENT_MAX       16u
#define MESSAGES_MAX   400u
#define APPEND_BYTES   (200u << 10)
#define POSITIONS_MAX  (4u << 20) /* then a store is freed */
#define ENDS_MAX       200000u
#define BUDGET_BYTES   (2u << 20) /* so that it is refused at times */
#define COPY_BYTES_MAX (64u << 10)

/* What a store should hold. bytes[0] is position 0, dropped or not. */
struct naive {
    char *bytes;
    uint64_t *ends;
    size_t ends_n;
    uint64_t first;
    uint64_t end;
};

struct pair {
    struct store *store;
    struct naive naive;
};

struct lent {
    struct stretch stretch;
    char *bytes; /* as they were */
};

struct trial {
    const struct store_ops *faulty; /* NULL: as it is */
    struct dice dice;
    struct budget budget;
    struct block_pool pool;
    struct pair pairs[STORES_MAX];
    size_t pairs_n;
    struct lent lent[LENT_MAX];
    size_t lent_n;
    struct str messages[MESSAGES_MAX];
    char text[APPEND_BYTES];
    char out[COPY_BYTES_MAX];
    unsigned forks_n;
    unsigned refused_n;
    char complaint[300];
};

static void complain(struct trial *t, const char *what, int line)
{
    if (t->complaint[0] == '\0')
        snprintf(t->complaint, sizeof t->complaint, "seed %llu, line %d: %s",
                 (unsigned long long)dice_seed(), line, what);
}

#define AGREE(t, what)                                                         \
    do {                                                                       \
        if (!(what))                                                           \
            complain(t, #what, __LINE__);                                      \
    } while (0)

/* The model. */

static void naive_init(struct naive *n)
{
    *n = (struct naive){.bytes = malloc(POSITIONS_MAX + APPEND_BYTES * 2),
                        .ends = malloc(ENDS_MAX * sizeof *n->ends)};
    assert_non_null(n->bytes);
    assert_non_null(n->ends);
}

static void naive_fini(struct naive *n)
{
    free(n->bytes);
    free(n->ends);
}

static void naive_append(struct naive *n, struct str message, struct str suffix)
{
    if (message.len > 0)
        memcpy(n->bytes + n->end, message.at, message.len);
    n->end += message.len;
    if (suffix.len > 0)
        memcpy(n->bytes + n->end, suffix.at, suffix.len);
    n->end += suffix.len;
    n->ends[n->ends_n++] = n->end;
}

static void naive_drop(struct naive *n, uint64_t pos)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->ends_n; i++)
        if (n->ends[i] > pos)
            n->ends[kept++] = n->ends[i];
    n->ends_n = kept;
    n->first = pos;
}

static void naive_fork(const struct naive *n, uint64_t pos, struct naive *ret)
{
    naive_init(ret);
    ret->first = n->first;
    ret->end = pos;
    memcpy(ret->bytes, n->bytes, pos);
    for (size_t i = 0; i < n->ends_n && pos > n->first; i++)
        if (n->ends[i] <= pos)
            ret->ends[ret->ends_n++] = n->ends[i];
    bool cut = ret->ends_n == 0 || ret->ends[ret->ends_n - 1] != pos;
    if (pos > n->first && cut)
        ret->ends[ret->ends_n++] = pos;
}

static uint64_t naive_begin(const struct naive *n, uint64_t pos)
{
    uint64_t begin = n->first;
    for (size_t i = 0; i < n->ends_n && n->ends[i] <= pos; i++)
        begin = n->ends[i];
    return begin;
}

static uint64_t naive_end(const struct naive *n, uint64_t pos)
{
    for (size_t i = 0; i < n->ends_n; i++)
        if (n->ends[i] > pos)
            return n->ends[i];
    return UINT64_MAX;
}

static uint64_t naive_skip(const struct naive *n, uint64_t pos, uint64_t count,
                           uint64_t *ret_found)
{
    *ret_found = 0;
    for (size_t i = 0; i < n->ends_n; i++)
        if (n->ends[i] > pos && ++*ret_found == count)
            return n->ends[i];
    return n->end;
}

/* The program. */

static uint64_t any_pos(struct trial *t, const struct naive *n)
{
    if (n->ends_n > 0 && dice_one_in(&t->dice, 3))
        return n->ends[dice_below(&t->dice, n->ends_n)];
    return dice_between(&t->dice, n->first, n->end);
}

static size_t message_bytes(struct trial *t)
{
    switch (dice_below(&t->dice, 30)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return dice_between(&t->dice, 0, APPEND_BYTES);
    case 3:
        return BLOCK_64K_BYTES - 1 + dice_below(&t->dice, 3);
    case 4:
        return BLOCK_4K_BYTES - 1 + dice_below(&t->dice, 3);
    default:
        return dice_between(&t->dice, 0, 300);
    }
}

static size_t make_messages(struct trial *t)
{
    size_t n = dice_one_in(&t->dice, 10) ? MESSAGES_MAX : 3;
    size_t at = 0;
    size_t made = 0;
    n = dice_between(&t->dice, 0, n);
    for (; made < n; made++) {
        size_t len = message_bytes(t);
        if (len > sizeof t->text - at)
            break;
        memset(t->text + at, (int)dice_between(&t->dice, 'a', 'z'), len);
        if (len > 0)
            t->text[at + dice_below(&t->dice, len)] = (char)dice_roll(&t->dice);
        t->messages[made] = (struct str){t->text + at, len};
        at += len;
    }
    return made;
}

static void do_append(struct trial *t, struct pair *p)
{
    size_t n = make_messages(t);
    struct str suffix = dice_one_in(&t->dice, 3) ? STR("\n") : STR("");
    enum flow r =
        p->store->ops->append(p->store, &t->pool, t->messages, n, suffix);
    AGREE(t, r == FLOW_DONE || r == FLOW_NO_MEMORY);
    t->refused_n += r == FLOW_NO_MEMORY;
    for (size_t i = 0; i < n && r == FLOW_DONE; i++)
        naive_append(&p->naive, t->messages[i], suffix);
}

static void do_drop(struct trial *t, struct pair *p)
{
    struct naive *n = &p->naive;
    uint64_t pos = n->first;
    if (n->ends_n > 0)
        pos = n->ends[dice_below(&t->dice, n->ends_n)];
    p->store->ops->drop(p->store, pos);
    naive_drop(n, pos);
}

static void do_fork(struct trial *t, struct pair *p)
{
    if (t->pairs_n == STORES_MAX)
        return;
    uint64_t pos = any_pos(t, &p->naive);
    struct store *forked = p->store->ops->fork(p->store, pos);
    if (!forked) {
        t->refused_n++;
        return;
    }
    if (t->faulty)
        forked->ops = t->faulty;
    struct pair *to = &t->pairs[t->pairs_n++];
    to->store = forked;
    naive_fork(&p->naive, pos, &to->naive);
    t->forks_n++;
}

static void do_copy(struct trial *t, struct pair *p)
{
    const struct naive *n = &p->naive;
    static struct store_copy got;
    uint64_t pos = any_pos(t, n);
    uint64_t end = any_pos(t, n);
    size_t cap = dice_one_in(&t->dice, 3) ? dice_between(&t->dice, 1, 300)
                                          : COPY_BYTES_MAX;
    if (pos >= end)
        return;
    p->store->ops->copy(p->store, pos, end, t->out, cap, &got);
    uint64_t len = end - pos < cap ? end - pos : cap;
    size_t ends_n = 0;
    for (size_t i = 0; i < n->ends_n && ends_n < STORE_ENDS_MAX; i++) {
        if (n->ends[i] <= pos || n->ends[i] > pos + len)
            continue;
        AGREE(t, ends_n < got.ends_n && got.ends[ends_n] == n->ends[i] - pos);
        if (++ends_n == STORE_ENDS_MAX)
            len = n->ends[i] - pos;
    }
    AGREE(t, got.ends_n == ends_n && got.len == len);
    if (t->complaint[0] == '\0')
        AGREE(t, memcmp(t->out, n->bytes + pos, len) == 0);
}

static void give_back(struct trial *t, size_t i)
{
    struct lent *l = &t->lent[i];
    AGREE(t, memcmp(l->stretch.block->data + l->stretch.at, l->bytes,
                    l->stretch.len) == 0);
    block_unref(l->stretch.block);
    free(l->bytes);
    *l = t->lent[--t->lent_n];
}

static void do_stretch(struct trial *t, struct pair *p)
{
    uint64_t pos = any_pos(t, &p->naive);
    uint64_t end = any_pos(t, &p->naive);
    if (pos >= end)
        return;
    if (t->lent_n == LENT_MAX)
        give_back(t, dice_below(&t->dice, LENT_MAX));
    struct lent *l = &t->lent[t->lent_n++];
    p->store->ops->stretch(p->store, pos, end, &l->stretch);
    size_t len = l->stretch.len;
    AGREE(t, len >= 1 && len <= end - pos);
    l->bytes = malloc(len);
    assert_non_null(l->bytes);
    memcpy(l->bytes, p->naive.bytes + pos, len);
    AGREE(t,
          memcmp(l->stretch.block->data + l->stretch.at, l->bytes, len) == 0);
}

static void do_look(struct trial *t, struct pair *p)
{
    const struct naive *n = &p->naive;
    struct store *s = p->store;
    uint64_t pos = any_pos(t, n);
    uint64_t found;
    uint64_t should;
    uint64_t count = dice_one_in(&t->dice, 5)
                         ? UINT64_MAX
                         : dice_between(&t->dice, 1, n->ends_n + 2);
    AGREE(t, s->ops->message_begin(s, pos) == naive_begin(n, pos));
    if (pos < n->end)
        AGREE(t, s->ops->message_end(s, pos) == naive_end(n, pos));
    uint64_t to = s->ops->skip_messages(s, pos, count, &found);
    AGREE(t, to == naive_skip(n, pos, count, &should));
    AGREE(t, found == should);
}

static void do_free(struct trial *t, size_t i)
{
    struct pair *p = &t->pairs[i];
    p->store->ops->free(p->store);
    naive_fini(&p->naive);
    *p = t->pairs[--t->pairs_n];
}

static void do_new(struct trial *t)
{
    struct pair *p = &t->pairs[t->pairs_n++];
    p->store = memory_store_new();
    assert_non_null(p->store);
    if (t->faulty)
        p->store->ops = t->faulty;
    naive_init(&p->naive);
}

static void step(struct trial *t)
{
    if (t->pairs_n == 0)
        do_new(t);
    size_t i = dice_below(&t->dice, t->pairs_n);
    struct pair *p = &t->pairs[i];
    switch (dice_below(&t->dice, 24)) {
    case 0:
        do_drop(t, p);
        break;
    case 1:
        do_fork(t, p);
        break;
    case 2:
        if (dice_one_in(&t->dice, 10))
            do_free(t, i);
        return;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        do_copy(t, p);
        break;
    case 8:
    case 9:
        do_stretch(t, p);
        break;
    case 10:
    case 11:
    case 12:
    case 13:
        do_look(t, p);
        break;
    default:
        do_append(t, p);
    }
    AGREE(t, p->store->first == p->naive.first);
    AGREE(t, p->store->end == p->naive.end);
    AGREE(t, p->store->messages_n == p->naive.ends_n);
    bool full = p->naive.end > POSITIONS_MAX ||
                p->naive.ends_n + 2 * MESSAGES_MAX > ENDS_MAX;
    if (full)
        do_free(t, i);
}

static void run(struct trial *t, const struct store_ops *faulty, size_t steps)
{
    t->faulty = faulty;
    t->dice.state = dice_seed();
    budget_init(&t->budget, BUDGET_BYTES);
    block_pool_init(&t->pool,
                    &(struct block_pool_config){.name = "model",
                                                .budget = &t->budget,
                                                .keep_max = {4, 4, 4, 4},
                                                .track_all = true});
    for (size_t i = 0; i < steps && t->complaint[0] == '\0'; i++)
        step(t);
    while (t->lent_n > 0)
        give_back(t, 0);
    while (t->pairs_n > 0)
        do_free(t, 0);
    block_pool_fini(&t->pool);
    AGREE(t, atomic_load(&t->budget.used) == 0);
}

static struct trial *new_trial(void)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    return t;
}

static void stores_hold_what_was_appended(void **state)
{
    struct trial *t = new_trial();
    (void)state;
    run(t, NULL, STEPS);
    if (t->complaint[0] != '\0')
        fail_msg("%s", t->complaint);
    assert_in_range(t->forks_n, 100, STEPS);
    assert_in_range(t->refused_n, 100, STEPS);
    free(t);
}

/* Planted faults. */

static struct store_ops real;

static void learn_the_real_ones(void)
{
    struct store *s = memory_store_new();
    assert_non_null(s);
    real = *s->ops;
    s->ops->free(s);
}

static void is_noticed(const struct store_ops *faulty)
{
    struct trial *t = new_trial();
    run(t, faulty, PLANTED_STEPS);
    assert_string_not_equal(t->complaint, "");
    free(t);
}

static void copy_another_byte(struct store *s, uint64_t pos, uint64_t end,
                              char *out, size_t cap, struct store_copy *ret)
{
    real.copy(s, pos, end, out, cap, ret);
    out[ret->len - 1] ^= 1;
}

static void copy_without_an_end(struct store *s, uint64_t pos, uint64_t end,
                                char *out, size_t cap, struct store_copy *ret)
{
    real.copy(s, pos, end, out, cap, ret);
    ret->ends_n -= ret->ends_n > 0;
}

static enum flow append_one_less(struct store *s, struct block_pool *pool,
                                 const struct str *messages, size_t n,
                                 struct str suffix)
{
    return real.append(s, pool, messages, n > 1 ? n - 1 : n, suffix);
}

static void drop_nothing(struct store *s, uint64_t pos)
{
    (void)s;
    (void)pos;
}

/* As if the block were used again under the borrower's eyes. */
static void lend_a_byte_further(struct store *s, uint64_t pos, uint64_t end,
                                struct stretch *ret)
{
    real.stretch(s, pos, end, ret);
    ret->at += ret->at + ret->len < ret->block->cap;
}

static struct store *fork_all(struct store *s, uint64_t pos)
{
    (void)pos;
    return real.fork(s, s->end);
}

static uint64_t begin_of_the_next(struct store *s, uint64_t pos)
{
    return pos < s->end ? real.message_end(s, pos) : s->end;
}

static void faults_would_be_noticed(void **state)
{
    (void)state;
    learn_the_real_ones();
    for (int fault = 0; fault < 7; fault++) {
        struct store_ops faulty = real;
        if (fault == 0)
            faulty.copy = copy_another_byte;
        else if (fault == 1)
            faulty.copy = copy_without_an_end;
        else if (fault == 2)
            faulty.append = append_one_less;
        else if (fault == 3)
            faulty.drop = drop_nothing;
        else if (fault == 4)
            faulty.stretch = lend_a_byte_further;
        else if (fault == 5)
            faulty.fork = fork_all;
        else
            faulty.message_begin = begin_of_the_next;
        is_noticed(&faulty);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_hold_what_was_appended),
        cmocka_unit_test(faults_would_be_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
