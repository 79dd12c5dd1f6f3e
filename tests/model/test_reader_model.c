/* Random readers on random sockets against what was published. TEST_SEED in
 * the environment picks others. */
#include "tests/model/reader_trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TRIALS           250u
#define TRIALS_TO_NOTICE 200u

static void each_reader_gets_what_was_published_or_is_told(void **state)
{
    struct trial *t = trial_new(NULL);
    (void)state;
    for (; t->number < TRIALS && t->complaint[0] == '\0'; t->number++)
        trial_run(t, TRIAL_ACTS);
    if (t->complaint[0] != '\0')
        fail_msg("%s", t->complaint);
    trial_free(t);
}

/* Passes are cut by what a turn may send. */
static void so_does_each_of_a_crowd(void **state)
{
    struct trial *t = trial_new(NULL);
    (void)state;
    t->crowded = true;
    t->fans_max = TRIAL_CROWD;
    for (; t->number < 4 && t->complaint[0] == '\0'; t->number++)
        trial_run(t, TRIAL_ACTS);
    if (t->complaint[0] != '\0')
        fail_msg("%s", t->complaint);
    trial_free(t);
}

/* Harm. */

static void skip_a_byte(struct trial *t)
{
    struct stream_state now;
    stream_look(t->a.s, &now);
    for (size_t i = 0; i < t->fans_n; i++) {
        struct reader *r = &t->fans[i].p->reader;
        if (t->fans[i].p->follows && r->place == READER_BEHIND &&
            r->pos + 1 < now.tail)
            r->pos++;
    }
}

static void skip_a_byte_of_the_view(struct trial *t)
{
    for (size_t i = 0; i < t->fans_n; i++) {
        struct reader *r = &t->fans[i].p->reader;
        if (t->fans[i].p->follows && r->place == READER_BLOCKED &&
            r->view_pos < r->view->end)
            r->view_pos++;
    }
}

static void damage_the_ring(struct trial *t)
{
    struct view *v = audience_view(&t->a);
    if (v && v->end > v->begin)
        v->ring[(v->end - 1) & (v->cap - 1)] ^= 1;
}

static void shorten_a_remnant(struct trial *t)
{
    for (size_t i = 0; i < t->fans_n; i++) {
        struct reader *r = &t->fans[i].p->reader;
        if (t->fans[i].p->follows && r->remnant_len > 1) {
            r->remnant_len--;
            hub_discharge_view(t->a.worker.hub, 1);
        }
    }
}

static void forget_who_was_woken(struct trial *t)
{
    struct fan *f = trial_any_fan(t);
    if (f)
        worker_unready(&t->a.worker, &f->p->ready);
}

static void lose_the_last_byte_on_the_way(struct trial *t)
{
    struct fan *f = trial_any_fan(t);
    if (f && f->p->got.len > 0)
        f->p->got.len--;
}

static void tell_nobody_that_it_ended(struct trial *t)
{
    struct view *v = audience_view(&t->a);
    if (v)
        v->told_closed = true;
}

static void every_planted_harm_is_noticed(void **state)
{
    static sabotage *const harms[] = {
        skip_a_byte,
        skip_a_byte_of_the_view,
        damage_the_ring,
        shorten_a_remnant,
        forget_who_was_woken,

        tell_nobody_that_it_ended,
        lose_the_last_byte_on_the_way,
    };
    (void)state;
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        struct trial *t = trial_new(harms[i]);
        for (; t->number < TRIALS_TO_NOTICE && t->complaint[0] == '\0';
             t->number++)
            trial_run(t, TRIAL_ACTS);
        if (t->complaint[0] == '\0')
            fail_msg("harm %zu is not noticed", i);
        trial_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reader_gets_what_was_published_or_is_told),
        cmocka_unit_test(so_does_each_of_a_crowd),
        cmocka_unit_test(every_planted_harm_is_noticed),
    };
    print_message("TEST_SEED=%llu\n", (unsigned long long)dice_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
