/* Publishers and readers of one stream on threads of their own; the thread
 * sanitizer looks on. */
#include "httpd/streams/hub_inner.h"
#include "httpd/streams/stream_append.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define PUBLISHERS 3u
#define READERS    3u
#define RECORDS    20000u /* of each publisher */

/* A message: who, and the how manieth of his. Longer ones go on in zeros. */
struct record {
    uint32_t who;
    uint32_t number;
};

struct place {
    struct hub hub;
    struct stream *s;
    bool floors; /* readers tell theirs */
    atomic_uint publishing;
};

struct publisher {
    struct place *place;
    struct block_pool pool;
    uint32_t who;
    pthread_t thread;
    unsigned failed;
};

struct reader_thread {
    struct place *place;
    struct tap tap;
    pthread_t thread;
    uint64_t pos;
    uint64_t next[PUBLISHERS];
    uint64_t lapped_n;
    uint64_t faults_n;
};

static size_t record_bytes(const struct record *r)
{
    return sizeof *r + (r->number * 7 + r->who) % 200;
}

static void publish_one(struct publisher *p, uint32_t number)
{
    char bytes[256] = {0};
    struct record r = {p->who, number};
    struct append_outcome outcome;
    struct str message = {bytes, record_bytes(&r)};
    struct append a = {.messages = &message,
                       .messages_n = 1,
                       .pool = &p->pool,
                       .now_ms = number};
    memcpy(bytes, &r, sizeof r);
    enum append_result result;
    while ((result = stream_append(p->place->s, &a, &outcome)) == APPEND_FULL)
        sched_yield();
    p->failed += result != APPEND_DONE;
}

static void *publish(void *arg)
{
    struct publisher *p = arg;
    block_pool_own(&p->pool);
    for (uint32_t i = 0; i < RECORDS; i++)
        publish_one(p, i);
    atomic_fetch_sub(&p->place->publishing, 1);
    return NULL;
}

static void check_record(struct reader_thread *t, const char *at, size_t len)
{
    struct record r;
    memcpy(&r, at, sizeof r);
    bool wrong = r.who >= PUBLISHERS || len != record_bytes(&r) ||
                 r.number < t->next[r.who] ||
                 (t->lapped_n == 0 && r.number != t->next[r.who]);
    for (size_t i = sizeof r; i < len; i++)
        wrong = wrong || at[i] != 0;
    t->faults_n += wrong;
    if (!wrong)
        t->next[r.who] = r.number + 1;
}

/* Whole messages of one copy, and a look at the memory that is lent. */
static enum stream_read read_some(struct reader_thread *t)
{
    char bytes[4096];
    struct stream_copy copy;
    struct stretch lent;
    struct stream *s = t->place->s;
    struct str buffer = {bytes, sizeof bytes};
    enum stream_read r = stream_copy(s, t->pos, UINT64_MAX, buffer, &copy);
    if (r == READ_LAPPED) {
        t->pos = copy.state.first;
        t->lapped_n++;
        return r;
    }
    if (r == READ_DONE &&
        stream_stretch(s, t->pos, UINT64_MAX, &lent) == READ_DONE) {
        size_t n = lent.len < copy.got.len ? lent.len : copy.got.len;
        t->faults_n += memcmp(lent.block->data + lent.at, bytes, n) != 0;
        block_unref(lent.block);
    }
    uint64_t at = 0;
    for (size_t i = 0; i < copy.got.ends_n; i++) {
        check_record(t, bytes + at, (size_t)(copy.got.ends[i] - at));
        at = copy.got.ends[i];
    }
    t->pos += at;
    if (t->place->floors)
        stream_tap_floor(s, &t->tap, t->pos);
    return r;
}

static void *follow(void *arg)
{
    struct reader_thread *t = arg;
    bool over;
    do {
        over = atomic_load(&t->place->publishing) == 0;
        while (read_some(t) != READ_TAIL) {
        }
        sched_yield();
    } while (!over);
    return NULL;
}

static void run(enum stream_policy policy, uint64_t bytes_max)
{
    static struct place place;
    static struct publisher publishers[PUBLISHERS];
    static struct reader_thread readers[READERS];
    struct block_pool_config pool = {.name = "publisher"};
    struct stream_config c = {
        .name = STR("s"),
        .content_type = STR("text/plain"),
        .bounds = {.policy = policy, .bytes_max = bytes_max},
    };
    memset(&place, 0, sizeof place);
    memset(readers, 0, sizeof readers);
    place.hub.wake_fd = -1;
    place.s = stream_new(&c, 1);
    assert_non_null(place.s);
    place.floors = policy == POLICY_BLOCK;
    atomic_store(&place.publishing, PUBLISHERS);
    for (size_t i = 0; i < READERS; i++) {
        readers[i].place = &place;
        readers[i].tap.hub = &place.hub;
        stream_add_tap(place.s, &readers[i].tap);
        if (place.floors)
            stream_tap_floor(place.s, &readers[i].tap, 0);
        pthread_create(&readers[i].thread, NULL, follow, &readers[i]);
    }
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){.place = &place, .who = i};
        block_pool_init(&publishers[i].pool, &pool);
        pthread_create(&publishers[i].thread, NULL, publish, &publishers[i]);
    }
    for (size_t i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i].thread, NULL);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        stream_remove_tap(place.s, &readers[i].tap);
    }
    stream_unref(place.s);
    for (size_t i = 0; i < PUBLISHERS; i++) {
        assert_int_equal(publishers[i].failed, 0);
        block_pool_own(&publishers[i].pool);
        block_pool_fini(&publishers[i].pool);
    }
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(readers[i].faults_n, 0);
        if (policy != POLICY_DROP_OLDEST)
            assert_int_equal(readers[i].lapped_n, 0);
        size_t whole = 0;
        for (size_t k = 0; k < PUBLISHERS; k++)
            whole += readers[i].next[k] == RECORDS;
        assert_in_range(whole, policy == POLICY_DROP_OLDEST ? 1 : PUBLISHERS,
                        PUBLISHERS);
    }
}

static void readers_see_all_in_order_while_it_grows(void **state)
{
    (void)state;
    run(POLICY_GROW, 1);
}

static void publishers_wait_for_the_slowest_reader(void **state)
{
    (void)state;
    run(POLICY_BLOCK, 16u << 10);
}

/* What a reader sees is in order, and it ends with the last. */
static void readers_are_lapped_between_messages(void **state)
{
    (void)state;
    run(POLICY_DROP_OLDEST, 4u << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_all_in_order_while_it_grows),
        cmocka_unit_test(publishers_wait_for_the_slowest_reader),
        cmocka_unit_test(readers_are_lapped_between_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
