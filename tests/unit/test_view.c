#include "tests/support/view_readers.h"

static void one_send_for_each_reader_whatever_waits(void **state)
{
    struct audience *a = *state;
    struct peer *p[5];
    for (size_t i = 0; i < 5; i++)
        p[i] = bare(a, SIZE_MAX);
    audience_run(a);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(p[i]->reader.place, READER_TAIL);
    publish(a, "one ");
    publish(a, "two ");
    publish(a, "three");
    audience_run(a);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(p[i]->sends_n, 1);
        assert_got(p[i], "one two three");
    }
}

static void many_readers_have_several_turns_and_one_send(void **state)
{
    struct audience *a = *state;
    static struct peer *p[MANY];
    for (size_t i = 0; i < MANY; i++)
        p[i] = bare(a, SIZE_MAX);
    audience_run(a);
    publish(a, "one");
    assert_true(audience_step(a));
    size_t served = 0;
    for (size_t i = 0; i < MANY; i++)
        served += p[i]->sends_n;
    assert_int_equal(served, TAP_TURN_SENDS);
    publish(a, " two");
    audience_run(a);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(p[i]->sends_n, 2);
        assert_got(p[i], "one two");
    }
}

/* Served ones and others, first, middle and last, in a pass that was cut. */
static void readers_leave_in_the_middle_of_a_pass(void **state)
{
    struct audience *a = *state;
    static struct peer *p[MANY];
    for (size_t i = 0; i < MANY; i++)
        p[i] = bare(a, SIZE_MAX);
    audience_run(a);
    publish(a, "one");
    assert_true(audience_step(a));
    for (size_t i = 0; i < MANY; i += 3) {
        peer_free(p[i]);
        p[i] = NULL;
        audience_check(a);
    }
    struct peer *late = bare(a, SIZE_MAX);
    audience_run(a);
    publish(a, " two");
    audience_run(a);
    assert_got(late, "one two");
    for (size_t i = 0; i < MANY; i++)
        if (p[i])
            assert_got(p[i], "one two");
}

/* It rendered as long as there was something to render. */
static void a_turn_renders_a_bounded_part(void **state)
{
    struct audience *a = *state;
    struct peer *p = bare(a, SIZE_MAX);
    audience_run(a);
    publish_letters(a, 10, 64u << 10);
    (void)audience_step(a);
    assert_in_range(p->got.len, 1, VIEW_TURN_BYTES + RENDER_OUT_BYTES_MAX);
    audience_run(a);
    assert_int_equal(p->got.len, 10 * (64u << 10));
}

/* Sockets that are full. */

static void every_cut_of_a_frame_is_mended(void **state)
{
    struct audience *a = *state;
    struct peer *p[200];
    struct live_request want = audience_want(a, RENDER_SSE, 0);
    struct peer *fast = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    size_t hello = fast->got.len;
    for (size_t i = 0; i < 200; i++)
        p[i] = peer_new(a, &want, hello + i);
    audience_run(a);
    publish(a, "one");
    audience_run(a);
    publish(a, "two");
    publish(a, "three");
    audience_run(a);
    assert_true(fast->got.len - hello < 200);
    for (size_t i = 0; i < 200; i++) {
        peer_drain(p[i], 200);
        audience_run(a);
        assert_same_got(p[i], fast);
        assert_int_equal(p[i]->reader.place, READER_TAIL);
    }
}

static void blocked_reader_comes_back_with_one_send(void **state)
{
    struct audience *a = *state;
    struct peer *p = bare(a, 2);
    audience_run(a);
    publish(a, "one");
    audience_run(a);
    assert_int_equal(p->reader.place, READER_BLOCKED);
    publish(a, "two");
    publish(a, "three");
    audience_run(a);
    assert_int_equal(p->sends_n, 1);
    peer_drain(p, SIZE_MAX);
    audience_run(a);
    assert_got(p, "onetwothree");
    assert_int_equal(p->reader.place, READER_TAIL);
}

