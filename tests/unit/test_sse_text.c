#include "parser/sse_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define OUT_BYTES_MAX (1u << 24)
#define HELD          "id: 7\n"

typedef enum flow writer(struct bytes *out, struct str payload,
                         enum sse_form form);

static void assert_written(writer *how, enum sse_form form, struct str payload,
                           const char *expected)
{
    struct bytes out;
    bytes_init(&out, OUT_BYTES_MAX);
    assert_int_equal(bytes_append_str(&out, STR(HELD)), FLOW_DONE);
    assert_int_equal(how(&out, payload, form), FLOW_DONE);
    assert_true(str_equal(str_skip(bytes_view(&out), strlen(HELD)),
                          str_from(expected)));
    bytes_fini(&out);
}

static void tight(const char *payload, const char *expected)
{
    assert_written(sse_text_write, SSE_TIGHT, str_from(payload), expected);
}

static void spaced(const char *payload, const char *expected)
{
    assert_written(sse_text_write, SSE_SPACED, str_from(payload), expected);
}

static void base64(const char *payload, const char *expected)
{
    assert_written(sse_text_write_base64, SSE_TIGHT, str_from(payload),
                   expected);
}

static void payload_without_line_ends_is_one_line(void **state)
{
    (void)state;
    tight("text", "data:text\n");
    spaced("text", "data: text\n");
    tight("{\"a\":1}", "data:{\"a\":1}\n");
}

static void payload_of_nothing_is_one_empty_line(void **state)
{
    (void)state;
    tight("", "data:\n");
    spaced("", "data: \n");
    assert_written(sse_text_write, SSE_TIGHT, (struct str){NULL, 0}, "data:\n");
}

static void every_kind_of_line_end_begins_a_data_line(void **state)
{
    (void)state;
    tight("a\nb", "data:a\ndata:b\n");
    tight("a\rb", "data:a\ndata:b\n");
    tight("a\r\nb", "data:a\ndata:b\n");
    tight("a\n\rb", "data:a\ndata:\ndata:b\n");
    tight("a\r\r\n\nb", "data:a\ndata:\ndata:\ndata:b\n");
    spaced("a\r\nb\nc", "data: a\ndata: b\ndata: c\n");
}

static void line_end_at_the_end_is_an_empty_last_line(void **state)
{
    (void)state;
    tight("a\n", "data:a\ndata:\n");
    tight("a\r\n", "data:a\ndata:\n");
    tight("a\r", "data:a\ndata:\n");
    tight("\n", "data:\ndata:\n");
    tight("\r\n\r\n", "data:\ndata:\ndata:\n");
}

static void payload_cannot_begin_an_event(void **state)
{
    (void)state;
    tight("a\r\n\r\nevent: control\r\ndata: {}\n\n",
          "data:a\ndata:\ndata:event: control\ndata:data: {}\ndata:\ndata:\n");
}

static void space_at_the_front_of_a_line_is_kept(void **state)
{
    (void)state;
    tight(" a\n  b\nc d", "data:  a\ndata:   b\ndata:c d\n");
    spaced(" a\n  b\nc d", "data:  a\ndata:   b\ndata: c d\n");
    tight(" ", "data:  \n");
}

static void any_other_byte_is_copied(void **state)
{
    struct bytes out;
    (void)state;
    bytes_init(&out, OUT_BYTES_MAX);
    struct str payload = {"\0\xff\t\x0b", 4};
    assert_int_equal(sse_text_write(&out, payload, SSE_TIGHT), FLOW_DONE);
    assert_int_equal(out.len, 10);
    assert_memory_equal(out.data, "data:\0\xff\t\x0b\n", 10);
    bytes_fini(&out);
}

/* What the other side's parser makes of it. */
static void assert_read_back(struct str written, struct str payload)
{
    while (payload.len > 0 || written.len > 0) {
        assert_true(str_starts(written, STR("data:")));
        written = str_skip(written, 5);
        if (str_starts(written, STR(" ")))
            written = str_skip(written, 1);
        size_t n = 0;
        while (written.at[n] != '\n')
            n++;
        assert_true(str_starts(payload, (struct str){written.at, n}));
        payload = str_skip(payload, n);
        written = str_skip(written, n + 1);
        if (str_starts(payload, STR("\r\n")))
            payload = str_skip(payload, 2);
        else if (payload.len > 0)
            payload = str_skip(payload, 1);
        else
            assert_int_equal(written.len, 0);
    }
}

