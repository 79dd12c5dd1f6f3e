#include "httpd/streams/producers.h"
#include "httpd/streams/stream_append.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct producer_claim claim(const char *id, uint64_t epoch, uint64_t seq)
{
    return (struct producer_claim){str_from(id), epoch, seq};
}

static enum append_result check(struct producers *p, const char *id,
                                uint64_t epoch, uint64_t seq,
                                struct append_outcome *ret)
{
    struct producer_claim c = claim(id, epoch, seq);
    *ret = (struct append_outcome){0};
    return producers_check(p, &c, ret);
}

/* As an append does it. */
static enum append_result append_at(struct producers *p, const char *id,
                                    uint64_t epoch, uint64_t seq, uint64_t ms)
{
    struct append_outcome out;
    struct producer_claim c = claim(id, epoch, seq);
    enum append_result r = check(p, id, epoch, seq, &out);
    if (r == APPEND_DONE)
        r = producers_prepare(p, &c, NULL, ms);
    if (r == APPEND_DONE)
        producers_accept(p, &c, false, ms);
    return r;
}

static enum append_result append(struct producers *p, const char *id,
                                 uint64_t epoch, uint64_t seq)
{
    return append_at(p, id, epoch, seq, 1);
}

static void unknown_producer_begins_with_seq_0_at_any_epoch(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    assert_int_equal(check(&p, "a", 7, 3, &out), APPEND_SEQ_GAP);
    assert_int_equal(out.expected_seq, 0);
    assert_int_equal(check(&p, "a", 7, 0, &out), APPEND_DONE);
    assert_int_equal(append(&p, "a", 7, 0), APPEND_DONE);
    assert_int_equal(append(&p, "b", 0, 0), APPEND_DONE);
    producers_fini(&p);
}

static void next_seq_is_new_and_is_told_back(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    assert_int_equal(append(&p, "a", 2, 0), APPEND_DONE);
    assert_int_equal(check(&p, "a", 2, 1, &out), APPEND_DONE);
    assert_int_equal(out.epoch, 2);
    assert_int_equal(out.seq, 1);
    assert_int_equal(append(&p, "a", 2, 1), APPEND_DONE);
    assert_int_equal(append(&p, "a", 2, 2), APPEND_DONE);
    producers_fini(&p);
}

static void what_was_accepted_before_is_a_duplicate(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    for (uint64_t seq = 0; seq < 4; seq++)
        assert_int_equal(append(&p, "a", 0, seq), APPEND_DONE);
    for (uint64_t seq = 0; seq < 4; seq++) {
        assert_int_equal(check(&p, "a", 0, seq, &out), APPEND_DUPLICATE);
        assert_int_equal(out.seq, 3);
        assert_int_equal(out.epoch, 0);
    }
    producers_fini(&p);
}

static void gap_names_what_was_expected(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    assert_int_equal(append(&p, "a", 0, 0), APPEND_DONE);
    assert_int_equal(check(&p, "a", 0, 5, &out), APPEND_SEQ_GAP);
    assert_int_equal(out.expected_seq, 1);
    assert_int_equal(out.seq, 0);
    producers_fini(&p);
}

static void lower_epoch_is_fenced_and_learns_the_current_one(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    assert_int_equal(append(&p, "a", 5, 0), APPEND_DONE);
    assert_int_equal(check(&p, "a", 4, 0, &out), APPEND_FENCED);
    assert_int_equal(out.epoch, 5);
    assert_int_equal(check(&p, "a", 4, 1, &out), APPEND_FENCED);
    producers_fini(&p);
}

static void higher_epoch_begins_with_seq_0(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    assert_int_equal(append(&p, "a", 1, 0), APPEND_DONE);
    assert_int_equal(append(&p, "a", 1, 1), APPEND_DONE);
    assert_int_equal(check(&p, "a", 2, 2, &out), APPEND_BAD_EPOCH);
    assert_int_equal(append(&p, "a", 2, 0), APPEND_DONE);
    assert_int_equal(check(&p, "a", 1, 2, &out), APPEND_FENCED);
    assert_int_equal(out.epoch, 2);
    assert_int_equal(append(&p, "a", 2, 1), APPEND_DONE);
    producers_fini(&p);
}

static void largest_numbers_are_numbers(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    assert_int_equal(append(&p, "a", PRODUCER_NUMBER_MAX, 0), APPEND_DONE);
    assert_int_equal(
        check(&p, "a", PRODUCER_NUMBER_MAX, PRODUCER_NUMBER_MAX, &out),
        APPEND_SEQ_GAP);
    assert_int_equal(out.expected_seq, 1);
    producers_fini(&p);
}

