/* A ring between two processes, or two threads that stand for them. */
#include "tests/support/shm_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY      ((size_t)8 << 20) /* bytes through a fork()ed pair */
#define TURNS     20000u
#define ROUNDS    60000u
#define SPINS_MAX 128
#define WAIT_MS   5000
#define PROGRAM_S 50 /* nothing here may hang */
#define PIECE_MAX 1500u

/* Reads all; whether it is what shm_pair_byte() says, n bytes. */
static bool read_all(struct shm_ring *r, size_t n)
{
    for (;;) {
        const char *bytes;
        size_t got;
        enum flow result = shm_ring_peek(r, &bytes, &got);
        if (result == FLOW_END)
            return r->pos == n;
        if (result == FLOW_AGAIN && shm_ring_wait(r, 1, WAIT_MS) == FLOW_DONE)
            continue;
        if (result != FLOW_DONE)
            return false;
        got = got > PIECE_MAX ? 1 + r->pos % PIECE_MAX : got;
        for (size_t i = 0; i < got; i++) {
            if ((unsigned char)bytes[i] != shm_pair_byte(r->pos + i))
                return false;
        }
        shm_ring_consume(r, got);
    }
}

static bool write_all(struct shm_ring *r, size_t n)
{
    unsigned seed = 7;
    while (r->pos < n) {
        char *room;
        size_t got;
        size_t piece = 1 + (size_t)rand_r(&seed) % PIECE_MAX;
        piece = piece < n - r->pos ? piece : (size_t)(n - r->pos);
        enum flow result = shm_ring_reserve(r, piece, &room, &got);
        if (result == FLOW_FULL &&
            shm_ring_wait(r, piece, WAIT_MS) == FLOW_DONE)
            continue;
        if (result != FLOW_DONE)
            return false;
        for (size_t i = 0; i < piece; i++)
            room[i] = (char)shm_pair_byte(r->pos + i);
        shm_ring_commit(r, piece);
    }
    shm_ring_close(r);
    return true;
}

static void millions_of_bytes_reach_another_process(void **state)
{
    struct shm_pair *f = *state;
    pid_t child = fork();
    if (child == 0) {
        alarm(PROGRAM_S);
        _exit(read_all(&f->reader, MANY) ? 0 : 1);
    }
    assert_true(write_all(&f->writer, MANY));
    assert_int_equal(shm_pair_join(child), 0);
    assert_int_equal(shm_ring_len(&f->writer), 0);
}

/* Each waits for the other's byte each time: one lost wake-up and it hangs. */
static bool play(struct shm_ring *to, struct shm_ring *from, bool first)
{
    for (unsigned i = 0; i < TURNS * 2; i++) {
        const char *bytes;
        char *room;
        size_t n;
        if ((i % 2 == 0) == first) {
            if (shm_ring_reserve(to, 1, &room, &n) != FLOW_DONE)
                return false;
            shm_ring_commit(to, 1);
            continue;
        }
        enum flow r = shm_ring_peek(from, &bytes, &n);
        while (r == FLOW_AGAIN && shm_ring_wait(from, 1, WAIT_MS) == FLOW_DONE)
            r = shm_ring_peek(from, &bytes, &n);
        if (r != FLOW_DONE || n != 1)
            return false;
        shm_ring_consume(from, 1);
    }
    return true;
}

static void no_wake_up_is_lost_between_processes(void **state)
{
    struct shm_pair *f = *state;
    struct shm_pair back;
    assert_true(
        shm_ring_create(&back.writer, "back", SHM_PAIR_CAP, SHM_WRITER));
    assert_true(shm_ring_attach(&back.reader, back.writer.fds, SHM_READER));
    pid_t child = fork();
    if (child == 0) {
        alarm(PROGRAM_S);
        _exit(play(&back.writer, &f->reader, false) ? 0 : 1);
    }
    assert_true(play(&f->writer, &back.reader, true));
    assert_int_equal(shm_pair_join(child), 0);
    shm_ring_fini(&back.writer);
    shm_ring_fini(&back.reader);
}

/* A reader that falls asleep just when the byte comes. */
struct dozer {
    struct shm_ring *reader;
    _Atomic unsigned ready; /* rounds */
    _Atomic unsigned go;
    bool woken;
};

static void await(_Atomic unsigned *rounds, unsigned wanted)
{
    for (unsigned i = 0; atomic_load(rounds) != wanted; i++) {
        if (i % SPINS_MAX == SPINS_MAX - 1)
            sched_yield();
    }
}

