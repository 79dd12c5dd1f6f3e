#include "tests/support/pool.h"
#include "tests/support/stream_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* Reads. */

static void readers_learn_where_they_stand(void **state)
{
    struct place *p = *state;
    struct stream_copy copy;
    struct stretch stretch;
    char got[4];
    struct str buffer = {got, sizeof got};
    make_of(p, POLICY_DROP_OLDEST, 8);
    append(p, "aaaa");
    append(p, "bbbb");
    append(p, "cccc");
    assert_int_equal(stream_copy(p->s, 3, UINT64_MAX, buffer, &copy),
                     READ_LAPPED);
    assert_int_equal(copy.state.first, 4);
    assert_int_equal(stream_stretch(p->s, 3, UINT64_MAX, &stretch),
                     READ_LAPPED);
    assert_int_equal(stream_copy(p->s, 12, UINT64_MAX, buffer, &copy),
                     READ_TAIL);
    assert_int_equal(stream_copy(p->s, 6, 9, buffer, &copy), READ_DONE);
    assert_int_equal(copy.got.len, 3);
    assert_int_equal(copy.got.ends_n, 1);
    assert_int_equal(copy.got.ends[0], 2);
    assert_int_equal(stream_copy(p->s, 6, 6, buffer, &copy), READ_TAIL);
    assert_int_equal(stream_stretch(p->s, 6, UINT64_MAX, &stretch), READ_DONE);
    assert_int_equal(stretch.len, 6);
    block_unref(stretch.block);
}

static void positions_are_aligned_to_messages(void **state)
{
    struct place *p = *state;
    uint64_t found;
    make_of(p, POLICY_DROP_OLDEST, 8);
    append(p, "aaaa");
    append(p, "bbbb");
    append(p, "cccc");
    assert_int_equal(stream_align(p->s, 0), 4);
    assert_int_equal(stream_align(p->s, 4), 4);
    assert_int_equal(stream_align(p->s, 5), 8);
    assert_int_equal(stream_align(p->s, 99), 12);
    assert_true(stream_at_message(p->s, 8));
    assert_true(stream_at_message(p->s, 12));
    assert_false(stream_at_message(p->s, 9));
    assert_false(stream_at_message(p->s, 0));
    assert_false(stream_at_message(p->s, 16));
    assert_int_equal(stream_skip_messages(p->s, 4, 1, &found), 8);
    assert_int_equal(stream_skip_messages(p->s, 4, 5, &found), 12);
    assert_int_equal(found, 2);
    assert_int_equal(stream_skip_messages(p->s, 0, 1, &found), 0);
    assert_int_equal(found, 0);
}

/* Time. */

static void what_is_too_old_goes(void **state)
{
    struct place *p = *state;
    struct stream_config c = config_of(POLICY_REJECT, 10);
    c.bounds.age_ms = 1000;
    make(p, &c);
    append(p, "aaaa");
    p->now_ms += 500;
    append(p, "bbbb");
    stream_drop_aged(p->s, PLACE_NOW + 999);
    assert_span(p, 0, 8);
    stream_drop_aged(p->s, PLACE_NOW + 1001);
    assert_span(p, 4, 8);
    stream_drop_aged(p->s, PLACE_NOW + 1501);
    assert_span(p, 8, 8);
    assert_int_equal(append(p, "0123456789"), APPEND_DONE);
}

static void place_of_a_moment_is_found(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_DROP_OLDEST, 12);
    for (int i = 0; i < 3; i++) {
        append(p, "aaaa");
        p->now_ms += 1000;
    }
    assert_int_equal(stream_pos_at(p->s, PLACE_NOW - 1), 0);
    assert_int_equal(stream_pos_at(p->s, PLACE_NOW + 500), 4);
    assert_int_equal(stream_pos_at(p->s, PLACE_NOW + 5000), 12);
    append(p, "bbbb");
    assert_int_equal(stream_pos_at(p->s, PLACE_NOW - 1), 4);
}

static void life_is_counted_from_the_last_touch(void **state)
{
    struct place *p = *state;
    struct stream_config c = config_of(POLICY_GROW, 10);
    c.life = (struct life_span){.kind = LIFE_TTL, .ttl_s = 10};
    make(p, &c);
    assert_false(stream_expired(p->s, PLACE_NOW + 9999));
    assert_true(stream_expired(p->s, PLACE_NOW + 10000));
    stream_touch(p->s, PLACE_NOW + 5000);
    assert_false(stream_expired(p->s, PLACE_NOW + 14999));
    p->now_ms = PLACE_NOW + 6000;
    append(p, "x");
    assert_false(stream_expired(p->s, PLACE_NOW + 15999));
    assert_true(stream_expired(p->s, PLACE_NOW + 16000));
    join(p, 0, UINT64_MAX);
    atomic_store(&p->taps[0].readers_n, 1);
    assert_int_equal(stream_readers_n(p->s), 1);
    assert_false(stream_expired(p->s, PLACE_NOW + 99999));
    leave(p, 0);
}