static void append_that_fails_moves_nothing(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    struct producer_claim first = claim("a", 0, 0);
    struct producer_claim other = claim("longer", 3, 0);
    producers_init(&p);
    assert_int_equal(producers_prepare(&p, &first, NULL, 1), APPEND_DONE);
    assert_int_equal(producers_prepare(&p, &other, NULL, 1), APPEND_DONE);
    assert_int_equal(p.n, 0);
    assert_int_equal(check(&p, "a", 0, 1, &out), APPEND_SEQ_GAP);
    producers_accept(&p, &other, false, 1);
    assert_int_equal(p.n, 1);
    assert_int_equal(check(&p, "longer", 3, 0, &out), APPEND_DUPLICATE);
    assert_int_equal(check(&p, "a", 0, 0, &out), APPEND_DONE);
    producers_fini(&p);
}

static void ids_are_told_apart_to_the_last_byte(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    assert_int_equal(append(&p, "ab", 0, 0), APPEND_DONE);
    assert_int_equal(check(&p, "a", 0, 0, &out), APPEND_DONE);
    assert_int_equal(check(&p, "abc", 0, 0, &out), APPEND_DONE);
    assert_int_equal(check(&p, "aB", 0, 0, &out), APPEND_DONE);
    assert_int_equal(check(&p, "ab", 0, 0, &out), APPEND_DUPLICATE);
    producers_fini(&p);
}

static void id_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct producers p;
    char id[PRODUCER_ID_BYTES_MAX + 2];
    producers_init(&p);
    memset(id, 'x', sizeof id);
    id[PRODUCER_ID_BYTES_MAX + 1] = '\0';
    assert_int_equal(append(&p, id, 0, 0), APPEND_PRODUCERS);
    id[PRODUCER_ID_BYTES_MAX] = '\0';
    assert_int_equal(append(&p, id, 0, 0), APPEND_DONE);
    producers_fini(&p);
}

static void fill(struct producers *p)
{
    char id[16];
    for (unsigned i = 0; i < PRODUCERS_MAX; i++) {
        snprintf(id, sizeof id, "p%u", i);
        assert_int_equal(append_at(p, id, 1, 0, 1000 + i), APPEND_DONE);
    }
    assert_int_equal(p->n, PRODUCERS_MAX);
}

static void too_many_are_refused_while_all_are_in_use(void **state)
{
    (void)state;
    struct producers p;
    producers_init(&p);
    fill(&p);
    uint64_t later = 1000 + PRODUCER_IDLE_MS;
    assert_int_equal(append_at(&p, "new", 0, 0, later - 1), APPEND_PRODUCERS);
    assert_int_equal(append_at(&p, "p9", 1, 1, later - 1), APPEND_DONE);
    producers_fini(&p);
}

static void longest_silent_one_yields_after_a_week(void **state)
{
    (void)state;
    struct producers p;
    struct append_outcome out;
    producers_init(&p);
    fill(&p);
    uint64_t later = 1000 + PRODUCER_IDLE_MS;
    assert_int_equal(append_at(&p, "p0", 1, 1, later), APPEND_DONE);
    assert_int_equal(append_at(&p, "new", 0, 0, later), APPEND_PRODUCERS);
    assert_int_equal(append_at(&p, "new", 0, 0, later + 1), APPEND_DONE);
    assert_int_equal(p.n, PRODUCERS_MAX);
    assert_int_equal(check(&p, "new", 0, 0, &out), APPEND_DUPLICATE);
    assert_int_equal(check(&p, "p0", 1, 1, &out), APPEND_DUPLICATE);
    assert_int_equal(check(&p, "p1", 1, 0, &out), APPEND_DONE);
    assert_int_equal(check(&p, "p2", 1, 0, &out), APPEND_DUPLICATE);
    producers_fini(&p);
}

static void only_the_claim_that_closed_is_known_as_closer(void **state)
{
    (void)state;
    struct producers p;
    struct producer_claim last = claim("a", 2, 1);
    struct producer_claim before = claim("a", 2, 0);
    struct producer_claim epoch = claim("a", 3, 1);
    struct producer_claim other = claim("b", 2, 1);
    producers_init(&p);
    assert_int_equal(append(&p, "b", 2, 0), APPEND_DONE);
    assert_int_equal(append(&p, "b", 2, 1), APPEND_DONE);
    assert_int_equal(append(&p, "a", 2, 0), APPEND_DONE);
    assert_false(producers_closed_by(&p, &before));
    assert_int_equal(producers_prepare(&p, &last, NULL, 1), APPEND_DONE);
    producers_accept(&p, &last, true, 1);
    assert_true(producers_closed_by(&p, &last));
    assert_false(producers_closed_by(&p, &before));
    assert_false(producers_closed_by(&p, &epoch));
    assert_false(producers_closed_by(&p, &other));
    producers_fini(&p);
}

/* What the table and the ids take, as it is charged. */
static uint64_t held(const struct producers *p)
{
    uint64_t sum = p->cap * sizeof *p->at + p->spare_bytes;
    for (size_t i = 0; i < p->n; i++)
        sum += p->at[i].id_len + 1;
    return sum;
}

