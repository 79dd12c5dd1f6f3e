#include "tests/support/view_readers.h"

static void bare_readers_of_http_1_0_end_when_it_closes(void **state)
{
    struct audience *a = *state;
    struct peer *p = bare(a, SIZE_MAX);
    audience_run(a);
    publish(a, "all");
    audience_run(a);
    audience_close(a);
    audience_run(a);
    assert_got(p, "all");
    assert_int_equal(p->fate, PEER_ENDED);
}

static void bare_reader_that_is_blocked_ends_when_it_has_all(void **state)
{
    struct audience *a = *state;
    struct peer *p = bare(a, 1);
    audience_run(a);
    publish(a, "all");
    audience_run(a);
    audience_close(a);
    audience_run(a);
    assert_int_equal(p->fate, PEER_FOLLOWS);
    peer_drain(p, SIZE_MAX);
    audience_run(a);
    assert_got(p, "all");
    assert_int_equal(p->fate, PEER_ENDED);
}

static void closed_stream_ends_all_wherever_they_are(void **state)
{
    struct audience *a = *state;
    struct live_request want = audience_want(a, RENDER_SSE, 0);
    struct peer *tail = peer_new(a, &want, SIZE_MAX);
    struct peer *slow = peer_new(a, &want, 100);
    audience_run(a);
    publish(a, "one");
    publish(a, "two");
    audience_close(a);
    struct peer *late = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    peer_drain(slow, SIZE_MAX);
    audience_run(a);
    assert_true(got_holds(tail, "event: closed"));
    assert_int_equal(tail->fate, PEER_ENDED);
    assert_int_equal(slow->fate, PEER_ENDED);
    assert_int_equal(late->fate, PEER_ENDED);
    assert_same_got(slow, tail);
    assert_true(got_holds(late, "0\r\n\r\n"));
}

static void deleted_stream_ends_all(void **state)
{
    struct audience *a = *state;
    struct live_request want = audience_want(a, RENDER_WS, 0);
    struct peer *tail = peer_new(a, &want, SIZE_MAX);
    struct peer *slow = peer_new(a, &want, 2);
    audience_run(a);
    publish(a, "one");
    audience_run(a);
    stream_end(a->s, false);
    audience_run(a);
    peer_drain(slow, SIZE_MAX);
    audience_run(a);
    assert_true(got_holds(tail, "deleted"));
    assert_int_equal(tail->fate, PEER_ENDED);
    assert_same_got(slow, tail);
}

/* Something to say while the last frame is under way: it had come twice. */
static void last_frame_comes_once(void **state)
{
    struct audience *a = *state;
    struct live_request want = audience_want(a, RENDER_WS, 0);
    struct peer *tail = peer_new(a, &want, SIZE_MAX);
    struct peer *slow = peer_new(a, &want, 7);
    audience_run(a);
    publish(a, "one");
    audience_run(a);
    audience_close(a);
    audience_run(a);
    assert_int_equal(slow->reader.place, READER_BLOCKED);
    assert_int_equal(reader_say(&slow->reader, STR("\x8a\x00")), FLOW_DONE);
    peer_drain(slow, SIZE_MAX);
    audience_run(a);
    assert_int_equal(slow->fate, PEER_ENDED);
    assert_same_got(slow, tail);
}

static void server_that_goes_ends_them_once(void **state)
{
    struct audience *a = *state;
    struct live_request want = audience_want(a, RENDER_SSE, 0);
    struct peer *tail = peer_new(a, &want, SIZE_MAX);
    struct peer *slow = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    slow->takes = 5;
    publish(a, "one");
    audience_run(a);
    a->worker.draining = true;
    audience_wait(a, 250);
    audience_wait(a, 250);
    peer_drain(slow, SIZE_MAX);
    audience_run(a);
    assert_int_equal(tail->fate, PEER_ENDED);
    assert_int_equal(slow->fate, PEER_ENDED);
    assert_same_got(slow, tail);
}

static void silence_is_filled_for_readers_at_the_tail(void **state)
{
    struct audience *a = *state;
    struct live_request want = want_events(a, 0);
    want.heartbeat_ms = 15000;
    struct peer *p = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    size_t before = p->got.len;
    audience_wait(a, 14999);
    assert_int_equal(p->got.len, before);
    audience_wait(a, 1);
    assert_int_equal(p->got.len, before + 3);
    audience_wait(a, 1000);
    assert_int_equal(p->got.len, before + 3);
}

