/* Threads that wait: who ends the wait, with what answer, and when. */
#include "buffers/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#define CAP      4
#define ERROR    77
#define SHORT_MS 5  /* after which a thread that waits sleeps */
#define LONG_S   10 /* in which every wait must have ended */
#define CROWD    4

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t in_ms(uint64_t ms)
{
    return now_ns() + ms * 1000000u;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static struct buffer *make(enum buffer_kind kind)
{
    struct buffer_config config = {.name = "wait",
                                   .kind = kind,
                                   .elem_bytes = sizeof(int),
                                   .cap = CAP,
                                   .cap_max = kind == BUFFER_GROWABLE ? CAP : 0,
                                   .now_ns = now_ns};
    struct buffer *b = buffer_new(&config);
    assert_non_null(b);
    return b;
}

static void fill(struct buffer *b, int first, int n)
{
    for (int i = first; i < first + n; i++)
        assert_int_equal(buffer_try_add(b, &i), FLOW_DONE);
    buffer_check(b);
}

/* A thread in one call. */

enum call {
    NEXT,
    READ,
    PEEK,
    ADD,
    WRITE,
    RESERVE,
    CALLS,
};

struct caller {
    enum call call;
    struct buffer *b;
    uint64_t deadline_ns;
    atomic_bool ended;
    enum flow r;
    size_t n;
    int elems[CAP * 4];
    pthread_t thread;
};

static enum flow call(struct caller *c)
{
    const void *shown;
    void *room;
    size_t most = sizeof c->elems / sizeof c->elems[0];
    c->n = 1;
    switch (c->call) {
    case NEXT:
        return buffer_next_until(c->b, c->elems, c->deadline_ns);
    case READ:
        return buffer_read_until(c->b, c->elems, most, c->deadline_ns, &c->n);
    case PEEK:
        return buffer_peek_until(c->b, 1, c->deadline_ns, &shown, &c->n);
    case ADD:
        return buffer_add_until(c->b, c->elems, c->deadline_ns);
    case WRITE:
        return buffer_write_until(c->b, c->elems, most, c->deadline_ns, &c->n);
    default:
        return buffer_reserve_until(c->b, 1, c->deadline_ns, &room, &c->n);
    }
}

static void *run(void *arg)
{
    struct caller *c = arg;
    c->r = call(c);
    atomic_store(&c->ended, true);
    return NULL;
}

static void start(struct caller *c, enum call call, struct buffer *b)
{
    c->call = call;
    c->b = b;
    c->deadline_ns = BUFFER_NO_DEADLINE;
    atomic_init(&c->ended, false);
    assert_int_equal(pthread_create(&c->thread, NULL, run, c), 0);
}

static void is_waiting(struct caller *c)
{
    sleep_ms(SHORT_MS);
    assert_false(atomic_load(&c->ended));
    buffer_check(c->b);
}

static void join(struct caller *c)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONG_S;
    assert_int_equal(pthread_timedjoin_np(c->thread, NULL, &until), 0);
    buffer_check(c->b);
}

static void ends(struct caller *c, enum flow r)
{
    join(c);
    assert_int_equal(c->r, r);
}

static struct buffer_stats stats_of(const struct buffer *b)
{
    struct buffer_stats stats;
    buffer_stats(b, &stats);
    return stats;
}

static bool is_reader(enum call call)
{
    return call == NEXT || call == READ || call == PEEK;
}

/* What it has handed out is given back. */
static void settle(struct caller *c, size_t n)
{
    if (c->call == PEEK && c->r == FLOW_DONE)
        buffer_consume(c->b, n);
    if (c->call == RESERVE && c->r == FLOW_DONE)
        buffer_commit(c->b, n);
    buffer_check(c->b);
}

static void break_it(struct buffer *b)
{
    buffer_close_with_error(b, ERROR);
}

static void every_close_ends_every_wait(void **state)
{
    static const struct {
        void (*run)(struct buffer *b);
        enum flow answer;
    } closes[] = {{buffer_close_write, FLOW_END},
                  {buffer_close, FLOW_END},
                  {break_it, FLOW_FAILED}};
    (void)state;
    for (size_t i = 0; i < sizeof closes / sizeof closes[0]; i++)
        for (int call = 0; call < CALLS; call++) {
            struct buffer *b = make(BUFFER_BLOCK);
            struct caller c[CROWD];
            if (!is_reader((enum call)call))
                fill(b, 0, CAP);
            for (size_t k = 0; k < CROWD; k++)
                start(&c[k], (enum call)call, b);
            is_waiting(&c[0]);
            closes[i].run(b);
            for (size_t k = 0; k < CROWD; k++)
                ends(&c[k], closes[i].answer);
            buffer_free(b);
        }
}

