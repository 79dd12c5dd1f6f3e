#include "parser/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

static const uint64_t unread = 424242;

static uint64_t u64(const char *text)
{
    uint64_t v = unread;
    if (!number_read_u64(str_from(text), &v))
        assert_int_equal(v, unread);
    return v;
}

static uint64_t in_bytes(const char *text)
{
    uint64_t v = unread;
    if (!number_read_bytes(str_from(text), &v))
        assert_int_equal(v, unread);
    return v;
}

static uint64_t in_ms(const char *text)
{
    uint64_t v = unread;
    if (!number_read_ms(str_from(text), &v))
        assert_int_equal(v, unread);
    return v;
}

static void digits_are_a_number(void **state)
{
    (void)state;
    assert_int_equal(u64("0"), 0);
    assert_int_equal(u64("7"), 7);
    assert_int_equal(u64("007"), 7);
    assert_int_equal(u64("18446744073709551615"), UINT64_MAX);
}

static void what_does_not_fit_is_no_number(void **state)
{
    (void)state;
    assert_int_equal(u64("18446744073709551616"), unread);
    assert_int_equal(u64("18446744073709551620"), unread);
    assert_int_equal(u64("99999999999999999999"), unread);
    assert_int_equal(u64("184467440737095516150"), unread);
}

static void nothing_else_is_a_number(void **state)
{
    static const char *const texts[] = {
        "", " ", "-1", "+1", " 1", "1 ", "1x", "0x10", "1.0", "1,000", "\xb2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(u64(texts[i]), unread);
    uint64_t v = unread;
    assert_false(number_read_u64((struct str){"1\0", 2}, &v));
    assert_false(number_read_u64((struct str){NULL, 0}, &v));
    assert_int_equal(v, unread);
}

static void suffixes_are_powers_of_1024(void **state)
{
    (void)state;
    assert_int_equal(in_bytes("4096"), 4096);
    assert_int_equal(in_bytes("64k"), 65536);
    assert_int_equal(in_bytes("64K"), 65536);
    assert_int_equal(in_bytes("10m"), 10485760);
    assert_int_equal(in_bytes("5G"), UINT64_C(5368709120));
    assert_int_equal(in_bytes("1t"), UINT64_C(1099511627776));
    assert_int_equal(in_bytes("0t"), 0);
}

static void a_size_never_overflows(void **state)
{
    (void)state;
    assert_int_equal(in_bytes("16777215t"),
                     UINT64_MAX - ((UINT64_C(1) << 40) - 1));
    assert_int_equal(in_bytes("16777216t"), unread);
    assert_int_equal(in_bytes("18446744073709551615k"), unread);
}

static void unknown_suffixes_are_refused(void **state)
{
    static const char *const texts[] = {
        "", "k", "1kb", "1 k", "1p", "1kk", "1.5k", "-1k", "1k ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(in_bytes(texts[i]), unread);
}

static void times_come_out_in_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(in_ms("250ms"), 250);
    assert_int_equal(in_ms("10s"), 10000);
    assert_int_equal(in_ms("10"), 10000);
    assert_int_equal(in_ms("0.25"), 250);
    assert_int_equal(in_ms("1.5s"), 1500);
    assert_int_equal(in_ms("0.001s"), 1);
    assert_int_equal(in_ms("1.05s"), 1050);
    assert_int_equal(in_ms("5m"), 300000);
    assert_int_equal(in_ms("1.5m"), 90000);
    assert_int_equal(in_ms("0.125h"), 450000);
    assert_int_equal(in_ms("2h"), 7200000);
    assert_int_equal(in_ms("2.0ms"), 2);
    assert_int_equal(in_ms("18446744073709551615ms"), UINT64_MAX);
}

static void odd_times_are_refused(void **state)
{
    static const char *const texts[] = {
        "",      "s",    ".5",   "5.",  "1.0001", "1.5ms",
        "1..5",  "1d",   "1 s",  "-1s", "1S",     "1msec",
        "1.2.3", "5.s",  "1e3",  "inf", "0.-1",   "18446744073709552s",
        "+1",    "1,5s", "1.s5", "1ss",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(in_ms(texts[i]), unread);
}

static void writes_like_printf(uint64_t v)
{
    char mine[NUMBER_DIGITS_MAX + 1];
    char theirs[NUMBER_DIGITS_MAX + 1];
    mine[number_write_u64(mine, v)] = '\0';
    snprintf(theirs, sizeof theirs, "%" PRIu64, v);
    assert_string_equal(mine, theirs);
    mine[number_write_hex(mine, v)] = '\0';
    snprintf(theirs, sizeof theirs, "%" PRIx64, v);
    assert_string_equal(mine, theirs);
}

static void numbers_of_every_length_are_written(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 20000; v++)
        writes_like_printf(v);
    for (uint64_t v = 10; v < UINT64_MAX / 10; v *= 10)
        for (uint64_t d = 0; d < 3; d++)
            writes_like_printf(v - 1 + d);
    for (int bit = 0; bit < 64; bit++)
        for (uint64_t d = 0; d < 3; d++)
            writes_like_printf((UINT64_C(1) << bit) - 1 + d);
    writes_like_printf(UINT64_C(10000000000000000000));
    writes_like_printf(UINT64_MAX);
}

static void nothing_is_written_behind_the_number(void **state)
{
    char at[NUMBER_DIGITS_MAX] = "xxxxxxxxxxxxxxxxxxx";
    (void)state;
    assert_int_equal(number_write_u64(at, 1234), 4);
    assert_memory_equal(at, "1234xxxx", 8);
    assert_int_equal(number_write_hex(at, 0xab), 2);
    assert_memory_equal(at, "ab34xxxx", 8);
}

static void padded_numbers_have_the_length_asked_for(void **state)
{
    char at[NUMBER_DIGITS_MAX + 1];
    (void)state;
    memset(at, 'x', sizeof at);
    number_write_padded(at, 0, 2);
    assert_memory_equal(at, "00x", 3);
    number_write_padded(at, 1234, 4);
    assert_memory_equal(at, "1234x", 5);
    number_write_padded(at, 1020304, 8);
    assert_memory_equal(at, "01020304x", 9);
    number_write_padded(at, UINT64_MAX, NUMBER_DIGITS_MAX);
    assert_memory_equal(at, "18446744073709551615x", NUMBER_DIGITS_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_a_number),
        cmocka_unit_test(what_does_not_fit_is_no_number),
        cmocka_unit_test(nothing_else_is_a_number),
        cmocka_unit_test(suffixes_are_powers_of_1024),
        cmocka_unit_test(a_size_never_overflows),
        cmocka_unit_test(unknown_suffixes_are_refused),
        cmocka_unit_test(times_come_out_in_milliseconds),
        cmocka_unit_test(odd_times_are_refused),
        cmocka_unit_test(numbers_of_every_length_are_written),
        cmocka_unit_test(nothing_is_written_behind_the_number),
        cmocka_unit_test(padded_numbers_have_the_length_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
