#include "parser/json_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define NOWHERE ((size_t)424242)

/* One body, in a block of its own so that a sanitizer sees every byte that is
 * read beside it. */
struct reading {
    char *body;
    size_t len;
    struct json_messages messages;
    enum json_result result;
    size_t pos;
};

static void read_bytes(struct reading *r, const char *body, size_t len)
{
    r->body = malloc(len > 0 ? len : 1);
    assert_non_null(r->body);
    memcpy(r->body, body, len);
    r->len = len;
    r->pos = NOWHERE;
    r->result = json_messages_open(&r->messages, r->body, len, &r->pos);
    bool good = r->result == JSON_DONE || r->result == JSON_EMPTY;
    assert_true(good ? r->pos == NOWHERE : r->pos <= len);
}

static void read_text(struct reading *r, const char *body)
{
    read_bytes(r, body, strlen(body));
}

static void assert_result(const char *body, enum json_result expected)
{
    struct reading r;
    read_text(&r, body);
    if (r.result != expected)
        fail_msg("%s gives %d", body, r.result);
    free(r.body);
}

static void assert_malformed_at(const char *body, size_t low, size_t high)
{
    struct reading r;
    read_text(&r, body);
    assert_int_equal(r.result, JSON_MALFORMED);
    assert_in_range(r.pos, low, high);
    free(r.body);
}

/* All messages, each with a '|' behind it. */
static void assert_messages(const char *body, const char *expected)
{
    struct reading r;
    struct str message;
    size_t n = 0;
    read_text(&r, body);
    assert_int_equal(r.result, JSON_DONE);
    while (json_messages_next(&r.messages, &message)) {
        assert_true(message.at >= r.body);
        assert_true(message.at + message.len <= r.body + r.len);
        assert_true(str_starts(str_from(expected), message));
        expected += message.len;
        assert_int_equal(*expected++, '|');
        n++;
    }
    assert_string_equal(expected, "");
    assert_int_equal(n, r.messages.n);
    assert_false(json_messages_next(&r.messages, &message));
    free(r.body);
}

static void value_that_is_no_array_is_one_message(void **state)
{
    (void)state;
    assert_messages("{\"a\":1}", "{\"a\":1}|");
    assert_messages("{}", "{}|");
    assert_messages("{\"a\":1,\"b\":[2,3],\"c\":4}",
                    "{\"a\":1,\"b\":[2,3],\"c\":4}|");
    assert_messages("\"text, more [text\"", "\"text, more [text\"|");
    assert_messages("42", "42|");
    assert_messages("-0.5e+3", "-0.5e+3|");
    assert_messages("true", "true|");
    assert_messages("false", "false|");
    assert_messages("null", "null|");
    assert_messages("\"\"", "\"\"|");
}

static void array_is_opened_one_level(void **state)
{
    (void)state;
    assert_messages("[1]", "1|");
    assert_messages("[1,2,3]", "1|2|3|");
    assert_messages("[[]]", "[]|");
    assert_messages("[[1,2],[[3],4],{}]", "[1,2]|[[3],4]|{}|");
    assert_messages("[{\"a\":1,\"b\":2},true,null,\"x\"]",
                    "{\"a\":1,\"b\":2}|true|null|\"x\"|");
}

static void brackets_commas_and_quotes_in_strings_are_text(void **state)
{
    (void)state;
    assert_messages("[\"a,b\",\"]\",\"[\",\"{\",\"}\"]",
                    "\"a,b\"|\"]\"|\"[\"|\"{\"|\"}\"|");
    assert_messages("[\"a\\\",b\",\"\\\\\",\"\\\\\\\"]\"]",
                    "\"a\\\",b\"|\"\\\\\"|\"\\\\\\\"]\"|");
    assert_messages("[{\"k],\\\"\":\",\"},1]", "{\"k],\\\"\":\",\"}|1|");
}

static void what_is_inside_a_message_is_not_touched(void **state)
{
    (void)state;
    assert_messages("[ 1.50 , 1E400,\t-0, 123456789012345678901234567890 ]",
                    "1.50|1E400|-0|123456789012345678901234567890|");
    assert_messages(" [{ \"a\" :\t1 , \"a\":2 }] ",
                    "{ \"a\" :\t1 , \"a\":2 }|");
    assert_messages("\"\\u00e4\\/\\ud800 \xc3\xa4\xf0\x9f\x98\x80\x7f\"",
                    "\"\\u00e4\\/\\ud800 \xc3\xa4\xf0\x9f\x98\x80\x7f\"|");
}

static void message_is_one_line(void **state)
{
    (void)state;
    assert_messages("\r\n{\n  \"a\": [1,\r2]\r\n}\n", "{   \"a\": [1, 2]  }|");
    assert_messages("[\n1,\n{\n},\r\n\"\\n\"\n]\n", "1|{ }|\"\\n\"|");
}

