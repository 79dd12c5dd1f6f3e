#include "httpd/sources/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BYTES 1000u

static void any_cut_gives_the_same_bytes(void **state)
{
    char whole[BYTES];
    char part[BYTES];

    (void)state;
    pattern_fill(7, 0, whole, BYTES);
    for (size_t from = 0; from < 40; from++) {
        for (size_t len = 0; len < 40; len++) {
            pattern_fill(7, from, part, len);
            assert_memory_equal(part, whole + from, len);
        }
    }
}

static void pieces_of_odd_sizes_join_to_the_whole(void **state)
{
    char whole[BYTES];
    char joined[BYTES];
    size_t pos = 0;

    (void)state;
    pattern_fill(1, 0, whole, BYTES);
    for (size_t len = 1; pos < BYTES; pos += len++) {
        if (len > BYTES - pos)
            len = BYTES - pos;
        pattern_fill(1, pos, joined + pos, len);
    }
    assert_memory_equal(joined, whole, BYTES);
}

static void nothing_is_written_behind_the_end(void **state)
{
    char out[32];

    (void)state;
    memset(out, '#', sizeof(out));
    pattern_fill(3, 5, out, 9);
    pattern_text(3, out + 16, 9);
    assert_int_equal(out[9], '#');
    assert_int_equal(out[25], '#');
}

static void seeds_give_different_bytes(void **state)
{
    char a[64];
    char b[64];

    (void)state;
    pattern_fill(0, 0, a, sizeof(a));
    pattern_fill(1, 0, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void bytes_stay_what_they_were_in_the_first_release(void **state)
{
    static const unsigned char FIRST[] = {0x6f, 0x7e, 0x19, 0x4d, 0x2f, 0xdd,
                                          0x06, 0xa7, 0x5e, 0x4f, 0x41, 0xf4,
                                          0x05, 0xa3, 0x82, 0xb3};
    char out[sizeof(FIRST)];

    (void)state;
    pattern_fill(0, 0, out, sizeof(out));
    assert_memory_equal(out, FIRST, sizeof(FIRST));
}

static void positions_beyond_4_gib_are_not_those_before(void **state)
{
    char a[64];
    char b[64];

    (void)state;
    pattern_fill(0, 0, a, sizeof(a));
    pattern_fill(0, UINT64_C(1) << 35, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void text_lines_say_where_they_stand(void **state)
{
    char line[PATTERN_LINE_BYTES + 1] = {0};

    (void)state;
    pattern_text(128, line, PATTERN_LINE_BYTES);
    assert_string_equal(line, "00000000000000000128 bytes into a text that is "
                              "made as you read\n");
}

static void text_may_be_cut_anywhere(void **state)
{
    char whole[BYTES];
    char part[BYTES];

    (void)state;
    pattern_text(0, whole, BYTES);
    for (size_t from = 0; from < 130; from++) {
        pattern_text(from, part, 200);
        assert_memory_equal(part, whole + from, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same_bytes),
        cmocka_unit_test(pieces_of_odd_sizes_join_to_the_whole),
        cmocka_unit_test(nothing_is_written_behind_the_end),
        cmocka_unit_test(seeds_give_different_bytes),
        cmocka_unit_test(bytes_stay_what_they_were_in_the_first_release),
        cmocka_unit_test(positions_beyond_4_gib_are_not_those_before),
        cmocka_unit_test(text_lines_say_where_they_stand),
        cmocka_unit_test(text_may_be_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
