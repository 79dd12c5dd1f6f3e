/* Streams that were made before they come into the registry. */
#include "httpd/streams/registry.h"

#include "tests/support/registry_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000u

static struct stream *make(const char *name, struct stream *source)
{
    struct stream_config c = registry_place_config(name);
    c.source = source;
    struct stream *s = stream_new(&c, NOW);
    assert_non_null(s);
    return s;
}

static void stream_made_beforehand_is_taken_in(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
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
    registry_place_close(p);
}

static void stream_made_beforehand_yields_to_one_that_is_there(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
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
    registry_place_close(p);
}

static void fork_made_beforehand_keeps_its_source(void **state)
{
    (void)state;
    struct registry_place *p = registry_place_open(10);
    struct stream *source;
    struct stream *found;
    struct stream_config c = registry_place_config("a");
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
    registry_place_close(p);
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
