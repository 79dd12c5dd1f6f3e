#include "buffers/advisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS  777000u
#define SECOND_MS 1000u
#define MINUTE    60
#define HOUR      3600

struct fixture {
    struct advisor a;
    struct knob level;
    struct knob size;
    uint64_t now_ms;
    int told_n;
    char knob[32];
    char reason[ADVISOR_REASON_BYTES];
    uint64_t from;
    uint64_t to;
    uint64_t applied;
    uint64_t value_when_told;
};

static void on_advice(void *arg, const struct advice *advice)
{
    struct fixture *f = arg;
    f->told_n++;
    snprintf(f->knob, sizeof f->knob, "%s", advice->knob);
    snprintf(f->reason, sizeof f->reason, "%s", advice->reason);
    f->from = advice->from;
    f->to = advice->to;
    f->value_when_told =
        knob_value(advice->knob == f->level.name ? &f->level : &f->size);
    assert_true(advice->from != advice->to);
}

static void apply(void *self, uint64_t value)
{
    struct fixture *f = self;
    assert_int_equal(value, f->to);
    f->applied = value;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->now_ms = START_MS;
    advisor_init(&f->a, ADVISOR_WINDOW_MS, on_advice, f);
    f->level = (struct knob){.name = "pool/64k/keep",
                             .unit = "blocks",
                             .kind = KNOB_LEVEL,
                             .min = 4,
                             .max = 1000,
                             .value = 64,
                             .self = f,
                             .apply = apply};
    f->size = (struct knob){.name = "read",
                            .unit = "bytes",
                            .kind = KNOB_SIZE,
                            .min = 4096,
                            .max = 262144,
                            .value = 16384};
    assert_true(advisor_add(&f->a, &f->level));
    assert_true(advisor_add(&f->a, &f->size));
    advisor_tick(&f->a, f->now_ms);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    advisor_remove(&f->a, &f->level);
    advisor_remove(&f->a, &f->size);
    advisor_fini(&f->a);
    free(f);
    return 0;
}

static void check(struct fixture *f)
{
    assert_in_range(knob_value(&f->level), f->level.min, f->level.max);
    assert_in_range(knob_value(&f->size), f->size.min, f->size.max);
}

static void tick(struct fixture *f)
{
    f->now_ms += SECOND_MS;
    advisor_tick(&f->a, f->now_ms);
    check(f);
}

/* So many seconds of one height. */
static void level_for(struct fixture *f, uint64_t demand, int seconds)
{
    for (int s = 0; s < seconds; s++) {
        knob_observe_level(&f->level, demand);
        tick(f);
    }
}

/* A source that hands out bursts: each is read until a read comes back short,
 * as many reads of the knob's size as it takes. */
static void read_burst(struct fixture *f, uint64_t bytes)
{
    for (;;) {
        uint64_t asked = knob_value(&f->size);
        uint64_t got = bytes < asked ? bytes : asked;
        knob_observe_size(&f->size, asked, got);
        bytes -= got;
        if (got < asked)
            return;
    }
}

/* Meanwhile the level stands where it is. */
static void read_for(struct fixture *f, uint64_t bytes, int seconds)
{
    for (int s = 0; s < seconds; s++) {
        knob_observe_level(&f->level, 60);
        for (int i = 0; i < 20; i++)
            read_burst(f, bytes);
        tick(f);
    }
}

static void silent(struct fixture *f)
{
    assert_int_equal(f->told_n, 0);
}

static void a_level_that_was_passed_rises_at_the_next_tick(void **state)
{
    struct fixture *f = *state;
    level_for(f, 64, 1);
    silent(f);
    level_for(f, 65, 1);
    assert_int_equal(f->told_n, 1);
    assert_int_equal(knob_value(&f->level), 65 + 17);
    assert_int_equal(f->applied, 65 + 17);
}

static void a_level_falls_when_all_windows_agree(void **state)
{
    struct fixture *f = *state;
    level_for(f, 37, 29);
    silent(f);
    level_for(f, 37, 1);
    assert_int_equal(f->told_n, 1);
    assert_int_equal(knob_value(&f->level), 47);
    assert_string_equal(f->knob, "pool/64k/keep");
    assert_string_equal(f->reason,
                        "at most 37 blocks were in use in the last 30 s; "
                        "47 are kept instead of 64");
}

