#include "tests/support/shm_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS   5000
#define SLEEP_MS  20
#define PROGRAM_S 50 /* nothing here may hang */

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void bytes_arrive_in_order(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_look(f), FLOW_AGAIN);
    assert_int_equal(shm_pair_put(f, 10), FLOW_DONE);
    assert_int_equal(shm_pair_put(f, 20), FLOW_DONE);
    shm_pair_take(f, 5);
    shm_pair_take(f, 25);
    assert_int_equal(shm_pair_look(f), FLOW_AGAIN);
}

static void a_view_across_the_end_is_in_one_piece(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, SHM_PAIR_CAP - 100), FLOW_DONE);
    shm_pair_take(f, SHM_PAIR_CAP - 100);
    assert_int_equal(shm_pair_put(f, SHM_PAIR_CAP), FLOW_DONE);
    shm_pair_take(f, SHM_PAIR_CAP);
}

static void a_full_ring_says_so_until_enough_was_consumed(void **state)
{
    struct shm_pair *f = *state;
    char *room;
    size_t n = 1;
    assert_int_equal(shm_pair_put(f, SHM_PAIR_CAP - 10), FLOW_DONE);
    assert_int_equal(shm_ring_reserve(&f->writer, 11, &room, &n), FLOW_FULL);
    assert_int_equal(n, 0);
    assert_int_equal(shm_pair_put(f, 10), FLOW_DONE);
    assert_int_equal(shm_pair_put(f, 1), FLOW_FULL);
    shm_pair_take(f, 1);
    assert_int_equal(shm_pair_put(f, 2), FLOW_FULL);
    assert_int_equal(shm_pair_put(f, 1), FLOW_DONE);
    shm_pair_take(f, SHM_PAIR_CAP);
}

static void one_reserve_may_be_committed_in_steps(void **state)
{
    struct shm_pair *f = *state;
    const char *bytes;
    char *room;
    size_t n;
    assert_int_equal(shm_ring_reserve(&f->writer, 6, &room, &n), FLOW_DONE);
    memcpy(room, "onetwo", 6);
    shm_ring_commit(&f->writer, 3);
    assert_int_equal(shm_ring_peek(&f->reader, &bytes, &n), FLOW_DONE);
    assert_int_equal(n, 3);
    shm_ring_commit(&f->writer, 0);
    shm_ring_commit(&f->writer, 3);
    shm_ring_consume(&f->reader, 2);
    shm_ring_consume(&f->reader, 1);
    assert_int_equal(shm_ring_peek(&f->reader, &bytes, &n), FLOW_DONE);
    assert_int_equal(n, 3);
    assert_memory_equal(bytes, "two", 3);
    shm_pair_whole(f);
}

static void a_reader_drains_before_the_end(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, 7), FLOW_DONE);
    shm_ring_close(&f->writer);
    shm_pair_take(f, 6);
    shm_pair_take(f, 1);
    assert_int_equal(shm_pair_look(f), FLOW_END);
    assert_int_equal(shm_pair_look(f), FLOW_END);
}

static void a_writer_ends_at_once(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, 7), FLOW_DONE);
    shm_ring_close(&f->reader);
    assert_int_equal(shm_pair_put(f, 1), FLOW_END);
}

static void an_abandoned_side_has_ended(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, 7), FLOW_DONE);
    shm_ring_abandon(&f->reader);
    shm_pair_take(f, 7);
    assert_int_equal(shm_pair_look(f), FLOW_END);
    shm_ring_abandon(&f->writer);
    assert_int_equal(shm_pair_put(f, 1), FLOW_END);
}

static void a_side_that_starts_again_goes_on_where_it_was(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, 100), FLOW_DONE);
    shm_pair_take(f, 40);
    shm_ring_fini(&f->reader);
    assert_true(shm_ring_attach(&f->reader, f->writer.fds, SHM_READER));
    shm_pair_whole(f);
    shm_pair_take(f, 60);
    shm_ring_fini(&f->writer);
    assert_true(shm_ring_attach(&f->writer, f->reader.fds, SHM_WRITER));
    assert_int_equal(shm_pair_put(f, 10), FLOW_DONE);
    shm_pair_take(f, 10);
}

static void a_closed_side_cannot_be_taken_up_again(void **state)
{
    struct shm_pair *f = *state;
    struct shm_ring second;
    shm_ring_close(&f->reader);
    assert_false(shm_ring_attach(&second, f->writer.fds, SHM_READER));
    assert_int_equal(errno, EPIPE);
    shm_ring_fini(&second);
}

/* Wake-ups. */

static void nobody_is_woken_who_does_not_wait(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, SHM_PAIR_CAP), FLOW_DONE);
    shm_pair_take(f, SHM_PAIR_CAP);
    shm_ring_close(&f->writer);
    assert_false(readable(shm_ring_event_fd(&f->reader)));
    assert_false(readable(shm_ring_event_fd(&f->writer)));
}

static void an_armed_reader_is_woken_once(void **state)
{
    struct shm_pair *f = *state;
    assert_false(shm_ring_arm(&f->reader, 1));
    assert_false(readable(shm_ring_event_fd(&f->reader)));
    assert_int_equal(shm_pair_put(f, 1), FLOW_DONE);
    assert_true(readable(shm_ring_event_fd(&f->reader)));
    shm_ring_disarm(&f->reader);
    assert_int_equal(shm_pair_put(f, 1), FLOW_DONE);
    assert_false(readable(shm_ring_event_fd(&f->reader)));
    shm_pair_take(f, 2);
}

