#include "httpd/streams/registry.h"
#include "httpd/streams/stream_append.h"

#include "buffers/budget.h"
#include "tests/support/pool.h"
#include "tests/support/registry_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000u

static enum registry_result create_from(struct registry_place *p,
                                        struct stream_config *c, uint64_t now)
{
    struct stream *s;
    enum registry_result result = registry_create(p->r, c, now, &s);
    assert_int_equal(s != NULL,
                     result == REGISTRY_CREATED || result == REGISTRY_EXISTS);
    stream_unref(s);
    return result;
}

static enum registry_result create(struct registry_place *p, const char *name)
{
    struct stream_config c = registry_place_config(name);
    return create_from(p, &c, NOW);
}

static enum registry_result create_ttl(struct registry_place *p,
                                       const char *name, uint64_t ttl_s)
{
    struct stream_config c = registry_place_config(name);
    c.life = (struct life_span){.kind = LIFE_TTL, .ttl_s = ttl_s};
    return create_from(p, &c, NOW);
}

static struct stream *get_at(struct registry_place *p, const char *name,
                             uint64_t now)
{
    struct stream *s;
    assert_int_equal(registry_find(p->r, str_from(name), now, &s),
                     REGISTRY_FOUND);
    assert_non_null(s);
    return s;
}

static enum registry_result find_at(struct registry_place *p, const char *name,
                                    uint64_t now)
{
    struct stream *s;
    enum registry_result result = registry_find(p->r, str_from(name), now, &s);
    assert_int_equal(s != NULL, result == REGISTRY_FOUND);
    stream_unref(s);
    return result;
}

static enum registry_result find(struct registry_place *p, const char *name)
{
    return find_at(p, name, NOW);
}

static enum registry_result delete (struct registry_place *p,
                                    const char *name) {
    return registry_delete(p->r, str_from(name), NOW);
}

/* A fork of all that the source has, with a life span of its own if ttl_s. */
static enum registry_result fork_ttl(struct registry_place *p, const char *name,
                                     const char *source, uint64_t ttl_s)
{
    struct stream_state state;
    struct stream_config c = registry_place_config(name);
    c.source = get_at(p, source, NOW);
    stream_look(c.source, &state);
    c.fork_pos = state.tail;
    if (ttl_s > 0)
        c.life = (struct life_span){.kind = LIFE_TTL, .ttl_s = ttl_s};
    enum registry_result result = create_from(p, &c, NOW);
    stream_unref(c.source);
    return result;
}

static enum registry_result fork_of(struct registry_place *p, const char *name,
                                    const char *source)
{
    return fork_ttl(p, name, source, 0);
}

static void append(struct registry_place *p, const char *name, const char *text)
{
    struct stream *s = get_at(p, name, NOW);
    struct str message = str_from(text);
    struct append_outcome out;
    struct append a = {
        .content_type = STR("text/plain"),
        .messages = &message,
        .messages_n = 1,
        .pool = &p->pool,
        .now_ms = NOW,
    };
    assert_int_equal(stream_append(s, &a, &out), APPEND_DONE);
    stream_unref(s);
}

/* The stream holds exactly this text. */
static void holds(struct registry_place *p, const char *name, const char *text)
{
    char bytes[64];
    struct stream_copy copy;
    struct stream *s = get_at(p, name, NOW);
    enum stream_read r =
        stream_copy(s, 0, UINT64_MAX, (struct str){bytes, sizeof bytes}, &copy);
    size_t len = r == READ_DONE ? copy.got.len : 0;
    assert_true(str_equal((struct str){bytes, len}, str_from(text)));
    stream_unref(s);
}

static void name_is_created_once_and_found(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    struct stream_config c = registry_place_config("a");
    struct stream *first;
    struct stream *again;
    assert_int_equal(find(p, "a"), REGISTRY_NOT_FOUND);
    assert_int_equal(registry_create(p->r, &c, NOW, &first), REGISTRY_CREATED);
    assert_int_equal(registry_create(p->r, &c, NOW, &again), REGISTRY_EXISTS);
    assert_ptr_equal(first, again);
    assert_int_equal(find(p, "a"), REGISTRY_FOUND);
    assert_int_equal(find(p, "A"), REGISTRY_NOT_FOUND);
    assert_int_equal(find(p, "a/"), REGISTRY_NOT_FOUND);
    assert_int_equal(registry_streams_n(p->r), 1);
    stream_unref(first);
    stream_unref(again);
    registry_place_close(p);
}