static void a_change_is_told_before_it_is_made(void **state)
{
    struct fixture *f = *state;
    level_for(f, 100, 1);
    assert_int_equal(f->from, 64);
    assert_int_equal(f->value_when_told, 64);
    assert_int_equal(f->to, knob_value(&f->level));
    assert_int_equal(f->a.changes_n, 1);
}

static void one_burst_in_the_windows_keeps_a_level(void **state)
{
    struct fixture *f = *state;
    level_for(f, 100, 1);
    f->told_n = 0;
    for (int i = 0; i < 200; i++) {
        level_for(f, 100, 1);
        level_for(f, 2, 23);
    }
    silent(f);
    assert_int_equal(knob_value(&f->level), 125);
}

static void a_steady_level_settles(void **state)
{
    struct fixture *f = *state;
    level_for(f, 37, HOUR);
    assert_int_equal(f->told_n, 1);
}

static void a_level_is_not_turned_for_less_than_an_eighth(void **state)
{
    struct fixture *f = *state;
    level_for(f, 45, MINUTE);
    silent(f);
    level_for(f, 44, MINUTE);
    assert_int_equal(knob_value(&f->level), 55);
}

static void a_level_that_trembles_settles(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 1;
    level_for(f, 200, MINUTE);
    f->told_n = 0;
    for (int s = 0; s < HOUR; s++)
        level_for(f, 180 + (uint64_t)rand_r(&seed) % 40, 1);
    assert_in_range(f->told_n, 0, 1);
    assert_in_range(knob_value(&f->level), 220, 275);
}

static void a_level_without_demand_falls_to_the_least(void **state)
{
    struct fixture *f = *state;
    for (int s = 0; s < MINUTE; s++)
        tick(f);
    assert_int_equal(knob_value(&f->level), 4);
    assert_non_null(strstr(f->reason, "the least that is allowed"));
}

static void a_level_stays_below_the_most(void **state)
{
    struct fixture *f = *state;
    level_for(f, UINT64_MAX, 3);
    assert_int_equal(knob_value(&f->level), 1000);
    assert_int_equal(f->told_n, 1);
    assert_non_null(strstr(f->reason, "the most that is allowed"));
}

static void a_level_without_limits_does_not_wrap(void **state)
{
    struct fixture *f = *state;
    struct knob k = {.name = "wide", .max = UINT64_MAX};
    assert_true(advisor_add(&f->a, &k));
    knob_observe_level(&k, UINT64_MAX - 1);
    tick(f);
    assert_int_equal(knob_value(&k), UINT64_MAX);
    advisor_remove(&f->a, &k);
}

static void a_size_that_most_reads_fill_doubles_each_window(void **state)
{
    struct fixture *f = *state;
    read_for(f, 1000000, 5);
    assert_int_equal(knob_value(&f->size), 32768);
    assert_string_equal(f->reason,
                        "6100 of 6200 operations used all of their 16384 "
                        "bytes; 32768 are asked for from now on");
    read_for(f, 1000000, 5);
    assert_int_equal(knob_value(&f->size), 65536);
    read_for(f, 1000000, MINUTE);
    assert_int_equal(knob_value(&f->size), 262144);
    assert_int_equal(f->told_n, 4);
    assert_non_null(strstr(f->reason, "the most that is allowed"));
}

static void a_size_that_hardly_any_read_uses_is_halved(void **state)
{
    struct fixture *f = *state;
    read_for(f, 100, 29);
    silent(f);
    read_for(f, 100, 1);
    assert_int_equal(knob_value(&f->size), 8192);
    assert_string_equal(f->reason,
                        "in the last 30 s at most 0 % of the operations used "
                        "half or more of their 16384 bytes; 8192 are asked for "
                        "from now on");
    read_for(f, 100, 29);
    assert_int_equal(knob_value(&f->size), 8192);
    read_for(f, 100, MINUTE);
    assert_int_equal(knob_value(&f->size), 4096);
    assert_int_equal(f->told_n, 2);
}

