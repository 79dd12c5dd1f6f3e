#include "buffers/file_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES     16u
#define THREADS   4
#define ROUNDS    300
#define PROGRAM_S 50 /* nothing here may hang */
#define FOREIGN   7  /* exit code of whose SIGBUS was passed on */

struct fixture {
    struct file_map map;
    int fd;
    size_t page;
    size_t len;
};

static struct sigaction ours;

/* cmocka takes SIGBUS for itself before each test. */
static void take_sigbus_back(void)
{
    assert_int_equal(sigaction(SIGBUS, &ours, NULL), 0);
}

static char byte_at(size_t at)
{
    return (char)(at * 31 + at / 251);
}

static int new_file(size_t len)
{
    char path[] = "/tmp/sluice-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    char *bytes = malloc(len + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(i);
    assert_int_equal(write(fd, bytes, len), len);
    free(bytes);
    return fd;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->page = (size_t)sysconf(_SC_PAGESIZE);
    f->len = PAGES * f->page - 100;
    f->fd = new_file(f->len);
    assert_true(file_map_open(&f->map, f->fd, 0, SIZE_MAX));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    file_map_close(&f->map);
    close(f->fd);
    free(f);
    return 0;
}

static void cut(const struct fixture *f, size_t len)
{
    assert_int_equal(ftruncate(f->fd, (off_t)len), 0);
}

static struct str all(const struct file_map *m)
{
    return (struct str){m->at, m->len};
}

/* Counts as it goes, so that it is seen how far it came. */
static void count(void *arg, struct str view)
{
    volatile size_t *n = arg;
    for (size_t i = 0; i < view.len; i++)
        *n += view.at[i] == byte_at(i);
}

static void a_file_is_read_as_it_is(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    assert_int_equal(f->map.len, f->len);
    assert_int_equal(file_map_read(&f->map, all(&f->map), count, &n),
                     FLOW_DONE);
    assert_int_equal(n, f->len);
}

static void a_part_of_a_file_may_be_mapped(void **state)
{
    struct fixture *f = *state;
    struct file_map m;
    char bytes[10];
    assert_true(file_map_open(&m, f->fd, f->page, 300));
    assert_int_equal(m.len, 300);
    assert_int_equal(file_map_copy(&m, 290, 10, bytes), FLOW_DONE);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(bytes[i], byte_at(f->page + 290 + i));
    file_map_close(&m);
    assert_true(file_map_open(&m, f->fd, (PAGES - 1) * f->page, SIZE_MAX));
    assert_int_equal(m.len, f->page - 100);
    file_map_close(&m);
}

static void nothing_is_a_mapping_of_no_bytes(void **state)
{
    struct fixture *f = *state;
    struct file_map m;
    size_t n = 0;
    assert_true(file_map_open(&m, f->fd, PAGES * f->page, SIZE_MAX));
    assert_true(m.len == 0 && m.at == NULL);
    file_map_close(&m);
    cut(f, 0);
    assert_true(file_map_open(&m, f->fd, 0, SIZE_MAX));
    assert_int_equal(m.len, 0);
    assert_int_equal(file_map_read(&m, all(&m), count, &n), FLOW_DONE);
    assert_int_equal(file_map_copy(&m, 0, 0, NULL), FLOW_DONE);
    file_map_close(&m);
    file_map_close(&m);
}

static void what_cannot_be_mapped_is_refused(void **state)
{
    struct file_map m;
    int ends[2];
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_false(file_map_open(&m, ends[0], 0, SIZE_MAX));
    assert_int_equal(errno, ENODEV);
    assert_false(file_map_open(&m, folder, 0, SIZE_MAX));
    assert_int_equal(errno, ENODEV);
    assert_false(file_map_open(&m, -1, 0, SIZE_MAX));
    assert_int_equal(errno, EBADF);
    assert_null(m.at);
    close(ends[0]);
    close(ends[1]);
    close(folder);
}

