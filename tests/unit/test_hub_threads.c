/* Publishers on other threads wake the hub of a worker that sleeps. After a
 * wake that is lost the alarm ends this test. */
#include "httpd/streams/stream_append.h"
#include "tests/support/audience.h"

#include <event2/event.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLISHERS 2u
#define PATIENCE_S 60u
#define MESSAGES   20000u
#define READERS    20u

struct publisher {
    struct stream *s;
    struct block_pool pool;
    pthread_t thread;
    char letter;
    unsigned failed;
};

/* In bursts, so that the worker sleeps now and then. */
static void *publish(void *arg)
{
    struct publisher *p = arg;
    block_pool_own(&p->pool);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct str message = {&p->letter, 1};
        struct append_outcome outcome;
        struct append a = {
            .messages = &message, .messages_n = 1, .pool = &p->pool};
        p->failed += stream_append(p->s, &a, &outcome) != APPEND_DONE;
        if (i % 64 == 0)
            sched_yield();
    }
    return NULL;
}

static bool all_have(const struct audience *a, size_t bytes)
{
    for (const struct peer *p = a->peers; p; p = p->next)
        if (p->got.len < bytes)
            return false;
    return true;
}

static void sleeping_worker_is_woken_for_every_publish(void **state)
{
    static struct audience a;
    static struct publisher publishers[PUBLISHERS];
    struct block_pool_config pool = {.name = "publisher"};
    (void)state;
    audience_init(&a, 65536);
    audience_stream(&a, POLICY_GROW, "text/plain", 1u << 20);
    for (size_t i = 0; i < READERS; i++) {
        struct live_request want = audience_want(&a, RENDER_RAW, 0);
        want.style.chunked = false;
        (void)peer_new(&a, &want, SIZE_MAX);
    }
    for (size_t i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){.s = a.s, .letter = (char)('a' + i)};
        block_pool_init(&publishers[i].pool, &pool);
        pthread_create(&publishers[i].thread, NULL, publish, &publishers[i]);
    }
    while (!all_have(&a, PUBLISHERS * MESSAGES)) {
        while (audience_step(&a)) {
        }
        if (!all_have(&a, PUBLISHERS * MESSAGES))
            (void)event_base_loop(a.worker.base, EVLOOP_ONCE);
    }
    for (size_t i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i].thread, NULL);
    for (const struct peer *p = a.peers; p; p = p->next) {
        assert_int_equal(p->got.len, a.peers->got.len);
        assert_memory_equal(p->got.data, a.peers->got.data, p->got.len);
    }
    audience_fini(&a);
    for (size_t i = 0; i < PUBLISHERS; i++) {
        assert_int_equal(publishers[i].failed, 0);
        block_pool_own(&publishers[i].pool);
        block_pool_fini(&publishers[i].pool);
    }
}

int main(void)
{
    alarm(PATIENCE_S);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeping_worker_is_woken_for_every_publish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
