#include "httpd/files/mime.h"
#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct temp_folder folder;
static char list[300];

static int setup(void **state)
{
    (void)state;
    temp_folder_init(&folder);
    snprintf(list, sizeof(list), "%s/mime.types", folder.path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mime_fini();
    temp_folder_fini(&folder);
    return 0;
}

static void load(const char *text)
{
    temp_folder_write(&folder, "mime.types", text);
    assert_true(mime_init(list, NULL));
}

static void expect_type(const char *path, const char *type)
{
    struct str name = mime_find(str_from(path))->name;
    assert_int_equal(name.len, strlen(type));
    assert_memory_equal(name.at, type, name.len);
}

static void the_file_decides_by_extension(void **state)
{
    (void)state;
    load("# a comment\n\napplication/x-one\tone uno\napplication/x-two two\n");
    expect_type("dir/a.one", "application/x-one");
    expect_type("a.b.uno", "application/x-one");
    expect_type("a.two", "application/x-two");
}

static void letter_case_does_not_count(void **state)
{
    (void)state;
    load("Application/X-One ONE\n");
    expect_type("A.One", "application/x-one");
}

static void what_is_unknown_is_octets(void **state)
{
    (void)state;
    load("application/x-one one\n");
    expect_type("README", "application/octet-stream");
    expect_type("a.nobodyknows", "application/octet-stream");
    expect_type("a.", "application/octet-stream");
    expect_type("", "application/octet-stream");
    expect_type("one.one/README", "application/octet-stream");
    expect_type("a.one_with_an_extension_longer_than_any_is",
                "application/octet-stream");
}

static void the_first_line_for_an_extension_counts(void **state)
{
    (void)state;
    load("application/x-one one\napplication/x-two one two\n");
    expect_type("a.one", "application/x-one");
    expect_type("a.two", "application/x-two");
}

static void common_types_stand_in_where_the_file_has_none(void **state)
{
    (void)state;
    load("application/x-mine html\n");
    expect_type("a.html", "application/x-mine");
    expect_type("a.css", "text/css");
    expect_type("a.wasm", "application/wasm");
}

static void lines_that_are_no_media_type_are_passed_over(void **state)
{
    (void)state;
    load("nonsense one\n/x one\nx/ one\na/b/c one\na/b\x01 one\n"
         "a/\"b\" one\napplication/x-one one\n");
    expect_type("a.one", "application/x-one");
}

static void a_comment_may_stand_behind_a_line(void **state)
{
    (void)state;
    load("application/x-one one # two\n");
    expect_type("a.one", "application/x-one");
    expect_type("a.two", "application/octet-stream");
}

static void more_extensions_than_fit_are_left_out(void **state)
{
    (void)state;
    size_t cap = 16u * (MIME_EXTENSIONS_MAX + 100);
    char *text = malloc(cap);
    size_t len = (size_t)snprintf(text, cap, "application/x-many");
    for (unsigned i = 0; i < MIME_EXTENSIONS_MAX + 100; i++)
        len += (size_t)snprintf(text + len, cap - len, " e%u", i);
    load(text);
    free(text);
    expect_type("a.e0", "application/x-many");
    expect_type("a.e4095", "application/x-many");
    expect_type("a.e4096", "application/octet-stream");
}

static void a_named_file_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    assert_false(mime_init(list, NULL));
}

static void a_folder_is_not_a_list(void **state)
{
    (void)state;
    assert_false(mime_init(folder.path, NULL));
}

static void without_any_file_the_web_still_works(void **state)
{
    (void)state;
    assert_true(mime_init("", "/nowhere/mime.types"));
    expect_type("a.html", "text/html");
    expect_type("a.js", "text/javascript");
    expect_type("a.png", "image/png");
}

static void text_says_its_charset_and_images_do_not(void **state)
{
    (void)state;
    assert_true(mime_init(NULL, NULL));
    assert_true(mime_find(STR("a.html"))->utf8);
    assert_true(mime_find(STR("a.js"))->utf8);
    assert_false(mime_find(STR("a.json"))->utf8);
    assert_false(mime_find(STR("a.png"))->utf8);
    assert_false(mime_find(STR("README"))->utf8);
}

static void what_compresses_well_is_known(void **state)
{
    (void)state;
    load("application/problem+json problem\napplication/x-one one\n");
    assert_true(mime_find(STR("a.txt"))->compressible);
    assert_true(mime_find(STR("a.json"))->compressible);
    assert_true(mime_find(STR("a.svg"))->compressible);
    assert_true(mime_find(STR("a.wasm"))->compressible);
    assert_true(mime_find(STR("a.problem"))->compressible);
    assert_false(mime_find(STR("a.one"))->compressible);
    assert_false(mime_find(STR("a.png"))->compressible);
    assert_false(mime_find(STR("a.gz"))->compressible);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_decides_by_extension),
        TEST(letter_case_does_not_count),
        TEST(what_is_unknown_is_octets),
        TEST(the_first_line_for_an_extension_counts),
        TEST(common_types_stand_in_where_the_file_has_none),
        TEST(lines_that_are_no_media_type_are_passed_over),
        TEST(a_comment_may_stand_behind_a_line),
        TEST(more_extensions_than_fit_are_left_out),
        TEST(a_named_file_that_is_not_there_is_an_error),
        TEST(a_folder_is_not_a_list),
        TEST(without_any_file_the_web_still_works),
        TEST(text_says_its_charset_and_images_do_not),
        TEST(what_compresses_well_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