static void a_write_only_descriptor_is_refused(void **state)
{
    struct file_map m;
    char path[] = "/tmp/sluice-test-XXXXXX";
    int fd = mkstemp(path);
    int writer = open(path, O_WRONLY | O_CLOEXEC);
    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(writer, "x", 1), 1);
    assert_false(file_map_open(&m, writer, 0, SIZE_MAX));
    assert_int_equal(errno, EACCES);
    close(writer);
    close(fd);
}

static void the_descriptor_is_not_needed_any_more(void **state)
{
    struct file_map m;
    size_t n = 0;
    (void)state;
    int fd = new_file(5000);
    assert_true(file_map_open(&m, fd, 0, SIZE_MAX));
    close(fd);
    assert_int_equal(file_map_read(&m, all(&m), count, &n), FLOW_DONE);
    assert_int_equal(n, 5000);
    file_map_close(&m);
}

/* Truncation. */

static void a_file_that_was_cut_ends(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    take_sigbus_back();
    cut(f, 3 * f->page);
    assert_int_equal(file_map_read(&f->map, all(&f->map), count, &n), FLOW_END);
    assert_int_equal(n, 3 * f->page);
}

struct cutter {
    struct fixture *f;
    volatile size_t n;
};

static void cut_while_reading(void *arg, struct str view)
{
    struct cutter *c = arg;
    for (size_t i = 0; i < view.len; i++) {
        if (i == 2 * c->f->page)
            (void)!ftruncate(c->f->fd, (off_t)(5 * c->f->page));
        c->n += view.at[i] == byte_at(i);
    }
}

static void a_file_that_is_cut_while_it_is_read_ends(void **state)
{
    struct fixture *f = *state;
    struct cutter c = {.f = f};
    take_sigbus_back();
    assert_int_equal(
        file_map_read(&f->map, all(&f->map), cut_while_reading, &c), FLOW_END);
    assert_int_equal(c.n, 5 * f->page);
}

static void what_is_left_of_a_cut_file_can_be_read(void **state)
{
    struct fixture *f = *state;
    char bytes[64];
    take_sigbus_back();
    cut(f, 3 * f->page);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(file_map_copy(&f->map, 4 * f->page, 64, bytes),
                         FLOW_END);
        assert_int_equal(file_map_copy(&f->map, 3 * f->page - 64, 64, bytes),
                         FLOW_DONE);
        assert_int_equal(bytes[63], byte_at(3 * f->page - 1));
        assert_int_equal(file_map_copy(&f->map, 3 * f->page - 32, 64, bytes),
                         FLOW_END);
    }
}

static void a_cut_within_a_page_shows_zeros_up_to_its_end(void **state)
{
    struct fixture *f = *state;
    char bytes[64];
    const char zeros[64] = {0};
    take_sigbus_back();
    cut(f, f->page + 1);
    assert_int_equal(file_map_copy(&f->map, 2 * f->page - 64, 64, bytes),
                     FLOW_DONE);
    assert_memory_equal(bytes, zeros, 64);
    assert_int_equal(file_map_copy(&f->map, 2 * f->page, 1, bytes), FLOW_END);
}