static void deleted_name_is_free_and_shows_no_old_data(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    append(p, "a", "old");
    struct stream *held = get_at(p, "a", NOW);
    assert_int_equal(delete (p, "a"), REGISTRY_FOUND);
    assert_int_equal(find(p, "a"), REGISTRY_NOT_FOUND);
    assert_int_equal(delete (p, "a"), REGISTRY_NOT_FOUND);
    assert_int_equal(registry_streams_n(p->r), 0);
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    holds(p, "a", "");
    struct stream_state old;
    stream_look(held, &old);
    assert_true(old.gone);
    assert_false(old.soft_deleted);
    stream_unref(held);
    registry_place_close(p);
}

static void time_to_live_is_over_to_the_millisecond(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create_ttl(p, "a", 2), REGISTRY_CREATED);
    assert_int_equal(find_at(p, "a", NOW + 1999), REGISTRY_FOUND);
    assert_int_equal(find_at(p, "a", NOW + 2000), REGISTRY_NOT_FOUND);
    assert_int_equal(registry_streams_n(p->r), 0);
    registry_place_close(p);
}

static void touch_restarts_the_time_to_live_and_find_does_not(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create_ttl(p, "a", 2), REGISTRY_CREATED);
    assert_int_equal(create_ttl(p, "b", 2), REGISTRY_CREATED);
    struct stream *a = get_at(p, "a", NOW + 1500);
    assert_int_equal(find_at(p, "b", NOW + 1500), REGISTRY_FOUND);
    stream_touch(a, NOW + 1500);
    stream_unref(a);
    assert_int_equal(find_at(p, "b", NOW + 2000), REGISTRY_NOT_FOUND);
    assert_int_equal(find_at(p, "a", NOW + 3499), REGISTRY_FOUND);
    assert_int_equal(find_at(p, "a", NOW + 3500), REGISTRY_NOT_FOUND);
    registry_place_close(p);
}

static void moment_of_expiry_is_exact_and_frees_the_name(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    struct stream_config c = registry_place_config("a");
    c.life =
        (struct life_span){.kind = LIFE_EXPIRES_AT, .expires_at_ms = NOW + 77};
    assert_int_equal(create_from(p, &c, NOW), REGISTRY_CREATED);
    append(p, "a", "old");
    assert_int_equal(create_from(p, &c, NOW + 76), REGISTRY_EXISTS);
    assert_int_equal(registry_delete(p->r, STR("a"), NOW + 77),
                     REGISTRY_NOT_FOUND);
    c.life = (struct life_span){0};
    assert_int_equal(create_from(p, &c, NOW + 77), REGISTRY_CREATED);
    holds(p, "a", "");
    registry_place_close(p);
}

static void stream_with_forks_is_soft_deleted_until_the_last_goes(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    append(p, "a", "one");
    assert_int_equal(fork_of(p, "b", "a"), REGISTRY_CREATED);
    assert_int_equal(fork_of(p, "c", "a"), REGISTRY_CREATED);
    struct stream *a = get_at(p, "a", NOW);
    assert_int_equal(delete (p, "a"), REGISTRY_FOUND);
    struct stream_state gone;
    stream_look(a, &gone);
    assert_true(gone.gone && gone.soft_deleted);
    stream_unref(a);
    assert_int_equal(find(p, "a"), REGISTRY_SOFT_DELETED);
    assert_int_equal(create(p, "a"), REGISTRY_SOFT_DELETED);
    assert_int_equal(delete (p, "a"), REGISTRY_SOFT_DELETED);
    holds(p, "b", "one");
    assert_int_equal(delete (p, "b"), REGISTRY_FOUND);
    assert_int_equal(find(p, "a"), REGISTRY_SOFT_DELETED);
    holds(p, "c", "one");
    assert_int_equal(delete (p, "c"), REGISTRY_FOUND);
    assert_int_equal(find(p, "a"), REGISTRY_NOT_FOUND);
    assert_int_equal(registry_streams_n(p->r), 0);
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    holds(p, "a", "");
    registry_place_close(p);
}

