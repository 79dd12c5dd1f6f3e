#include "httpd/files/file_cache.h"
#include "httpd/files/file_entry.h"
#include "httpd/files/mime.h"
#include "httpd/http/route.h"
#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHECK_MS 500u
#define TICK_US  20000u    /* more than file systems' clocks jump */
#define PAST     784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static struct temp_folder folder;
static struct route_config config;
static struct route route;
static struct file_cache *cache;
static uint64_t now_ms;

static int setup(void **state)
{
    (void)state;
    temp_folder_init(&folder);
    assert_true(mime_init(NULL, NULL));
    config = (struct route_config){
        .precompressed = true,
        .gzip = true,
        .gzip_bytes_min = 1024,
    };
    route = (struct route){.config = &config, .root_fd = folder.fd, .id = 3};
    cache = file_cache_new(16, CHECK_MS);
    assert_non_null(cache);
    now_ms = 1000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    file_cache_free(cache);
    mime_fini();
    temp_folder_fini(&folder);
    return 0;
}

static enum path_result get(const struct route *r, const char *path,
                            struct file_entry **ret_entry)
{
    const struct file_want want = {
        .route = r,
        .path = str_from(path),
        .now_ms = now_ms,
    };
    return file_cache_get(cache, &want, ret_entry);
}

static struct file_entry *hold(const char *path)
{
    struct file_entry *e;
    assert_int_equal(get(&route, path, &e), PATH_FILE);
    return e;
}

static enum path_result look(const char *path)
{
    struct file_entry *e;
    enum path_result r = get(&route, path, &e);
    assert_int_equal(r == PATH_FILE, e != NULL);
    file_entry_unref(e);
    return r;
}

static void expect_body(const char *path, const char *text)
{
    struct file_entry *e = hold(path);
    const struct file_variant *v = &e->variants[CODING_IDENTITY];
    assert_true(v->has_body);
    assert_int_equal(v->body.len, strlen(text));
    assert_memory_equal(v->body.at, text, v->body.len);
    file_entry_unref(e);
}

static bool says(struct str lines, const char *text)
{
    return memmem(lines.at, lines.len, text, strlen(text)) != NULL;
}

