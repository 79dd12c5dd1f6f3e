/* What a shm_ring does not take from others: memory and positions. */
#include "tests/support/shm_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONSENSE     30000
#define WAIT_MS      5000
#define PROGRAM_S    50 /* nothing here may hang */
#define SEALS        (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define A_POSITION   UINT64_C(0xa11)
#define FD_LEAKS_MAX 256
#define SPACE_BYTES  ((size_t)64 << 20)

/* A sanitizer's shadow needs more address space than may be forbidden. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Limits and what is refused. */

static void a_cap_beyond_the_limits_is_refused(void **state)
{
    const size_t wrong[] = {0, 1, 2048, 4097, 12288, SHM_RING_CAP_MAX * 2};
    struct shm_ring r;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(shm_ring_create(&r, "test", wrong[i], SHM_WRITER));
        assert_int_equal(errno, EINVAL);
        shm_ring_fini(&r);
    }
}

static void refused(int memory, const struct shm_ring *good)
{
    int fds[] = {memory, good->fds[1], good->fds[2]};
    struct shm_ring r;
    assert_false(shm_ring_attach(&r, fds, SHM_READER));
    assert_int_equal(errno, EPROTO);
    shm_ring_fini(&r);
    close(memory);
}

static int memory_of(size_t bytes, unsigned flags)
{
    int fd = memfd_create("test", MFD_CLOEXEC | flags);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    return fd;
}

