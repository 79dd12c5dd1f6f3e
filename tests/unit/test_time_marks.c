#include "httpd/streams/time_marks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

static void without_marks_everything_is_older(void **state)
{
    (void)state;
    struct time_marks t;
    time_marks_init(&t);
    assert_int_equal(time_marks_pos(&t, 1000, 77), 77);
    time_marks_fini(&t);
}

static void what_came_together_is_one_mark(void **state)
{
    (void)state;
    struct time_marks t;
    time_marks_init(&t);
    time_marks_add(&t, 1000, 0);
    time_marks_add(&t, 1049, 10);
    time_marks_add(&t, 1050, 20);
    assert_int_equal(t.n, 2);
    assert_int_equal(time_marks_pos(&t, 999, 30), 0);
    assert_int_equal(time_marks_pos(&t, 1048, 30), 0);
    assert_int_equal(time_marks_pos(&t, 1049, 30), 20);
    assert_int_equal(time_marks_pos(&t, 1050, 30), 30);
    time_marks_fini(&t);
}

/* It stayed until the next one was old, too. */
static void lonely_message_grows_old_by_its_own_time(void **state)
{
    (void)state;
    struct time_marks t;
    time_marks_init(&t);
    time_marks_add(&t, 1000, 0);
    time_marks_add(&t, 60000, 10);
    assert_int_equal(time_marks_pos(&t, 1000, 20), 10);
    assert_int_equal(time_marks_pos(&t, 59999, 20), 10);
    assert_int_equal(time_marks_pos(&t, 60000, 20), 20);
    time_marks_fini(&t);
}

static void full_marks_become_half_as_exact(void **state)
{
    (void)state;
    struct time_marks t;
    time_marks_init(&t);
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t now = 1000 + 10 * i;
        time_marks_add(&t, now, i);
        assert_true(t.n <= TIME_MARKS_MAX);
    }
    assert_int_equal(t.interval_ms, 3200);
    for (uint64_t i = 0; i < 100000; i += 7) {
        uint64_t pos = time_marks_pos(&t, 1000 + 10 * i, 100000);
        assert_in_range(pos, i > 640 ? i - 640 : 0, i + 1);
    }
    time_marks_fini(&t);
}

static void dropped_positions_are_forgotten(void **state)
{
    (void)state;
    struct time_marks t;
    time_marks_init(&t);
    for (uint64_t i = 0; i < 10; i++)
        time_marks_add(&t, 1000 + 100 * i, 10 * i);
    time_marks_drop(&t, 45);
    assert_int_equal(t.n, 6);
    assert_int_equal(t.at[0].pos, 40);
    assert_int_equal(time_marks_pos(&t, 1400, 100), 50);
    time_marks_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_marks_everything_is_older),
        cmocka_unit_test(what_came_together_is_one_mark),
        cmocka_unit_test(lonely_message_grows_old_by_its_own_time),
        cmocka_unit_test(full_marks_become_half_as_exact),
        cmocka_unit_test(dropped_positions_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