static void moment_of_the_end_comes_for_readers_too(void **state)
{
    struct place *p = *state;
    struct stream_config c = config_of(POLICY_GROW, 10);
    c.life = (struct life_span){.kind = LIFE_EXPIRES_AT,
                                .expires_at_ms = PLACE_NOW + 10};
    make(p, &c);
    assert_false(stream_expired(p->s, PLACE_NOW + 9));
    assert_true(stream_expired(p->s, PLACE_NOW + 10));
}

static void end_is_told_and_what_was_read_stays(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_GROW, 10);
    append(p, "abc");
    join(p, 0, UINT64_MAX);
    stream_end(p->s, true);
    assert_true(was_told(p, 0));
    assert_true(look(p).gone && look(p).soft_deleted);
    assert_reads(p->s, 0, "abc");
    stream_drop_all(p->s);
    assert_int_equal(test_pool_in_use(&p->pool), 0);
    leave(p, 0);
}

/* Forks. */

static struct stream *fork_at(struct place *p, uint64_t pos, uint64_t age_ms)
{
    struct stream_config c = config_of(POLICY_DROP_OLDEST, 1000);
    c.source = p->s;
    c.fork_pos = pos;
    c.bounds.age_ms = age_ms;
    return stream_new(&c, p->now_ms);
}

static void fork_holds_what_came_before(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_DROP_OLDEST, 1000);
    append(p, "shared");
    append(p, "not");
    struct stream *fork = fork_at(p, 6, 0);
    assert_non_null(fork);
    append_to(p, fork, "own");
    assert_reads(fork, 0, "sharedown");
    assert_reads(p->s, 0, "sharednot");
    assert_ptr_equal(stream_source(fork), p->s);
    assert_int_equal(stream_fork_pos(fork), 6);
    stream_unref(fork);
}

static void nothing_is_forked_beyond_what_is_there(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_DROP_OLDEST, 4);
    append(p, "aaaa");
    append(p, "bbbb");
    assert_null(fork_at(p, 9, 0));
    assert_null(fork_at(p, 3, 0));
}

/* They were dropped at the first sweep: nobody knew when they were made. */
static void fork_ages_as_its_source_does(void **state)
{
    struct place *p = *state;
    struct stream_state now;
    make_of(p, POLICY_DROP_OLDEST, 1000);
    append(p, "aaaa");
    p->now_ms += 600;
    append(p, "bbbb");
    p->now_ms += 300;
    append(p, "cccc");
    struct stream *fork = fork_at(p, 8, 1000);
    assert_non_null(fork);
    assert_int_equal(stream_pos_at(fork, PLACE_NOW + 500), 4);
    assert_int_equal(stream_pos_at(fork, PLACE_NOW + 700), 8);
    stream_drop_aged(fork, PLACE_NOW + 999);
    stream_look(fork, &now);
    assert_int_equal(now.first, 0);
    stream_drop_aged(fork, PLACE_NOW + 1001);
    stream_look(fork, &now);
    assert_int_equal(now.first, 4);
    stream_drop_aged(fork, PLACE_NOW + 1601);
    stream_look(fork, &now);
    assert_int_equal(now.first, 8);
    stream_unref(fork);
}

static void long_chain_of_forks_goes_at_once(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_DROP_OLDEST, 1000);
    append(p, "x");
    for (int i = 0; i < 20000; i++) {
        struct stream *fork = fork_at(p, 1, 0);
        assert_non_null(fork);
        stream_unref(p->s);
        p->s = fork;
    }
    assert_reads(p->s, 0, "x");
}

static void ids_are_never_the_same(void **state)
{
    struct place *p = *state;
    make_of(p, POLICY_GROW, 10);
    uint64_t first = stream_id(p->s);
    stream_unref(p->s);
    make_of(p, POLICY_GROW, 10);
    assert_true(stream_id(p->s) > first);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, place_set_up, place_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readers_learn_where_they_stand),
        TEST(positions_are_aligned_to_messages),
        TEST(what_is_too_old_goes),
        TEST(place_of_a_moment_is_found),
        TEST(life_is_counted_from_the_last_touch),
        TEST(moment_of_the_end_comes_for_readers_too),
        TEST(end_is_told_and_what_was_read_stays),
        TEST(fork_holds_what_came_before),
        TEST(nothing_is_forked_beyond_what_is_there),
        TEST(fork_ages_as_its_source_does),
        TEST(long_chain_of_forks_goes_at_once),
        TEST(ids_are_never_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
