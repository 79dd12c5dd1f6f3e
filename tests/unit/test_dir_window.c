#include "httpd/files/dir_walk.h"
#include "httpd/files/dir_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES       20000u
#define SIZE_KINDS  97 /* so that many sizes are equal */
#define STEPS_MAX   200000u
#define NAMES_BYTES (64u << 10)

/* What the folder holds, as a plain array. */
struct model {
    char name[FILES][64];
    struct dir_key keys[FILES];
    size_t n;
};

static struct model model;
static char folder[] = "/tmp/test_dir_window.XXXXXX";
static int folder_fd = -1;
static struct dir_order sort_order;

static void make_file(const char *name, long size, long seconds)
{
    int fd = openat(folder_fd, name, O_CREAT | O_WRONLY, 0600);
    const struct timespec times[2] = {{seconds, 0}, {seconds, 7}};

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

/* Names of all lengths, many with a common beginning. */
static void model_add(size_t i)
{
    char *name = model.name[model.n];

    snprintf(name, sizeof(model.name[0]), "%c%.*s%zu",
             (char)('a' + (i * 7) % 23), (int)(i % 30),
             "-common-middle-of-some-length-", (i * 7919) % 100003);
    model.keys[model.n++].name = str_from(name);
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < FILES; i++) {
        model_add(i);
        make_file(model.name[i], (long)(i % SIZE_KINDS),
                  (long)((i * 31) % 1009));
    }
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < model.n; i++)
        unlinkat(folder_fd, model.name[i], 0);
    close(folder_fd);
    return rmdir(folder);
}

/* Says in its own way what dir_order_compare() says. */
static int by_order(const void *left, const void *right)
{
    const struct dir_key *a = left;
    const struct dir_key *b = right;
    int names = strcmp(a->name.at, b->name.at);
    int sign = sort_order.descending ? -1 : 1;

    if (a->value != b->value)
        return a->value < b->value ? -sign : sign;
    return sort_order.sort == DIR_BY_NAME ? sign * names : names;
}

static struct dir_walk *walk_new(struct dir_order order, size_t entries,
                                 size_t names)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return dir_walk_new(fd, order, entries, names);
}

static enum flow walk_to_item(struct dir_walk *w, struct dir_item *item)
{
    for (size_t steps = 0; steps < STEPS_MAX; steps++) {
        enum flow flow = dir_walk_next(w, item);
        if (flow != FLOW_AGAIN)
            return flow;
    }
    fail_msg("the walk does not come to an end");
    return FLOW_FAILED;
}

static void fill_values(struct dir_order order)
{
    for (size_t i = 0; i < model.n; i++) {
        size_t at = (size_t)(model.keys[i].name.at - model.name[0]) /
                    sizeof(model.name[0]);
        model.keys[i].value = 0;
        if (order.sort == DIR_BY_SIZE)
            model.keys[i].value = (int64_t)(at % SIZE_KINDS);
        if (order.sort == DIR_BY_TIME)
            model.keys[i].value = (int64_t)((at * 31) % 1009);
    }
    sort_order = order;
    qsort(model.keys, model.n, sizeof(model.keys[0]), by_order);
}

static void assert_walks_like_model(struct dir_order order, size_t entries,
                                    size_t names)
{
    struct dir_walk *w = walk_new(order, entries, names);
    struct dir_item item;

    assert_non_null(w);
    fill_values(order);
    for (size_t i = 0; i < model.n; i++) {
        assert_int_equal(walk_to_item(w, &item), FLOW_DONE);
        assert_true(str_equal(item.name, model.keys[i].name));
        assert_false(item.folder);
        if (order.sort == DIR_BY_SIZE)
            assert_int_equal(item.size_bytes, model.keys[i].value);
        if (order.sort == DIR_BY_TIME)
            assert_int_equal(item.modified_seconds, model.keys[i].value);
    }
    assert_int_equal(walk_to_item(w, &item), FLOW_END);
    dir_walk_free(w);
}

static void every_order_yields_each_name_once_as_sorted(void **state)
{
    (void)state;
    for (enum dir_sort sort = DIR_BY_NAME; sort <= DIR_BY_TIME; sort++) {
        assert_walks_like_model((struct dir_order){sort, false}, 1500,
                                NAMES_BYTES);
        assert_walks_like_model((struct dir_order){sort, true}, 1500,
                                NAMES_BYTES);
    }
}

static void a_window_short_of_name_bytes_loses_nothing(void **state)
{
    (void)state;
    assert_walks_like_model((struct dir_order){DIR_BY_NAME, false}, 4000, 8000);
    assert_walks_like_model((struct dir_order){DIR_BY_SIZE, true}, 4000, 8000);
}

static void one_window_for_all_needs_one_pass(void **state)
{
    (void)state;
    assert_walks_like_model((struct dir_order){DIR_BY_NAME, false}, 32768,
                            4u << 20);
}

static void a_walk_takes_the_window_and_no_more_memory(void **state)
{
    const struct dir_order order = {DIR_BY_NAME, false};
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct dir_walk *w = walk_new(order, 1000, NAMES_BYTES);
    struct dir_item item;

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(walk_to_item(w, &item), FLOW_DONE);
        size_t held = mallinfo2().uordblks + mallinfo2().hblkhd - before;
        assert_true(held <= dir_window_bytes(1000, NAMES_BYTES) + 8192);
    }
    dir_walk_free(w);
}