/* The ring needs its bytes while it is within a frame. */
static void reader_that_is_put_out_has_the_rest_of_its_frame(void **state)
{
    struct audience *a = *state;
    struct peer *fast = events(a, SIZE_MAX);
    struct peer *slow = events(a, SIZE_MAX);
    audience_run(a);
    slow->takes = 700;
    publish_letters(a, 1, 1000);
    audience_run(a);
    assert_int_equal(slow->reader.place, READER_BLOCKED);
    for (int i = 0; i < 20; i++) {
        publish_letters(a, 1, 1000);
        audience_run(a);
    }
    assert_int_equal(slow->reader.place, READER_BEHIND);
    assert_true(slow->reader.remnant_len > 0);
    peer_drain(slow, 40);
    audience_run(a);
    peer_drain(slow, 1u << 20);
    audience_run(a);
    assert_same_got(slow, fast);
    assert_int_equal(slow->reader.place, READER_TAIL);
}

static void peer_that_is_gone_is_found_by_its_send(void **state)
{
    struct audience *a = *state;
    struct peer *p = bare(a, SIZE_MAX);
    audience_run(a);
    peer_break(p);
    audience_run(a);
    publish(a, "one");
    audience_run(a);
    assert_false(p->follows);
}

/* Its bytes are still in the ring. */
static void blocked_reader_needs_nothing_of_the_stream(void **state)
{
    struct audience *a = *state;
    audience_stream(a, POLICY_DROP_OLDEST, "text/plain", 100);
    struct peer *fast = bare(a, SIZE_MAX);
    struct peer *slow = bare(a, 10);
    audience_run(a);
    for (int i = 0; i < 10; i++) {
        publish_letters(a, 1, 50);
        audience_run(a);
        audience_wait(a, 250);
    }
    assert_int_equal(slow->reader.place, READER_BLOCKED);
    peer_drain(slow, SIZE_MAX);
    audience_run(a);
    assert_same_got(slow, fast);
}

/* Coming in. */

static void late_reader_meets_the_view_at_the_tail(void **state)
{
    struct audience *a = *state;
    struct peer *first = events(a, SIZE_MAX);
    audience_run(a);
    publish_letters(a, 300, 900);
    audience_run(a);
    struct peer *late = events(a, SIZE_MAX);
    audience_run(a);
    assert_int_equal(late->reader.place, READER_TAIL);
    assert_ptr_equal(late->reader.view, first->reader.view);
    assert_same_got(first, late);
    publish(a, "x");
    size_t sends_n = late->sends_n;
    audience_run(a);
    assert_int_equal(late->sends_n, sends_n + 1);
    assert_same_got(first, late);
}

/* A reader of its own pace had brought more than the view has. */
static void reader_ahead_of_the_view_waits_for_it(void **state)
{
    struct audience *a = *state;
    struct peer *blocked = bare(a, 5);
    audience_run(a);
    publish(a, "0123456789");
    audience_run(a);
    assert_int_equal(blocked->reader.place, READER_BLOCKED);
    publish_letters(a, 40, 1000);
    audience_run(a);
    struct peer *late = bare(a, SIZE_MAX);
    audience_run(a);
    assert_int_equal(late->reader.place, READER_TAIL);
    peer_drain(blocked, SIZE_MAX);
    audience_run(a);
    assert_same_got(blocked, late);
}

/* Each publish had moved the tail on before it was there. */
static void reader_joins_while_it_is_published_to(void **state)
{
    struct audience *a = *state;
    publish(a, "before");
    struct peer *p = bare(a, SIZE_MAX);
    for (int i = 0; i < 10; i++) {
        publish(a, "x");
        (void)audience_step(a);
    }
    assert_int_equal(p->reader.place, READER_TAIL);
    audience_run(a);
    assert_got(p, "beforexxxxxxxxxx");
}

static void views_without_readers_keep_no_memory(void **state)
{
    struct audience *a = *state;
    struct peer *p = events(a, SIZE_MAX);
    struct peer *other = bare(a, SIZE_MAX);
    audience_run(a);
    publish_letters(a, 10, 1000);
    audience_run(a);
    uint64_t before = atomic_load(&a->worker.hub->views_bytes);
    peer_free(p);
    audience_run(a);
    publish(a, "x");
    audience_run(a);
    assert_in_range(atomic_load(&a->worker.hub->views_bytes), 1, before - 1);
    peer_free(other);
    assert_int_equal(atomic_load(&a->worker.hub->views_bytes), 0);
    assert_null(audience_view(a));
}

/* Falling behind. */

