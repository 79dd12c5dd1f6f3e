/* Streams that were made before they come into the registry. */
#include "httpd/streams/registry.h"

#include "buffers/budget.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000u

struct place {
    struct budget budget;
    struct block_pool pool;
    struct registry *r;
};

static struct place *open_place(uint64_t streams_max)
{
    struct place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    budget_init(&p->budget, UINT64_C(1) << 30);
    test_pool_init(&p->pool, 4);
    p->r = registry_new(&p->budget, streams_max);
    assert_non_null(p->r);
    return p;
}

/* Everything that was charged has come back, every block is home. */
static void close_place(struct place *p)
{
    registry_free(p->r);
    assert_int_equal(p->budget.used, 0);
    test_pool_fini(&p->pool);
    free(p);
}

static struct stream_config config_of(const char *name)
{
    struct stream_config c = {
        .name = str_from(name),
        .content_type = STR("text/plain"),
        .bounds = {.policy = POLICY_DROP_OLDEST, .bytes_max = 1 << 20},
    };
    return c;
}

static struct stream *make(const char *name, struct stream *source)
{
    struct stream_config c = config_of(name);
    c.source = source;
    struct stream *s = stream_new(&c, NOW);
    assert_non_null(s);
    return s;
}

static void stream_made_beforehand_is_taken_in(void **state)
{
    (void)state;
    struct place *p = open_place(10);
    struct stream *found;
    struct stream *s = make("a", NULL);
    assert_int_equal(registry_find(p->r, STR("a"), NOW, &found),
                     REGISTRY_NOT_FOUND);
    assert_int_equal(registry_add(p->r, s, NOW, &found), REGISTRY_CREATED);
    assert_ptr_equal(found, s);
    stream_unref(found);
    assert_int_equal(registry_find(p->r, STR("a"), NOW, &found),
                     REGISTRY_FOUND);
    assert_ptr_equal(found, s);
    stream_unref(found);
    stream_unref(s);
    close_place(p);
}

static void stream_made_beforehand_yields_to_one_that_is_there(void **state)
{
    (void)state;
    struct place *p = open_place(10);
    struct stream *found;
    struct stream *late = make("a", NULL);
    struct stream *early = make("a", NULL);
    assert_int_equal(registry_add(p->r, early, NOW, &found), REGISTRY_CREATED);
    stream_unref(found);
    assert_int_equal(registry_add(p->r, late, NOW, &found), REGISTRY_EXISTS);
    assert_ptr_equal(found, early);
    stream_unref(found);
    stream_unref(late);
    stream_unref(early);
    assert_int_equal(registry_streams_n(p->r), 1);
    close_place(p);
}

static void fork_made_beforehand_keeps_its_source(void **state)
{
    (void)state;
    struct place *p = open_place(10);
    struct stream *source;
    struct stream *found;
    struct stream_config c = config_of("a");
    assert_int_equal(registry_create(p->r, &c, NOW, &source), REGISTRY_CREATED);
    struct stream *fork = make("b", source);
    struct stream *late = make("c", source);
    stream_unref(source);
    assert_int_equal(registry_add(p->r, fork, NOW, &found), REGISTRY_CREATED);
    stream_unref(found);
    assert_int_equal(registry_delete(p->r, STR("a"), NOW), REGISTRY_FOUND);
    assert_int_equal(registry_find(p->r, STR("a"), NOW, &found),
                     REGISTRY_SOFT_DELETED);
    assert_int_equal(registry_add(p->r, late, NOW, &found),
                     REGISTRY_SOURCE_GONE);
    assert_null(found);
    stream_unref(late);
    stream_unref(fork);
    close_place(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_made_beforehand_is_taken_in),
        cmocka_unit_test(stream_made_beforehand_yields_to_one_that_is_there),
        cmocka_unit_test(fork_made_beforehand_keeps_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