static void living_source_outlives_its_forks(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    assert_int_equal(fork_of(p, "b", "a"), REGISTRY_CREATED);
    assert_int_equal(delete (p, "b"), REGISTRY_FOUND);
    assert_int_equal(find(p, "a"), REGISTRY_FOUND);
    assert_int_equal(delete (p, "a"), REGISTRY_FOUND);
    assert_int_equal(find(p, "a"), REGISTRY_NOT_FOUND);
    registry_place_close(p);
}

/* 0 <- 1 <- 2 ... each a fork of the one before. */
static void long_chain_is_kept_and_goes_with_its_last_fork(void **state)
{
    (void)state;
    enum { LINKS = 2000 };
    struct registry_place *p = registry_place_open(LINKS);
    char name[16] = "0";
    char source[16];
    assert_int_equal(create(p, "0"), REGISTRY_CREATED);
    append(p, "0", "seed");
    for (int i = 1; i < LINKS; i++) {
        memcpy(source, name, sizeof name);
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(fork_of(p, name, source), REGISTRY_CREATED);
    }
    for (int i = 0; i < LINKS - 1; i++) {
        snprintf(source, sizeof source, "%d", i);
        assert_int_equal(delete (p, source), REGISTRY_FOUND);
    }
    assert_int_equal(find(p, "0"), REGISTRY_SOFT_DELETED);
    assert_int_equal(registry_streams_n(p->r), LINKS);
    holds(p, name, "seed");
    assert_int_equal(delete (p, name), REGISTRY_FOUND);
    assert_int_equal(registry_streams_n(p->r), 0);
    assert_int_equal(find(p, "0"), REGISTRY_NOT_FOUND);
    registry_place_close(p);
}

static void cascade_ends_at_a_link_that_others_need(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    assert_int_equal(fork_of(p, "b", "a"), REGISTRY_CREATED);
    assert_int_equal(fork_of(p, "c", "b"), REGISTRY_CREATED);
    assert_int_equal(fork_of(p, "d", "a"), REGISTRY_CREATED);
    assert_int_equal(delete (p, "a"), REGISTRY_FOUND);
    assert_int_equal(delete (p, "b"), REGISTRY_FOUND);
    assert_int_equal(delete (p, "c"), REGISTRY_FOUND);
    assert_int_equal(find(p, "b"), REGISTRY_NOT_FOUND);
    assert_int_equal(find(p, "a"), REGISTRY_SOFT_DELETED);
    assert_int_equal(delete (p, "d"), REGISTRY_FOUND);
    assert_int_equal(find(p, "a"), REGISTRY_NOT_FOUND);
    registry_place_close(p);
}

static void source_with_forks_expires_softly(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create_ttl(p, "a", 1), REGISTRY_CREATED);
    assert_int_equal(fork_ttl(p, "b", "a", 3), REGISTRY_CREATED);
    assert_int_equal(find_at(p, "a", NOW + 999), REGISTRY_FOUND);
    assert_int_equal(find_at(p, "a", NOW + 1000), REGISTRY_SOFT_DELETED);
    assert_int_equal(find_at(p, "b", NOW + 2999), REGISTRY_FOUND);
    assert_int_equal(find_at(p, "b", NOW + 3000), REGISTRY_NOT_FOUND);
    assert_int_equal(find_at(p, "a", NOW + 3000), REGISTRY_NOT_FOUND);
    registry_place_close(p);
}

static void fork_of_what_is_gone_is_refused(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create_ttl(p, "a", 1), REGISTRY_CREATED);
    struct stream_config c = registry_place_config("b");
    c.source = get_at(p, "a", NOW);
    assert_int_equal(create_from(p, &c, NOW + 1000), REGISTRY_SOURCE_GONE);
    /* Another one of that name is not it. */
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    assert_int_equal(create_from(p, &c, NOW), REGISTRY_SOURCE_GONE);
    stream_unref(c.source);
    assert_int_equal(fork_of(p, "c", "a"), REGISTRY_CREATED);
    c.source = get_at(p, "a", NOW);
    assert_int_equal(delete (p, "a"), REGISTRY_FOUND);
    assert_int_equal(create_from(p, &c, NOW), REGISTRY_SOURCE_GONE);
    stream_unref(c.source);
    assert_int_equal(registry_streams_n(p->r), 2);
    registry_place_close(p);
}

