/* What the cache does with names that have to be looked up, and with memory. */
#include "buffers/budget.h"
#include "httpd/files/file_cache.h"
#include "httpd/files/mime.h"
#include "httpd/http/route.h"
#include "httpd/loop/io_pool.h"
#include "httpd/loop/worker.h"
#include "tests/support/cold_names.h"
#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#define CHECK_MS     500u
#define WAIT_MS      10000u
#define BUDGET_BYTES (1u << 20)

static struct temp_folder folder;
static struct route_config config;
static struct route route;
static struct file_cache *cache;
static struct budget budget;
static uint64_t now_ms;

/* I/O threads, in the tests that want them. */
static struct {
    struct worker worker;
    struct io_pool *io_pool;
    struct io_done *io;
} pool;

static int setup(void **state)
{
    (void)state;
    temp_folder_init(&folder);
    assert_true(mime_init(NULL, NULL));
    config = (struct route_config){.precompressed = true};
    route = (struct route){.config = &config, .root_fd = folder.fd, .id = 3};
    cache = file_cache_new(16, CHECK_MS);
    assert_non_null(cache);
    now_ms = 1000;
    budget_init(&budget, BUDGET_BYTES);
    return 0;
}

static void start_pool(void)
{
    pool.worker = (struct worker){.base = event_base_new()};
    pool.io_pool = io_pool_new(1, NULL);
    pool.io = io_done_new(pool.io_pool, &pool.worker, 0);
    assert_non_null(pool.io);
}

static void stop_pool(void)
{
    if (pool.io == NULL)
        return;
    assert_true(io_pool_stop(pool.io_pool, WAIT_MS));
    io_done_drain(pool.io);
    io_done_free(pool.io);
    pool.io = NULL;
    io_pool_free(pool.io_pool);
    event_base_free(pool.worker.base);
}

static int teardown(void **state)
{
    (void)state;
    atomic_store(&cold_names, NAMES_AS_THEY_ARE);
    stop_pool();
    file_cache_free(cache);
    assert_int_equal(atomic_load(&budget.used), 0);
    mime_fini();
    temp_folder_fini(&folder);
    return 0;
}

static enum path_result get(const char *path, struct file_entry **ret_entry)
{
    const struct file_want want = {
        .route = &route,
        .path = str_from(path),
        .budget = &budget,
        .io = pool.io,
        .now_ms = now_ms,
    };
    return file_cache_get(cache, &want, ret_entry);
}

static struct file_entry *hold(const char *path)
{
    struct file_entry *e;
    assert_int_equal(get(path, &e), PATH_FILE);
    return e;
}

static void expect_body(const char *path, const char *text)
{
    struct file_entry *e = hold(path);
    const struct file_variant *v = &e->variants[CODING_IDENTITY];
    assert_true(v->has_body);
    assert_true(str_equal(v->body, str_from(text)));
    file_entry_unref(e);
}

static size_t open_descriptors(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* As if it had been loaded later: the cache distrusts what has just changed. */
static void settle(const char *path)
{
    struct file_entry *e = hold(path);
    e->young = false;
    file_entry_unref(e);
}

static void await_jobs(void)
{
    for (unsigned ms = 0; ms < WAIT_MS; ms++) {
        io_done_drain(pool.io);
        if (io_done_under_way(pool.io) == 0)
            return;
        usleep(1000);
    }
    fail();
}

static void a_cold_file_is_left_to_an_io_thread(void **state)
{
    (void)state;
    struct file_entry *e;
    start_pool();
    temp_folder_write(&folder, "a.txt", "one");
    atomic_store(&cold_names, NAMES_COLD);
    assert_int_equal(get("a.txt", &e), PATH_COLD);
    assert_null(e);
    assert_int_equal(file_cache_stats(cache).misses, 0);
    assert_int_equal(file_entry_load(&route, STR("a.txt"), &budget, 0, &e),
                     PATH_FILE);
    file_cache_loaded(cache, PATH_FILE, e, now_ms);
    file_entry_unref(e);
    expect_body("a.txt", "one");
    assert_int_equal(file_cache_stats(cache).misses, 1);
    assert_int_equal(file_cache_stats(cache).hits, 1);
}

static void a_cold_file_beside_it_leaves_all_to_an_io_thread(void **state)
{
    (void)state;
    struct file_entry *e;
    size_t before = open_descriptors();
    start_pool();
    size_t with_pool = open_descriptors();
    temp_folder_write(&folder, "a.txt", "one");
    temp_folder_link(&folder, "/etc/passwd", "a.txt.gz"); /* never told */
    assert_int_equal(get("a.txt", &e), PATH_COLD);
    assert_int_equal(open_descriptors(), with_pool);
    config.precompressed = false;
    expect_body("a.txt", "one");
    stop_pool();
    assert_int_equal(open_descriptors(), before + 1);
}

static void names_of_others_are_never_looked_up_here(void **state)
{
    (void)state;
    struct file_entry *e;
    start_pool();
    temp_folder_write(&folder, "a.txt", "one");
    route.waits = true;
    unsigned asked = atomic_load(&cold_names_asked);
    assert_int_equal(get("a.txt", &e), PATH_COLD);
    assert_int_equal(atomic_load(&cold_names_asked), asked);
}

static void the_same_name_loaded_twice_is_kept_once(void **state)
{
    (void)state;
    struct file_entry *e[2];
    temp_folder_write(&folder, "a.txt", "one");
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            file_entry_load(&route, STR("a.txt"), &budget, 0, &e[i]),
            PATH_FILE);
    for (int i = 0; i < 2; i++)
        file_cache_loaded(cache, PATH_FILE, e[i], now_ms);
    assert_int_equal(file_cache_stats(cache).entries, 1);
    struct file_entry *kept = hold("a.txt");
    assert_ptr_equal(kept, e[1]);
    file_entry_unref(kept);
    file_entry_unref(e[0]);
    file_entry_unref(e[1]);
}

