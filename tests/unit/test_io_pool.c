#include "httpd/loop/io_pool.h"

#include "buffers/monitor.h"
#include "httpd/loop/worker.h"

#include <event2/event.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define THREADS_N 2u
#define END_MS    10000u

/* A job that can be held, and says what became of it. */
struct job {
    struct io_job io;
    atomic_bool *gate; /* closed while it is set, or NULL */
    atomic_uint *begun;
    pthread_t worked;
    unsigned worked_n;
    unsigned done_n;
    unsigned order;
};

struct fixture {
    struct worker *worker;
    struct io_pool *pool;
    struct io_done *done;
    struct monitor monitor;
    atomic_bool gate;
    atomic_uint begun;
    struct job jobs[IO_JOBS_MAX];
};

static unsigned done_n;

static void nap(void)
{
    const struct timespec ms = {0, 1000000};
    nanosleep(&ms, NULL);
}

static void work(struct io_job *io)
{
    struct job *job = (struct job *)io;
    atomic_fetch_add(job->begun, 1);
    while (job->gate && atomic_load(job->gate))
        nap();
    job->worked = pthread_self();
    job->worked_n++;
}

static void done(struct io_job *io)
{
    struct job *job = (struct job *)io;
    job->done_n++;
    job->order = ++done_n;
}

static void on_alert(void *arg, const struct alert *alert)
{
    (void)arg;
    (void)alert;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->worker = calloc(1, sizeof *f->worker);
    f->worker->base = event_base_new();
    monitor_init(&f->monitor, on_alert, NULL);
    f->pool = io_pool_new(THREADS_N, &f->monitor);
    f->done = io_done_new(f->pool, f->worker, 0);
    assert_non_null(f->done);
    done_n = 0;
    for (size_t i = 0; i < IO_JOBS_MAX; i++) {
        f->jobs[i].io = (struct io_job){.work = work, .done = done};
        f->jobs[i].begun = &f->begun;
    }
    *state = f;
    return 0;
}

static void end(struct fixture *f)
{
    atomic_store(&f->gate, false);
    assert_true(io_pool_stop(f->pool, END_MS));
    io_done_drain(f->done);
    assert_int_equal(io_done_under_way(f->done), 0);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    end(f);
    io_done_free(f->done);
    io_pool_free(f->pool);
    monitor_fini(&f->monitor);
    event_base_free(f->worker->base);
    free(f->worker);
    free(f);
    return 0;
}

static enum flow submit(struct fixture *f, size_t i, dev_t device, bool held)
{
    f->jobs[i].gate = held ? &f->gate : NULL;
    return io_submit(f->done, device, &f->jobs[i].io);
}

/* Runs the loop until so many are left. */
static void run_until(struct fixture *f, size_t under_way)
{
    for (unsigned ms = 0; ms < END_MS; ms++) {
        if (io_done_under_way(f->done) == under_way)
            return;
        event_base_loop(f->worker->base, EVLOOP_NONBLOCK);
        nap();
    }
    fail_msg("late: %zu are under way", io_done_under_way(f->done));
}

static void wait_begun(struct fixture *f, unsigned n)
{
    for (unsigned ms = 0; ms < END_MS && atomic_load(&f->begun) < n; ms++)
        nap();
    assert_true(atomic_load(&f->begun) >= n);
}

static void job_works_elsewhere_and_is_done_here(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(submit(f, 0, 1, false), FLOW_DONE);
    assert_int_equal(io_done_under_way(f->done), 1);
    run_until(f, 0);
    assert_int_equal(f->jobs[0].worked_n, 1);
    assert_int_equal(f->jobs[0].done_n, 1);
    assert_false(pthread_equal(f->jobs[0].worked, pthread_self()));
}

static void every_job_is_done_once(void **state)
{
    struct fixture *f = *state;
    for (size_t round = 1; round <= 4; round++) {
        for (size_t i = 0; i < IO_LANE_JOBS; i++)
            assert_int_equal(submit(f, i, i % 20, false), FLOW_DONE);
        run_until(f, 0);
        for (size_t i = 0; i < IO_LANE_JOBS; i++) {
            assert_int_equal(f->jobs[i].worked_n, round);
            assert_int_equal(f->jobs[i].done_n, round);
        }
    }
}

static void disk_that_hangs_holds_up_no_other(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->gate, true);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(submit(f, i, 1, true), FLOW_DONE);
    for (size_t i = 10; i < 20; i++)
        assert_int_equal(submit(f, i, 2, false), FLOW_DONE);
    run_until(f, 10);
    assert_int_equal(f->jobs[9].done_n, 0);
    assert_int_equal(f->jobs[19].done_n, 1);
    atomic_store(&f->gate, false);
    run_until(f, 0);
    assert_int_equal(f->jobs[9].done_n, 1);
}

/* More devices than lanes. */
static void last_lane_is_shared(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < IO_LANES * 3; i++)
        assert_int_equal(submit(f, i, i + 1, false), FLOW_DONE);
    run_until(f, 0);
    atomic_store(&f->gate, true);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(submit(f, i, IO_LANES * 3, true), FLOW_DONE);
    assert_int_equal(submit(f, 4, IO_LANES + 1, false), FLOW_DONE);
    for (size_t i = 1; i < IO_LANES; i++)
        assert_int_equal(submit(f, 4 + i, i, false), FLOW_DONE);
    run_until(f, 5);
    assert_int_equal(f->jobs[4].done_n, 1);
}