static void sending_what_was_cut_is_an_error_and_no_signal(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    take_sigbus_back();
    cut(f, f->page);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(send(pair[0], f->map.at + 2 * f->page, 100, MSG_DONTWAIT),
                     -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(send(pair[0], f->map.at, 100, MSG_DONTWAIT), 100);
    int file = new_file(0);
    assert_int_equal(write(file, f->map.at + 2 * f->page, 100), -1);
    assert_int_equal(errno, EFAULT);
    close(file);
    close(pair[0]);
    close(pair[1]);
}

/* Threads. */

struct racer {
    struct fixture *f;
    _Atomic bool *stop;
    size_t done;
    size_t ended;
    bool wrong;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    char bytes[256];
    for (size_t i = 0; !atomic_load(r->stop); i++) {
        size_t at = i * 997 % (r->f->len - sizeof bytes);
        enum flow result = file_map_copy(&r->f->map, at, sizeof bytes, bytes);
        r->done += result == FLOW_DONE;
        r->ended += result == FLOW_END;
        r->wrong |= result == FLOW_DONE && bytes[0] != byte_at(at) && bytes[0];
    }
    return NULL;
}

/* The file is cut and made longer again, as holes, under all of them. */
static void each_thread_has_its_own_guard(void **state)
{
    struct fixture *f = *state;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    _Atomic bool stop = false;
    size_t ended = 0;
    take_sigbus_back();
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.f = f, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]),
                         0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        cut(f, f->page);
        usleep(100);
        cut(f, f->len);
        usleep(100);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(racers[i].done > 0);
        assert_false(racers[i].wrong);
        ended += racers[i].ended;
    }
    assert_true(ended > 0);
}

/* A SIGBUS that is not ours. Each of these ends a process of its own. */

/* Its exit code, or 128 and the signal that ended it. */
static int ends_with(void (*act)(struct fixture *f), struct fixture *f)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(PROGRAM_S);
        signal(SIGABRT, SIG_DFL);
        sigaction(SIGBUS, &ours, NULL);
        fclose(stderr);
        act(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_without_a_guard(struct fixture *f)
{
    cut(f, f->page);
    _exit(f->map.at[2 * f->page]);
}

static volatile char seen;

static void fault_elsewhere(void *arg, struct str view)
{
    const struct file_map *elsewhere = arg;
    seen = elsewhere->at[2 * view.len];
}

static void read_elsewhere_under_a_guard(struct fixture *f)
{
    struct file_map other;
    int fd = new_file(f->len);
    if (!file_map_open(&other, fd, 0, SIZE_MAX) ||
        ftruncate(fd, (off_t)f->page) != 0)
        _exit(1);
    file_map_read(&f->map, (struct str){f->map.at, f->page}, fault_elsewhere,
                  &other);
}

static void send_itself_one(void *arg, struct str view)
{
    (void)arg;
    (void)view;
    kill(getpid(), SIGBUS);
    sleep(1);
}

static void be_sent_one_under_a_guard(struct fixture *f)
{
    file_map_read(&f->map, all(&f->map), send_itself_one, NULL);
}

/* Sent with an address that lies in the mapping: only a fault is ours. */
static void send_itself_a_lie(void *arg, struct str view)
{
    siginfo_t info = {.si_signo = SIGBUS, .si_code = SI_QUEUE};
    (void)arg;
    info.si_addr = (void *)(uintptr_t)view.at;
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGBUS, &info);
    sleep(1);
}

static void be_sent_a_lie_under_a_guard(struct fixture *f)
{
    file_map_read(&f->map, all(&f->map), send_itself_a_lie, NULL);
}

static void a_foreign_sigbus_ends_the_process_as_before(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ends_with(read_without_a_guard, f), 128 + SIGBUS);
    assert_int_equal(ends_with(read_elsewhere_under_a_guard, f), 128 + SIGBUS);
    assert_int_equal(ends_with(be_sent_one_under_a_guard, f), 128 + SIGBUS);
    assert_int_equal(ends_with(be_sent_a_lie_under_a_guard, f), 128 + SIGBUS);
}

/* What a program is like that has a handler before the first mapping. */
static const char *self;