/* Every load that stays the same must find its size within the first minutes
 * and leave it alone from then on. */
static void a_steady_load_of_any_burst_settles(void **state)
{
    struct fixture *f = *state;
    for (uint64_t bytes = 500; bytes < 600000; bytes += bytes / 3) {
        read_for(f, bytes, 5 * MINUTE);
        f->told_n = 0;
        read_for(f, bytes, 5 * MINUTE);
        silent(f);
    }
    for (uint64_t bytes = 4096; bytes <= 262144; bytes *= 2) {
        read_for(f, bytes, 5 * MINUTE);
        f->told_n = 0;
        read_for(f, bytes, 5 * MINUTE);
        silent(f);
    }
}

static void a_mixed_load_settles(void **state)
{
    struct fixture *f = *state;
    for (int share = 1; share < 100; share += 7) {
        for (int s = 0; s < 600; s++) {
            if (s == 300)
                f->told_n = 0;
            for (int i = 0; i < 100; i++)
                read_burst(f, i < share ? 3000000 : 50);
            level_for(f, 60, 1);
        }
        silent(f);
    }
}

static void a_size_that_one_read_in_ten_uses_stays(void **state)
{
    struct fixture *f = *state;
    for (int s = 0; s < 2 * MINUTE; s++) {
        for (int i = 0; i < 100; i++)
            read_burst(f, i < 10 ? 8192 : 50);
        level_for(f, 60, 1);
    }
    silent(f);
    for (int s = 0; s < 40; s++) {
        for (int i = 0; i < 100; i++)
            read_burst(f, i < 5 ? 8192 : 50);
        level_for(f, 60, 1);
    }
    assert_int_equal(knob_value(&f->size), 8192);
}

static void a_burst_now_and_then_keeps_a_size(void **state)
{
    struct fixture *f = *state;
    read_for(f, 1000000, MINUTE);
    f->told_n = 0;
    for (int i = 0; i < 100; i++) {
        read_for(f, 1000000, 5);
        read_for(f, 100, 20);
    }
    silent(f);
}

static void a_few_reads_are_gathered_until_they_tell_something(void **state)
{
    struct fixture *f = *state;
    for (int window = 0; window < 2; window++) {
        for (int i = 0; i < 8; i++)
            knob_observe_size(&f->size, 16384, 16384);
        silent(f);
        for (int s = 0; s < 5; s++)
            tick(f);
    }
    assert_int_equal(knob_value(&f->size), 32768);
    assert_non_null(strstr(f->reason, "16 of 16 "));
}

static void a_size_at_rest_stays(void **state)
{
    struct fixture *f = *state;
    for (int s = 0; s < HOUR; s++)
        level_for(f, 60, 1);
    silent(f);
    assert_int_equal(knob_value(&f->size), 16384);
}

static void an_operation_of_another_size_tells_nothing(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1000; i++)
        knob_observe_size(&f->size, 4096, 4096);
    for (int s = 0; s < 10; s++)
        tick(f);
    assert_int_equal(knob_value(&f->size), 16384);
}

static void switched_off_it_watches_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    advisor_enable(&f->a, false);
    read_for(f, 1000000, MINUTE);
    level_for(f, 500, MINUTE);
    level_for(f, 10, MINUTE);
    silent(f);
    assert_int_equal(knob_value(&f->level), 64);
    advisor_enable(&f->a, true);
    level_for(f, 10, 5);
    assert_int_equal(knob_value(&f->level), 13);
}

static void a_value_is_brought_within_its_limits(void **state)
{
    struct fixture *f = *state;
    struct knob low = {.name = "low", .min = 5, .max = 9, .value = 1};
    struct knob high = {.name = "high", .min = 5, .max = 9, .value = 10};
    assert_true(advisor_add(&f->a, &low));
    assert_true(advisor_add(&f->a, &high));
    assert_int_equal(knob_value(&low), 5);
    assert_int_equal(knob_value(&high), 9);
    advisor_remove(&f->a, &low);
    advisor_remove(&f->a, &high);
    silent(f);
}