/* Short of memory. */

static void view_without_memory_goes_on_when_there_is_some(void **state)
{
    struct audience *a = *state;
    struct peer *p = bare(a, SIZE_MAX);
    audience_run(a);
    publish(a, "one");
    budget_set_limit(&a->budget, a->budget.used);
    audience_run(a);
    assert_got(p, "");
    audience_wait(a, 250);
    assert_got(p, "");
    budget_set_limit(&a->budget, 1u << 30);
    audience_wait(a, 250);
    assert_got(p, "one");
}

/* The view puts the blocked one out, and goes on where the other is. */
static void reader_comes_in_although_the_view_has_no_memory(void **state)
{
    struct audience *a = *state;
    char lines[1500];
    a->config.view_bytes = 64u << 10;
    struct peer *blocked = events(a, SIZE_MAX);
    audience_run(a);
    blocked->takes = 3;
    publish(a, "one");
    audience_run(a);
    memset(lines, '\n', sizeof lines);
    assert_int_equal(audience_publish(a, (struct str){lines, sizeof lines}),
                     APPEND_DONE);
    struct live_request want = want_events(a, 3 + sizeof lines);
    struct peer *late = peer_new(a, &want, SIZE_MAX);
    struct view *v;
    while ((v = audience_view(a)) && !v->wanted)
        assert_true(audience_step(a));
    assert_non_null(v);
    budget_set_limit(&a->budget, a->budget.used);
    audience_run(a);
    assert_int_equal(late->reader.place, READER_TAIL);
    assert_int_equal(blocked->reader.place, READER_BEHIND);
    budget_set_limit(&a->budget, 1u << 30);
    publish(a, "more");
    audience_run(a);
    assert_true(got_holds(late, "data: more"));
}

/* It asked the view to come on at every turn of the loop. */
static void reader_that_waits_for_a_starved_view_sleeps(void **state)
{
    struct audience *a = *state;
    struct peer *tail = bare(a, SIZE_MAX);
    audience_run(a);
    publish(a, "one");
    budget_set_limit(&a->budget, a->budget.used);
    audience_run(a);
    struct live_request want = want_bare(a, 3);
    struct peer *late = peer_new(a, &want, SIZE_MAX);
    audience_run(a);
    audience_wait(a, 250);
    assert_int_equal(late->reader.place, READER_BEHIND);
    budget_set_limit(&a->budget, 1u << 30);
    audience_wait(a, 250);
    assert_int_equal(late->reader.place, READER_TAIL);
    assert_got(tail, "one");
}

/* Policy block. */

static void publisher_waits_for_the_slowest(void **state)
{
    struct audience *a = *state;
    audience_stream(a, POLICY_BLOCK, "text/plain", 10000);
    struct peer *fast = bare(a, SIZE_MAX);
    struct peer *slow = bare(a, 1);
    audience_run(a);
    size_t published = 0;
    static char text[1000];
    while (published < 30 &&
           audience_publish(a, (struct str){text, 1000}) == APPEND_DONE) {
        published++;
        audience_run(a);
    }
    assert_in_range(published, 10, 15);
    peer_drain(slow, 2000);
    audience_run(a);
    assert_int_equal(audience_publish(a, (struct str){text, 1000}),
                     APPEND_DONE);
    peer_free(slow);
    audience_run(a);
    for (int i = 0; i < 10; i++)
        assert_int_equal(audience_publish(a, (struct str){text, 1000}),
                         APPEND_DONE);
    audience_run(a);
    assert_int_equal(fast->got.len, (published + 11) * 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bare_readers_of_http_1_0_end_when_it_closes),
        TEST(bare_reader_that_is_blocked_ends_when_it_has_all),
        TEST(closed_stream_ends_all_wherever_they_are),
        TEST(deleted_stream_ends_all),
        TEST(last_frame_comes_once),
        TEST(server_that_goes_ends_them_once),
        TEST(silence_is_filled_for_readers_at_the_tail),
        TEST(view_without_memory_goes_on_when_there_is_some),
        TEST(reader_comes_in_although_the_view_has_no_memory),
        TEST(reader_that_waits_for_a_starved_view_sleeps),
        TEST(publisher_waits_for_the_slowest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