static int sealed(int fd, int seals)
{
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* A copy of the whole ring, and so with the right beginning. */
static int copy_of(const struct shm_ring *r)
{
    size_t n = page_bytes() + r->cap;
    int fd = memory_of(n, MFD_ALLOW_SEALING);
    assert_int_equal(pwrite(fd, r->page, n, 0), n);
    return fd;
}

static void memory_that_could_shrink_is_refused(void **state)
{
    struct shm_pair *f = *state;
    struct shm_ring r;
    refused(copy_of(&f->writer), &f->writer);
    refused(sealed(copy_of(&f->writer), F_SEAL_GROW | F_SEAL_SEAL), &f->writer);
    refused(sealed(copy_of(&f->writer), F_SEAL_SHRINK | F_SEAL_GROW),
            &f->writer);
    int fds[] = {sealed(copy_of(&f->writer), SEALS), f->writer.fds[1],
                 f->writer.fds[2]};
    assert_true(shm_ring_attach(&r, fds, SHM_READER));
    shm_ring_fini(&r);
    close(fds[0]);
}

static void what_is_not_a_ring_is_refused(void **state)
{
    struct shm_pair *f = *state;
    const unsigned seal = MFD_ALLOW_SEALING;
    const size_t page = page_bytes();
    char path[] = "/tmp/sluice-test-XXXXXX";
    refused(sealed(memory_of(0, seal), SEALS), &f->writer);
    refused(sealed(memory_of(page, seal), SEALS), &f->writer);
    refused(sealed(memory_of(page + 100, seal), SEALS), &f->writer);
    refused(sealed(memory_of(page + 3 * SHM_PAIR_CAP, seal), SEALS),
            &f->writer);
    refused(sealed(memory_of(page + SHM_PAIR_CAP, seal), SEALS), &f->writer);
    refused(memory_of(page + SHM_PAIR_CAP, 0), &f->writer);
    refused(open("/dev/zero", O_RDWR | O_CLOEXEC), &f->writer);
    refused(dup(f->writer.fds[SHM_RING_READABLE]), &f->writer);
    int file = mkstemp(path);
    assert_int_equal(unlink(path), 0);
    refused(file, &f->writer);
}

static void refused_as_wake_up(int fd, const struct shm_ring *good)
{
    struct shm_ring r;
    const int first[] = {good->fds[0], fd, good->fds[2]};
    const int second[] = {good->fds[0], good->fds[1], fd};
    assert_false(shm_ring_attach(&r, first, SHM_READER));
    assert_int_equal(errno, EPROTO);
    assert_false(shm_ring_attach(&r, second, SHM_READER));
    assert_int_equal(errno, EPROTO);
    close(fd);
}

static void a_wake_up_that_would_block_is_refused(void **state)
{
    struct shm_pair *f = *state;
    refused_as_wake_up(eventfd(0, EFD_CLOEXEC), &f->writer);
}

static void a_wake_up_that_could_raise_a_signal_is_refused(void **state)
{
    struct shm_pair *f = *state;
    int ends[2];
    int pair[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(socketpair(AF_UNIX,
                                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                                pair),
                     0);
    close(ends[0]);
    close(pair[0]);
    refused_as_wake_up(ends[1], &f->writer);
    refused_as_wake_up(pair[1], &f->writer);
}

static void a_descriptor_that_is_not_open_is_refused(void **state)
{
    const int fds[SHM_RING_FDS] = {-1, -1, -1};
    struct shm_ring r;
    (void)state;
    assert_false(shm_ring_attach(&r, fds, SHM_WRITER));
    assert_int_equal(errno, EBADF);
    shm_ring_fini(&r);
}

static void nobody_can_cut_the_memory(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(ftruncate(f->writer.fds[SHM_RING_MEMORY], 0), -1);
    assert_int_equal(errno, EPERM);
}

static int lowest_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void nothing_is_left_open(void **state)
{
    struct shm_pair *f = *state;
    int before = lowest_fd();
    for (int i = 0; i < FD_LEAKS_MAX; i++) {
        struct shm_ring a;
        struct shm_ring b;
        assert_true(shm_ring_create(&a, "test", SHM_PAIR_CAP, SHM_READER));
        assert_true(shm_ring_attach(&b, a.fds, SHM_WRITER));
        shm_ring_fini(&a);
        shm_ring_fini(&b);
        shm_ring_fini(&b);
        refused(copy_of(&f->writer), &f->writer);
    }
    assert_int_equal(lowest_fd(), before);
}

/* One descriptor more each time, until there are enough; then too little
 * address space. What fails leaves nothing behind. */
static int make_with_too_little(void)
{
    struct rlimit files = {.rlim_max = FD_LEAKS_MAX};
    struct rlimit space = {SPACE_BYTES, SPACE_BYTES};
    struct shm_ring r = {.page = NULL};
    int before = lowest_fd();
    files.rlim_cur = (rlim_t)before + 1;
    for (bool made = false; !made; files.rlim_cur++) {
        setrlimit(RLIMIT_NOFILE, &files);
        made = shm_ring_create(&r, "test", SHM_PAIR_CAP, SHM_WRITER);
        if (!made && (errno != EMFILE || lowest_fd() != before))
            return 1;
    }
    shm_ring_fini(&r);
    if (SANITIZED)
        return 0;
    if (setrlimit(RLIMIT_AS, &space) != 0 ||
        shm_ring_create(&r, "test", SPACE_BYTES, SHM_WRITER) ||
        errno != ENOMEM || lowest_fd() != before)
        return 2;
    return shm_ring_create(&r, "test", SHM_PAIR_CAP, SHM_WRITER) ? 0 : 3;
}

static void a_create_that_fails_leaves_nothing_behind(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(make_with_too_little());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A hostile other side. */

/* Where in the page stands a position that we know to be pos. */
static uint64_t *position(const struct shm_ring *r, uint64_t pos)
{
    uint64_t *slots = (uint64_t *)(void *)r->page;
    uint64_t *found = NULL;
    for (size_t i = 0; i < page_bytes() / sizeof *slots; i++) {
        if (slots[i] == pos) {
            assert_null(found);
            found = &slots[i];
        }
    }
    assert_non_null(found);
    return found;
}

static void a_tail_that_cannot_be_fails_the_reader(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, A_POSITION), FLOW_DONE);
    uint64_t *tail = position(&f->writer, A_POSITION);
    shm_pair_take(f, 5);
    *tail = SHM_PAIR_CAP + 6;
    assert_int_equal(shm_pair_look(f), FLOW_FAILED);
    *tail = 4; /* before what was read */
    assert_int_equal(shm_pair_look(f), FLOW_FAILED);
    assert_int_equal(shm_ring_wait(&f->reader, 1, WAIT_MS), FLOW_DONE);
    assert_true(shm_ring_len(&f->reader) <= SHM_PAIR_CAP);
    *tail = UINT64_MAX;
    assert_int_equal(shm_pair_look(f), FLOW_FAILED);
    *tail = A_POSITION;
    shm_pair_take(f, A_POSITION - 5);
}

static void a_head_that_cannot_be_fails_the_writer(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, A_POSITION + 3), FLOW_DONE);
    shm_pair_take(f, A_POSITION);
    uint64_t *head = position(&f->reader, A_POSITION);
    *head = A_POSITION + 4; /* beyond what was written */
    assert_int_equal(shm_pair_put(f, 1), FLOW_FAILED);
    *head = A_POSITION + 3 - SHM_PAIR_CAP - 1;
    assert_int_equal(shm_pair_put(f, 1), FLOW_FAILED);
    assert_int_equal(shm_ring_wait(&f->writer, 1, WAIT_MS), FLOW_DONE);
    *head = A_POSITION;
    assert_int_equal(shm_pair_put(f, 1), FLOW_DONE);
}

