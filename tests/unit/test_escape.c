#include "parser/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define OUT_BYTES_MAX 4096

typedef enum flow escaper(struct bytes *out, struct str text);

static enum flow segment(struct bytes *out, struct str text)
{
    return escape_url(out, text, false);
}

static enum flow path(struct bytes *out, struct str text)
{
    return escape_url(out, text, true);
}

static const char *escaped(escaper *how, const char *text)
{
    static char copy[OUT_BYTES_MAX + 1];
    struct bytes out;
    bytes_init(&out, OUT_BYTES_MAX);
    assert_int_equal(how(&out, str_from(text)), FLOW_DONE);
    if (out.len > 0)
        memcpy(copy, out.data, out.len);
    copy[out.len] = '\0';
    bytes_fini(&out);
    return copy;
}

static void html_knows_five_characters(void **state)
{
    (void)state;
    assert_string_equal(escaped(escape_html, "<a href=\"x\">Tom & 'Jo'</a>"),
                        "&lt;a href=&quot;x&quot;&gt;Tom &amp; "
                        "&#39;Jo&#39;&lt;/a&gt;");
    assert_string_equal(escaped(escape_html, "plain"), "plain");
    assert_string_equal(escaped(escape_html, ""), "");
    assert_string_equal(escaped(escape_html, NULL), "");
}

static void json_escapes_quotes_backslashes_and_controls(void **state)
{
    (void)state;
    assert_string_equal(escaped(escape_json, "a\"b\\c/d"), "a\\\"b\\\\c/d");
    assert_string_equal(escaped(escape_json, "\n\r\t\x01\x1f\x7f"),
                        "\\n\\r\\t\\u0001\\u001f\x7f");
    struct bytes out;
    bytes_init(&out, OUT_BYTES_MAX);
    assert_int_equal(escape_json(&out, (struct str){"a\0b", 3}), FLOW_DONE);
    assert_int_equal(out.len, 8);
    assert_memory_equal(out.data, "a\\u0000b", 8);
    bytes_fini(&out);
}

static void utf8_stands_as_it_is(void **state)
{
    const char *text = "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x8c\x8a \xed\x9f\xbf "
                       "\xee\x80\x80 \xf4\x8f\xbf\xbf \xc2\x80 \xe0\xa0\x80 "
                       "\xf0\x90\x80\x80 \xef\xbf\xbf";
    (void)state;
    assert_string_equal(escaped(escape_html, text), text);
    assert_string_equal(escaped(escape_json, text), text);
}

#define R "\xef\xbf\xbd"

static void each_broken_sequence_is_replaced_once(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"a\x80z", "a" R "z"},
        {"a\xffz", "a" R "z"},
        {"\xc3", R},
        {"\xc3<", R "&lt;"},
        {"\xe2\x82", R},
        {"\xe2\x82z", R "z"},
        {"\xf0\x9f\x8cz", R "z"},
        {"\xf0\x9f\x8c\xf0\x9f\x8c\x8a", R "\xf0\x9f\x8c\x8a"},
        {"\xc0\x80", R R},
        {"\xc1\xbf", R R},
        {"\xe0\x9f\xbf", R R R},
        {"\xed\xa0\x80", R R R},
        {"\xf0\x8f\xbf\xbf", R R R R},
        {"\xf4\x90\x80\x80", R R R R},
        {"\xf5\x80", R R},
        {"\xf8\x88\x80\x80\x80", R R R R R},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(escaped(escape_html, cases[i].text), cases[i].want);
        if (cases[i].text[1] != '<')
            assert_string_equal(escaped(escape_json, cases[i].text),
                                cases[i].want);
    }
}

static void a_url_keeps_unreserved_characters_only(void **state)
{
    (void)state;
    assert_string_equal(escaped(segment, "AZaz09-._~"), "AZaz09-._~");
    assert_string_equal(escaped(segment, "a b/c?d#e%f+g&h"),
                        "a%20b%2Fc%3Fd%23e%25f%2Bg%26h");
    assert_string_equal(escaped(segment, "\xc3\xa4\xff\n"), "%C3%A4%FF%0A");
    assert_string_equal(escaped(segment, "!$'()*,;:@[]"),
                        "%21%24%27%28%29%2A%2C%3B%3A%40%5B%5D");
}

static void a_path_keeps_its_slashes(void **state)
{
    (void)state;
    assert_string_equal(escaped(path, "/a b/c/"), "/a%20b/c/");
}

static void what_is_appended_stands_behind_what_was_there(void **state)
{
    struct bytes out;
    (void)state;
    bytes_init(&out, OUT_BYTES_MAX);
    assert_int_equal(bytes_append_str(&out, STR("<b>")), FLOW_DONE);
    assert_int_equal(escape_html(&out, STR("1<2")), FLOW_DONE);
    assert_true(str_equal(bytes_view(&out), STR("<b>1&lt;2")));
    bytes_fini(&out);
}

static void what_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    for (size_t max = 3; max < 16; max++) {
        struct bytes out;
        bytes_init(&out, max);
        assert_int_equal(bytes_append_str(&out, STR("<b>")), FLOW_DONE);
        assert_int_equal(escape_html(&out, STR("a<b&cdef")), FLOW_FULL);
        assert_true(str_equal(bytes_view(&out), STR("<b>")));
        bytes_fini(&out);
    }
}

static void grows_by_its_factor_at_most(escaper *how, size_t factor)
{
    size_t most = 0;
    for (unsigned c = 0; c < 256; c++) {
        char text[8];
        struct bytes out;
        memset(text, (int)c, sizeof text);
        bytes_init(&out, OUT_BYTES_MAX);
        assert_int_equal(how(&out, (struct str){text, sizeof text}), FLOW_DONE);
        if (out.len > most)
            most = out.len;
        bytes_fini(&out);
    }
    assert_int_equal(most, factor * 8);
}

static void no_byte_grows_beyond_the_factor(void **state)
{
    (void)state;
    grows_by_its_factor_at_most(escape_html, ESCAPE_HTML_FACTOR);
    grows_by_its_factor_at_most(escape_json, ESCAPE_JSON_FACTOR);
    grows_by_its_factor_at_most(segment, ESCAPE_URL_FACTOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_knows_five_characters),
        cmocka_unit_test(json_escapes_quotes_backslashes_and_controls),
        cmocka_unit_test(utf8_stands_as_it_is),
        cmocka_unit_test(each_broken_sequence_is_replaced_once),
        cmocka_unit_test(a_url_keeps_unreserved_characters_only),
        cmocka_unit_test(a_path_keeps_its_slashes),
        cmocka_unit_test(what_is_appended_stands_behind_what_was_there),
        cmocka_unit_test(what_does_not_fit_leaves_nothing_behind),
        cmocka_unit_test(no_byte_grows_beyond_the_factor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