static void view_that_was_lapped_tells_each_reader(void **state)
{
    struct audience *a = *state;
    audience_stream(a, POLICY_DROP_OLDEST, "text/plain", 100);
    struct live_request want = want_events(a, 0);
    struct peer *ends = peer_new(a, &want, SIZE_MAX);
    want.slow_reader = SLOW_SKIP;
    struct peer *skips = peer_new(a, &want, SIZE_MAX);
    struct peer *raw = bare(a, SIZE_MAX);
    want = audience_want(a, RENDER_RAW, 0);
    struct peer *chunked = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    publish(a, "0123456789");
    audience_run(a);
    publish_letters(a, 4, 50);
    audience_run(a);
    assert_true(got_holds(ends, "event: gap"));
    assert_true(got_holds(ends, "{\"from\":\"0000000000000000_"
                                "0000000000000010\",\"to\":\""
                                "0000000000000000_0000000000000110\"}"));
    assert_int_equal(ends->fate, PEER_ENDED);
    assert_true(got_holds(skips, "\"to\":\"0000000000000000_"
                                 "0000000000000210\"}"));
    assert_int_equal(skips->fate, PEER_FOLLOWS);
    assert_int_equal(raw->fate, PEER_DROPPED);
    assert_got(raw, "0123456789");
    assert_string_equal(raw->text,
                        "stream \"s\": bytes 10 to 110 were dropped before "
                        "they could be sent");
    assert_int_equal(chunked->fate, PEER_CUT);
    publish(a, "next");
    audience_run(a);
    assert_true(got_holds(skips, "data: next\n"));
}

static void lapped_by_its_own_pace_it_is_told_and_ends(void **state)
{
    struct audience *a = *state;
    audience_stream(a, POLICY_DROP_OLDEST, "text/plain", 100u << 10);
    struct live_request want = want_events(a, 0);
    struct peer *p = peer_new(a, &want, 100);
    audience_run(a);
    for (int i = 0; i < 400; i++) {
        publish_letters(a, 1, 1000);
        audience_run(a);
    }
    peer_drain(p, SIZE_MAX);
    audience_run(a);
    assert_int_equal(p->fate, PEER_ENDED);
    assert_true(got_holds(p, "event: gap"));
}

/* Its view stands still, as nobody is at the tail. */
static void reader_alone_is_lapped_with_its_view(void **state)
{
    struct audience *a = *state;
    audience_stream(a, POLICY_DROP_OLDEST, "text/plain", 100);
    struct peer *p = events(a, SIZE_MAX);
    audience_run(a);
    p->takes = 10;
    publish_letters(a, 1, 50);
    audience_run(a);
    assert_int_equal(p->reader.place, READER_BLOCKED);
    publish_letters(a, 2, 50);
    audience_run(a);
    audience_wait(a, 250);
    assert_int_equal(p->fate, PEER_FOLLOWS); /* nothing behind it is lost yet */
    publish_letters(a, 2, 50);
    audience_run(a);
    audience_wait(a, 250);
    assert_int_equal(p->fate, PEER_DROPPED);
    assert_string_equal(p->text,
                        "stream \"s\": bytes 50 to 150 were dropped before "
                        "they could be sent");
}

static void slow_reader_skips_to_the_tail(void **state)
{
    struct audience *a = *state;
    struct live_request want = want_events(a, 0);
    want.slow_reader = SLOW_SKIP;
    want.lag_hard = 100;
    struct peer *p = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    p->takes = 10;
    for (int i = 0; i < 5; i++) {
        publish_letters(a, 1, 50);
        audience_run(a);
    }
    audience_wait(a, 250);
    peer_drain(p, SIZE_MAX);
    audience_run(a);
    assert_true(got_holds(p, "{\"from\":\"0000000000000000_"
                             "0000000000000050\",\"to\":\""
                             "0000000000000000_0000000000000250\"}"));
    publish(a, "next");
    audience_run(a);
    assert_true(got_holds(p, "data: next\n"));
}

