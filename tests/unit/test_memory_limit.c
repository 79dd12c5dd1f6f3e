#include "httpd/guard/memory_limit.h"

#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MIB (1024ull * 1024)

static uint64_t limit_in(const struct temp_folder *f)
{
    char membership[300];
    snprintf(membership, sizeof membership, "%s/membership", f->path);
    return memory_limit_of_groups(membership, f->path);
}

static int set_up(void **state)
{
    static struct temp_folder f;
    temp_folder_init(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    temp_folder_fini(*state);
    return 0;
}

static void group_bounds_its_processes(void **state)
{
    struct temp_folder *f = *state;
    temp_folder_write(f, "membership", "0::/app\n");
    temp_folder_mkdir(f, "app");
    temp_folder_write(f, "app/memory.max", "67108864\n");
    assert_int_equal(limit_in(f), 64 * MIB);
}

static void outer_group_bounds_the_inner_one(void **state)
{
    struct temp_folder *f = *state;
    temp_folder_write(f, "membership", "0::/app/web\n");
    temp_folder_mkdir(f, "app");
    temp_folder_mkdir(f, "app/web");
    temp_folder_write(f, "app/memory.max", "33554432\n");
    temp_folder_write(f, "app/web/memory.max", "67108864\n");
    assert_int_equal(limit_in(f), 32 * MIB);
}

static void container_sees_its_limit_at_the_root(void **state)
{
    struct temp_folder *f = *state;
    temp_folder_write(f, "membership", "0::/\n");
    temp_folder_write(f, "memory.max", "1048576\n");
    assert_int_equal(limit_in(f), MIB);
}

static void group_without_a_limit_bounds_nothing(void **state)
{
    struct temp_folder *f = *state;
    temp_folder_write(f, "membership", "0::/app\n");
    temp_folder_mkdir(f, "app");
    temp_folder_write(f, "app/memory.max", "max\n");
    assert_true(limit_in(f) == UINT64_MAX);
}

static void older_hierarchy_of_memory_is_found_among_others(void **state)
{
    struct temp_folder *f = *state;
    temp_folder_write(f, "membership",
                      "9:name=systemd:/app\n4:cpu,memory:/app\n0::/app\n");
    temp_folder_mkdir(f, "memory");
    temp_folder_mkdir(f, "memory/app");
    temp_folder_write(f, "memory/app/memory.limit_in_bytes", "2097152\n");
    assert_int_equal(limit_in(f), 2 * MIB);
}

static void what_cannot_be_read_bounds_nothing(void **state)
{
    struct temp_folder *f = *state;
    assert_true(limit_in(f) == UINT64_MAX);
    temp_folder_write(f, "membership", "nonsense\n4\n0::\n:::\n");
    assert_true(limit_in(f) == UINT64_MAX);
}

static void this_machine_has_some_memory(void **state)
{
    (void)state;
    assert_true(memory_limit() >= MIB);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(group_bounds_its_processes),
        TEST(outer_group_bounds_the_inner_one),
        TEST(container_sees_its_limit_at_the_root),
        TEST(group_without_a_limit_bounds_nothing),
        TEST(older_hierarchy_of_memory_is_found_among_others),
        TEST(what_cannot_be_read_bounds_nothing),
        TEST(this_machine_has_some_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
