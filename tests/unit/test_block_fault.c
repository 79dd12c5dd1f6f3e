/* What happens to a block that is misused, and what is said about it. */
#include "buffers/block_pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#define KEEP  8u
#define LIMIT (UINT64_C(64) << 20)

struct fixture {
    struct budget budget;
    struct block_pool pool;
    struct block_fault_report last; /* the latest fault */
    unsigned faults_n;
};

static void remember(void *arg, const struct block_fault_report *report)
{
    struct fixture *f = arg;
    f->last = *report;
    f->faults_n++;
}

static void begin(struct fixture *f, bool track_all)
{
    struct block_pool_config config = {
        .name = "worker/0",
        .budget = &f->budget,
        .keep_max = {KEEP, KEEP, KEEP, KEEP},
        .leak_ms = 5000,
        .track_all = track_all,
        .on_fault = remember,
        .on_fault_arg = f,
    };
    budget_init(&f->budget, LIMIT);
    block_pool_init(&f->pool, &config);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    begin(f, true);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    block_pool_fini(&f->pool);
    free(f);
    return 0;
}

/* For tests that end the pool themselves. */
static int let_go(void **state)
{
    free(*state);
    return 0;
}

static struct block *get_as(struct fixture *f, enum block_class c,
                            enum budget_class budget)
{
    struct block *b = block_pool_get(&f->pool, c, budget, "test");
    if (f->faults_n == 0)
        block_pool_check(&f->pool);
    return b;
}

static struct block *get(struct fixture *f, enum block_class c)
{
    struct block *b = get_as(f, c, BUDGET_LEAVING);
    assert_non_null(b);
    return b;
}

static void put(struct fixture *f, struct block *b)
{
    block_unref(b);
    if (f->faults_n == 0)
        block_pool_check(&f->pool);
}

static uint64_t kept(const struct fixture *f, enum block_class c)
{
    return f->pool.class[c].kept_n;
}

/* A write that the sanitizer does not see, so that the pool has to. */
__attribute__((no_sanitize("address"), noinline)) static void poke(char *at)
{
    *(volatile char *)at = (char)(*(volatile char *)at + 1);
}

static void assert_fault(const struct fixture *f, enum block_fault fault,
                         enum block_class c, const char *borrower)
{
    assert_int_equal(f->faults_n, 1);
    assert_int_equal(f->last.fault, fault);
    assert_int_equal(f->last.class, c);
    assert_string_equal(f->last.pool, "worker/0");
    assert_string_equal(f->last.borrower, borrower);
    assert_int_equal(f->pool.faults, 1);
}

static void a_double_put_is_told_and_the_block_never_lent(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_4K);
    put(f, b);
    block_unref(b);
    assert_fault(f, BLOCK_DOUBLE_PUT, BLOCK_4K, "test");
    struct block *other = get(f, BLOCK_4K);
    assert_ptr_not_equal(other, b);
    assert_int_equal(f->pool.class[BLOCK_4K].quarantined, 1);
    put(f, other);
    block_pool_check(&f->pool);
    assert_int_equal(f->faults_n, 1);
}

static void *unref_elsewhere(void *b)
{
    block_unref(b);
    return NULL;
}

static void elsewhere(struct block *b)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, unref_elsewhere, b), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_double_put_elsewhere_is_told_too(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_4K);
    elsewhere(b);
    elsewhere(b);
    assert_fault(f, BLOCK_DOUBLE_PUT, BLOCK_4K, "test");
    struct block *other = get(f, BLOCK_4K);
    assert_ptr_not_equal(other, b);
    assert_int_equal(f->pool.class[BLOCK_4K].quarantined, 1);
    put(f, other);
    block_pool_check(&f->pool);
}

static void a_write_to_a_kept_block_is_told(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_64K);
    put(f, b);
    poke(b->data + b->cap / 2);
    struct block *other = get(f, BLOCK_64K);
    assert_fault(f, BLOCK_USE_AFTER_PUT, BLOCK_64K, "test");
    assert_ptr_not_equal(other, b);
    put(f, other);
    block_pool_check(&f->pool);
    assert_int_equal(f->pool.class[BLOCK_64K].quarantined, 1);
}

static void a_late_write_behind_the_end_is_told_at_the_get(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_4K);
    put(f, b);
    poke(b->data + b->cap);
    struct block *other = get(f, BLOCK_4K);
    assert_fault(f, BLOCK_USE_AFTER_PUT, BLOCK_4K, "test");
    assert_ptr_not_equal(other, b);
    put(f, other);
}