static void a_forgotten_name_is_trusted_until_it_was_looked_at(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    settle("a.txt");
    start_pool();
    temp_folder_write(&folder, "b.txt", "two");
    temp_folder_rename(&folder, "b.txt", "a.txt");
    now_ms += CHECK_MS;
    atomic_store(&cold_names, NAMES_COLD);
    expect_body("a.txt", "one");
    await_jobs();
    assert_int_equal(file_cache_stats(cache).replaced, 1);
    atomic_store(&cold_names, NAMES_AS_THEY_ARE);
    stop_pool();
    expect_body("a.txt", "two");
}

static void a_forgotten_name_that_is_current_stays(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    settle("a.txt");
    start_pool();
    now_ms += CHECK_MS;
    atomic_store(&cold_names, NAMES_COLD);
    struct file_entry *first = hold("a.txt");
    assert_true(first->checking);
    expect_body("a.txt", "one");
    assert_int_equal(io_done_under_way(pool.io), 1);
    await_jobs();
    assert_false(first->checking);
    assert_int_equal(first->checked_ms, now_ms);
    expect_body("a.txt", "one");
    assert_int_equal(io_done_under_way(pool.io), 0);
    file_entry_unref(first);
}

static void trust_ends_some_time_after_the_check(void **state)
{
    (void)state;
    struct file_entry *e;
    temp_folder_write(&folder, "a.txt", "one");
    settle("a.txt");
    start_pool();
    atomic_store(&cold_names, NAMES_COLD);
    now_ms += CHECK_MS + FILE_CACHE_STALE_MS - 1;
    assert_int_equal(get("a.txt", &e), PATH_FILE);
    file_entry_unref(e);
    now_ms += 1;
    assert_int_equal(get("a.txt", &e), PATH_COLD);
    await_jobs();
}

static void an_entry_may_go_while_it_is_looked_at(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    settle("a.txt");
    start_pool();
    now_ms += CHECK_MS;
    atomic_store(&cold_names, NAMES_COLD);
    expect_body("a.txt", "one");
    file_cache_sweep(cache, now_ms + FILE_CACHE_IDLE_MS);
    assert_int_equal(file_cache_stats(cache).entries, 0);
    await_jobs();
}

static void bodies_are_charged_and_given_back(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.bin", "12345");
    temp_folder_write(&folder, "a.bin.br", "123");
    int fd =
        openat(folder.fd, "large.bin", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, FILE_BODY_COPY_MAX + 1), 0);
    close(fd);
    struct file_entry *e = hold("a.bin");
    file_entry_unref(hold("large.bin"));
    assert_int_equal(atomic_load(&budget.used_by[BUDGET_CACHE]), 8);
    file_cache_sweep(cache, now_ms + FILE_CACHE_IDLE_MS);
    assert_int_equal(atomic_load(&budget.used), 8);
    file_entry_unref(e);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void without_room_in_the_budget_a_body_is_not_kept(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.bin", "12345");
    budget_set_limit(&budget, 4);
    struct file_entry *e = hold("a.bin");
    struct file_variant *v = &e->variants[CODING_IDENTITY];
    assert_false(v->has_body);
    file_entry_take_body(v, STR("12345"));
    assert_false(v->has_body);
    struct file_range r = file_entry_range(e, v, 0, 5);
    assert_false(v->has_body);
    r.release(r.owner);
    assert_int_equal(atomic_load(&budget.used), 0);
    file_entry_unref(e);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cold_file_is_left_to_an_io_thread),
        TEST(a_cold_file_beside_it_leaves_all_to_an_io_thread),
        TEST(names_of_others_are_never_looked_up_here),
        TEST(the_same_name_loaded_twice_is_kept_once),
        TEST(a_forgotten_name_is_trusted_until_it_was_looked_at),
        TEST(a_forgotten_name_that_is_current_stays),
        TEST(trust_ends_some_time_after_the_check),
        TEST(an_entry_may_go_while_it_is_looked_at),
        TEST(bodies_are_charged_and_given_back),
        TEST(without_room_in_the_budget_a_body_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