/* Bytes of text, for files beyond gzip_bytes_min or FILE_BODY_COPY_MAX. */
static char *filler(size_t len)
{
    char *text = malloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void write_filler(const char *name, size_t len)
{
    char *text = filler(len);
    temp_folder_write(&folder, name, text);
    free(text);
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

/* The cache distrusts files that changed within the last seconds; this makes
 * an entry look as if it had been loaded later. */
static void settle(const char *path)
{
    struct file_entry *e = hold(path);
    e->young = false;
    file_entry_unref(e);
}

static void the_second_look_needs_no_system_call(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    struct file_entry *first = hold("a.txt");
    temp_folder_remove(&folder, "a.txt");
    struct file_entry *second = hold("a.txt");
    assert_ptr_equal(first, second);
    assert_int_equal(file_cache_stats(cache).hits, 1);
    assert_int_equal(file_cache_stats(cache).checks, 0);
    file_entry_unref(first);
    file_entry_unref(second);
}

static void an_unchanged_file_stays_after_its_check(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    settle("a.txt");
    now_ms += CHECK_MS;
    expect_body("a.txt", "one");
    assert_int_equal(file_cache_stats(cache).checks, 1);
    assert_int_equal(file_cache_stats(cache).replaced, 0);
    now_ms += CHECK_MS - 1;
    expect_body("a.txt", "one");
    assert_int_equal(file_cache_stats(cache).checks, 1);
}

static void a_replaced_file_is_seen_at_the_check(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    settle("a.txt");
    temp_folder_write(&folder, "b.txt", "two");
    temp_folder_rename(&folder, "b.txt", "a.txt");
    expect_body("a.txt", "one");
    now_ms += CHECK_MS;
    expect_body("a.txt", "two");
}

static void a_rewritten_file_is_seen_at_the_check(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    settle("a.txt");
    temp_folder_write(&folder, "a.txt", "three");
    now_ms += CHECK_MS;
    expect_body("a.txt", "three");
}

static void a_rewrite_that_restores_size_and_date_is_seen(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    temp_folder_date(&folder, "a.txt", PAST);
    settle("a.txt");
    usleep(TICK_US);
    temp_folder_write(&folder, "a.txt", "two");
    temp_folder_date(&folder, "a.txt", PAST);
    now_ms += CHECK_MS;
    expect_body("a.txt", "two");
}

static void a_write_within_the_clock_tick_of_loading_is_seen(void **state)
{
    (void)state;
    struct file_entry *e;
    temp_folder_write(&folder, "a.txt", "one");
    e = hold("a.txt");
    assert_true(e->young);
    file_entry_unref(e);
    now_ms += CHECK_MS;
    assert_int_equal(look("a.txt"), PATH_FILE);
    assert_int_equal(file_cache_stats(cache).replaced, 1);
}

static void a_removed_file_is_missing_at_the_check(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    settle("a.txt");
    temp_folder_remove(&folder, "a.txt");
    now_ms += CHECK_MS;
    assert_int_equal(look("a.txt"), PATH_MISSING);
    assert_int_equal(file_cache_stats(cache).entries, 0);
}

static void a_response_under_way_keeps_its_file(void **state)
{
    (void)state;
    char text[4] = "";
    temp_folder_write(&folder, "a.txt", "one");
    struct file_entry *e = hold("a.txt");
    struct file_range range =
        file_entry_range(e, &e->variants[CODING_IDENTITY], 0, 3);
    file_entry_unref(e);
    temp_folder_remove(&folder, "a.txt");
    now_ms += CHECK_MS;
    assert_int_equal(look("a.txt"), PATH_MISSING);
    assert_int_equal(pread(range.fd, text, 3, 0), 3);
    assert_string_equal(text, "one");
    range.release(range.owner);
    assert_int_equal(pread(range.fd, text, 3, 0), -1);
}

static void the_least_recently_used_file_leaves_first(void **state)
{
    (void)state;
    char name[16];
    size_t before = open_descriptors();
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "%d.bin", i);
        temp_folder_write(&folder, name, "x");
        assert_int_equal(look(name), PATH_FILE);
        assert_int_equal(look("0.bin"), PATH_FILE);
    }
    struct file_cache_stats stats = file_cache_stats(cache);
    assert_int_equal(stats.files, 16);
    assert_int_equal(stats.dropped, 24);
    assert_int_equal(stats.misses, 40);
    assert_int_equal(open_descriptors(), before + 16);
}

static void idle_files_are_let_go(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    temp_folder_write(&folder, "b.txt", "two");
    size_t before = open_descriptors();
    look("a.txt");
    now_ms += FILE_CACHE_IDLE_MS - 1;
    look("b.txt");
    file_cache_sweep(cache, now_ms);
    assert_int_equal(file_cache_stats(cache).entries, 2);
    file_cache_sweep(cache, now_ms + 1);
    assert_int_equal(file_cache_stats(cache).entries, 1);
    assert_int_equal(open_descriptors(), before + 1);
}

static void routes_do_not_share_entries(void **state)
{
    (void)state;
    struct route other = route;
    struct file_entry *a;
    struct file_entry *b;
    other.id = 4;
    temp_folder_write(&folder, "a.txt", "one");
    a = hold("a.txt");
    assert_int_equal(get(&other, "a.txt", &b), PATH_FILE);
    assert_ptr_not_equal(a, b);
    file_entry_unref(a);
    file_entry_unref(b);
}

static void folders_and_missing_files_are_not_kept(void **state)
{
    (void)state;
    temp_folder_mkdir(&folder, "dir");
    assert_int_equal(look("dir"), PATH_FOLDER);
    assert_int_equal(look("nothing"), PATH_MISSING);
    assert_int_equal(file_cache_stats(cache).entries, 0);
}