static void arming_says_when_there_is_no_need_to_wait(void **state)
{
    struct shm_pair *f = *state;
    assert_true(shm_ring_arm(&f->writer, SHM_PAIR_CAP));
    assert_int_equal(shm_pair_put(f, 1), FLOW_DONE);
    assert_true(shm_ring_arm(&f->reader, 1));
    assert_false(shm_ring_arm(&f->reader, 2));
    assert_false(shm_ring_arm(&f->writer, SHM_PAIR_CAP));
    shm_ring_close(&f->writer);
    assert_true(readable(shm_ring_event_fd(&f->reader)));
    assert_true(shm_ring_arm(&f->reader, 2));
}

static void a_writer_is_woken_when_there_is_room_enough(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, SHM_PAIR_CAP), FLOW_DONE);
    assert_false(shm_ring_arm(&f->writer, 100));
    shm_pair_take(f, 99);
    assert_false(readable(shm_ring_event_fd(&f->writer)));
    shm_pair_take(f, 1);
    assert_true(readable(shm_ring_event_fd(&f->writer)));
    shm_ring_disarm(&f->writer);
    assert_int_equal(shm_pair_put(f, 100), FLOW_DONE);
}

static void a_wait_ends_when_its_time_is_over(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_ring_wait(&f->reader, 1, SLEEP_MS), FLOW_AGAIN);
    assert_int_equal(shm_pair_put(f, SHM_PAIR_CAP), FLOW_DONE);
    assert_int_equal(shm_ring_wait(&f->writer, 1, SLEEP_MS), FLOW_AGAIN);
    assert_int_equal(shm_ring_wait(&f->reader, 1, SLEEP_MS), FLOW_DONE);
}

static void *abandon_soon(void *arg)
{
    usleep(SLEEP_MS * 1000);
    shm_ring_abandon(arg);
    return NULL;
}

static void abandoning_ends_a_wait(void **state)
{
    struct shm_pair *f = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, abandon_soon, &f->reader),
                     0);
    assert_int_equal(shm_ring_wait(&f->reader, 1, WAIT_MS), FLOW_DONE);
    assert_int_equal(shm_pair_look(f), FLOW_END);
    pthread_join(thread, NULL);
}

struct caller {
    pthread_t waiter;
    _Atomic bool woken;
};

static void do_nothing(int signo)
{
    (void)signo;
}

/* Again and again, for the first may come before there is a wait. */
static void *call(void *arg)
{
    struct caller *c = arg;
    while (!atomic_load(&c->woken)) {
        pthread_kill(c->waiter, SIGUSR1);
        usleep(1000);
    }
    return NULL;
}

static void a_signal_ends_a_wait(void **state)
{
    struct shm_pair *f = *state;
    struct caller c = {.waiter = pthread_self()};
    struct sigaction a = {.sa_handler = do_nothing};
    pthread_t thread;
    sigaction(SIGUSR1, &a, NULL);
    assert_int_equal(pthread_create(&thread, NULL, call, &c), 0);
    assert_int_equal(shm_ring_wait(&f->reader, 1, WAIT_MS), FLOW_DONE);
    atomic_store(&c.woken, true);
    pthread_join(thread, NULL);
    assert_int_equal(shm_pair_look(f), FLOW_AGAIN);
}

/* Programmer's errors. */

static void must_abort(void (*act)(struct shm_pair *f), struct shm_pair *f)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        act(f);
        _exit(0);
    }
    assert_int_equal(shm_pair_join(child), 128 + SIGABRT);
}

static void commit_too_much(struct shm_pair *f)
{
    shm_ring_commit(&f->writer, 1);
}

static void read_as_a_writer(struct shm_pair *f)
{
    const char *bytes;
    size_t n;
    shm_ring_peek(&f->writer, &bytes, &n);
}

static void reserve_more_than_cap(struct shm_pair *f)
{
    shm_pair_put(f, SHM_PAIR_CAP + 1);
}

static void a_programmers_errors_are_told(void **state)
{
    must_abort(commit_too_much, *state);
    must_abort(read_as_a_writer, *state);
    must_abort(reserve_more_than_cap, *state);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, shm_pair_set_up, shm_pair_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_arrive_in_order),
        TEST(a_view_across_the_end_is_in_one_piece),
        TEST(a_full_ring_says_so_until_enough_was_consumed),
        TEST(one_reserve_may_be_committed_in_steps),
        TEST(a_reader_drains_before_the_end),
        TEST(a_writer_ends_at_once),
        TEST(an_abandoned_side_has_ended),
        TEST(a_side_that_starts_again_goes_on_where_it_was),
        TEST(a_closed_side_cannot_be_taken_up_again),
        TEST(nobody_is_woken_who_does_not_wait),
        TEST(an_armed_reader_is_woken_once),
        TEST(arming_says_when_there_is_no_need_to_wait),
        TEST(a_writer_is_woken_when_there_is_room_enough),
        TEST(a_wait_ends_when_its_time_is_over),
        TEST(abandoning_ends_a_wait),
        TEST(a_signal_ends_a_wait),
        TEST(a_programmers_errors_are_told),
    };
    alarm(PROGRAM_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
