/* What a worker's streams are charged for. */
#include "tests/support/view_readers.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Leaves so many bytes of the whole budget. Returns what it took. */
static size_t leave_free(struct audience *a, size_t bytes)
{
    struct budget *b = &a->budget;
    size_t n = (size_t)(b->limit - b->used) - bytes;
    assert_true(budget_take(b, BUDGET_LEAVING, n));
    return n;
}

static void give(struct audience *a, size_t bytes)
{
    budget_give(&a->budget, BUDGET_LEAVING, bytes);
}

/* The rest is the advance. */
static uint64_t taken_by_readers(const struct audience *a)
{
    return a->budget.used_by[BUDGET_NEW] - a->worker.hub->newcomers.unused;
}

static void reader_is_charged_as_new_while_it_stays(void **state)
{
    struct audience *a = *state;
    struct hub *h = a->worker.hub;
    struct reader *r = hub_allot(h, sizeof *r);
    assert_non_null(r);
    assert_int_equal(r->magic, 0);
    assert_int_equal(taken_by_readers(a), sizeof *r);
    hub_take_back(h, r, sizeof *r);
    assert_int_equal(taken_by_readers(a), 0);
    hub_sweep(h, a->worker.now_ms);
    assert_int_equal(a->budget.used, 0);
}

static void new_reader_is_refused_before_what_runs(void **state)
{
    struct audience *a = *state;
    struct hub *h = a->worker.hub;
    struct peer *p = bare(a, SIZE_MAX);
    publish(a, "it ");
    audience_run(a);
    size_t n = leave_free(a, (size_t)(a->budget.limit / 16));
    assert_null(hub_allot(h, sizeof(struct reader)));
    assert_true(a->budget.refused[BUDGET_NEW] > 0);
    publish(a, "runs");
    audience_run(a);
    assert_got(p, "it runs");
    give(a, n);
    struct reader *r = hub_allot(h, sizeof *r);
    assert_non_null(r);
    hub_take_back(h, r, sizeof *r);
}

static void kept_blocks_go_before_a_reader_is_refused(void **state)
{
    struct audience *a = *state;
    struct block_pool *pool = &a->worker.pool;
    block_pool_set_keep(pool, BLOCK_64K, 1);
    struct block *b = block_pool_get(pool, BLOCK_64K, BUDGET_ACCEPTED, "test");
    assert_non_null(b);
    block_unref(b);
    assert_true(a->budget.used >= 64u << 10);
    size_t n = leave_free(a, (size_t)(a->budget.limit / 8));
    struct reader *r = hub_allot(a->worker.hub, sizeof *r);
    assert_non_null(r);
    hub_take_back(a->worker.hub, r, sizeof *r);
    give(a, n);
}

/* Everything that views and readers hold. */
static uint64_t held(struct audience *a)
{
    struct view *v = audience_view(a);
    uint64_t sum = 0;
    for (; v; v = v->next)
        sum += sizeof *v + v->cap + v->frames_cap * sizeof *v->frames +
               v->slots_cap * sizeof *v->slots;
    for (struct peer *p = a->peers; p; p = p->next)
        sum += p->follows ? p->reader.remnant_len : 0;
    return sum;
}

static void assert_charged(struct audience *a)
{
    assert_int_equal(atomic_load(&a->worker.hub->views_bytes), held(a));
}

static void views_are_charged_with_their_slots(void **state)
{
    struct audience *a = *state;
    struct live_request want = want_bare(a, 0);
    static struct peer *p[MANY];
    for (size_t i = 0; i < MANY; i++)
        p[i] = peer_new(a, &want, SIZE_MAX);
    struct peer *other = events(a, SIZE_MAX);
    audience_run(a);
    assert_true(held(a) >=
                2 * sizeof(struct view) + MANY * sizeof(struct slot));
    assert_charged(a);
    publish_letters(a, 3, 1000);
    audience_run(a);
    assert_charged(a);
    for (size_t i = 0; i < MANY; i++)
        peer_free(p[i]);
    audience_run(a);
    assert_charged(a);
    peer_free(other);
    assert_int_equal(atomic_load(&a->worker.hub->views_bytes), 0);
}

