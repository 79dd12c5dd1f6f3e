#include "buffers/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#define BYTES_MAX 16u
#define COUNT_MAX 5u
#define DELAY_US  1000u

static uint64_t clock_us;

static uint64_t now_us(void)
{
    return clock_us;
}

/* What left, and how. */
struct fixture {
    struct batch b;
    char out[256];
    size_t out_len;
    uint64_t records_n; /* of the last flush */
    int flushes;
    size_t take_max; /* of one flush */
    enum flow say;
    uint64_t takes_us;
};

static enum flow take(void *arg, struct str bytes, uint64_t records_n,
                      size_t *ret_taken)
{
    struct fixture *f = arg;
    size_t n = bytes.len < f->take_max ? bytes.len : f->take_max;
    assert_true(records_n > 0);
    assert_true(f->out_len + n < sizeof f->out);
    memcpy(f->out + f->out_len, bytes.at, n);
    f->out_len += n;
    f->records_n = records_n;
    f->flushes++;
    clock_us += f->takes_us;
    *ret_taken = n;
    return f->say;
}

static struct batch_config config_of(struct fixture *f)
{
    return (struct batch_config){
        .bytes_max = BYTES_MAX,
        .count_max = COUNT_MAX,
        .delay_us_max = DELAY_US,
        .now_us = now_us,
        .flush = take,
        .flush_arg = f,
    };
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.take_max = SIZE_MAX, .say = FLOW_DONE};
    struct batch_config config = config_of(&f);
    clock_us = 500;
    batch_init(&f.b, &config);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    batch_fini(&f->b);
    return 0;
}

static enum flow add(struct fixture *f, const char *text)
{
    enum flow r = batch_add(&f->b, str_from(text));
    batch_check(&f->b);
    return r;
}

static void left(const struct fixture *f, const char *text)
{
    assert_int_equal(f->out_len, strlen(text));
    assert_memory_equal(f->out, text, f->out_len);
}

static struct batch_stats stats_of(const struct fixture *f)
{
    struct batch_stats stats;
    batch_stats(&f->b, &stats);
    return stats;
}

static void nothing_leaves_before_a_bound_is_reached(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "one,"), FLOW_DONE);
    assert_int_equal(add(f, "two,"), FLOW_DONE);
    assert_int_equal(f->flushes, 0);
    assert_int_equal(stats_of(f).held, 8);
    assert_int_equal(stats_of(f).oldest_us, 500);
}

static void a_record_that_does_not_fit_sends_the_others_first(void **state)
{
    struct fixture *f = *state;
    add(f, "0123456789");
    assert_int_equal(add(f, "abcdefg"), FLOW_DONE);
    left(f, "0123456789");
    assert_int_equal(stats_of(f).held, 7);
    assert_int_equal(stats_of(f).flushes[BATCH_BYTES], 1);
}

static void a_batch_that_is_exactly_full_leaves_at_once(void **state)
{
    struct fixture *f = *state;
    add(f, "01234567");
    add(f, "89abcdef");
    left(f, "0123456789abcdef");
    assert_int_equal(stats_of(f).held, 0);
    assert_int_equal(stats_of(f).flushes[BATCH_BYTES], 1);
}

static void the_last_of_the_count_sends_all(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++)
        add(f, "x");
    assert_int_equal(f->flushes, 0);
    add(f, "y");
    left(f, "xxxxy");
    assert_int_equal(f->records_n, COUNT_MAX);
    assert_int_equal(stats_of(f).flushes[BATCH_COUNT], 1);
}

static void empty_records_count_as_well(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < COUNT_MAX; i++)
        assert_int_equal(add(f, ""), FLOW_DONE);
    assert_int_equal(f->flushes, 1);
    assert_int_equal(f->records_n, COUNT_MAX);
    assert_int_equal(stats_of(f).bytes, 0);
}

static void time_runs_from_the_oldest_record(void **state)
{
    struct fixture *f = *state;
    add(f, "a");
    clock_us += DELAY_US - 1;
    add(f, "b");
    assert_int_equal(batch_due_us(&f->b), 500 + DELAY_US);
    batch_tick(&f->b);
    assert_int_equal(f->flushes, 0);
    clock_us++;
    batch_tick(&f->b);
    batch_check(&f->b);
    left(f, "ab");
    assert_int_equal(stats_of(f).flushes[BATCH_TIME], 1);
    assert_int_equal(batch_due_us(&f->b), UINT64_MAX);
}

static void a_clock_at_zero_is_a_time_like_any_other(void **state)
{
    struct fixture *f = *state;
    clock_us = 0;
    add(f, "a");
    assert_true(batch_due_us(&f->b) <= 1 + DELAY_US);
    clock_us = 1 + DELAY_US;
    batch_tick(&f->b);
    left(f, "a");
}