static void full_lane_takes_no_more_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    size_t taken = 0;
    atomic_store(&f->gate, true);
    while (submit(f, taken, 1, true) == FLOW_DONE)
        taken++;
    assert_in_range(taken, IO_LANE_JOBS, IO_LANE_JOBS + THREADS_N);
    atomic_store(&f->gate, false);
    run_until(f, 0);
    assert_int_equal(done_n, taken);
    assert_int_equal(f->jobs[taken].worked_n, 0);
    assert_int_equal(submit(f, taken, 1, false), FLOW_DONE);
    run_until(f, 0);
}

static void worker_has_no_more_under_way_than_its_limit(void **state)
{
    struct fixture *f = *state;
    size_t taken = 0;
    atomic_store(&f->gate, true);
    for (dev_t device = 1; device < IO_LANES; device++) {
        while (taken < IO_JOBS_MAX &&
               submit(f, taken, device, true) == FLOW_DONE)
            taken++;
    }
    assert_int_equal(taken, IO_JOBS_MAX);
    struct job more = {.io = {.work = work, .done = done}, .begun = &f->begun};
    assert_int_equal(io_submit(f->done, IO_LANES, &more.io), FLOW_FULL);
    atomic_store(&f->gate, false);
    run_until(f, 0);
    assert_int_equal(done_n, IO_JOBS_MAX);
}

static void jobs_that_wait_at_the_end_are_handed_back_unworked(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->gate, true);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(submit(f, i, 1, true), FLOW_DONE);
    wait_begun(f, THREADS_N);
    assert_false(io_pool_stop(f->pool, 20));
    assert_int_equal(submit(f, 60, 1, false), FLOW_FULL);
    assert_int_equal(submit(f, 60, 2, false), FLOW_FULL);
    end(f);
    assert_int_equal(atomic_load(&f->begun), THREADS_N);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(f->jobs[i].done_n, 1);
}

static void hanging_job_holds_the_end_up_for_a_bounded_time(void **state)
{
    struct fixture *f = *state;
    struct timespec before;
    struct timespec after;
    atomic_store(&f->gate, true);
    assert_int_equal(submit(f, 0, 1, true), FLOW_DONE);
    wait_begun(f, 1);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_false(io_pool_stop(f->pool, 50));
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range(after.tv_sec - before.tv_sec, 0, END_MS / 1000);
}

static void again(struct io_job *io)
{
    struct job *job = (struct job *)io;
    job->done_n++;
    if (job->done_n < 100)
        assert_int_equal(io_submit(io->to, 1, io), FLOW_DONE);
}

static void job_may_be_submitted_again_when_it_is_done(void **state)
{
    struct fixture *f = *state;
    f->jobs[0].io.done = again;
    assert_int_equal(submit(f, 0, 1, false), FLOW_DONE);
    run_until(f, 0);
    assert_int_equal(f->jobs[0].worked_n, 100);
    assert_int_equal(f->jobs[0].done_n, 100);
}

static bool count_jobs(void *arg, const struct monitor_entry *e,
                       const struct report *report)
{
    size_t *jobs = arg;
    if (strncmp(e->name, "io/lane/", 8) == 0) {
        assert_string_equal(report->unit, "jobs");
        assert_int_equal(report->bound, IO_LANE_JOBS);
        *jobs += report->used;
    }
    return true;
}

static void monitor_sees_what_waits(void **state)
{
    struct fixture *f = *state;
    size_t jobs = 0;
    atomic_store(&f->gate, true);
    for (size_t i = 0; i < THREADS_N + 3; i++)
        assert_int_equal(submit(f, i, 1, true), FLOW_DONE);
    wait_begun(f, THREADS_N);
    monitor_each(&f->monitor, 1, count_jobs, &jobs);
    assert_int_equal(jobs, 3);
}

static bool find_lane_age(void *arg, const struct monitor_entry *e,
                          const struct report *report)
{
    uint64_t *ret_ms = arg;
    if (strncmp(e->name, "io/lane/", 8) == 0)
        *ret_ms = report->oldest_ms;
    return true;
}

static uint64_t lane_age(struct fixture *f, uint64_t now_ms)
{
    uint64_t ms = UINT64_MAX;
    monitor_each(&f->monitor, now_ms, find_lane_age, &ms);
    return ms;
}

/* Each worker reads the clock for itself, so one may ask with an earlier time
 * than the last. */
static void workers_whose_clocks_differ_may_all_ask(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->gate, true);
    for (size_t i = 0; i < THREADS_N + 1; i++)
        assert_int_equal(submit(f, i, 1, true), FLOW_DONE);
    wait_begun(f, THREADS_N);
    assert_int_equal(lane_age(f, 10000), 0);
    assert_int_equal(lane_age(f, 9990), 0);
    assert_int_equal(lane_age(f, 70000), 60000);
    assert_int_equal(lane_age(f, 69990), 60000);
    for (uint64_t ms = 70001; ms < 72000; ms++)
        assert_in_range(lane_age(f, ms), 60000, 62000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(job_works_elsewhere_and_is_done_here),
        TEST(every_job_is_done_once),
        TEST(disk_that_hangs_holds_up_no_other),
        TEST(last_lane_is_shared),
        TEST(full_lane_takes_no_more_and_loses_nothing),
        TEST(worker_has_no_more_under_way_than_its_limit),
        TEST(jobs_that_wait_at_the_end_are_handed_back_unworked),
        TEST(hanging_job_holds_the_end_up_for_a_bounded_time),
        TEST(job_may_be_submitted_again_when_it_is_done),
        TEST(monitor_sees_what_waits),
        TEST(workers_whose_clocks_differ_may_all_ask),
    };
    return cmocka_run_group_tests_name("io_pool", tests, NULL, NULL);
}