/* All that is missing is the frame that it has already. */
static void nothing_is_skipped_where_nothing_is_missing(void **state)
{
    struct audience *a = *state;
    struct live_request want = want_events(a, 0);
    want.slow_reader = SLOW_SKIP;
    want.lag_hard = 100;
    struct peer *p = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    p->takes = 10;
    publish_letters(a, 1, 200);
    audience_run(a);
    audience_wait(a, 250);
    peer_drain(p, SIZE_MAX);
    audience_run(a);
    assert_false(got_holds(p, "event: gap"));
    assert_int_equal(p->reader.place, READER_TAIL);
}

static void soft_lag_is_borne_for_a_while(void **state)
{
    struct audience *a = *state;
    struct live_request want = want_bare(a, 0);
    want.lag_soft = 100;
    want.lag_soft_ms = 1000;
    struct peer *p = peer_new(a, &want, 10);
    audience_run(a);
    for (int i = 0; i < 4; i++) {
        publish_letters(a, 1, 50);
        audience_run(a);
    }
    audience_wait(a, 250);
    audience_wait(a, 999);
    assert_int_equal(p->fate, PEER_FOLLOWS);
    audience_wait(a, 1);
    assert_int_equal(p->fate, PEER_DROPPED);
    assert_string_equal(p->text, "stream \"s\": too slow, 200 bytes behind");
}

static void what_was_lost_before_is_told_first(void **state)
{
    struct audience *a = *state;
    struct live_request want;
    static const enum render_form forms[] = {RENDER_SSE, RENDER_SSE_DS,
                                             RENDER_WS_DS};
    publish(a, "0123456789");
    publish(a, "more");
    for (size_t i = 0; i < 3; i++) {
        want = audience_want(a, forms[i], 10);
        want.lost = 4;
        struct peer *p = peer_new(a, &want, SIZE_MAX);
        audience_run(a);
        assert_true(got_holds(p, "{\"from\":\"0000000000000000_"
                                 "0000000000000006\",\"to\":\""
                                 "0000000000000000_0000000000000010\"}"));
    }
}

/* The end. */

/* Nothing was sent, so no pass came that would have ended them. */

/* A heartbeat was in its way, and had no memory either. */
static void rest_of_a_frame_stays_until_it_can_be_queued(void **state)
{
    struct audience *a = *state;
    struct live_request want = want_events(a, 0);
    want.heartbeat_ms = 500;
    struct peer *fast = events(a, SIZE_MAX);
    struct peer *slow = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    slow->takes = 700;
    for (int i = 0; i < 20; i++) {
        publish_letters(a, 1, 1000);
        audience_run(a);
    }
    assert_true(slow->reader.remnant_len > 0);
    size_t len = fast->got.len; /* heartbeats come behind it */
    budget_set_limit(&a->budget, a->budget.used);
    audience_wait(a, 600);
    audience_wait(a, 600);
    assert_true(slow->reader.remnant_len > 0);
    budget_set_limit(&a->budget, 1u << 30);
    slow->reader.heartbeat_ms = 0;
    peer_drain(slow, SIZE_MAX);
    audience_run(a);
    assert_int_equal(slow->got.len, len);
    assert_memory_equal(slow->got.data, fast->got.data, len);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_send_for_each_reader_whatever_waits),
        TEST(many_readers_have_several_turns_and_one_send),
        TEST(readers_leave_in_the_middle_of_a_pass),
        TEST(a_turn_renders_a_bounded_part),
        TEST(every_cut_of_a_frame_is_mended),
        TEST(blocked_reader_comes_back_with_one_send),
        TEST(reader_that_is_put_out_has_the_rest_of_its_frame),
        TEST(peer_that_is_gone_is_found_by_its_send),
        TEST(blocked_reader_needs_nothing_of_the_stream),
        TEST(late_reader_meets_the_view_at_the_tail),
        TEST(reader_ahead_of_the_view_waits_for_it),
        TEST(reader_joins_while_it_is_published_to),
        TEST(views_without_readers_keep_no_memory),
        TEST(view_that_was_lapped_tells_each_reader),
        TEST(lapped_by_its_own_pace_it_is_told_and_ends),
        TEST(reader_alone_is_lapped_with_its_view),
        TEST(slow_reader_skips_to_the_tail),
        TEST(nothing_is_skipped_where_nothing_is_missing),
        TEST(soft_lag_is_borne_for_a_while),
        TEST(what_was_lost_before_is_told_first),
        TEST(rest_of_a_frame_stays_until_it_can_be_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
