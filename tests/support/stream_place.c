#include "tests/support/stream_place.h"

#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

int place_set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    *state = p;
    budget_init(&p->budget, UINT64_C(1) << 30);
    test_pool_init(&p->pool, 4);
    p->pool.budget = &p->budget;
    p->hub.wake_fd = -1;
    p->taps[0].hub = &p->hub;
    p->taps[1].hub = &p->hub;
    p->now_ms = PLACE_NOW;
    return 0;
}

void join(struct place *p, size_t i, uint64_t floor)
{
    stream_add_tap(p->s, &p->taps[i]);
    stream_tap_floor(p->s, &p->taps[i], floor);
    p->joined[i] = true;
}

void leave(struct place *p, size_t i)
{
    if (p->joined[i])
        stream_remove_tap(p->s, &p->taps[i]);
    p->joined[i] = false;
}

int place_tear_down(void **state)
{
    struct place *p = *state;
    for (size_t i = 0; i < 2; i++)
        leave(p, i);
    stream_unref(p->s);
    test_pool_fini(&p->pool);
    assert_int_equal(p->budget.used, 0);
    free(p);
    return 0;
}

struct stream_config config_of(enum stream_policy policy, uint64_t bytes)
{
    return (struct stream_config){
        .name = STR("s"),
        .content_type = STR("text/plain"),
        .bounds = {.policy = policy, .bytes_max = bytes},
    };
}

void make(struct place *p, const struct stream_config *c)
{
    p->s = stream_new(c, p->now_ms);
    assert_non_null(p->s);
}

void make_of(struct place *p, enum stream_policy policy, uint64_t bytes)
{
    struct stream_config c = config_of(policy, bytes);
    make(p, &c);
}

enum append_result append_as(struct place *p, struct stream *s,
                             struct append *a)
{
    a->pool = &p->pool;
    a->now_ms = p->now_ms;
    return stream_append(s, a, &p->outcome);
}

enum append_result append_to(struct place *p, struct stream *s,
                             const char *text)
{
    struct str message = str_from(text);
    struct append a = {.messages = &message, .messages_n = 1};
    return append_as(p, s, &a);
}

enum append_result append(struct place *p, const char *text)
{
    return append_to(p, p->s, text);
}

struct stream_state look(struct place *p)
{
    struct stream_state now;
    stream_look(p->s, &now);
    return now;
}

void assert_span(struct place *p, uint64_t first, uint64_t tail)
{
    struct stream_state now = look(p);
    assert_int_equal(now.first, first);
    assert_int_equal(now.tail, tail);
}

void assert_reads(struct stream *s, uint64_t pos, const char *text)
{
    char got[64] = "";
    struct stream_copy copy;
    struct str buffer = {got, sizeof got};
    assert_int_equal(stream_copy(s, pos, UINT64_MAX, buffer, &copy), READ_DONE);
    assert_string_equal(got, text);
}

bool was_told(struct place *p, size_t i)
{
    bool told = atomic_exchange(&p->taps[i].queued, false);
    atomic_store(&p->hub.news, NULL);
    return told;
}
