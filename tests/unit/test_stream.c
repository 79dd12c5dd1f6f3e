#include "tests/support/pool.h"
#include "tests/support/stream_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* Room. */

static void drop_oldest_has_the_oldest_yield(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_DROP_OLDEST, 10);
    append(p, "aaaa");
    append(p, "bbbb");
    assert_int_equal(append(p, "cccc"), APPEND_DONE);
    assert_span(p, 4, 12);
    assert_int_equal(append(p, "0123456789"), APPEND_DONE);
    assert_span(p, 12, 22);
    assert_reads(p->s, 12, "0123456789");
}

static void what_can_never_fit_is_too_large(void **state)
{
    struct place *p = *state;
    static const enum stream_policy bounded[] = {POLICY_DROP_OLDEST,
                                                 POLICY_BLOCK, POLICY_REJECT};
    for (size_t i = 0; i < 3; i++) {
        make_of(p, bounded[i], 10);
        append(p, "aaaa");
        assert_int_equal(append(p, "0123456789a"), APPEND_TOO_LARGE);
        assert_span(p, 0, 4);
        stream_unref(p->s);
    }
    p->s = NULL;
}

static void reject_refuses_what_does_not_fit(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_REJECT, 10);
    append(p, "aaaaaa");
    assert_int_equal(append(p, "bbbbb"), APPEND_REFUSED);
    assert_span(p, 0, 6);
    assert_int_equal(append(p, "bbbb"), APPEND_DONE);
}

static void grow_knows_no_capacity_but_the_budget(void **state)
{
    struct place *p = *state;
    static char large[256u << 10];
    struct str message = {large, sizeof large};
    struct append a = {.messages = &message, .messages_n = 1};
    make_of(p, POLICY_GROW, 10);
    assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
    budget_set_limit(&p->budget, p->budget.used);
    assert_int_equal(append_as(p, p->s, &a), APPEND_REFUSED);
    assert_span(p, 0, sizeof large);
}

static void messages_are_bounded_by_their_number(void **state)
{
    struct place *p = *state;
    struct stream_config c = config_of(POLICY_DROP_OLDEST, 1000);
    c.bounds.messages_max = 3;
    make(p, &c);
    for (int i = 0; i < 5; i++)
        append(p, "ab");
    assert_span(p, 4, 10);
    assert_int_equal(look(p).messages_n, 3);
    struct str many[] = {STR("1"), STR("2"), STR("3"), STR("4")};
    struct append a = {.messages = many, .messages_n = 4};
    assert_int_equal(append_as(p, p->s, &a), APPEND_TOO_LARGE);
    stream_unref(p->s);
    c.bounds.policy = POLICY_REJECT;
    make(p, &c);
    a.messages_n = 3;
    append_as(p, p->s, &a);
    assert_int_equal(append(p, "x"), APPEND_REFUSED);
    stream_unref(p->s);
    c.bounds.policy = POLICY_GROW; /* which only the budget bounds */
    make(p, &c);
    a.messages_n = 4;
    assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
    assert_int_equal(append(p, "x"), APPEND_DONE);
    assert_int_equal(look(p).messages_n, 5);
}

/* Policy block. */

static void block_without_readers_is_filled_once(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_BLOCK, 10);
    append(p, "aaaaaaaaaa");
    assert_int_equal(append(p, "b"), APPEND_FULL);
    assert_int_equal(stream_room(p->s), 0);
    assert_span(p, 0, 10);
}

static void block_lets_go_of_what_all_readers_have(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_BLOCK, 10);
    append(p, "aaaa");
    append(p, "bbbb");
    join(p, 0, 0);
    join(p, 1, 4);
    assert_int_equal(append(p, "cccc"), APPEND_FULL);
    stream_tap_floor(p->s, &p->taps[0], 4);
    assert_int_equal(append(p, "cccc"), APPEND_DONE);
    assert_span(p, 4, 12);
    stream_tap_floor(p->s, &p->taps[1], 12);
    assert_int_equal(append(p, "dddd"), APPEND_FULL);
    leave(p, 0);
    assert_int_equal(append(p, "dddd"), APPEND_DONE);
    leave(p, 1);
}

/* A message is kept until all of it was read. */
static void reader_within_a_message_holds_it_whole(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_BLOCK, 10);
    append(p, "aaaaaaaa");
    join(p, 0, 7);
    assert_int_equal(append(p, "bbb"), APPEND_FULL);
    stream_tap_floor(p->s, &p->taps[0], 8);
    assert_int_equal(append(p, "bbb"), APPEND_DONE);
    leave(p, 0);
}

static void new_reader_takes_room_back(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_BLOCK, 10);
    append(p, "aaaa");
    append(p, "bbbb");
    join(p, 0, 8);
    assert_int_equal(stream_room(p->s), 10);
    join(p, 1, 0);
    assert_int_equal(stream_room(p->s), 2);
    assert_int_equal(append(p, "cccc"), APPEND_FULL);
    assert_reads(p->s, 0, "aaaabbbb");
    leave(p, 1);
    assert_int_equal(append(p, "cccc"), APPEND_DONE);
    leave(p, 0);
}