static enum append_result append_of(struct producers *p, struct budget *budget,
                                    const char *id, uint64_t ms)
{
    struct producer_claim c = claim(id, 0, 0);
    enum append_result r = producers_prepare(p, &c, budget, ms);
    assert_int_equal(budget->used_by[BUDGET_STREAM], held(p));
    if (r == APPEND_DONE)
        producers_accept(p, &c, false, ms);
    assert_int_equal(budget->used, held(p));
    return r;
}

static void each_is_charged_and_given_back(void **state)
{
    (void)state;
    struct producers p;
    struct budget budget;
    char id[PRODUCER_ID_BYTES_MAX + 1];
    budget_init(&budget, 1u << 20);
    producers_init(&p);
    for (unsigned i = 0; i < PRODUCERS_MAX; i++) {
        snprintf(id, sizeof id, "%0*u", (int)(1 + i % PRODUCER_ID_BYTES_MAX),
                 100000 + i);
        assert_int_equal(append_of(&p, &budget, id, 1), APPEND_DONE);
    }
    /* One yields, and its bytes with it. */
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    assert_int_equal(append_of(&p, &budget, id, 1 + PRODUCER_IDLE_MS),
                     APPEND_DONE);
    producers_fini(&p);
    assert_int_equal(budget.used, 0);
}

static void one_that_was_prepared_for_nothing_is_charged_once(void **state)
{
    (void)state;
    struct producers p;
    struct budget budget;
    struct producer_claim first = claim("a", 0, 0);
    struct producer_claim other = claim("longer", 0, 0);
    budget_init(&budget, 1u << 20);
    producers_init(&p);
    assert_int_equal(producers_prepare(&p, &first, &budget, 1), APPEND_DONE);
    assert_int_equal(producers_prepare(&p, &other, &budget, 1), APPEND_DONE);
    assert_int_equal(budget.used, held(&p));
    assert_int_equal(p.spare_bytes, sizeof "longer");
    producers_fini(&p);
    assert_int_equal(budget.used, 0);
}

/* Neither the table nor the id; who is known goes on. */
static void short_memory_refuses_new_ones_only(void **state)
{
    (void)state;
    struct producers p;
    struct budget budget;
    struct producer_claim again = claim("0", 0, 1);
    char id[2] = "0";
    budget_init(&budget, 1u << 20);
    producers_init(&p);
    for (; id[0] < '4'; id[0]++)
        assert_int_equal(append_of(&p, &budget, id, 1), APPEND_DONE);
    uint64_t free_bytes = budget_limit_of(&budget, BUDGET_STREAM) - budget.used;
    size_t growth = p.cap * sizeof *p.at;
    assert_int_equal(p.n, p.cap);
    assert_true(
        budget_take(&budget, BUDGET_LEAVING, (size_t)free_bytes - growth + 1));
    struct producer_claim new = claim("new", 0, 0);
    assert_int_equal(producers_prepare(&p, &new, &budget, 1), APPEND_NO_MEMORY);
    budget_give(&budget, BUDGET_LEAVING, 2);
    assert_int_equal(producers_prepare(&p, &new, &budget, 1), APPEND_NO_MEMORY);
    assert_int_equal(p.n, 4);
    assert_int_equal(budget.used_by[BUDGET_STREAM], held(&p));
    assert_int_equal(producers_prepare(&p, &again, &budget, 1), APPEND_DONE);
    budget_give(&budget, BUDGET_LEAVING, sizeof "new");
    assert_int_equal(producers_prepare(&p, &new, &budget, 1), APPEND_DONE);
    producers_fini(&p);
    assert_int_equal(budget.used, budget.used_by[BUDGET_LEAVING]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_producer_begins_with_seq_0_at_any_epoch),
        cmocka_unit_test(next_seq_is_new_and_is_told_back),
        cmocka_unit_test(what_was_accepted_before_is_a_duplicate),
        cmocka_unit_test(gap_names_what_was_expected),
        cmocka_unit_test(lower_epoch_is_fenced_and_learns_the_current_one),
        cmocka_unit_test(higher_epoch_begins_with_seq_0),
        cmocka_unit_test(largest_numbers_are_numbers),
        cmocka_unit_test(append_that_fails_moves_nothing),
        cmocka_unit_test(ids_are_told_apart_to_the_last_byte),
        cmocka_unit_test(id_that_is_too_long_is_refused),
        cmocka_unit_test(too_many_are_refused_while_all_are_in_use),
        cmocka_unit_test(longest_silent_one_yields_after_a_week),
        cmocka_unit_test(only_the_claim_that_closed_is_known_as_closer),
        cmocka_unit_test(each_is_charged_and_given_back),
        cmocka_unit_test(one_that_was_prepared_for_nothing_is_charged_once),
        cmocka_unit_test(short_memory_refuses_new_ones_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