static void an_element_ends_every_readers_wait(void **state)
{
    (void)state;
    for (int kind = BUFFER_GROWABLE; kind <= BUFFER_RING; kind++)
        for (int call = NEXT; call <= PEEK; call++) {
            struct buffer *b = make((enum buffer_kind)kind);
            struct caller c;
            start(&c, (enum call)call, b);
            is_waiting(&c);
            fill(b, 1, 1);
            ends(&c, FLOW_DONE);
            assert_int_equal(c.n, 1);
            settle(&c, 1);
            buffer_free(b);
        }
}

static void commit_one(struct buffer *b)
{
    void *room;
    size_t n;
    assert_int_equal(buffer_try_reserve(b, 1, &room, &n), FLOW_DONE);
    *(int *)room = 1;
    buffer_commit(b, 1);
}

static void a_commit_wakes_a_reader(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    struct caller c;
    (void)state;
    start(&c, NEXT, b);
    is_waiting(&c);
    commit_one(b);
    ends(&c, FLOW_DONE);
    buffer_free(b);
}

/* What makes room. */

static void by_next(struct buffer *b)
{
    int elem;
    assert_int_equal(buffer_next(b, &elem), FLOW_DONE);
}

static void by_discard(struct buffer *b)
{
    size_t n;
    assert_int_equal(buffer_discard(b, 1, &n), FLOW_DONE);
}

static void by_consume(struct buffer *b)
{
    const void *elems;
    size_t n;
    assert_int_equal(buffer_peek(b, 1, &elems, &n), FLOW_DONE);
    buffer_consume(b, 1);
}

static void by_reset(struct buffer *b)
{
    assert_int_equal(buffer_reset(b), FLOW_DONE);
}

static void by_set_cap(struct buffer *b)
{
    assert_int_equal(buffer_set_cap(b, CAP + 1), FLOW_DONE);
}

static void whatever_makes_room_wakes_a_writer(void **state)
{
    static void (*const ways[])(struct buffer * b) = {
        by_next, by_discard, by_consume, by_reset, by_set_cap};
    static const enum call calls[] = {ADD, RESERVE};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        for (size_t k = 0; k < 2; k++) {
            struct buffer *b = make(BUFFER_BLOCK);
            struct caller c;
            fill(b, 0, CAP);
            start(&c, calls[k], b);
            is_waiting(&c);
            ways[i](b);
            ends(&c, FLOW_DONE);
            settle(&c, 1);
            buffer_free(b);
        }
}

static void a_long_write_waits_as_often_as_needed(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    struct caller c = {.elems = {0}};
    int elem;
    (void)state;
    for (int i = 0; i < CAP * 4; i++)
        c.elems[i] = i;
    start(&c, WRITE, b);
    for (int i = 0; i < CAP * 4; i++) {
        assert_int_equal(buffer_next_until(b, &elem, in_ms(LONG_S * 1000u)),
                         FLOW_DONE);
        assert_int_equal(elem, i);
    }
    ends(&c, FLOW_DONE);
    assert_int_equal(c.n, CAP * 4);
    buffer_free(b);
}

static void a_close_tells_a_long_write_how_much_was_taken(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    struct caller c = {.elems = {0}};
    (void)state;
    start(&c, WRITE, b);
    is_waiting(&c);
    buffer_close(b);
    ends(&c, FLOW_END);
    assert_int_equal(c.n, CAP);
    assert_int_equal(stats_of(b).dropped, CAP);
    buffer_free(b);
}

static void one_write_wakes_as_many_as_it_brings_elements(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    struct caller c[CROWD];
    (void)state;
    for (size_t i = 0; i < CROWD; i++)
        start(&c[i], NEXT, b);
    is_waiting(&c[0]);
    fill(b, 1, CROWD);
    for (size_t i = 0; i < CROWD; i++)
        ends(&c[i], FLOW_DONE);
    buffer_free(b);
}

