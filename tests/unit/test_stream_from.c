#include "parser/stream_from.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_from(const char *text, enum stream_from_kind kind,
                        uint64_t value)
{
    struct stream_from from = {FROM_BEYOND, 424242};
    assert_true(stream_from_read(str_from(text), &from));
    assert_int_equal(from.kind, kind);
    assert_int_equal(from.value, value);
}

static void ends_have_words(void **state)
{
    (void)state;
    assert_from("start", FROM_START, 0);
    assert_from("-1", FROM_START, 0);
    assert_from("now", FROM_NOW, 0);
}

static void offset_is_a_position(void **state)
{
    (void)state;
    assert_from("0000000000000000_0000000000000000", FROM_AT, 0);
    assert_from("0000000000000000_0000000000001234", FROM_AT, 1234);
    assert_from("9999999999999999_9999999999999999", FROM_BEYOND, 0);
}

static void sizes_count_back_from_the_tail(void **state)
{
    (void)state;
    assert_from("-64k", FROM_BYTES, 65536);
    assert_from("-64K", FROM_BYTES, 65536);
    assert_from("-5M", FROM_BYTES, 5242880);
    assert_from("-1g", FROM_BYTES, 1073741824);
    assert_from("-0k", FROM_BYTES, 0);
}

static void times_count_back_from_now(void **state)
{
    (void)state;
    assert_from("-10s", FROM_MS, 10000);
    assert_from("-250ms", FROM_MS, 250);
    assert_from("-1.5s", FROM_MS, 1500);
    assert_from("-5m", FROM_MS, 300000);
    assert_from("-2h", FROM_MS, 7200000);
    assert_from("-0s", FROM_MS, 0);
}

static void nothing_else_is_a_place(void **state)
{
    static const char *const texts[] = {
        "",
        "-",
        "Start",
        "end",
        "0",
        "10",
        "64k",
        "10s",
        "-10",
        "-2",
        "-1.5",
        "--1s",
        "-1d",
        "-s",
        "-k",
        "-1.5k",
        "+1s",
        "-1s ",
        " -1s",
        "- 1s",
        "start ",
        "-10S",
        "-10kb",
        "-start",
        "-now",
        "nowt",
        "-1_",
        "-1x",
        "-1s-1s",
        "-1.5ms",
        "0000000000000000_000000000000123",
        "-18446744073709551616k",
        "-18446744073709551615t",
        "-0000000000000000_0000000000001234",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct stream_from from = {FROM_BEYOND, 424242};
        if (stream_from_read(str_from(texts[i]), &from))
            fail_msg("%s is taken", texts[i]);
        assert_int_equal(from.kind, FROM_BEYOND);
        assert_int_equal(from.value, 424242);
    }
}

static void nul_ends_nothing(void **state)
{
    struct stream_from from;
    (void)state;
    assert_false(stream_from_read((struct str){"now\0", 4}, &from));
    assert_false(stream_from_read((struct str){"-1s\0", 4}, &from));
    assert_false(stream_from_read((struct str){NULL, 0}, &from));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_have_words),
        cmocka_unit_test(offset_is_a_position),
        cmocka_unit_test(sizes_count_back_from_the_tail),
        cmocka_unit_test(times_count_back_from_now),
        cmocka_unit_test(nothing_else_is_a_place),
        cmocka_unit_test(nul_ends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
