#include "httpd/files/path_open.h"
#include "tests/support/cold_names.h"
#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp_folder folder;

static int setup(void **state)
{
    (void)state;
    temp_folder_init(&folder);
    temp_folder_mkdir(&folder, "pub");
    temp_folder_mkdir(&folder, "pub/deep");
    temp_folder_write(&folder, "pub/deep/file.txt", "hello");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    atomic_store(&cold_names, NAMES_AS_THEY_ARE);
    temp_folder_fini(&folder);
    return 0;
}

static enum path_result open_with(struct str path, unsigned use)
{
    int fd;
    struct stat st;
    enum path_result r = path_open(folder.fd, path, use, &fd, &st);
    assert_int_equal(fd >= 0, r == PATH_FILE || r == PATH_FOLDER);
    if (fd >= 0)
        close(fd);
    return r;
}

static enum path_result open_bytes(struct str path)
{
    return open_with(path, PATH_READ);
}

static enum path_result open_path(const char *path)
{
    return open_bytes(str_from(path));
}

static void a_file_opens_for_reading(void **state)
{
    (void)state;
    int fd;
    struct stat st;
    char text[8] = "";
    assert_int_equal(
        path_open(folder.fd, STR("pub/deep/file.txt"), PATH_READ, &fd, &st),
        PATH_FILE);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(read(fd, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    close(fd);
}

static void a_looked_at_file_cannot_be_read(void **state)
{
    (void)state;
    int fd;
    struct stat st;
    char text[8];
    assert_int_equal(
        path_open(folder.fd, STR("pub/deep/file.txt"), PATH_LOOK, &fd, &st),
        PATH_FILE);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(read(fd, text, sizeof(text)), -1);
    close(fd);
}

static void folders_open_with_and_without_a_slash(void **state)
{
    (void)state;
    assert_int_equal(open_path(""), PATH_FOLDER);
    assert_int_equal(open_path("pub"), PATH_FOLDER);
    assert_int_equal(open_path("pub/deep/"), PATH_FOLDER);
}

static void a_slash_behind_a_file_is_missing(void **state)
{
    (void)state;
    assert_int_equal(open_path("pub/deep/file.txt/"), PATH_MISSING);
    assert_int_equal(open_path("pub/deep/file.txt/x"), PATH_MISSING);
}

static void dots_never_climb_out(void **state)
{
    (void)state;
    temp_folder_write(&folder, "secret", "s");
    assert_int_equal(open_path("pub/../secret"), PATH_MISSING);
    assert_int_equal(open_path("../../etc/passwd"), PATH_MISSING);
    assert_int_equal(open_path("./secret"), PATH_MISSING);
}

static void an_absolute_path_is_missing(void **state)
{
    (void)state;
    assert_int_equal(open_path("/etc/passwd"), PATH_MISSING);
}

static void dot_files_do_not_exist(void **state)
{
    (void)state;
    temp_folder_write(&folder, ".htpasswd", "x");
    temp_folder_mkdir(&folder, "pub/.git");
    temp_folder_write(&folder, "pub/.git/config", "x");
    assert_int_equal(open_path(".htpasswd"), PATH_MISSING);
    assert_int_equal(open_path("pub/.git/config"), PATH_MISSING);
    assert_int_equal(open_path("pub/.git/"), PATH_MISSING);
}

static void well_known_is_the_one_dot_folder(void **state)
{
    (void)state;
    temp_folder_mkdir(&folder, ".well-known");
    temp_folder_write(&folder, ".well-known/security.txt", "x");
    temp_folder_mkdir(&folder, ".well-known2");
    assert_int_equal(open_path(".well-known/security.txt"), PATH_FILE);
    assert_int_equal(open_path(".well-known2"), PATH_MISSING);
}

static void a_symlink_inside_is_followed(void **state)
{
    (void)state;
    temp_folder_link(&folder, "deep/file.txt", "pub/link");
    temp_folder_link(&folder, "../pub/deep", "pub/up");
    assert_int_equal(open_path("pub/link"), PATH_FILE);
    assert_int_equal(open_path("pub/up/file.txt"), PATH_FILE);
}

static void a_symlink_that_leaves_the_root_is_missing(void **state)
{
    (void)state;
    temp_folder_link(&folder, "/etc/passwd", "absolute");
    temp_folder_link(&folder, "../../../../../../etc", "pub/relative");
    assert_int_equal(open_path("absolute"), PATH_MISSING);
    assert_int_equal(open_path("pub/relative/passwd"), PATH_MISSING);
}

static void a_symlink_loop_is_missing(void **state)
{
    (void)state;
    temp_folder_link(&folder, "loop", "loop");
    assert_int_equal(open_path("loop"), PATH_MISSING);
}

static void a_pipe_is_missing_and_nobody_waits_for_its_writer(void **state)
{
    (void)state;
    assert_int_equal(mkfifoat(folder.fd, "pipe", 0600), 0);
    assert_int_equal(open_path("pipe"), PATH_MISSING);
}

static void names_too_long_are_missing(void **state)
{
    (void)state;
    static char name[2 * PATH_BYTES_MAX];
    memset(name, 'a', sizeof(name));
    assert_int_equal(open_bytes((struct str){name, 256}), PATH_MISSING);
    assert_int_equal(open_bytes((struct str){name, PATH_BYTES_MAX - 1}),
                     PATH_MISSING);
    assert_int_equal(open_bytes((struct str){name, sizeof(name)}),
                     PATH_MISSING);
}

static void a_nul_does_not_end_a_path_early(void **state)
{
    (void)state;
    assert_int_equal(open_bytes(STR("pub/deep/file.txt\0.png")), PATH_MISSING);
}

static void an_unreadable_file_is_forbidden(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    assert_int_equal(fchmodat(folder.fd, "pub/deep/file.txt", 0, 0), 0);
    assert_int_equal(open_path("pub/deep/file.txt"), PATH_FORBIDDEN);
}

static void without_a_free_descriptor_it_is_exhausted(void **state)
{
    (void)state;
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit none = {0, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    enum path_result r = open_path("pub/deep/file.txt");
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(r, PATH_EXHAUSTED);
}

static enum path_result open_cached(const char *path)
{
    return open_with(str_from(path), PATH_READ | PATH_CACHED);
}

static void what_the_kernel_knows_opens_without_waiting(void **state)
{
    (void)state;
    unsigned waited = atomic_load(&cold_names_waited);
    assert_int_equal(open_path("pub/none"), PATH_MISSING);
    assert_int_equal(atomic_load(&cold_names_waited), waited + 1);
    assert_int_equal(open_cached("pub/deep/file.txt"), PATH_FILE);
    assert_int_equal(open_cached("pub/deep"), PATH_FOLDER);
    assert_int_equal(open_cached("pub/none"), PATH_MISSING);
    assert_int_equal(open_cached("pub/.git"), PATH_MISSING);
    assert_int_equal(atomic_load(&cold_names_waited), waited + 1);
}

static void what_it_does_not_know_is_cold(void **state)
{
    (void)state;
    unsigned waited = atomic_load(&cold_names_waited);
    atomic_store(&cold_names, NAMES_COLD);
    assert_int_equal(open_cached("pub/deep/file.txt"), PATH_COLD);
    assert_int_equal(open_cached("none"), PATH_COLD);
    assert_int_equal(atomic_load(&cold_names_waited), waited);
    assert_int_equal(open_path("pub/deep/file.txt"), PATH_FILE);
}

static void a_name_on_another_mount_is_cold(void **state)
{
    (void)state;
    struct stat dev;
    struct stat shm;
    char path[] = "/dev/shm/sluice-test.XXXXXX";
    if (stat("/dev", &dev) != 0 || stat("/dev/shm", &shm) != 0 ||
        dev.st_dev == shm.st_dev)
        skip();
    int fd = mkstemp(path);
    int root = open("/dev", O_PATH | O_CLOEXEC);
    assert_true(fd >= 0 && root >= 0);
    close(fd);
    struct str name = str_skip(str_from(path), strlen("/dev/"));
    enum path_result asked =
        path_open(root, name, PATH_LOOK | PATH_CACHED, &fd, &shm);
    enum path_result waited = path_open(root, name, PATH_LOOK, &fd, &shm);
    unlink(path);
    close(fd);
    close(root);
    assert_int_equal(waited, PATH_FILE);
    assert_int_equal(asked, PATH_COLD);
}

static void the_way_out_is_never_open(void **state)
{
    (void)state;
    temp_folder_link(&folder, "/etc/passwd", "absolute");
    assert_int_equal(open_cached("absolute"), PATH_COLD);
    assert_int_equal(open_path("absolute"), PATH_MISSING);
}

/* In a process of its own, as it is found out once for good. */
static void an_older_kernel_is_asked_the_old_way(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        atomic_store(&cold_names, NAMES_OLD_KERNEL);
        bool opened = open_cached("pub/deep/file.txt") == PATH_FILE;
        unsigned asked = atomic_load(&cold_names_asked);
        opened = opened && open_cached("pub/deep") == PATH_FOLDER &&
                 open_cached("none") == PATH_MISSING;
        _exit(opened && atomic_load(&cold_names_asked) == asked ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_path_has_the_device_of_the_deepest_known_folder(void **state)
{
    (void)state;
    struct stat proc;
    struct stat top;
    int root = open("/", O_PATH | O_CLOEXEC);
    assert_true(root >= 0);
    assert_int_equal(stat("/", &top), 0);
    assert_int_equal(stat("/proc", &proc), 0);
    assert_int_equal(path_device(root, STR("")), top.st_dev);
    assert_int_equal(path_device(root, STR("none")), top.st_dev);
    assert_int_equal(path_device(root, STR("none/none")), top.st_dev);
    assert_int_equal(path_device(root, STR("proc/none")), proc.st_dev);
    assert_int_equal(path_device(root, STR("proc/none/none")), proc.st_dev);
    close(root);
}

static void a_folder_of_ours_does_not_ask_others(void **state)
{
    (void)state;
    assert_false(path_root_waits(folder.fd));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_opens_for_reading),
        TEST(a_looked_at_file_cannot_be_read),
        TEST(folders_open_with_and_without_a_slash),
        TEST(a_slash_behind_a_file_is_missing),
        TEST(dots_never_climb_out),
        TEST(an_absolute_path_is_missing),
        TEST(dot_files_do_not_exist),
        TEST(well_known_is_the_one_dot_folder),
        TEST(a_symlink_inside_is_followed),
        TEST(a_symlink_that_leaves_the_root_is_missing),
        TEST(a_symlink_loop_is_missing),
        TEST(a_pipe_is_missing_and_nobody_waits_for_its_writer),
        TEST(names_too_long_are_missing),
        TEST(a_nul_does_not_end_a_path_early),
        TEST(an_unreadable_file_is_forbidden),
        TEST(without_a_free_descriptor_it_is_exhausted),
        TEST(what_the_kernel_knows_opens_without_waiting),
        TEST(what_it_does_not_know_is_cold),
        TEST(a_name_on_another_mount_is_cold),
        TEST(the_way_out_is_never_open),
        TEST(an_older_kernel_is_asked_the_old_way),
        TEST(a_path_has_the_device_of_the_deepest_known_folder),
        TEST(a_folder_of_ours_does_not_ask_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