/* Its floor lies before what is there. */
static void lapped_reader_holds_nothing_that_is_gone(void **state)
{
    struct place *p = *state;
    struct stream_config c = config_of(POLICY_BLOCK, 10);
    c.bounds.age_ms = 1000;
    make(p, &c);
    append(p, "aaaa");
    p->now_ms += 600;
    append(p, "bbbb");
    stream_drop_aged(p->s, PLACE_NOW + 1100);
    assert_span(p, 4, 8);
    join(p, 0, 2);
    assert_int_equal(append(p, "cccccc"), APPEND_DONE);
    assert_span(p, 4, 14);
    leave(p, 0);
}

static void publisher_is_told_when_readers_get_on(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_BLOCK, 10);
    append(p, "aaaaaaaa");
    join(p, 0, 0);
    was_told(p, 0);
    stream_tap_floor(p->s, &p->taps[0], 3);
    assert_false(was_told(p, 0));
    assert_int_equal(append(p, "bbbb"), APPEND_FULL);
    assert_int_equal(p->outcome.need.bytes, 4);
    stream_tap_floor(p->s, &p->taps[0], 5);
    assert_false(was_told(p, 0)); /* the message is still held */
    stream_tap_floor(p->s, &p->taps[0], 8);
    assert_true(was_told(p, 0));
    assert_true(stream_fits(p->s, &p->outcome.need));
    leave(p, 0);
}

/* It would be woken, find too little, and ask again at once. */
static void too_little_room_is_no_room(void **state)
{
    struct place *p = *state;
    struct stream_need need = {3, 1};
    make_of(p, POLICY_BLOCK, 10);
    append(p, "aaaaaaaa");
    assert_int_equal(stream_room(p->s), 2);
    join(p, 0, 0);
    assert_false(stream_fits(p->s, &need));
    was_told(p, 0);
    stream_tap_floor(p->s, &p->taps[0], 8);
    assert_true(was_told(p, 0));
    stream_tap_floor(p->s, &p->taps[0], 0);
    need.bytes = 2;
    assert_true(stream_fits(p->s, &need));
    stream_end(p->s, false);
    need.bytes = 3;
    assert_true(stream_fits(p->s, &need)); /* there is nothing to wait for */
}

static void messages_released_make_room_for_messages(void **state)
{
    struct place *p = *state;
    struct stream_config c = config_of(POLICY_BLOCK, 1000);
    c.bounds.messages_max = 2;
    make(p, &c);
    append(p, "a");
    append(p, "b");
    assert_int_equal(append(p, "c"), APPEND_FULL);
    assert_int_equal(stream_room(p->s), 0);
    join(p, 0, 1);
    assert_true(stream_room(p->s) > 0);
    assert_int_equal(append(p, "c"), APPEND_DONE);
    assert_span(p, 1, 3);
    assert_int_equal(append(p, "d"), APPEND_FULL);
    leave(p, 0);
}

/* Checks. */

static void checks_come_in_their_order(void **state)
{
    struct place *p = *state;
    struct str message = STR("0123456789abc"); /* too large, too */
    struct append a = {.content_type = STR("text/html"),
                       .messages = &message,
                       .messages_n = 1,
                       .producer = {STR("p"), 0, 7},
                       .seq = STR("1")};
    make_of(p, POLICY_REJECT, 10);
    struct append first = {.seq = STR("5")};
    assert_int_equal(append_as(p, p->s, &first), APPEND_DONE);
    assert_int_equal(append_as(p, p->s, &a), APPEND_TYPE);
    a.content_type = STR("TEXT/PLAIN");
    assert_int_equal(append_as(p, p->s, &a), APPEND_SEQ_GAP);
    a.producer.seq = 0;
    assert_int_equal(append_as(p, p->s, &a), APPEND_SEQ_ORDER);
    a.seq = STR("6");
    assert_int_equal(append_as(p, p->s, &a), APPEND_TOO_LARGE);
    append(p, "12345678");
    message = STR("abc");
    assert_int_equal(append_as(p, p->s, &a), APPEND_REFUSED);
    struct append close = {.close = true};
    assert_int_equal(append_as(p, p->s, &close), APPEND_DONE);
    assert_int_equal(append_as(p, p->s, &a), APPEND_CLOSED);
    stream_end(p->s, false);
    assert_int_equal(append_as(p, p->s, &a), APPEND_GONE);
}

static void refused_append_moves_no_sequence(void **state)
{
    struct place *p = *state;
    struct str message = STR("0123456789");
    struct append a = {.messages = &message,
                       .messages_n = 1,
                       .producer = {STR("p"), 0, 0},
                       .seq = STR("1")};
    make_of(p, POLICY_REJECT, 10);
    append(p, "x");
    assert_int_equal(append_as(p, p->s, &a), APPEND_REFUSED);
    message = STR("y");
    assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
    assert_int_equal(append_as(p, p->s, &a), APPEND_DUPLICATE);
    assert_span(p, 0, 2);
}