static void lines_are_written_beforehand(void **state)
{
    (void)state;
    config.cache_control = (char[]){"max-age=60"};
    temp_folder_write(&folder, "a.html", "hello");
    temp_folder_date(&folder, "a.html", PAST);
    struct file_entry *e = hold("a.html");
    const struct file_variant *v = &e->variants[CODING_IDENTITY];
    static const char parts[] =
        "Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n";
    char lines_304[256];
    struct str etag = v->validators.etag;
    snprintf(lines_304, sizeof(lines_304),
             "ETag: %.*s\r\n"
             "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
             "Cache-Control: max-age=60\r\n",
             (int)etag.len, etag.at);
    char whole[512];
    snprintf(whole, sizeof(whole),
             "Content-Type: text/html; charset=utf-8\r\n%s%s", parts,
             lines_304);
    assert_true(str_equal(v->lines, str_from(whole)));
    assert_true(str_equal(v->lines_304, str_from(lines_304)));
    assert_true(
        str_equal(v->lines_parts, str_from(strstr(whole, "Accept-Ranges"))));
    assert_int_equal(etag.len, sizeof("\"0123456789abcdef-5\"") - 1);
    assert_true(etag.at[0] == '"' && etag.at[etag.len - 1] == '"');
    assert_true(str_equal(v->content_type, STR("text/html; charset=utf-8")));
    file_entry_unref(e);
}

static void a_file_put_in_place_with_size_and_date_has_another_tag(void **state)
{
    (void)state;
    char first[64];
    temp_folder_write(&folder, "a.txt", "AAAAA");
    temp_folder_date(&folder, "a.txt", PAST);
    struct file_entry *e = hold("a.txt");
    struct str etag = e->variants[CODING_IDENTITY].validators.etag;
    assert_in_range(etag.len, 1, sizeof(first));
    memcpy(first, etag.at, etag.len);
    struct str old = {first, etag.len};
    file_entry_unref(e);

    temp_folder_write(&folder, "b.txt", "BBBBB");
    temp_folder_date(&folder, "b.txt", PAST);
    temp_folder_rename(&folder, "b.txt", "a.txt");
    now_ms += CHECK_MS;
    e = hold("a.txt");
    assert_false(str_equal(e->variants[CODING_IDENTITY].validators.etag, old));
    file_entry_unref(e);
}

static void a_date_in_the_future_is_not_sent(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.html", "hello");
    temp_folder_date(&folder, "a.html", time(NULL) + 100000);
    struct file_entry *e = hold("a.html");
    assert_true(e->variants[0].validators.modified_seconds <= time(NULL));
    file_entry_unref(e);
}

static void cache_control_cannot_break_the_head(void **state)
{
    (void)state;
    config.cache_control = (char[]){"no-store\r\nEvil: 1"};
    temp_folder_write(&folder, "a.html", "hello");
    struct file_entry *e = hold("a.html");
    assert_false(says(e->variants[0].lines, "Evil"));
    file_entry_unref(e);
}

static void an_empty_file_is_a_file(void **state)
{
    (void)state;
    temp_folder_write(&folder, "empty", "");
    expect_body("empty", "");
}

static void small_files_are_copied_and_large_ones_are_not(void **state)
{
    (void)state;
    write_filler("small.bin", FILE_BODY_COPY_MAX);
    write_filler("large.bin", FILE_BODY_COPY_MAX + 1);
    struct file_entry *small = hold("small.bin");
    struct file_entry *large = hold("large.bin");
    assert_true(small->variants[0].has_body);
    assert_int_equal(small->variants[0].body.len, FILE_BODY_COPY_MAX);
    assert_false(large->variants[0].has_body);
    file_entry_unref(small);
    file_entry_unref(large);
}

