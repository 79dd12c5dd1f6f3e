#include "buffers/monitor.h"
#include "tests/support/monitored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define SECOND_MS   1000u
#define LONG_AGO_MS 1000000u

static void an_alert_says_all_there_is_to_say(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUDGET, "budget");
    t->report.used = 93;
    monitored_tick(f, SECOND_MS);
    const struct alert *a = monitored_told(f, ALERT_MEMORY, false);
    assert_int_equal(a->severity, ALERT_WARNING);
    assert_string_equal(a->rule_name, "memory");
    assert_string_equal(a->entry, "thing");
    assert_int_equal(a->value, 93);
    assert_int_equal(a->since_ms, f->now_ms);
    assert_true(strlen(a->means) > 10 && strlen(a->cure) > 10);
    assert_null(a->suspect);
}

static void an_alert_that_hovers_is_told_once(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUDGET, "budget");
    t->report.used = 90;
    monitored_tick(f, SECOND_MS);
    uint64_t since_ms = monitored_told(f, ALERT_MEMORY, false)->since_ms;
    for (int i = 0; i < 20; i++) {
        t->report.used = i % 2 ? 95 : 81;
        monitored_tick(f, SECOND_MS);
        monitored_silent(f);
    }
    t->report.used = 80;
    monitored_tick(f, SECOND_MS);
    const struct alert *a = monitored_told(f, ALERT_MEMORY, true);
    assert_int_equal(a->value, 80);
    assert_int_equal(a->since_ms, since_ms);
    t->report.used = 89;
    monitored_tick(f, SECOND_MS);
    monitored_silent(f);
}

static void fill_must_last_before_it_is_told(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUFFER, "block");
    t->report.used = 100;
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, 4999);
    monitored_silent(f);
    t->report.used = 94;
    monitored_tick(f, 1);
    t->report.used = 100;
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, 4999);
    monitored_silent(f);
    monitored_tick(f, 1);
    monitored_told(f, ALERT_FILL, false);
}

static void a_ring_may_be_full_and_old(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUFFER, "ring");
    t->report.used = 100;
    t->report.oldest_ms = 90000;
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, LONG_AGO_MS);
    monitored_silent(f);
}

static void a_buffer_without_a_bound_is_never_full(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUFFER, "growable");
    t->report.used = UINT64_MAX;
    t->report.bound = 0;
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, LONG_AGO_MS);
    monitored_silent(f);
}

static void a_bound_that_is_lifted_ends_the_alert(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUDGET, "budget");
    t->report.used = 99;
    monitored_tick(f, SECOND_MS);
    monitored_told(f, ALERT_MEMORY, false);
    t->report.bound = 0;
    monitored_tick(f, SECOND_MS);
    assert_int_equal(monitored_told(f, ALERT_MEMORY, true)->value, 99);
}

static void huge_numbers_do_not_wrap(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUDGET, "budget");
    t->report.used = UINT64_MAX / 100 * 92;
    t->report.bound = UINT64_MAX;
    monitored_tick(f, SECOND_MS);
    assert_in_range(monitored_told(f, ALERT_MEMORY, false)->value, 91, 92);
    t->report.used = UINT64_MAX;
    t->report.bound = 1;
    monitored_tick(f, SECOND_MS);
    t->report.used = UINT64_MAX / 2;
    t->report.bound = UINT64_MAX;
    monitored_tick(f, SECOND_MS);
    assert_in_range(monitored_told(f, ALERT_MEMORY, true)->value, 49, 50);
}

static void a_fill_is_no_matter_of_pools_or_budgets(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_POOL, "pool");
    t->report.used = 100;
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, LONG_AGO_MS);
    monitored_silent(f);
}

static void gets(struct monitored_thing *t, uint64_t hits, uint64_t misses)
{
    t->report.hits += hits;
    t->report.misses += misses;
}

static void a_hit_rate_is_that_of_the_latest_gets(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_POOL, "pool");
    gets(t, 1000000, 0);
    monitored_tick(f, SECOND_MS);
    for (int i = 0; i <= 10; i++) {
        monitored_silent(f);
        gets(t, 40, 60);
        monitored_tick(f, SECOND_MS);
    }
    assert_int_equal(monitored_told(f, ALERT_HIT_RATE, false)->value, 40);
    gets(t, 69, 31);
    monitored_tick(f, SECOND_MS);
    monitored_silent(f);
    gets(t, 70, 30);
    monitored_tick(f, SECOND_MS);
    assert_int_equal(monitored_told(f, ALERT_HIT_RATE, true)->value, 70);
}

static void a_few_gets_are_gathered_until_they_tell_something(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_POOL, "pool");
    for (int i = 0; i < 22; i++) {
        gets(t, 0, 10);
        monitored_tick(f, SECOND_MS);
    }
    monitored_told(f, ALERT_HIT_RATE, false);
}

static void a_pool_at_rest_has_no_bad_hit_rate(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_POOL, "pool");
    for (int i = 0; i <= 10; i++) {
        gets(t, 0, 200);
        monitored_tick(f, SECOND_MS);
    }
    monitored_told(f, ALERT_HIT_RATE, false);
    gets(t, 0, 99);
    monitored_tick(f, MONITOR_IDLE_MS - 1);
    monitored_silent(f);
    monitored_tick(f, 1);
    monitored_told(f, ALERT_HIT_RATE, true);
}

static void a_pool_that_began_anew_is_judged_anew(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_POOL, "pool");
    gets(t, 5000, 5000);
    monitored_tick(f, SECOND_MS);
    t->report.hits = 0;
    t->report.misses = 0;
    gets(t, 200, 0);
    for (int i = 0; i < 20; i++)
        monitored_tick(f, SECOND_MS);
    monitored_silent(f);
}