static void refused_body_stays_as_it_was(void **state)
{
    struct reading r;
    (void)state;
    read_text(&r, "[1,\r\n2,]");
    assert_int_equal(r.result, JSON_MALFORMED);
    assert_memory_equal(r.body, "[1,\r\n2,]", r.len);
    free(r.body);
}

static void empty_array_has_no_messages(void **state)
{
    static const char *const bodies[] = {"[]", "[ ]", " [\r\n\t] "};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct reading r;
        struct str message;
        read_text(&r, bodies[i]);
        assert_int_equal(r.result, JSON_EMPTY);
        assert_int_equal(r.messages.n, 0);
        assert_false(json_messages_next(&r.messages, &message));
        free(r.body);
    }
}

static void body_of_nothing_is_malformed(void **state)
{
    struct json_messages m;
    size_t pos = NOWHERE;
    (void)state;
    assert_result("", JSON_MALFORMED);
    assert_result(" \t\r\n", JSON_MALFORMED);
    assert_int_equal(json_messages_open(&m, NULL, 0, &pos), JSON_MALFORMED);
    assert_int_equal(pos, 0);
}

static void what_the_grammar_does_not_know_is_malformed(void **state)
{
    static const char *const bodies[] = {
        "[1,]",      "[,1]",        "[,]",        "[1,,2]",      "[1 2]",
        "{,}",       "{\"a\"}",     "{\"a\":}",   "{\"a\":1,}",  "{a:1}",
        "{'a':1}",   "{1:2}",       "{\"a\" 1}",  "{\"a\":1 2}", "{:1}",
        "[1}",       "{\"a\":1]",   "[",          "{",           "]",
        "}",         "[1",          "[[1]",       "{\"a\":1",    "{\"a\":[1}]",
        "01",        "-",           "-01",        "+1",          ".5",
        "1.",        "1.e5",        "1e",         "1e+",         "0x10",
        "1-",        "1e5-",        "1tru",       "--1",         "1.2.3",
        "[01]",      "[-]",         "[1.]",       "[+1]",        "[.5]",
        "tru",       "truee",       "True",       "nul",         "nulll",
        "undefined", "NaN",         "-Infinity",  "[tru]",       "[truefalse]",
        "\"",        "\"abc",       "\"abc\\\"",  "abc",         "'abc'",
        "\"\\x\"",   "\"\\u12g4\"", "\"\\u123\"", "\"\\\"",      "[\"a]",
        "\"a\tb\"",  "\"a\nb\"",    "\"a\x1f\"",  "[\"\\'\"]",   "a",
        "[1]//c",    "/* c */ 1",   "[/**/1]",    "#",           "[1]#",
        "<a/>",      "a=b",         "\\",         "[\\n]",       "*",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_result(bodies[i], JSON_MALFORMED);
}

static void form_feeds_and_vertical_tabs_are_no_white_space(void **state)
{
    (void)state;
    assert_malformed_at("[\f1]", 1, 2);
    assert_malformed_at("[1,\v2]", 3, 4);
    assert_malformed_at("{\"a\":\f1}", 5, 6);
    assert_malformed_at("[1]\v", 3, 4);
}

static void second_value_is_malformed(void **state)
{
    static const char *const bodies[] = {
        "1 2",      "1,2",      "1,",    "[1][2]", "[1] 2",
        "[1],",     "[1]]",     "{}{}",  "{} x",   "\"a\"\"b\"",
        "\"a\" 1",  "\"a\" \"", "1 \"a", "1\"",    "null -",
        "1 tru",    "true]",    "1][2",  "[1]\"a", "[1] -",
        "{}\n{}\n", "1\n2\n",   "1]",    "1[",     "true[",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_result(bodies[i], JSON_MALFORMED);
}

static void bytes_that_are_not_utf8_are_malformed(void **state)
{
    static const char *const bodies[] = {
        "\"\xff\"",         "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
        "\"\xc3\"",         "[\"\xe2\x82\"]",
        "{\"\x80\":1}",     "\xc3\xa4",
        "[\xc3\xa4]",       "\xef\xbb\xbf[1]",
        "\xef\xbb\xbf",     "[1,\xc2\xa0 2]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_result(bodies[i], JSON_MALFORMED);
}

static void nul_is_malformed_wherever_it_stands(void **state)
{
    static const char bodies[][8] = {"\0", "[1\0]", "1\0", "\"a\0b\"", "[]\0"};
    static const size_t lens[] = {1, 4, 2, 5, 3};
    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct reading r;
        read_bytes(&r, bodies[i], lens[i]);
        assert_int_equal(r.result, JSON_MALFORMED);
        free(r.body);
    }
}

static void place_of_the_fault_is_told(void **state)
{
    (void)state;
    assert_malformed_at("[1, 2, x]", 7, 8);
    assert_malformed_at("  [1, 2, x]", 9, 10);
    assert_malformed_at("  [1, \"\xff\"]", 7, 7);
    assert_malformed_at("[1] [2]", 3, 4);
    assert_malformed_at("  1x", 3, 4);
    assert_malformed_at("{\"a\" 1}", 5, 6);
    assert_malformed_at("[1, 2", 5, 5);
    assert_malformed_at("[1, \"a", 4, 6);
    assert_malformed_at("", 0, 0);
    assert_malformed_at("   ", 0, 3);
}

static char *nested(size_t depth, const char *open, const char *close)
{
    size_t one = strlen(open) + strlen(close);
    char *text = calloc(1, depth * one + 2);
    assert_non_null(text);
    char *at = text;
    for (size_t i = 0; i < depth; i++, at += strlen(open))
        memcpy(at, open, strlen(open));
    *at++ = '1';
    for (size_t i = 0; i < depth; i++, at += strlen(close))
        memcpy(at, close, strlen(close));
    return text;
}

static void nesting_has_a_bound(void **state)
{
    static const char *const pairs[][2] = {{"[", "]"}, {"{\"a\":", "}"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *fits = nested(JSON_DEPTH_MAX, pairs[i][0], pairs[i][1]);
        char *too_deep = nested(JSON_DEPTH_MAX + 1, pairs[i][0], pairs[i][1]);
        char *far_too_deep = nested(1000000, pairs[i][0], pairs[i][1]);
        assert_result(fits, JSON_DONE);
        assert_result(too_deep, JSON_TOO_DEEP);
        assert_result(far_too_deep, JSON_TOO_DEEP);
        free(fits);
        free(too_deep);
        free(far_too_deep);
    }
}

static void brackets_side_by_side_are_not_deep(void **state)
{
    struct reading r;
    size_t n = 10000;
    char *text = malloc(3 * n + 1);
    (void)state;
    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 0; i < n; i++)
        memcpy(text + 1 + 3 * i, "[],", 3);
    text[3 * n] = ']';
    read_bytes(&r, text, 3 * n + 1);
    assert_int_equal(r.result, JSON_DONE);
    assert_int_equal(r.messages.n, n);
    free(r.body);
    free(text);
}

static void number_alone_has_a_bound_and_within_an_array_none(void **state)
{
    char text[JSON_NUMBER_BYTES_MAX + 4];
    (void)state;
    memset(text, '7', sizeof text);
    text[JSON_NUMBER_BYTES_MAX] = '\0';
    assert_result(text, JSON_DONE);
    text[JSON_NUMBER_BYTES_MAX] = '7';
    text[JSON_NUMBER_BYTES_MAX + 1] = '\0';
    assert_result(text, JSON_MALFORMED);
    text[0] = '[';
    text[JSON_NUMBER_BYTES_MAX + 1] = ']';
    text[JSON_NUMBER_BYTES_MAX + 2] = '\0';
    assert_result(text, JSON_DONE);
}

/* What libyajl would keep of it, if it came there, is more than it is given. */
static void long_token_without_an_end_needs_no_memory(void **state)
{
    static const char *const fronts[] = {"\"", "[\"", "{\"", "1 \"", "[1,"};
    size_t len = 1000000;
    char *text = malloc(len + 1);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++) {
        memset(text, '7', len);
        text[len] = '\0';
        memcpy(text, fronts[i], strlen(fronts[i]));
        assert_result(text, JSON_MALFORMED);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_that_is_no_array_is_one_message),
        cmocka_unit_test(array_is_opened_one_level),
        cmocka_unit_test(brackets_commas_and_quotes_in_strings_are_text),
        cmocka_unit_test(what_is_inside_a_message_is_not_touched),
        cmocka_unit_test(message_is_one_line),
        cmocka_unit_test(refused_body_stays_as_it_was),
        cmocka_unit_test(empty_array_has_no_messages),
        cmocka_unit_test(body_of_nothing_is_malformed),
        cmocka_unit_test(what_the_grammar_does_not_know_is_malformed),
        cmocka_unit_test(form_feeds_and_vertical_tabs_are_no_white_space),
        cmocka_unit_test(second_value_is_malformed),
        cmocka_unit_test(bytes_that_are_not_utf8_are_malformed),
        cmocka_unit_test(nul_is_malformed_wherever_it_stands),
        cmocka_unit_test(place_of_the_fault_is_told),
        cmocka_unit_test(nesting_has_a_bound),
        cmocka_unit_test(brackets_side_by_side_are_not_deep),
        cmocka_unit_test(number_alone_has_a_bound_and_within_an_array_none),
        cmocka_unit_test(long_token_without_an_end_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