static void a_file_alone_offers_nothing_to_negotiate(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "below gzip_bytes_min");
    struct file_entry *e = hold("a.txt");
    assert_int_equal(e->offered, CODING_BIT(CODING_IDENTITY));
    assert_false(says(e->variants[0].lines, "Vary"));
    file_entry_unref(e);
}

static void text_of_some_size_offers_gzip_and_varies(void **state)
{
    (void)state;
    write_filler("a.txt", 1024);
    struct file_entry *e = hold("a.txt");
    const struct file_variant *made = &e->variants[CODING_GZIP_MADE];
    assert_int_equal(e->offered, CODING_BIT(CODING_IDENTITY) |
                                     CODING_BIT(CODING_GZIP_MADE));
    assert_true(says(e->variants[0].lines, "Vary: Accept-Encoding\r\n"));
    assert_true(says(e->variants[0].lines_304, "Vary: Accept-Encoding\r\n"));
    assert_true(says(made->lines_304, "Vary: Accept-Encoding\r\n"));
    assert_true(says(made->lines, "-gz\"\r\n"));
    assert_false(says(made->lines, "Accept-Ranges"));
    assert_int_equal(e->files, 1);
    file_entry_unref(e);
}

static void pictures_and_routes_without_gzip_offer_none(void **state)
{
    (void)state;
    write_filler("a.png", 2000);
    write_filler("b.txt", 2000);
    struct file_entry *e = hold("a.png");
    assert_int_equal(e->offered, CODING_BIT(CODING_IDENTITY));
    file_entry_unref(e);
    config.gzip = false;
    e = hold("b.txt");
    assert_int_equal(e->offered, CODING_BIT(CODING_IDENTITY));
    file_entry_unref(e);
}

static void files_beside_it_are_offered_with_tags_of_their_own(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.bin", "plain");
    temp_folder_write(&folder, "a.bin.br", "b");
    temp_folder_write(&folder, "a.bin.zst", "zs");
    temp_folder_write(&folder, "a.bin.gz", "gzi");
    struct file_entry *e = hold("a.bin");
    const struct file_variant *br = &e->variants[CODING_BR];
    assert_int_equal(e->files, 4);
    assert_int_equal(br->size, 1);
    assert_true(says(br->lines, "Content-Encoding: br\r\n"));
    assert_true(says(br->lines, "Accept-Ranges: bytes\r\n"));
    assert_true(says(br->lines, "Content-Type: application/octet-stream\r\n"));
    assert_true(says(br->lines_304, "Vary: Accept-Encoding\r\n"));
    assert_true(says(e->variants[0].lines, "Vary: Accept-Encoding\r\n"));
    for (unsigned c = CODING_GZIP; c < CODINGS; c++)
        assert_false(str_equal(
            e->variants[c].validators.etag,
            e->variants[c == CODING_BR ? 0 : CODING_BR].validators.etag));
    file_entry_unref(e);
}

static void a_file_beside_it_that_appears_or_goes_is_seen(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.bin", "plain");
    settle("a.bin");
    temp_folder_write(&folder, "a.bin.gz", "gzi");
    now_ms += CHECK_MS;
    struct file_entry *e = hold("a.bin");
    assert_true(e->offered & CODING_BIT(CODING_GZIP));
    file_entry_unref(e);
    settle("a.bin");
    temp_folder_remove(&folder, "a.bin.gz");
    now_ms += CHECK_MS;
    e = hold("a.bin");
    assert_false(e->offered & CODING_BIT(CODING_GZIP));
    file_entry_unref(e);
}

static void a_file_beside_it_that_changes_is_seen(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.bin", "plain");
    temp_folder_write(&folder, "a.bin.gz", "gzi");
    settle("a.bin");
    temp_folder_write(&folder, "a.bin.gz", "longer");
    now_ms += CHECK_MS;
    struct file_entry *e = hold("a.bin");
    assert_int_equal(e->variants[CODING_GZIP].size, 6);
    file_entry_unref(e);
}