static void a_write_behind_the_end_is_told_at_the_put(void **state)
{
    struct fixture *f = *state;
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++) {
        struct block *b = get(f, c);
        f->faults_n = 0;
        f->pool.faults = 0;
        poke(b->data + b->cap);
        block_unref(b);
        assert_fault(f, BLOCK_OVERRUN, c, "test");
        assert_int_equal(kept(f, c), 0);
        assert_int_equal(f->pool.class[c].quarantined, 1);
        assert_int_equal(f->pool.class[c].in_use, 0);
    }
    block_pool_check(&f->pool);
}

static void a_write_behind_the_end_is_told_elsewhere_too(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_4K);
    poke(b->data + b->cap);
    elsewhere(b);
    assert_fault(f, BLOCK_OVERRUN, BLOCK_4K, "test");
    block_pool_sweep(&f->pool, 1);
    assert_int_equal(f->pool.class[BLOCK_4K].quarantined, 1);
    assert_int_equal(f->pool.class[BLOCK_4K].in_use, 0);
    block_pool_check(&f->pool);
}

/* The block stays counted as lent, for its head says too little to take it
 * back; the end calls it leaked. */
static void a_damaged_head_is_told_and_nothing_in_it_believed(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_4K);
    char *head = (char *)b;
    memset(head, 0x55, 8);
    block_unref(b);
    assert_fault(f, BLOCK_HEAD_DAMAGED, BLOCK_4K, "unknown");
    struct block *other = get(f, BLOCK_4K);
    assert_ptr_not_equal(other, b);
    put(f, other);
    block_pool_sweep(&f->pool, 1);
    assert_int_equal(f->faults_n, 1);
    block_pool_fini(&f->pool);
    assert_int_equal(f->last.fault, BLOCK_LEAKED);
    free(b);
}

static void a_damaged_head_of_a_kept_block_is_told(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_4K);
    put(f, b);
    b->class = 200;
    struct block *other = get(f, BLOCK_4K);
    assert_int_equal(f->last.fault, BLOCK_HEAD_DAMAGED);
    assert_ptr_not_equal(other, b);
    put(f, other);
    block_pool_check(&f->pool);
}

static void a_leak_has_the_name_of_its_borrower(void **state)
{
    struct fixture *f = *state;
    block_pool_sweep(&f->pool, 77);
    struct block *b = get(f, BLOCK_1M);
    block_pool_fini(&f->pool);
    assert_fault(f, BLOCK_LEAKED, BLOCK_1M, "test");
    assert_int_equal(f->last.lent_ms, 77);
    free(b);
}

static void a_leak_that_was_not_tracked_is_told_without_a_name(void **state)
{
    struct fixture *f = *state;
    struct block *tracked;
    struct block *leak;
    block_pool_fini(&f->pool);
    begin(f, false);
    tracked = block_pool_get(&f->pool, BLOCK_4K, BUDGET_LEAVING, "test");
    leak = block_pool_get(&f->pool, BLOCK_4K, BUDGET_LEAVING, "test");
    block_unref(tracked);
    block_pool_fini(&f->pool);
    assert_fault(f, BLOCK_LEAKED, BLOCK_4K, "unknown");
    free(leak);
}

static void what_was_lent_before_the_first_sweep_is_young_then(void **state)
{
    struct fixture *f = *state;
    struct block_pool_stats s;
    struct block *b = get(f, BLOCK_4K);
    block_pool_sweep(&f->pool, 1000000);
    block_pool_stats(&f->pool, false, &s);
    assert_int_equal(s.class[BLOCK_4K].suspects, 0);
    block_pool_sweep(&f->pool, 1005000);
    block_pool_stats(&f->pool, false, &s);
    assert_int_equal(s.class[BLOCK_4K].suspects, 1);
    assert_int_equal(s.class[BLOCK_64K].suspects, 0);
    put(f, b);
}

static void a_block_out_for_long_is_suspected(void **state)
{
    struct fixture *f = *state;
    struct block_pool_stats s;
    block_pool_sweep(&f->pool, 1);
    struct block *old = get(f, BLOCK_4K);
    old->borrower = "forgetful";
    block_pool_sweep(&f->pool, 4000);
    struct block *young = get(f, BLOCK_4K);
    block_pool_stats(&f->pool, false, &s);
    assert_int_equal(s.class[BLOCK_4K].suspects, 0);
    assert_null(s.class[BLOCK_4K].suspect);
    block_pool_sweep(&f->pool, 5001);
    block_pool_stats(&f->pool, false, &s);
    assert_int_equal(s.class[BLOCK_4K].suspects, 1);
    assert_string_equal(s.class[BLOCK_4K].suspect, "forgetful");
    block_pool_sweep(&f->pool, 9000);
    block_pool_stats(&f->pool, false, &s);
    assert_int_equal(s.class[BLOCK_4K].suspects, 2);
    assert_string_equal(s.class[BLOCK_4K].suspect, "forgetful");
    put(f, old);
    put(f, young);
    block_pool_sweep(&f->pool, 9001);
    block_pool_stats(&f->pool, false, &s);
    assert_int_equal(s.class[BLOCK_4K].suspects, 0);
    assert_int_equal(f->faults_n, 0);
}