/* More than one call can keep until its lock is dropped. */
static void a_close_wakes_a_large_crowd(void **state)
{
    enum { MANY = 20 };
    struct buffer *b = make(BUFFER_BLOCK);
    struct caller c[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        start(&c[i], READ, b);
    is_waiting(&c[0]);
    buffer_close(b);
    for (size_t i = 0; i < MANY; i++)
        ends(&c[i], FLOW_END);
    buffer_free(b);
}

static void a_deadline_that_has_passed_does_not_wait(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    int elem = 1;
    (void)state;
    uint64_t began = now_ns();
    assert_int_equal(buffer_next_until(b, &elem, 0), FLOW_AGAIN);
    assert_int_equal(buffer_next_until(b, &elem, now_ns()), FLOW_AGAIN);
    fill(b, 1, CAP);
    assert_int_equal(buffer_add_until(b, &elem, 0), FLOW_FULL);
    assert_int_equal(buffer_add_until(b, &elem, now_ns()), FLOW_FULL);
    assert_true(now_ns() - began < 1000000000u);
    assert_int_equal(buffer_next_until(b, &elem, 0), FLOW_DONE);
    assert_int_equal(buffer_add_until(b, &elem, 0), FLOW_DONE);
    buffer_check(b);
    buffer_free(b);
}

static void a_deadline_is_waited_for_and_leaves_nothing_behind(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    int elem;
    size_t n;
    int elems[CAP * 2] = {0};
    (void)state;
    uint64_t deadline = in_ms(SHORT_MS);
    assert_int_equal(buffer_next_until(b, &elem, deadline), FLOW_AGAIN);
    assert_true(now_ns() >= deadline);
    buffer_check(b);
    deadline = in_ms(SHORT_MS);
    assert_int_equal(buffer_write_until(b, elems, CAP * 2, deadline, &n),
                     FLOW_FULL);
    assert_int_equal(n, CAP);
    assert_true(now_ns() >= deadline);
    buffer_check(b);
    buffer_free(b);
}

static void waits_and_their_time_are_counted(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    int elem = 1;
    (void)state;
    uint64_t began = now_ns();
    buffer_next_until(b, &elem, in_ms(SHORT_MS));
    uint64_t took = now_ns() - began;
    struct buffer_stats s = stats_of(b);
    assert_int_equal(s.read_waits, 1);
    assert_in_range(s.read_blocked_ns, 1, took);
    assert_int_equal(s.write_waits, 0);
    fill(b, 1, CAP);
    buffer_add_until(b, &elem, in_ms(SHORT_MS));
    s = stats_of(b);
    assert_int_equal(s.write_waits, 1);
    assert_true(s.write_blocked_ns > 0);
    buffer_free(b);
}

static void readers_wait_for_the_end_of_a_peek_one_after_another(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    struct caller c[3];
    const void *elems;
    size_t n;
    (void)state;
    fill(b, 1, CAP);
    assert_int_equal(buffer_peek(b, 1, &elems, &n), FLOW_DONE);
    for (size_t i = 0; i < 3; i++)
        start(&c[i], NEXT, b);
    for (size_t i = 0; i < 3; i++)
        is_waiting(&c[i]);
    buffer_consume(b, 1);
    for (size_t i = 0; i < 3; i++)
        ends(&c[i], FLOW_DONE);
    assert_int_equal(buffer_len(b), 0);
    buffer_free(b);
}

static void writers_wait_for_the_end_of_a_reserve_whatever_the_kind(void **s)
{
    (void)s;
    for (int kind = BUFFER_GROWABLE; kind <= BUFFER_RING; kind++) {
        struct buffer *b = make((enum buffer_kind)kind);
        struct caller c[3];
        void *room;
        size_t n;
        assert_int_equal(buffer_reserve(b, 1, &room, &n), FLOW_DONE);
        for (size_t i = 0; i < 3; i++)
            start(&c[i], ADD, b);
        is_waiting(&c[0]);
        *(int *)room = 1;
        buffer_commit(b, 1);
        for (size_t i = 0; i < 3; i++)
            ends(&c[i], FLOW_DONE);
        assert_int_equal(buffer_len(b), 4);
        buffer_free(b);
    }
}

static void a_turn_that_does_not_come_in_time_is_given_up(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    const void *elems;
    void *room;
    size_t n;
    int elem = 1;
    (void)state;
    fill(b, 1, 1);
    assert_int_equal(buffer_peek(b, 1, &elems, &n), FLOW_DONE);
    assert_int_equal(buffer_reserve(b, 1, &room, &n), FLOW_DONE);
    uint64_t deadline = in_ms(SHORT_MS);
    assert_int_equal(buffer_next_until(b, &elem, deadline), FLOW_AGAIN);
    assert_int_equal(buffer_add_until(b, &elem, deadline), FLOW_FULL);
    assert_true(now_ns() >= deadline);
    buffer_check(b);
    buffer_commit(b, 0);
    buffer_consume(b, 1);
    buffer_check(b);
    buffer_free(b);
}

/* The first of two to end; the other one still waits. */
static struct caller *first_of(struct caller c[2], enum flow r)
{
    uint64_t deadline = in_ms(LONG_S * 1000u);
    while (!atomic_load(&c[0].ended) && !atomic_load(&c[1].ended)) {
        assert_true(now_ns() < deadline);
        sleep_ms(1);
    }
    struct caller *first = atomic_load(&c[0].ended) ? &c[0] : &c[1];
    ends(first, r);
    is_waiting(first == &c[0] ? &c[1] : &c[0]);
    return first;
}

static void start_two(struct caller c[2], enum call call, struct buffer *b)
{
    start(&c[0], call, b);
    start(&c[1], call, b);
    is_waiting(&c[0]);
    is_waiting(&c[1]);
}

/* Two sleep, one is woken for the only element, and puts it back. */
static void what_a_peek_puts_back_wakes_the_next_sleeper(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    struct caller c[2];
    (void)state;
    start_two(c, PEEK, b);
    fill(b, 1, 1);
    struct caller *first = first_of(c, FLOW_DONE);
    buffer_consume(b, 0);
    ends(first == &c[0] ? &c[1] : &c[0], FLOW_DONE);
    buffer_consume(b, 1);
    buffer_free(b);
}

static void room_that_a_reserve_gives_back_wakes_the_next_sleeper(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK);
    struct caller c[2];
    (void)state;
    fill(b, 1, CAP);
    start_two(c, RESERVE, b);
    by_next(b);
    struct caller *first = first_of(c, FLOW_DONE);
    buffer_commit(b, 0);
    ends(first == &c[0] ? &c[1] : &c[0], FLOW_DONE);
    buffer_commit(b, 1);
    buffer_free(b);
}