static void a_stale_file_beside_it_is_not_offered(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.bin", "plain");
    temp_folder_write(&folder, "a.bin.gz", "gzi");
    temp_folder_date(&folder, "a.bin", PAST);
    temp_folder_date(&folder, "a.bin.gz", PAST - 1);
    struct file_entry *e = hold("a.bin");
    assert_int_equal(e->offered, CODING_BIT(CODING_IDENTITY));
    file_entry_unref(e);
}

static void routes_that_do_not_want_them_leave_them_alone(void **state)
{
    (void)state;
    config.precompressed = false;
    temp_folder_write(&folder, "a.bin", "plain");
    temp_folder_write(&folder, "a.bin.br", "b");
    struct file_entry *e = hold("a.bin");
    assert_int_equal(e->files, 1);
    file_entry_unref(e);
}

static void a_sparse_file_beyond_4_gib_keeps_its_size(void **state)
{
    (void)state;
    temp_folder_write(&folder, "huge.bin", "");
    int fd = openat(folder.fd, "huge.bin", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 5LL << 30), 0);
    close(fd);
    struct file_entry *e = hold("huge.bin");
    const struct file_variant *v = &e->variants[0];
    assert_true(v->size == 5ULL << 30);
    struct file_range r = file_entry_range(e, v, (5ULL << 30) - 1, 1);
    assert_true(r.pos == (5ULL << 30) - 1);
    r.release(r.owner);
    file_entry_unref(e);
}

static void cached_files_are_served_when_descriptors_ran_out(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    temp_folder_write(&folder, "b.txt", "two");
    settle("a.txt");
    now_ms += CHECK_MS;
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit none = {0, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    enum path_result a = look("a.txt");
    enum path_result b = look("b.txt");
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(a, PATH_FILE);
    assert_int_equal(b, PATH_EXHAUSTED);
}

static void nothing_leaks_when_the_cache_goes_first(void **state)
{
    (void)state;
    temp_folder_write(&folder, "a.txt", "one");
    size_t before = open_descriptors();
    struct file_entry *e = hold("a.txt");
    file_cache_free(cache);
    cache = NULL;
    assert_int_equal(open_descriptors(), before + 1);
    file_entry_unref(e);
    assert_int_equal(open_descriptors(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_second_look_needs_no_system_call),
        TEST(an_unchanged_file_stays_after_its_check),
        TEST(a_replaced_file_is_seen_at_the_check),
        TEST(a_rewritten_file_is_seen_at_the_check),
        TEST(a_rewrite_that_restores_size_and_date_is_seen),
        TEST(a_write_within_the_clock_tick_of_loading_is_seen),
        TEST(a_removed_file_is_missing_at_the_check),
        TEST(a_response_under_way_keeps_its_file),
        TEST(the_least_recently_used_file_leaves_first),
        TEST(idle_files_are_let_go),
        TEST(routes_do_not_share_entries),
        TEST(folders_and_missing_files_are_not_kept),
        TEST(lines_are_written_beforehand),
        TEST(a_file_put_in_place_with_size_and_date_has_another_tag),
        TEST(a_date_in_the_future_is_not_sent),
        TEST(cache_control_cannot_break_the_head),
        TEST(an_empty_file_is_a_file),
        TEST(small_files_are_copied_and_large_ones_are_not),
        TEST(a_file_alone_offers_nothing_to_negotiate),
        TEST(text_of_some_size_offers_gzip_and_varies),
        TEST(pictures_and_routes_without_gzip_offer_none),
        TEST(files_beside_it_are_offered_with_tags_of_their_own),
        TEST(a_file_beside_it_that_appears_or_goes_is_seen),
        TEST(a_file_beside_it_that_changes_is_seen),
        TEST(a_stale_file_beside_it_is_not_offered),
        TEST(routes_that_do_not_want_them_leave_them_alone),
        TEST(a_sparse_file_beyond_4_gib_keeps_its_size),
        TEST(cached_files_are_served_when_descriptors_ran_out),
        TEST(nothing_leaks_when_the_cache_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