static void full_registry_refuses_and_takes_again(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(3);
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    assert_int_equal(create(p, "b"), REGISTRY_CREATED);
    assert_int_equal(create(p, "c"), REGISTRY_CREATED);
    assert_int_equal(create(p, "d"), REGISTRY_FULL);
    assert_int_equal(create(p, "a"), REGISTRY_EXISTS);
    assert_int_equal(delete (p, "b"), REGISTRY_FOUND);
    assert_int_equal(create(p, "d"), REGISTRY_CREATED);
    assert_int_equal(find(p, "d"), REGISTRY_FOUND);
    registry_place_close(p);
}

static void budget_bounds_streams_and_gets_all_back(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(1000);
    char name[16];
    unsigned n = 0;
    budget_set_limit(&p->budget, 100 * REGISTRY_STREAM_BYTES);
    enum registry_result result = REGISTRY_CREATED;
    while (result == REGISTRY_CREATED) {
        snprintf(name, sizeof name, "%u", n++);
        result = create(p, name);
    }
    assert_int_equal(result, REGISTRY_NO_MEMORY);
    assert_in_range(n, 50, 100);
    assert_int_equal(find(p, name), REGISTRY_NOT_FOUND);
    assert_int_equal(delete (p, "0"), REGISTRY_FOUND);
    assert_int_equal(create(p, name), REGISTRY_CREATED);
    registry_place_close(p);
}

static void sweep_ends_what_is_over(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(20000);
    char name[16];
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "%u", i);
        assert_int_equal(create_ttl(p, name, i % 2 ? 1 : 10), REGISTRY_CREATED);
    }
    struct stream *held = get_at(p, "1", NOW);
    registry_sweep(p->r, NOW + 999);
    assert_int_equal(registry_streams_n(p->r), 10000);
    registry_sweep(p->r, NOW + 1000);
    uint64_t left = registry_streams_n(p->r);
    assert_in_range(left, 10000 - REGISTRY_SWEEP_MAX, 10000 - 1000);
    for (int i = 0; i < 3; i++)
        registry_sweep(p->r, NOW + 1000);
    assert_int_equal(registry_streams_n(p->r), 5000);
    struct stream_state gone;
    stream_look(held, &gone);
    assert_true(gone.gone);
    stream_unref(held);
    registry_place_close(p);
}

static void sweep_drops_what_is_too_old(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    struct stream_config c = registry_place_config("a");
    struct stream_state look;
    c.bounds.age_ms = 5000;
    assert_int_equal(create_from(p, &c, NOW), REGISTRY_CREATED);
    append(p, "a", "old");
    struct stream *s = get_at(p, "a", NOW);
    registry_sweep(p->r, NOW + 4000);
    stream_look(s, &look);
    assert_int_equal(look.first, 0);
    registry_sweep(p->r, NOW + 6000);
    stream_look(s, &look);
    assert_int_equal(look.first, 3);
    stream_unref(s);
    registry_place_close(p);
}

/* The end of a fork takes its source out of the bucket that is being swept, for
 * some of these keys. */
static void sweep_bears_a_cascade_within_a_bucket(void **state)
{
    (void)state;
    for (int i = 0; i < 64; i++) {
        struct registry_place *p = registry_place_open(10);
        assert_int_equal(create_ttl(p, "a", 1), REGISTRY_CREATED);
        assert_int_equal(fork_ttl(p, "b", "a", 2), REGISTRY_CREATED);
        assert_int_equal(fork_ttl(p, "c", "b", 2), REGISTRY_CREATED);
        assert_int_equal(create(p, "d"), REGISTRY_CREATED);
        registry_sweep(p->r, NOW + 1000);
        assert_int_equal(registry_streams_n(p->r), 4);
        registry_sweep(p->r, NOW + 2000);
        registry_sweep(p->r, NOW + 2000);
        assert_int_equal(registry_streams_n(p->r), 1);
        assert_int_equal(find_at(p, "d", NOW + 2000), REGISTRY_FOUND);
        registry_place_close(p);
    }
}