static void reserves_of_a_full_ring_wait_for_the_end_of_a_peek(void **state)
{
    struct buffer *b = make(BUFFER_RING);
    struct caller c[2];
    const void *elems;
    size_t n;
    (void)state;
    fill(b, 1, CAP);
    assert_int_equal(buffer_peek(b, 1, &elems, &n), FLOW_DONE);
    start_two(c, RESERVE, b);
    buffer_consume(b, 0);
    struct caller *first = first_of(c, FLOW_DONE);
    buffer_commit(b, 1);
    ends(first == &c[0] ? &c[1] : &c[0], FLOW_DONE);
    buffer_commit(b, 1);
    buffer_check(b);
    buffer_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_close_ends_every_wait),
        cmocka_unit_test(an_element_ends_every_readers_wait),
        cmocka_unit_test(a_commit_wakes_a_reader),
        cmocka_unit_test(whatever_makes_room_wakes_a_writer),
        cmocka_unit_test(a_long_write_waits_as_often_as_needed),
        cmocka_unit_test(a_close_tells_a_long_write_how_much_was_taken),
        cmocka_unit_test(one_write_wakes_as_many_as_it_brings_elements),
        cmocka_unit_test(a_close_wakes_a_large_crowd),
        cmocka_unit_test(a_deadline_that_has_passed_does_not_wait),
        cmocka_unit_test(a_deadline_is_waited_for_and_leaves_nothing_behind),
        cmocka_unit_test(waits_and_their_time_are_counted),
        cmocka_unit_test(readers_wait_for_the_end_of_a_peek_one_after_another),
        cmocka_unit_test(
            writers_wait_for_the_end_of_a_reserve_whatever_the_kind),
        cmocka_unit_test(a_turn_that_does_not_come_in_time_is_given_up),
        cmocka_unit_test(what_a_peek_puts_back_wakes_the_next_sleeper),
        cmocka_unit_test(room_that_a_reserve_gives_back_wakes_the_next_sleeper),
        cmocka_unit_test(reserves_of_a_full_ring_wait_for_the_end_of_a_peek),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
