#include "httpd/files/listing_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define OUT_BYTES_MAX (64u << 10)

static int setup(void **state)
{
    struct listing_out *o = calloc(1, sizeof(*o));

    listing_out_init(o, OUT_BYTES_MAX);
    *state = o;
    return 0;
}

static int teardown(void **state)
{
    struct listing_out *o = *state;

    listing_out_fini(o);
    free(o);
    return 0;
}

/* The document of one folder with these items. */
static const char *write_all(struct listing_out *o,
                             const struct listing_form *form,
                             struct listing_view view,
                             const struct dir_item *items, size_t n)
{
    form->head(o, &view);
    for (size_t i = 0; i < n; i++) {
        form->item(o, &view, &items[i]);
        view.items++;
        view.bytes += items[i].size_bytes;
    }
    form->tail(o, &view);
    listing_out_text(o, (struct str){"", 1}); /* the NUL for strstr() */
    assert_int_equal(o->flow, FLOW_DONE);
    return o->bytes.data;
}

static struct dir_item file_named(struct str name, uint64_t size_bytes)
{
    return (struct dir_item){name, false, size_bytes, 1770091506};
}

static struct dir_item folder_named(struct str name)
{
    return (struct dir_item){name, true, 0, 1770091506};
}

static const struct listing_view root = {.path = {"/", 1}};

static void json_is_an_array_of_objects(void **state)
{
    const struct dir_item items[] = {file_named(STR("a\"\n\xff"), 1536),
                                     folder_named(STR("sub"))};

    assert_string_equal(write_all(*state, &listing_json, root, items, 2),
                        "[\n{\"name\":\"a\\\"\\n\xef\xbf\xbd\",\"type\":"
                        "\"file\",\"size\":1536,\"modified\":"
                        "\"2026-02-03T04:05:06Z\"},\n"
                        "{\"name\":\"sub\",\"type\":\"folder\",\"size\":null,"
                        "\"modified\":\"2026-02-03T04:05:06Z\"}\n]\n");
}

static void an_empty_folder_is_an_empty_array(void **state)
{
    assert_string_equal(write_all(*state, &listing_json, root, NULL, 0),
                        "[\n]\n");
}

static void text_keeps_each_name_on_its_line(void **state)
{
    const struct dir_item items[] = {file_named(STR("two\nlines\r"), 0),
                                     folder_named(STR("sub"))};

    assert_string_equal(write_all(*state, &listing_text, root, items, 2),
                        "two?lines?\nsub/\n");
}

static void names_cannot_become_markup(void **state)
{
    const struct dir_item items[] = {
        file_named(STR("<script>'\"&.txt"), 1),
        folder_named(STR("javascript:x?#%")),
    };
    const char *page = write_all(*state, &listing_html, root, items, 2);

    assert_null(strstr(page, "<script"));
    assert_non_null(strstr(page, "<a href=\"%3Cscript%3E%27%22%26.txt\">"
                                 "&lt;script&gt;&#39;&quot;&amp;.txt</a>"));
    assert_non_null(strstr(page, "<a href=\"javascript%3Ax%3F%23%25/\">"
                                 "javascript:x?#%/</a>"));
}

static void the_path_cannot_become_markup(void **state)
{
    struct listing_view view = {.path = STR("/<b>/<i>/")};
    const char *page = write_all(*state, &listing_html, view, NULL, 0);

    assert_null(strstr(page, "<b>"));
    assert_null(strstr(page, "<i>"));
    assert_non_null(strstr(page, "<title>&lt;i&gt;/</title>"));
}

static void each_crumb_leads_to_its_folder(void **state)
{
    struct listing_view view = {.path = STR("/one/two/")};
    const char *page = write_all(*state, &listing_html, view, NULL, 0);

    assert_non_null(strstr(page, "<a href=\"./../../\">~</a>/"
                                 "<a href=\"./../\">one</a>/"
                                 "<a href=\"./\">two</a>/</h1>"));
    assert_non_null(strstr(page, "<a href=\"../\">../</a>"));
}

static void the_root_has_no_parent(void **state)
{
    const char *page = write_all(*state, &listing_html, root, NULL, 0);

    assert_null(strstr(page, "../"));
}

static void a_deep_path_shows_its_end(void **state)
{
    static char path[2048];
    struct listing_view view = {.path = {path, sizeof(path)}};

    for (size_t i = 0; i < sizeof(path); i += 2)
        memcpy(path + i, "d/", 2);
    path[0] = '/';
    const char *page = write_all(*state, &listing_html, view, NULL, 0);
    assert_non_null(strstr(page, "\">\xe2\x80\xa6</a>/"));
    assert_true(strlen(page) < 8192);
}

static void a_second_click_turns_the_order(void **state)
{
    struct listing_view view = {.path = STR("/"), .order = {DIR_BY_SIZE, true}};
    const char *page = write_all(*state, &listing_html, view, NULL, 0);

    assert_non_null(strstr(page, "?sort=name&amp;order=asc\""));
    assert_non_null(strstr(page, "aria-sort=descending><a href=\"?sort=size"
                                 "&amp;order=asc\""));
    assert_non_null(strstr(page, "?sort=time&amp;order=desc\""));
}

static void sizes_are_for_people_and_exact_on_demand(void **state)
{
    const struct dir_item items[] = {
        file_named(STR("a"), 1023),
        file_named(STR("b"), 1536),
        file_named(STR("c"), UINT64_MAX / 2),
    };
    const char *page = write_all(*state, &listing_html, root, items, 3);

    assert_non_null(strstr(page, "<td title=\"1023 bytes\">1023 B"));
    assert_non_null(strstr(page, "<td title=\"1536 bytes\">1.5 KiB"));
    assert_non_null(strstr(page, ">8.0 EiB"));
}

static void a_full_out_says_so_and_stays_as_it_was(void **state)
{
    struct listing_out *o = *state;

    o->bytes.max = 1024;
    listing_html.head(o, &root);
    assert_int_equal(o->flow, FLOW_FULL);
    listing_out_text(o, STR("x"));
    assert_int_equal(o->bytes.len, 0);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        FRESH(json_is_an_array_of_objects),
        FRESH(an_empty_folder_is_an_empty_array),
        FRESH(text_keeps_each_name_on_its_line),
        FRESH(names_cannot_become_markup),
        FRESH(the_path_cannot_become_markup),
        FRESH(each_crumb_leads_to_its_folder),
        FRESH(the_root_has_no_parent),
        FRESH(a_deep_path_shows_its_end),
        FRESH(a_second_click_turns_the_order),
        FRESH(sizes_are_for_people_and_exact_on_demand),
        FRESH(a_full_out_says_so_and_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
