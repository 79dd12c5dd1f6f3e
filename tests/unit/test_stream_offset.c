#include "parser/stream_offset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint64_t unread = 424242;

static const char *written(uint64_t pos)
{
    static char text[STREAM_OFFSET_BYTES + 2];
    memset(text, '~', sizeof text);
    stream_offset_write(text, pos);
    assert_int_equal(text[STREAM_OFFSET_BYTES], '~');
    text[STREAM_OFFSET_BYTES] = '\0';
    return text;
}

static void assert_kind(const char *text, enum stream_offset_kind kind)
{
    uint64_t pos = unread;
    assert_int_equal(stream_offset_read(str_from(text), &pos), kind);
    assert_int_equal(pos, unread);
}

static void positions_are_written_in_full_width(void **state)
{
    (void)state;
    assert_string_equal(written(0), "0000000000000000_0000000000000000");
    assert_string_equal(written(7), "0000000000000000_0000000000000007");
    assert_string_equal(written(1234), "0000000000000000_0000000000001234");
    assert_string_equal(written(UINT64_C(1234567890123456)),
                        "0000000000000000_1234567890123456");
    assert_string_equal(written(STREAM_OFFSET_END - 1),
                        "0000000000000000_9999999999999999");
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    for (uint64_t v = 1; v < STREAM_OFFSET_END; v = v * 3 + 1) {
        uint64_t pos = unread;
        assert_int_equal(stream_offset_read(str_from(written(v)), &pos),
                         OFFSET_AT);
        assert_int_equal(pos, v);
    }
}

static void later_positions_compare_greater_as_text(void **state)
{
    char before[STREAM_OFFSET_BYTES];
    char after[STREAM_OFFSET_BYTES];
    (void)state;
    for (uint64_t v = 1; v < STREAM_OFFSET_END; v = v * 10 + 9) {
        stream_offset_write(before, v - 1);
        stream_offset_write(after, v);
        assert_true(memcmp(before, after, sizeof after) < 0);
    }
}

static void start_and_tail_have_words(void **state)
{
    (void)state;
    assert_kind("-1", OFFSET_START);
    assert_kind("now", OFFSET_NOW);
}

static void words_are_told_apart_from_what_looks_like_them(void **state)
{
    static const char *const texts[] = {
        "-2", "-10", "1", "0", "Now", "NOW", "now ", " now", "nows", "-1 ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_kind(texts[i], OFFSET_MALFORMED);
}

static void offset_with_a_first_half_is_beyond_every_tail(void **state)
{
    (void)state;
    assert_kind("9999999999999999_9999999999999999", OFFSET_BEYOND);
    assert_kind("0000000000000001_0000000000000000", OFFSET_BEYOND);
    assert_kind("1000000000000000_0000000000000000", OFFSET_BEYOND);
}

static void nothing_else_is_an_offset(void **state)
{
    static const char *const texts[] = {
        "",
        "_",
        "0000000000000000",
        "0000000000000000_",
        "0000000000000000_000000000000000",
        "0000000000000000_00000000000000000",
        "00000000000000000_000000000000000",
        "000000000000000_00000000000000000",
        "0000000000000000-0000000000000000",
        "0000000000000000 0000000000000000",
        "0000000000000000_000000000000000a",
        "0000000000000000_-000000000000001",
        "0000000000000000_+000000000000001",
        "0000000000000000_ 000000000000001",
        "+000000000000000_0000000000000001",
        "0000000000000000_000000000000000,",
        "0000000000000000_0000000000000\r\n",
        "0000000000000000_00000000000/../0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_kind(texts[i], OFFSET_MALFORMED);
}

static void nul_and_nothing_are_malformed(void **state)
{
    uint64_t pos = unread;
    (void)state;
    struct str nul = {"0000000000000000_000000000000000\0", 33};
    assert_int_equal(stream_offset_read(nul, &pos), OFFSET_MALFORMED);
    assert_int_equal(stream_offset_read((struct str){"now\0", 4}, &pos),
                     OFFSET_MALFORMED);
    assert_int_equal(stream_offset_read((struct str){NULL, 0}, &pos),
                     OFFSET_MALFORMED);
    assert_int_equal(pos, unread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_are_written_in_full_width),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(later_positions_compare_greater_as_text),
        cmocka_unit_test(start_and_tail_have_words),
        cmocka_unit_test(words_are_told_apart_from_what_looks_like_them),
        cmocka_unit_test(offset_with_a_first_half_is_beyond_every_tail),
        cmocka_unit_test(nothing_else_is_an_offset),
        cmocka_unit_test(nul_and_nothing_are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