static void our_own_position_is_never_read_back(void **state)
{
    struct shm_pair *f = *state;
    assert_int_equal(shm_pair_put(f, A_POSITION), FLOW_DONE);
    *position(&f->writer, A_POSITION) = 1;
    assert_int_equal(f->writer.pos, A_POSITION);
    char *room;
    size_t n;
    assert_int_equal(shm_ring_reserve(&f->writer, 1, &room, &n), FLOW_DONE);
    assert_int_equal(n, SHM_PAIR_CAP - A_POSITION);
    shm_ring_commit(&f->writer, 1);
    shm_pair_take(f, A_POSITION);
}

static void positions_that_cannot_be_are_refused_at_attach(void **state)
{
    struct shm_pair *f = *state;
    struct shm_ring second;
    assert_int_equal(shm_pair_put(f, A_POSITION), FLOW_DONE);
    *position(&f->writer, A_POSITION) = SHM_PAIR_CAP + 1;
    assert_false(shm_ring_attach(&second, f->writer.fds, SHM_READER));
    assert_int_equal(errno, EPROTO);
}

static void view_within(const struct shm_ring *r, const char *at, size_t n)
{
    assert_true(at >= r->data && n <= r->cap);
    assert_true(at - r->data <= (ptrdiff_t)(2 * r->cap - n));
}

static void whatever_stands_in_the_page_no_view_leaves_the_memory(void **state)
{
    struct shm_pair *f = *state;
    unsigned seed = 20240615;
    uint64_t *slots = (uint64_t *)(void *)f->writer.page;
    for (int i = 0; i < NONSENSE; i++) {
        const char *bytes;
        char *room;
        size_t n;
        uint64_t value = (uint64_t)rand_r(&seed) << 33 ^ (uint64_t)i;
        slots[8 + rand_r(&seed) % 56] =
            rand_r(&seed) % 2 ? value : value % (2 * SHM_PAIR_CAP);
        enum flow w = shm_ring_reserve(&f->writer, 1, &room, &n);
        view_within(&f->writer, room, n);
        assert_true((w == FLOW_DONE) == (n > 0));
        shm_ring_commit(&f->writer, n / 2);
        enum flow r = shm_ring_peek(&f->reader, &bytes, &n);
        view_within(&f->reader, bytes, n);
        assert_true((r == FLOW_DONE) == (n > 0));
        shm_ring_consume(&f->reader, n);
        assert_true(shm_ring_len(&f->reader) <= SHM_PAIR_CAP);
        shm_ring_arm(&f->reader, 1);
        shm_ring_disarm(&f->reader);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, shm_pair_set_up, shm_pair_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cap_beyond_the_limits_is_refused),
        TEST(memory_that_could_shrink_is_refused),
        TEST(what_is_not_a_ring_is_refused),
        TEST(a_wake_up_that_would_block_is_refused),
        TEST(a_wake_up_that_could_raise_a_signal_is_refused),
        TEST(a_descriptor_that_is_not_open_is_refused),
        TEST(nobody_can_cut_the_memory),
        TEST(nothing_is_left_open),
        TEST(a_create_that_fails_leaves_nothing_behind),
        TEST(a_tail_that_cannot_be_fails_the_reader),
        TEST(a_head_that_cannot_be_fails_the_writer),
        TEST(our_own_position_is_never_read_back),
        TEST(positions_that_cannot_be_are_refused_at_attach),
        TEST(whatever_stands_in_the_page_no_view_leaves_the_memory),
    };
    alarm(PROGRAM_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