static void a_removed_knob_is_left_alone(void **state)
{
    struct fixture *f = *state;
    advisor_remove(&f->a, &f->level);
    advisor_remove(&f->a, &f->level);
    level_for(f, 500, MINUTE);
    silent(f);
    assert_true(advisor_add(&f->a, &f->level));
    level_for(f, 500, 1);
    assert_int_equal(f->told_n, 1);
}

static void a_full_advisor_refuses(void **state)
{
    struct fixture *f = *state;
    struct knob *many = calloc(ADVISOR_KNOBS_MAX, sizeof *many);
    struct knob extra = {.name = "extra", .max = 1};
    unsigned room = ADVISOR_KNOBS_MAX - (unsigned)f->a.knobs_n;
    assert_non_null(many);
    for (unsigned i = 0; i < room; i++) {
        many[i] = (struct knob){.name = "one of many", .max = 1};
        assert_true(advisor_add(&f->a, &many[i]));
    }
    assert_false(advisor_add(&f->a, &extra));
    advisor_remove(&f->a, &extra);
    for (unsigned i = 0; i < room; i++)
        advisor_remove(&f->a, &many[i]);
    free(many);
}

static void a_late_tick_is_one_long_window(void **state)
{
    struct fixture *f = *state;
    level_for(f, 60, MINUTE);
    f->now_ms += HOUR * SECOND_MS;
    level_for(f, 1, 24);
    silent(f);
    assert_int_equal(knob_value(&f->level), 64);
    level_for(f, 1, 5);
    assert_int_equal(knob_value(&f->level), 4);
}

static void *observe(void *arg)
{
    struct fixture *f = arg;
    for (uint64_t i = 0; i < 100000; i++)
        knob_observe_level(&f->level, i % 900);
    return NULL;
}

static void any_thread_may_observe(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, observe, f), 0);
    for (int i = 0; i < 1000; i++) {
        read_burst(f, 40000);
        advisor_tick(&f->a, f->now_ms);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    tick(f);
    /* What a tick saw half way decides how much is put on top. */
    assert_in_range(knob_value(&f->level), 899, 1000);
    assert_int_equal(f->level.demand_max, 899);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void what_the_operator_pins_stays(void **state)
{
    struct fixture *f = *state;
    advisor_pin(&f->a, &f->size, 5000);
    assert_int_equal(knob_value(&f->size), 5000);
    for (int i = 0; i < 60; i++) {
        for (int n = 0; n < 100; n++)
            knob_observe_size(&f->size, 5000, 5000);
        tick(f);
    }
    assert_int_equal(knob_value(&f->size), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_level_that_was_passed_rises_at_the_next_tick),
        TEST(what_the_operator_pins_stays),
        TEST(a_level_falls_when_all_windows_agree),
        TEST(a_change_is_told_before_it_is_made),
        TEST(one_burst_in_the_windows_keeps_a_level),
        TEST(a_steady_level_settles),
        TEST(a_level_is_not_turned_for_less_than_an_eighth),
        TEST(a_level_that_trembles_settles),
        TEST(a_level_without_demand_falls_to_the_least),
        TEST(a_level_stays_below_the_most),
        TEST(a_level_without_limits_does_not_wrap),
        TEST(a_size_that_most_reads_fill_doubles_each_window),
        TEST(a_size_that_hardly_any_read_uses_is_halved),
        TEST(a_steady_load_of_any_burst_settles),
        TEST(a_mixed_load_settles),
        TEST(a_size_that_one_read_in_ten_uses_stays),
        TEST(a_burst_now_and_then_keeps_a_size),
        TEST(a_few_reads_are_gathered_until_they_tell_something),
        TEST(a_size_at_rest_stays),
        TEST(an_operation_of_another_size_tells_nothing),
        TEST(switched_off_it_watches_and_changes_nothing),
        TEST(a_value_is_brought_within_its_limits),
        TEST(a_removed_knob_is_left_alone),
        TEST(a_full_advisor_refuses),
        TEST(a_late_tick_is_one_long_window),
        TEST(any_thread_may_observe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