/* There is room for the message, and none for a producer more. */
static void producer_that_memory_is_short_for_appends_nothing(void **state)
{
    struct place *p = *state;
    struct str message = STR("x");
    struct append a = {
        .messages = &message, .messages_n = 1, .producer = {STR("p"), 0, 0}};
    struct append other = a;
    other.producer.id = STR("other");
    make_of(p, POLICY_DROP_OLDEST, 10);
    assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
    size_t n =
        (size_t)(budget_limit_of(&p->budget, BUDGET_STREAM) - p->budget.used);
    assert_true(budget_take(&p->budget, BUDGET_LEAVING, n));
    assert_int_equal(append_as(p, p->s, &other), APPEND_NO_MEMORY);
    assert_span(p, 0, 1);
    a.producer.seq = 1;
    assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
    budget_give(&p->budget, BUDGET_LEAVING, n);
    assert_int_equal(append_as(p, p->s, &other), APPEND_DONE);
    assert_span(p, 0, 3);
}

static void stream_seq_grows_by_bytes(void **state)
{
    struct place *p = *state;
    static const char *const growing[] = {"", "09", "1", "10", "2"};
    make_of(p, POLICY_GROW, 10);
    for (size_t i = 0; i < 5; i++) {
        struct append a = {.seq = str_from(growing[i])};
        assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
        assert_int_equal(append_as(p, p->s, &a), APPEND_SEQ_ORDER);
    }
    struct append without = {0};
    assert_int_equal(append_as(p, p->s, &without), APPEND_DONE);
    struct append less = {.seq = STR("10")};
    assert_int_equal(append_as(p, p->s, &less), APPEND_SEQ_ORDER);
}

static void stream_is_closed_once_and_told(void **state)
{
    struct place *p = *state;
    struct str message = STR("last");
    struct append a = {.messages = &message, .messages_n = 1, .close = true};
    struct append close = {.close = true};
    make_of(p, POLICY_GROW, 10);
    join(p, 0, UINT64_MAX);
    assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
    assert_true(p->outcome.closed);
    assert_true(was_told(p, 0));
    assert_int_equal(append_as(p, p->s, &close), APPEND_DUPLICATE);
    assert_int_equal(append_as(p, p->s, &a), APPEND_CLOSED);
    assert_int_equal(p->outcome.tail, 4);
    assert_false(was_told(p, 0));
    assert_true(look(p).closed);
    leave(p, 0);
}

static void json_messages_end_with_a_line_feed(void **state)
{
    struct place *p = *state;
    struct stream_config c = config_of(POLICY_REJECT, 6);
    c.content_type = STR("application/json");
    make(p, &c);
    assert_int_equal(append(p, "[12]"), APPEND_DONE);
    assert_reads(p->s, 0, "[12]\n");
    assert_int_equal(append(p, "1"), APPEND_REFUSED);
}

static void lack_of_memory_is_a_result(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_DROP_OLDEST, 10);
    budget_set_limit(&p->budget, 1);
    assert_int_equal(append(p, "aaaa"), APPEND_NO_MEMORY);
    assert_span(p, 0, 0);
}

/* Its blocks are needed for what comes. */
static void oldest_go_first_when_memory_is_short(void **state)
{
    struct place *p = *state;
    static char large[60u << 10];
    struct str message = {large, sizeof large};
    struct append a = {.messages = &message, .messages_n = 1};
    make_of(p, POLICY_DROP_OLDEST, sizeof large);
    assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
    budget_set_limit(&p->budget, p->budget.used * 16 / 13 + 64);
    for (int i = 0; i < 5; i++)
        assert_int_equal(append_as(p, p->s, &a), APPEND_DONE);
    assert_span(p, 5 * sizeof large, 6 * sizeof large);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, place_set_up, place_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(drop_oldest_has_the_oldest_yield),
        TEST(what_can_never_fit_is_too_large),
        TEST(reject_refuses_what_does_not_fit),
        TEST(grow_knows_no_capacity_but_the_budget),
        TEST(messages_are_bounded_by_their_number),
        TEST(block_without_readers_is_filled_once),
        TEST(block_lets_go_of_what_all_readers_have),
        TEST(reader_within_a_message_holds_it_whole),
        TEST(new_reader_takes_room_back),
        TEST(lapped_reader_holds_nothing_that_is_gone),
        TEST(publisher_is_told_when_readers_get_on),
        TEST(too_little_room_is_no_room),
        TEST(messages_released_make_room_for_messages),
        TEST(checks_come_in_their_order),
        TEST(refused_append_moves_no_sequence),
        TEST(producer_that_memory_is_short_for_appends_nothing),
        TEST(stream_seq_grows_by_bytes),
        TEST(stream_is_closed_once_and_told),
        TEST(json_messages_end_with_a_line_feed),
        TEST(lack_of_memory_is_a_result),
        TEST(oldest_go_first_when_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
