#include "httpd/streams/registry.h"

#include "buffers/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1000000u

static struct registry *open_registry(struct budget *budget,
                                      uint64_t streams_max)
{
    budget_init(budget, UINT64_C(1) << 30);
    struct registry *r = registry_new(budget, streams_max);
    assert_non_null(r);
    return r;
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

struct racer {
    struct registry *r;
    unsigned created;
};

static void *race_to_create(void *arg)
{
    struct racer *racer = arg;
    char name[16];
    for (unsigned i = 0; i < 5000; i++) {
        struct stream *s;
        snprintf(name, sizeof name, "%u", i);
        struct stream_config c = config_of(name);
        if (registry_create(racer->r, &c, NOW, &s) == REGISTRY_CREATED)
            racer->created++;
        stream_unref(s);
    }
    return NULL;
}

static void two_threads_create_each_name_once(void **state)
{
    (void)state;
    struct budget budget;
    struct registry *r = open_registry(&budget, 5000);
    struct racer racers[2] = {{.r = r}, {.r = r}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, race_to_create, &racers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(racers[0].created + racers[1].created, 5000);
    assert_int_equal(registry_streams_n(r), 5000);
    registry_free(r);
    assert_int_equal(budget.used, 0);
}

static bool look_at(void *arg, struct stream *s)
{
    struct stream_state look;
    (void)arg;
    stream_look(s, &look);
    return true;
}

/* Forks, deletes and sweeps the same few names that the other does. */
static void *race_over_all(void *arg)
{
    struct racer *racer = arg;
    struct registry *r = racer->r;
    char name[16];
    for (unsigned i = 0; i < 5000; i++) {
        struct stream *source;
        struct stream *s;
        snprintf(name, sizeof name, "%u", i % 7);
        struct stream_config c = config_of(name);
        snprintf(name, sizeof name, "%u", (i + 1) % 7);
        registry_find(r, str_from(name), NOW, &source);
        snprintf(name, sizeof name, "%u", i % 7);
        c.source = source;
        c.life = (struct life_span){.kind = LIFE_TTL, .ttl_s = i % 3};
        registry_create(r, &c, NOW, &s);
        stream_unref(s);
        stream_unref(source);
        if (i % 5 == 0)
            registry_delete(r, str_from(name), NOW);
        if (i % 11 == 0)
            registry_sweep(r, NOW);
        if (i % 13 == 0)
            registry_each(r, 10, look_at, NULL);
    }
    return NULL;
}

static void two_threads_do_everything_at_once(void **state)
{
    (void)state;
    struct budget budget;
    struct registry *r = open_registry(&budget, 100);
    struct racer racer = {.r = r};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, race_over_all, &racer), 0);
    race_over_all(&racer);
    pthread_join(thread, NULL);
    assert_in_range(registry_streams_n(r), 0, 7);
    registry_free(r);
    assert_int_equal(budget.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_create_each_name_once),
        cmocka_unit_test(two_threads_do_everything_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