/* A peer whose view went on without it. */
static struct peer *put_out_within_a_frame(struct audience *a)
{
    (void)events(a, SIZE_MAX);
    struct peer *slow = events(a, SIZE_MAX);
    audience_run(a);
    slow->takes = 700;
    for (int i = 0; i < 21; i++) {
        publish_letters(a, 1, 1000);
        audience_run(a);
    }
    assert_true(slow->reader.remnant_len > 0);
    return slow;
}

static void rest_of_a_frame_is_charged_until_it_left(void **state)
{
    struct audience *a = *state;
    struct peer *slow = put_out_within_a_frame(a);
    assert_charged(a);
    peer_drain(slow, 1u << 20);
    audience_run(a);
    assert_int_equal(slow->reader.remnant_len, 0);
    assert_charged(a);
}

static void reader_that_leaves_gives_the_rest_of_its_frame_back(void **state)
{
    struct audience *a = *state;
    struct peer *slow = put_out_within_a_frame(a);
    peer_free(slow);
    assert_charged(a);
}

/* The fifth slot needs a larger table. */
static void reader_without_room_at_the_tail_is_cut_off_alone(void **state)
{
    struct audience *a = *state;
    struct peer *p[4];
    for (size_t i = 0; i < 4; i++)
        p[i] = bare(a, SIZE_MAX);
    publish(a, "one ");
    audience_run(a);
    struct peer *late = bare(a, SIZE_MAX);
    (void)audience_step(a); /* it has what is there, by its queue */
    size_t n = leave_free(a, 0);
    audience_run(a);
    assert_int_equal(late->fate, PEER_CUT);
    give(a, n);
    publish(a, "two");
    audience_run(a);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(p[i]->fate, PEER_FOLLOWS);
        assert_got(p[i], "one two");
    }
}

static uint64_t taken_by_taps(const struct audience *a)
{
    return a->budget.used_by[BUDGET_ACCEPTED] - a->worker.accepted.unused;
}

static void tap_is_charged_as_accepted(void **state)
{
    struct audience *a = *state;
    struct peer *p = bare(a, SIZE_MAX);
    struct peer *same = events(a, SIZE_MAX);
    assert_int_equal(taken_by_taps(a), sizeof(struct tap));
    audience_run(a);
    peer_free(p);
    peer_free(same);
    audience_run(a);
    assert_int_equal(taken_by_taps(a), 0);
}

static void reader_without_a_tap_is_none(void **state)
{
    struct audience *a = *state;
    struct live_request want = want_bare(a, 0);
    struct outlet o = {.worker = &a->worker};
    struct reader r;
    size_t n = leave_free(a, 0);
    assert_false(reader_init(&r, &o, a->s, &want));
    give(a, n);
    assert_int_equal(stream_readers_n(a->s), 0);
}

/* It had been asked over and over to settle. */
static void hub_that_is_freed_with_readers_ends_the_program(void **state)
{
    struct audience *a = *state;
    int status;
    (void)bare(a, SIZE_MAX);
    audience_run(a);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        alarm(10);
        hub_free(a->worker.hub);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reader_is_charged_as_new_while_it_stays),
        TEST(new_reader_is_refused_before_what_runs),
        TEST(kept_blocks_go_before_a_reader_is_refused),
        TEST(views_are_charged_with_their_slots),
        TEST(rest_of_a_frame_is_charged_until_it_left),
        TEST(reader_that_leaves_gives_the_rest_of_its_frame_back),
        TEST(reader_without_room_at_the_tail_is_cut_off_alone),
        TEST(tap_is_charged_as_accepted),
        TEST(reader_without_a_tap_is_none),
        TEST(hub_that_is_freed_with_readers_ends_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