static void every_short_payload_is_read_back_within_its_bound(void **state)
{
    static const char letters[] = {'\r', '\n', ' ', 'a'};
    char payload[6];
    (void)state;
    for (unsigned v = 0; v < 6 * 4096; v++) {
        struct str p = {payload, 1 + v / 4096};
        for (unsigned i = 0; i < 6; i++)
            payload[i] = letters[v % 4096 >> (2 * i) & 3];
        for (enum sse_form form = SSE_TIGHT; form <= SSE_SPACED; form++) {
            struct bytes out;
            bytes_init(&out, sse_text_bytes_max(p.len));
            assert_int_equal(sse_text_write(&out, p, form), FLOW_DONE);
            assert_read_back(bytes_view(&out), p);
            bytes_fini(&out);
        }
    }
}

static void worst_payload_fills_its_bound(void **state)
{
    struct bytes out;
    (void)state;
    bytes_init(&out, OUT_BYTES_MAX);
    assert_int_equal(sse_text_write(&out, STR("\n\n\n"), SSE_SPACED),
                     FLOW_DONE);
    assert_int_equal(out.len, sse_text_bytes_max(3));
    bytes_fini(&out);
}

static void payload_that_does_not_fit_leaves_nothing(void **state)
{
    static writer *const writers[] = {sse_text_write, sse_text_write_base64};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bytes out;
        bytes_init(&out, 20);
        assert_int_equal(bytes_append_str(&out, STR(HELD)), FLOW_DONE);
        assert_int_equal(writers[i](&out, STR("abc\ndefgh"), SSE_TIGHT),
                         FLOW_FULL);
        assert_true(str_equal(bytes_view(&out), STR(HELD)));
        bytes_fini(&out);
    }
}

static void binary_is_one_line_of_base64(void **state)
{
    (void)state;
    base64("", "data:\n");
    base64("f", "data:Zg==\n");
    base64("fo", "data:Zm8=\n");
    base64("foo", "data:Zm9v\n");
    base64("foob\n", "data:Zm9vYgo=\n");
    assert_written(sse_text_write_base64, SSE_SPACED,
                   (struct str){"\0\xff\xfe", 3}, "data: AP/+\n");
    assert_written(sse_text_write_base64, SSE_TIGHT, (struct str){NULL, 0},
                   "data:\n");
}

static void base64_fills_its_bound_exactly(void **state)
{
    char payload[64];
    (void)state;
    memset(payload, 7, sizeof payload);
    for (size_t n = 0; n < sizeof payload; n++) {
        struct bytes out;
        size_t bytes_max = sse_text_base64_bytes_max(n);
        bytes_init(&out, bytes_max);
        assert_int_equal(
            sse_text_write_base64(&out, (struct str){payload, n}, SSE_SPACED),
            FLOW_DONE);
        assert_int_equal(out.len, bytes_max);
        bytes_fini(&out);
    }
}

static void base64_of_many_megabytes_has_no_seam(void **state)
{
    size_t len = 7000001;
    char *payload = calloc(1, len);
    struct bytes out;
    (void)state;
    assert_non_null(payload);
    bytes_init(&out, OUT_BYTES_MAX);
    assert_int_equal(
        sse_text_write_base64(&out, (struct str){payload, len}, SSE_TIGHT),
        FLOW_DONE);
    assert_int_equal(out.len, 5 + (len + 2) / 3 * 4 + 1);
    size_t as = 5;
    while (as < out.len && out.data[as] == 'A')
        as++;
    assert_int_equal(as, out.len - 2);
    assert_memory_equal(out.data + as, "=\n", 2);
    bytes_fini(&out);
    free(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_without_line_ends_is_one_line),
        cmocka_unit_test(payload_of_nothing_is_one_empty_line),
        cmocka_unit_test(every_kind_of_line_end_begins_a_data_line),
        cmocka_unit_test(line_end_at_the_end_is_an_empty_last_line),
        cmocka_unit_test(payload_cannot_begin_an_event),
        cmocka_unit_test(space_at_the_front_of_a_line_is_kept),
        cmocka_unit_test(any_other_byte_is_copied),
        cmocka_unit_test(every_short_payload_is_read_back_within_its_bound),
        cmocka_unit_test(worst_payload_fills_its_bound),
        cmocka_unit_test(payload_that_does_not_fit_leaves_nothing),
        cmocka_unit_test(binary_is_one_line_of_base64),
        cmocka_unit_test(base64_fills_its_bound_exactly),
        cmocka_unit_test(base64_of_many_megabytes_has_no_seam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