static void without_a_delay_time_never_flushes(void **state)
{
    struct fixture *f = *state;
    batch_set_bounds(&f->b, BYTES_MAX, COUNT_MAX, 0);
    add(f, "a");
    clock_us += UINT64_C(1) << 40;
    assert_int_equal(batch_due_us(&f->b), UINT64_MAX);
    assert_int_equal(batch_tick(&f->b), FLOW_DONE);
    assert_int_equal(f->flushes, 0);
}

static void a_delay_beyond_the_end_of_time_never_comes(void **state)
{
    struct fixture *f = *state;
    batch_set_bounds(&f->b, BYTES_MAX, COUNT_MAX, UINT64_MAX);
    add(f, "a");
    assert_int_equal(batch_due_us(&f->b), UINT64_MAX);
    assert_int_equal(batch_tick(&f->b), FLOW_DONE);
    assert_int_equal(f->flushes, 0);
}

static void a_key_point_sends_what_is_there(void **state)
{
    struct fixture *f = *state;
    add(f, "a");
    assert_int_equal(batch_flush(&f->b), FLOW_DONE);
    left(f, "a");
    assert_int_equal(stats_of(f).flushes[BATCH_KEY_POINT], 1);
}

static void an_empty_batch_flushes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(batch_flush(&f->b), FLOW_DONE);
    assert_int_equal(batch_tick(&f->b), FLOW_DONE);
    batch_fini(&f->b);
    assert_int_equal(f->flushes, 0);
}

static void the_end_sends_the_rest(void **state)
{
    struct fixture *f = *state;
    add(f, "last");
    batch_fini(&f->b);
    left(f, "last");
    assert_int_equal(stats_of(f).flushes[BATCH_CLOSE], 1);
}

static void a_record_beyond_the_bound_is_refused_and_nothing_moves(void **state)
{
    struct fixture *f = *state;
    char *room;
    add(f, "a");
    assert_int_equal(add(f, "0123456789abcdefg"), FLOW_FULL);
    assert_int_equal(batch_reserve(&f->b, SIZE_MAX, &room), FLOW_FULL);
    assert_null(room);
    assert_int_equal(f->flushes, 0);
    assert_int_equal(stats_of(f).refused, 2);
    assert_int_equal(stats_of(f).held, 1);
}

static void a_reserved_room_may_be_used_in_part_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    char *room;
    assert_int_equal(batch_reserve(&f->b, 10, &room), FLOW_DONE);
    assert_int_equal(batch_reserve(&f->b, 8, &room), FLOW_DONE);
    memcpy(room, "abc", 3);
    assert_int_equal(batch_commit(&f->b, 3), FLOW_DONE);
    batch_check(&f->b);
    batch_flush(&f->b);
    left(f, "abc");
    assert_int_equal(f->records_n, 1);
}

static void what_a_flush_could_not_take_is_lost_and_counted(void **state)
{
    struct fixture *f = *state;
    f->take_max = 3;
    f->say = FLOW_FAILED;
    add(f, "abcdefgh");
    assert_int_equal(batch_flush(&f->b), FLOW_FAILED);
    batch_check(&f->b);
    left(f, "abc");
    assert_int_equal(stats_of(f).lost_bytes, 5);
    assert_int_equal(stats_of(f).failed, 1);
    assert_int_equal(stats_of(f).held, 0);
    f->take_max = SIZE_MAX;
    f->say = FLOW_DONE;
    add(f, "new");
    assert_int_equal(batch_flush(&f->b), FLOW_DONE);
    left(f, "abcnew");
}

static void bytes_that_were_left_behind_in_silence_are_lost_too(void **state)
{
    struct fixture *f = *state;
    f->take_max = 3;
    add(f, "abcdefgh");
    assert_int_equal(batch_flush(&f->b), FLOW_FAILED);
    assert_int_equal(stats_of(f).lost_bytes, 5);
    assert_int_equal(stats_of(f).failed, 1);
}

static void a_record_is_accepted_though_the_flush_before_it_failed(void **state)
{
    struct fixture *f = *state;
    add(f, "0123456789");
    f->take_max = 0;
    f->say = FLOW_FAILED;
    assert_int_equal(add(f, "abcdefg"), FLOW_FAILED);
    assert_int_equal(stats_of(f).lost_bytes, 10);
    assert_int_equal(stats_of(f).held, 7);
    f->take_max = SIZE_MAX;
    f->say = FLOW_DONE;
    assert_int_equal(add(f, "h"), FLOW_DONE);
    batch_flush(&f->b);
    left(f, "abcdefgh");
}