static void what_streams_keep_is_no_suspect(void **state)
{
    struct fixture *f = *state;
    struct block_pool_stats s;
    block_pool_sweep(&f->pool, 1);
    struct block *kept =
        block_pool_get(&f->pool, BLOCK_4K, BUDGET_STREAM, "test");
    assert_non_null(kept);
    block_pool_sweep(&f->pool, 1000000);
    block_pool_stats(&f->pool, false, &s);
    assert_int_equal(s.class[BLOCK_4K].suspects, 0);
    put(f, kept);
}

static void in_a_release_one_block_of_a_sample_is_watched(void **state)
{
    struct fixture *f = *state;
    unsigned watched = 0;
    block_pool_fini(&f->pool);
    begin(f, false);
    for (unsigned i = 0; i < 100 * BLOCK_POOL_SAMPLE; i++) {
        struct block *b = get(f, BLOCK_4K);
        watched += b->tracked;
        put(f, b);
    }
    assert_int_equal(watched, 100);
}

static void in_a_release_a_sampled_block_shows_a_late_write(void **state)
{
    struct fixture *f = *state;
    block_pool_fini(&f->pool);
    begin(f, false);
    struct block *b = get(f, BLOCK_64K);
    assert_true(b->tracked);
    put(f, b);
    poke(b->data + BLOCK_POOL_PATTERN_BYTES - 1);
    put(f, get(f, BLOCK_64K));
    assert_fault(f, BLOCK_USE_AFTER_PUT, BLOCK_64K, "test");
}

static void without_a_listener_a_fault_ends_the_program(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_4K);
    f->pool.on_fault = NULL;
    block_unref(b);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        fclose(stderr);
        block_unref(b);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#ifdef __SANITIZE_ADDRESS__
static void the_sanitizer_watches_kept_blocks(void **state)
{
    struct fixture *f = *state;
    struct block *b = get(f, BLOCK_64K);
    assert_false(__asan_address_is_poisoned(b->data));
    put(f, b);
    assert_true(__asan_address_is_poisoned(b->data));
    assert_true(__asan_address_is_poisoned(b->data + b->cap - 1));
    assert_ptr_equal(get(f, BLOCK_64K), b);
    assert_false(__asan_address_is_poisoned(b->data));
    elsewhere(b);
    assert_true(__asan_address_is_poisoned(b->data));
}
#endif

static void faults_and_classes_have_names(void **state)
{
    (void)state;
    assert_string_equal(block_class_name(BLOCK_4K), "4k");
    assert_string_equal(block_class_name(BLOCK_4M), "4m");
    assert_string_equal(block_fault_text(BLOCK_DOUBLE_PUT), "put twice");
    assert_string_equal(block_fault_text(BLOCK_LEAKED), "never put");
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define ENDS_POOL(name) cmocka_unit_test_setup_teardown(name, set_up, let_go)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_double_put_is_told_and_the_block_never_lent),
        TEST(a_double_put_elsewhere_is_told_too),
        TEST(a_write_to_a_kept_block_is_told),
        TEST(a_late_write_behind_the_end_is_told_at_the_get),
        TEST(a_write_behind_the_end_is_told_at_the_put),
        TEST(a_write_behind_the_end_is_told_elsewhere_too),
        ENDS_POOL(a_damaged_head_is_told_and_nothing_in_it_believed),
        TEST(a_damaged_head_of_a_kept_block_is_told),
        ENDS_POOL(a_leak_has_the_name_of_its_borrower),
        ENDS_POOL(a_leak_that_was_not_tracked_is_told_without_a_name),
        TEST(what_was_lent_before_the_first_sweep_is_young_then),
        TEST(a_block_out_for_long_is_suspected),
        TEST(what_streams_keep_is_no_suspect),
        TEST(in_a_release_one_block_of_a_sample_is_watched),
        TEST(in_a_release_a_sampled_block_shows_a_late_write),
        TEST(without_a_listener_a_fault_ends_the_program),
#ifdef __SANITIZE_ADDRESS__
        TEST(the_sanitizer_watches_kept_blocks),
#endif
        cmocka_unit_test(faults_and_classes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