static void a_hundred_thousand_names_are_told_apart(void **state)
{
    (void)state;
    enum { NAMES = 100000 };
    struct registry_place *p = registry_place_open(NAMES);
    char name[16];
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "n/%u", i);
        assert_int_equal(create(p, name), REGISTRY_CREATED);
    }
    assert_int_equal(create(p, "one more"), REGISTRY_FULL);
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "n/%u", i);
        struct stream *s = get_at(p, name, NOW);
        assert_true(str_equal(stream_name(s), str_from(name)));
        stream_unref(s);
    }
    for (unsigned i = 0; i < NAMES; i += 2) {
        snprintf(name, sizeof name, "n/%u", i);
        assert_int_equal(delete (p, name), REGISTRY_FOUND);
    }
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "n/%u", i);
        assert_int_equal(find(p, name),
                         i % 2 ? REGISTRY_FOUND : REGISTRY_NOT_FOUND);
    }
    assert_int_equal(registry_streams_n(p->r), NAMES / 2);
    registry_place_close(p);
}

struct seen {
    unsigned char times[1000];
    size_t n;
    size_t stop_after;
};

static bool see(void *arg, struct stream *s)
{
    struct seen *seen = arg;
    unsigned i = 0;
    assert_int_equal(sscanf(stream_name(s).at, "%u", &i), 1);
    seen->times[i]++;
    return ++seen->n != seen->stop_after;
}

static void each_stream_is_shown_once(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(1000);
    char name[16];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%u", i);
        assert_int_equal(create(p, name), REGISTRY_CREATED);
    }
    struct seen seen = {0};
    registry_each(p->r, SIZE_MAX, see, &seen);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(seen.times[i], 1);
    seen = (struct seen){0};
    registry_each(p->r, 100, see, &seen);
    assert_int_equal(seen.n, 100);
    seen = (struct seen){.stop_after = 70};
    registry_each(p->r, SIZE_MAX, see, &seen);
    assert_int_equal(seen.n, 70);
    registry_place_close(p);
}

static void dropped_blocks_are_home_before_their_pool_goes(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    assert_int_equal(create(p, "a"), REGISTRY_CREATED);
    append(p, "a", "one");
    assert_int_equal(fork_of(p, "b", "a"), REGISTRY_CREATED);
    assert_int_equal(delete (p, "a"), REGISTRY_FOUND);
    assert_true(test_pool_in_use(&p->pool) > 0);
    registry_drop_all(p->r);
    assert_int_equal(test_pool_in_use(&p->pool), 0);
    registry_place_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_created_once_and_found),
        cmocka_unit_test(deleted_name_is_free_and_shows_no_old_data),
        cmocka_unit_test(time_to_live_is_over_to_the_millisecond),
        cmocka_unit_test(touch_restarts_the_time_to_live_and_find_does_not),
        cmocka_unit_test(moment_of_expiry_is_exact_and_frees_the_name),
        cmocka_unit_test(stream_with_forks_is_soft_deleted_until_the_last_goes),
        cmocka_unit_test(living_source_outlives_its_forks),
        cmocka_unit_test(long_chain_is_kept_and_goes_with_its_last_fork),
        cmocka_unit_test(cascade_ends_at_a_link_that_others_need),
        cmocka_unit_test(source_with_forks_expires_softly),
        cmocka_unit_test(fork_of_what_is_gone_is_refused),
        cmocka_unit_test(full_registry_refuses_and_takes_again),
        cmocka_unit_test(budget_bounds_streams_and_gets_all_back),
        cmocka_unit_test(sweep_ends_what_is_over),
        cmocka_unit_test(sweep_drops_what_is_too_old),
        cmocka_unit_test(sweep_bears_a_cascade_within_a_bucket),
        cmocka_unit_test(a_hundred_thousand_names_are_told_apart),
        cmocka_unit_test(each_stream_is_shown_once),
        cmocka_unit_test(dropped_blocks_are_home_before_their_pool_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