static void *doze(void *arg)
{
    struct dozer *d = arg;
    d->woken = true;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        const char *bytes;
        size_t n;
        atomic_store(&d->ready, i);
        await(&d->go, i);
        while (shm_ring_peek(d->reader, &bytes, &n) == FLOW_AGAIN)
            d->woken &= shm_ring_wait(d->reader, 1, WAIT_MS) == FLOW_DONE;
        shm_ring_consume(d->reader, n);
    }
    return NULL;
}

static void
a_byte_that_comes_while_the_reader_falls_asleep_wakes_it(void **state)
{
    struct shm_pair *f = *state;
    struct dozer d = {.reader = &f->reader};
    pthread_t thread;
    unsigned seed = 3;
    assert_int_equal(pthread_create(&thread, NULL, doze, &d), 0);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        char *room;
        size_t n;
        await(&d.ready, i);
        shm_ring_reserve(&f->writer, 1, &room, &n);
        atomic_store(&d.go, i);
        for (volatile int spin = rand_r(&seed) % SPINS_MAX; spin > 0; spin--)
            ;
        shm_ring_commit(&f->writer, 1);
    }
    pthread_join(thread, NULL);
    assert_true(d.woken);
}

/* An event loop's reader: it polls, and asks until AGAIN. */
static bool poll_all(struct shm_ring *r, size_t n)
{
    struct pollfd p = {.fd = shm_ring_event_fd(r), .events = POLLIN};
    for (;;) {
        const char *bytes;
        size_t got;
        enum flow result = shm_ring_peek(r, &bytes, &got);
        if (result == FLOW_DONE)
            shm_ring_consume(r, got);
        else if (result != FLOW_AGAIN)
            return result == FLOW_END && r->pos == n;
        else if (!shm_ring_arm(r, 1)) {
            if (poll(&p, 1, WAIT_MS) != 1)
                return false;
            shm_ring_disarm(r);
        }
    }
}

static void *poll_in_a_thread(void *arg)
{
    return poll_all(arg, MANY / 4) ? arg : NULL;
}

static void an_event_loop_misses_nothing(void **state)
{
    struct shm_pair *f = *state;
    pthread_t thread;
    void *result;
    assert_int_equal(
        pthread_create(&thread, NULL, poll_in_a_thread, &f->reader), 0);
    assert_true(write_all(&f->writer, MANY / 4));
    pthread_join(thread, &result);
    assert_non_null(result);
}

static void send_fds(int to, const int *fds)
{
    char control[CMSG_SPACE(SHM_RING_FDS * sizeof(int))] = {0};
    struct iovec iov = {"r", 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(SHM_RING_FDS * sizeof(int));
    memcpy(CMSG_DATA(c), fds, SHM_RING_FDS * sizeof(int));
    assert_int_equal(sendmsg(to, &m, 0), 1);
}

static bool receive_fds(int from, int *ret_fds)
{
    char control[CMSG_SPACE(SHM_RING_FDS * sizeof(int))];
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    if (recvmsg(from, &m, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&m))
        return false;
    memcpy(ret_fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), SHM_RING_FDS * sizeof(int));
    return true;
}

static int read_what_is_sent(int from)
{
    struct shm_ring r;
    int fds[SHM_RING_FDS];
    alarm(PROGRAM_S);
    if (!receive_fds(from, fds) || !shm_ring_attach(&r, fds, SHM_READER))
        return 1;
    return read_all(&r, MANY / 8) ? 0 : 2;
}

static void descriptors_may_be_sent_over_a_socket(void **state)
{
    struct shm_ring w;
    int pair[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    pid_t child = fork();
    if (child == 0)
        _exit(read_what_is_sent(pair[1]));
    assert_true(shm_ring_create(&w, "sent", 4 * SHM_PAIR_CAP, SHM_WRITER));
    send_fds(pair[0], w.fds);
    assert_true(write_all(&w, MANY / 8));
    assert_int_equal(shm_pair_join(child), 0);
    shm_ring_fini(&w);
    close(pair[0]);
    close(pair[1]);
}

static void a_dead_writer_is_the_end_once_it_is_abandoned(void **state)
{
    struct shm_pair *f = *state;
    pid_t child = fork();
    if (child == 0) {
        shm_pair_put(f, 3);
        raise(SIGKILL);
    }
    assert_int_equal(shm_pair_join(child), 128 + SIGKILL);
    shm_ring_abandon(&f->reader);
    assert_true(read_all(&f->reader, 3));
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, shm_pair_set_up, shm_pair_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(millions_of_bytes_reach_another_process),
        TEST(no_wake_up_is_lost_between_processes),
        TEST(a_byte_that_comes_while_the_reader_falls_asleep_wakes_it),
        TEST(an_event_loop_misses_nothing),
        TEST(descriptors_may_be_sent_over_a_socket),
        TEST(a_dead_writer_is_the_end_once_it_is_abandoned),
    };
    alarm(PROGRAM_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