static size_t number_in_front(struct str name)
{
    size_t number = 0;

    for (size_t i = 0; i < 5; i++)
        number = number * 10 + (size_t)(name.at[i] - '0');
    return number;
}

/* Behind a name that had to leave, a shorter one may still fit. */
static void random_offers_keep_the_smallest_in_order(void **state)
{
    static struct dir_key keys[600];
    static char names[600][300];
    struct dir_order order = {DIR_BY_NAME, false};
    struct dir_window *w = dir_window_new(order, 50, 2048);
    size_t at = 0;

    (void)state;
    srandom(11);
    for (size_t i = 0; i < 600; i++) {
        int pad = random() % 3 == 0 ? (int)(random() % 250) : 0;
        snprintf(names[i], sizeof(names[i]), "%05zu%*s", (i * 77) % 600, pad,
                 "");
        keys[i].name = str_from(names[i]);
    }
    do {
        struct dir_key key;
        dir_window_begin(w);
        for (size_t i = 0; i < 600; i++)
            dir_window_offer(w, keys[i]);
        while (dir_window_next(w, &key))
            assert_int_equal(number_in_front(key.name), at++);
    } while (dir_window_left_some(w));
    assert_int_equal(at, 600);
    dir_window_free(w);
}

static void an_entry_seen_twice_in_a_pass_is_yielded_once(void **state)
{
    struct dir_order order = {DIR_BY_SIZE, true};
    struct dir_window *w = dir_window_new(order, 8, 2048);
    struct dir_key key;

    (void)state;
    dir_window_offer(w, (struct dir_key){5, STR("same")});
    dir_window_offer(w, (struct dir_key){9, STR("first")});
    dir_window_offer(w, (struct dir_key){5, STR("same")});
    assert_true(dir_window_next(w, &key));
    assert_true(str_equal(key.name, STR("first")));
    assert_true(dir_window_next(w, &key));
    assert_true(str_equal(key.name, STR("same")));
    assert_false(dir_window_next(w, &key));
    dir_window_free(w);
}

static void make_or_remove_newcomers(unsigned n, bool make)
{
    char name[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%c+%u", (char)('a' + i % 26), i);
        if (make)
            make_file(name, 0, 0);
        else
            assert_int_equal(unlinkat(folder_fd, name, 0), 0);
    }
}

static void names_that_come_and_go_do_not_repeat_others(void **state)
{
    struct dir_walk *w =
        walk_new((struct dir_order){DIR_BY_NAME, false}, 100, NAMES_BYTES);
    char last[DIR_NAME_BYTES_MAX + 1] = "";
    struct dir_item item;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        if (i % 300 == 0)
            make_or_remove_newcomers(200, i % 600 == 0);
        assert_int_equal(walk_to_item(w, &item), FLOW_DONE);
        char name[DIR_NAME_BYTES_MAX + 1] = "";
        memcpy(name, item.name.at, item.name.len);
        assert_true(strcmp(last, name) < 0);
        memcpy(last, name, sizeof(last));
    }
    dir_walk_free(w);
}

static void assert_next_is(struct dir_walk *w, const char *name, bool is_folder)
{
    struct dir_item item;

    assert_int_equal(walk_to_item(w, &item), FLOW_DONE);
    assert_true(str_equal(item.name, str_from(name)));
    assert_int_equal(item.folder, is_folder);
}

static void only_files_and_folders_are_shown(void **state)
{
    char path[] = "/tmp/test_dir_walk.XXXXXX";
    int fd = -1;

    (void)state;
    assert_non_null(mkdtemp(path));
    fd = open(path, O_RDONLY | O_DIRECTORY);
    mkdirat(fd, "sub", 0700);
    mkdirat(fd, ".well-known", 0700);
    mkdirat(fd, ".git", 0700);
    mkfifoat(fd, "fifo", 0600);
    symlinkat("sub", fd, "to-sub");
    symlinkat("nowhere", fd, "to-nothing");
    struct dir_walk *w = dir_walk_new(
        dup(fd), (struct dir_order){DIR_BY_NAME, false}, 10, NAMES_BYTES);
    struct dir_item item;
    assert_next_is(w, ".well-known", true);
    assert_next_is(w, "sub", true);
    assert_next_is(w, "to-sub", true);
    assert_int_equal(walk_to_item(w, &item), FLOW_END);
    dir_walk_free(w);
    unlinkat(fd, "to-nothing", 0);
    unlinkat(fd, "to-sub", 0);
    unlinkat(fd, "fifo", 0);
    unlinkat(fd, ".git", AT_REMOVEDIR);
    unlinkat(fd, ".well-known", AT_REMOVEDIR);
    unlinkat(fd, "sub", AT_REMOVEDIR);
    close(fd);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_yields_each_name_once_as_sorted),
        cmocka_unit_test(a_window_short_of_name_bytes_loses_nothing),
        cmocka_unit_test(one_window_for_all_needs_one_pass),
        cmocka_unit_test(a_walk_takes_the_window_and_no_more_memory),
        cmocka_unit_test(random_offers_keep_the_smallest_in_order),
        cmocka_unit_test(an_entry_seen_twice_in_a_pass_is_yielded_once),
        cmocka_unit_test(names_that_come_and_go_do_not_repeat_others),
        cmocka_unit_test(only_files_and_folders_are_shown),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