static int handled_by(const char *kind)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl(self, self, kind, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void a_handler_that_was_there_before_gets_what_is_not_ours(void **state)
{
    (void)state;
    assert_int_equal(handled_by("handler"), FOREIGN);
    assert_int_equal(handled_by("siginfo"), FOREIGN);
    assert_int_equal(handled_by("ignored"), 128 + SIGBUS);
}

static void plain_handler(int signo)
{
    (void)signo;
    _exit(FOREIGN);
}

static void siginfo_handler(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    _exit(info->si_code == BUS_ADRERR ? FOREIGN : 1);
}

/* One that is sent is ignored, one by a fault cannot be. */
static int with_a_handler(const char *kind)
{
    struct sigaction a = {.sa_handler = SIG_IGN};
    struct fixture f = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    alarm(PROGRAM_S);
    if (strcmp(kind, "handler") == 0)
        a.sa_handler = plain_handler;
    if (strcmp(kind, "siginfo") == 0)
        a = (struct sigaction){.sa_sigaction = siginfo_handler,
                               .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &a, NULL);
    f.fd = new_file(PAGES * f.page);
    if (!file_map_open(&f.map, f.fd, 0, SIZE_MAX))
        return 1;
    if (a.sa_handler == SIG_IGN)
        raise(SIGBUS);
    read_without_a_guard(&f);
    return 0;
}

/* Programmer's errors. */

static void nest(void *arg, struct str view)
{
    struct fixture *f = arg;
    file_map_read(&f->map, view, count, &(size_t){0});
}

static void read_within_a_read(struct fixture *f)
{
    file_map_read(&f->map, all(&f->map), nest, f);
}

static void read_beyond_the_map(struct fixture *f)
{
    struct str view = {f->map.at + 1, f->map.len};
    file_map_read(&f->map, view, count, &(size_t){0});
}

static void copy_beyond_the_map(struct fixture *f)
{
    char byte;
    file_map_copy(&f->map, f->map.len, 1, &byte);
}

static void map_from_within_a_page(struct fixture *f)
{
    struct file_map m;
    file_map_open(&m, f->fd, 1, SIZE_MAX);
}

static void a_programmers_errors_are_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ends_with(read_within_a_read, f), 128 + SIGABRT);
    assert_int_equal(ends_with(read_beyond_the_map, f), 128 + SIGABRT);
    assert_int_equal(ends_with(copy_beyond_the_map, f), 128 + SIGABRT);
    assert_int_equal(ends_with(map_from_within_a_page, f), 128 + SIGABRT);
}

static void a_read_may_follow_one_that_was_cut_off(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    take_sigbus_back();
    cut(f, f->page);
    assert_int_equal(file_map_read(&f->map, all(&f->map), count, &n), FLOW_END);
    n = 0;
    struct str first = {f->map.at, f->page};
    assert_int_equal(file_map_read(&f->map, first, count, &n), FLOW_DONE);
    assert_int_equal(n, f->page);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read_as_it_is),
        TEST(a_part_of_a_file_may_be_mapped),
        TEST(nothing_is_a_mapping_of_no_bytes),
        TEST(what_cannot_be_mapped_is_refused),
        TEST(a_write_only_descriptor_is_refused),
        TEST(the_descriptor_is_not_needed_any_more),
        TEST(a_file_that_was_cut_ends),
        TEST(a_file_that_is_cut_while_it_is_read_ends),
        TEST(what_is_left_of_a_cut_file_can_be_read),
        TEST(a_cut_within_a_page_shows_zeros_up_to_its_end),
        TEST(sending_what_was_cut_is_an_error_and_no_signal),
        TEST(each_thread_has_its_own_guard),
        TEST(a_foreign_sigbus_ends_the_process_as_before),
        TEST(a_handler_that_was_there_before_gets_what_is_not_ours),
        TEST(a_programmers_errors_are_told),
        TEST(a_read_may_follow_one_that_was_cut_off),
    };
    struct file_map first;
    if (argc > 1)
        return with_a_handler(argv[1]);
    self = argv[0];
    alarm(PROGRAM_S);
    /* A sanitizer's handler would make its own of a foreign SIGBUS. */
    signal(SIGBUS, SIG_DFL);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)!file_map_open(&first, fd, 0, 0);
    close(fd);
    sigaction(SIGBUS, NULL, &ours);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