static void
latency_runs_from_the_oldest_record_to_the_end_of_the_flush(void **state)
{
    struct fixture *f = *state;
    f->takes_us = 70;
    add(f, "a");
    clock_us += 200;
    add(f, "b");
    clock_us += 30;
    batch_flush(&f->b);
    assert_int_equal(stats_of(f).latency_us_last, 300);
    add(f, "c");
    batch_flush(&f->b);
    struct batch_stats stats = stats_of(f);
    assert_int_equal(stats.latency_us_last, 70);
    assert_int_equal(stats.latency_us_max, 300);
    assert_int_equal(stats.latency_us_sum, 370);
}

static void a_lowered_bound_acts_at_the_next_tick(void **state)
{
    struct fixture *f = *state;
    add(f, "01234567");
    batch_set_bounds(&f->b, 4, 0, 0);
    assert_true(batch_due_us(&f->b) <= clock_us);
    batch_tick(&f->b);
    batch_check(&f->b);
    left(f, "01234567");
    assert_int_equal(add(f, "01234"), FLOW_FULL);
    assert_int_equal(add(f, "0123"), FLOW_DONE);
    left(f, "012345670123");
}

static void a_lowered_count_acts_at_the_next_tick(void **state)
{
    struct fixture *f = *state;
    add(f, "a");
    add(f, "b");
    batch_set_bounds(&f->b, BYTES_MAX, 2, 0);
    batch_tick(&f->b);
    left(f, "ab");
    assert_int_equal(stats_of(f).flushes[BATCH_COUNT], 1);
}

static void a_raised_bound_holds_more(void **state)
{
    struct fixture *f = *state;
    add(f, "0123456789");
    batch_set_bounds(&f->b, 40, 0, 0);
    assert_int_equal(add(f, "0123456789"), FLOW_DONE);
    assert_int_equal(add(f, "0123456789"), FLOW_DONE);
    assert_int_equal(f->flushes, 0);
    assert_int_equal(stats_of(f).held_max, 30);
    assert_int_equal(stats_of(f).bytes_max, 40);
}

#define READS 20000

static void *read_stats(void *arg)
{
    struct fixture *f = arg;
    uint64_t before = 0;
    for (int i = 0; i < READS; i++) {
        struct batch_stats stats;
        batch_set_bounds(&f->b, BYTES_MAX + (size_t)i % 2, COUNT_MAX, DELAY_US);
        batch_stats(&f->b, &stats);
        if (stats.records < before || stats.held > BYTES_MAX + 1)
            return f;
        before = stats.records;
    }
    return NULL;
}

static enum flow take_all(void *arg, struct str bytes, uint64_t records_n,
                          size_t *ret_taken)
{
    (void)arg;
    (void)records_n;
    *ret_taken = bytes.len;
    return FLOW_DONE;
}

static void another_thread_reads_the_figures_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct batch_config config = config_of(f);
    pthread_t reader;
    void *failed;
    config.flush = take_all;
    batch_init(&f->b, &config);
    assert_int_equal(pthread_create(&reader, NULL, read_stats, f), 0);
    for (int i = 0; i < READS; i++)
        batch_add(&f->b, STR("abc"));
    pthread_join(reader, &failed);
    assert_null(failed);
    assert_int_equal(stats_of(f).records, READS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_leaves_before_a_bound_is_reached),
        TEST(a_record_that_does_not_fit_sends_the_others_first),
        TEST(a_batch_that_is_exactly_full_leaves_at_once),
        TEST(the_last_of_the_count_sends_all),
        TEST(empty_records_count_as_well),
        TEST(time_runs_from_the_oldest_record),
        TEST(a_clock_at_zero_is_a_time_like_any_other),
        TEST(without_a_delay_time_never_flushes),
        TEST(a_delay_beyond_the_end_of_time_never_comes),
        TEST(a_key_point_sends_what_is_there),
        TEST(an_empty_batch_flushes_nothing),
        TEST(the_end_sends_the_rest),
        TEST(a_record_beyond_the_bound_is_refused_and_nothing_moves),
        TEST(a_reserved_room_may_be_used_in_part_or_not_at_all),
        TEST(what_a_flush_could_not_take_is_lost_and_counted),
        TEST(bytes_that_were_left_behind_in_silence_are_lost_too),
        TEST(a_record_is_accepted_though_the_flush_before_it_failed),
        TEST(latency_runs_from_the_oldest_record_to_the_end_of_the_flush),
        TEST(a_lowered_bound_acts_at_the_next_tick),
        TEST(a_lowered_count_acts_at_the_next_tick),
        TEST(a_raised_bound_holds_more),
        TEST(another_thread_reads_the_figures_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
