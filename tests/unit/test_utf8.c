#include "parser/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static size_t valid(const char *text)
{
    return utf8_valid_bytes(str_from(text));
}

static void characters_of_every_length_are_valid(void **state)
{
    static const char *const texts[] = {
        "",
        "a",
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "plain text of more than one word \xe2\x82\xac and some more",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(valid(texts[i]), strlen(texts[i]));
    assert_int_equal(utf8_valid_bytes((struct str){"a\0b", 3}), 3);
    assert_int_equal(utf8_valid_bytes((struct str){NULL, 0}), 0);
}

static void broken_sequences_end_what_is_valid(void **state)
{
    static const char *const broken[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x7f",
        "\xc2\xc0",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xe2\x28\xa1",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
    };
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        for (size_t front = 0; front < 20; front++) {
            memset(text, '0', sizeof text);
            memcpy(text + front, broken[i], strlen(broken[i]));
            assert_int_equal(utf8_valid_bytes((struct str){text, sizeof text}),
                             front);
        }
    }
}

static void one_character_is_taken_at_a_time(void **state)
{
    size_t used = 0;
    (void)state;
    assert_true(utf8_take(STR("ab"), &used));
    assert_int_equal(used, 1);
    assert_true(utf8_take(STR("\xe2\x82\xac\xe2"), &used));
    assert_int_equal(used, 3);
}

static void broken_piece_is_as_long_as_what_began_well(void **state)
{
    size_t used = 0;
    (void)state;
    assert_false(utf8_take(STR("\xf0\x90\x80z"), &used));
    assert_int_equal(used, 3);
    assert_false(utf8_take(STR("\xed\xa0\x80"), &used));
    assert_int_equal(used, 1);
    assert_false(utf8_take(STR("\xe2\x82"), &used));
    assert_int_equal(used, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_of_every_length_are_valid),
        cmocka_unit_test(broken_sequences_end_what_is_valid),
        cmocka_unit_test(one_character_is_taken_at_a_time),
        cmocka_unit_test(broken_piece_is_as_long_as_what_began_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