static void a_leak_names_the_borrower(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_POOL, "pool");
    t->report.suspects = 3;
    t->report.suspect = "write_queue";
    monitored_tick(f, SECOND_MS);
    const struct alert *a = monitored_told(f, ALERT_LEAK, false);
    assert_string_equal(a->suspect, "write_queue");
    assert_int_equal(a->value, 3);
    t->report.suspects = 1;
    monitored_tick(f, SECOND_MS);
    monitored_silent(f);
    t->report.suspects = 0;
    monitored_tick(f, SECOND_MS);
    monitored_told(f, ALERT_LEAK, true);
}

static void corruption_is_critical_and_stays(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_POOL, "pool");
    t->report.faults = 1;
    monitored_tick(f, SECOND_MS);
    assert_int_equal(monitored_told(f, ALERT_CORRUPTION, false)->severity,
                     ALERT_CRITICAL);
    monitored_tick(f, LONG_AGO_MS);
    monitored_silent(f);
}

static void drops_that_go_on_are_told_once(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BATCH, "flush");
    monitored_tick(f, SECOND_MS);
    monitored_silent(f);
    t->report.drops = 7;
    monitored_tick(f, SECOND_MS);
    assert_int_equal(monitored_told(f, ALERT_DROPS, false)->value, 7);
    for (int i = 0; i < 30; i++) {
        t->report.drops += i % 8 == 0;
        monitored_tick(f, SECOND_MS);
    }
    monitored_silent(f);
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, MONITOR_CALM_MS);
    monitored_told(f, ALERT_DROPS, true);
}

static void drops_must_stay_away_for_the_whole_calm(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUFFER, "ring");
    t->report.drops = 1;
    monitored_tick(f, SECOND_MS);
    monitored_told(f, ALERT_DROPS, false);
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, MONITOR_CALM_MS - 1);
    monitored_silent(f);
    monitored_tick(f, 1);
    monitored_told(f, ALERT_DROPS, true);
}

static void a_counter_that_began_anew_is_counted_from_there(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUFFER, "ring");
    t->report.drops = 10;
    monitored_tick(f, SECOND_MS);
    monitored_told(f, ALERT_DROPS, false);
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, MONITOR_CALM_MS);
    monitored_told(f, ALERT_DROPS, true);
    t->report.drops = 3;
    monitored_tick(f, SECOND_MS);
    assert_int_equal(monitored_told(f, ALERT_DROPS, false)->value, 3);
}

static void a_byte_that_waits_for_long_is_told(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUFFER, "block");
    t->report.oldest_ms = 60000;
    monitored_tick(f, SECOND_MS);
    assert_int_equal(monitored_told(f, ALERT_AGE, false)->value, 60000);
    t->report.oldest_ms = 10001;
    monitored_tick(f, SECOND_MS);
    monitored_silent(f);
    t->report.oldest_ms = 10000;
    monitored_tick(f, SECOND_MS);
    monitored_told(f, ALERT_AGE, true);
}

static void thresholds_are_the_operators(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUDGET, "budget");
    assert_true(monitor_set_threshold(&f->m, ALERT_MEMORY, 50, 40, 2000));
    t->report.used = 50;
    monitored_tick(f, SECOND_MS);
    monitored_tick(f, 1999);
    monitored_silent(f);
    monitored_tick(f, 1);
    monitored_told(f, ALERT_MEMORY, false);
}

static void a_threshold_that_would_flap_is_refused(void **state)
{
    struct monitored *f = *state;
    assert_false(monitor_set_threshold(&f->m, ALERT_MEMORY, 50, 50, 0));
    assert_false(monitor_set_threshold(&f->m, ALERT_MEMORY, 50, 60, 0));
    assert_false(monitor_set_threshold(&f->m, ALERT_HIT_RATE, 50, 50, 0));
    assert_false(monitor_set_threshold(&f->m, ALERT_HIT_RATE, 60, 50, 0));
    assert_true(monitor_set_threshold(&f->m, ALERT_HIT_RATE, 60, 61, 0));
}

static void the_clocks_first_moment_is_one_as_well(void **state)
{
    struct monitored *f = *state;
    struct monitored_thing *t = monitored_thing(f, REPORT_BUFFER, "block");
    t->report.used = 100;
    monitor_tick(&f->m, 0);
    monitor_tick(&f->m, 4999);
    monitored_silent(f);
    monitor_tick(&f->m, 5001);
    monitored_told(f, ALERT_FILL, false);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, monitored_set_up, monitored_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_alert_says_all_there_is_to_say),
        TEST(an_alert_that_hovers_is_told_once),
        TEST(fill_must_last_before_it_is_told),
        TEST(a_ring_may_be_full_and_old),
        TEST(a_buffer_without_a_bound_is_never_full),
        TEST(a_bound_that_is_lifted_ends_the_alert),
        TEST(huge_numbers_do_not_wrap),
        TEST(a_fill_is_no_matter_of_pools_or_budgets),
        TEST(a_hit_rate_is_that_of_the_latest_gets),
        TEST(a_few_gets_are_gathered_until_they_tell_something),
        TEST(a_pool_at_rest_has_no_bad_hit_rate),
        TEST(a_pool_that_began_anew_is_judged_anew),
        TEST(a_leak_names_the_borrower),
        TEST(corruption_is_critical_and_stays),
        TEST(drops_that_go_on_are_told_once),
        TEST(drops_must_stay_away_for_the_whole_calm),
        TEST(a_counter_that_began_anew_is_counted_from_there),
        TEST(a_byte_that_waits_for_long_is_told),
        TEST(thresholds_are_the_operators),
        TEST(a_threshold_that_would_flap_is_refused),
        TEST(the_clocks_first_moment_is_one_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
