#include "httpd/streams/stream_append.h"
#include "httpd/streams/stream_from.h"

#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void reads(const char *text, enum stream_from_kind kind, uint64_t amount)
{
    struct stream_from from = {FROM_NOW, 99};
    assert_true(stream_from_read(str_from(text), &from));
    assert_int_equal(from.kind, kind);
    assert_int_equal(from.amount, amount);
}

static void refuses(const char *text)
{
    struct stream_from from = {FROM_BYTES, 99};
    assert_false(stream_from_read(str_from(text), &from));
    assert_int_equal(from.kind, FROM_BYTES);
    assert_int_equal(from.amount, 99);
}

static void each_word_means_one_thing(void **state)
{
    (void)state;
    reads("now", FROM_NOW, 0);
    reads("start", FROM_START, 0);
    reads("-64k", FROM_BYTES, 65536);
    reads("-64", FROM_BYTES, 64);
    reads("-5m", FROM_BYTES, 5 << 20);
    reads("-10s", FROM_MS, 10000);
    reads("-250ms", FROM_MS, 250);
    reads("-1.5s", FROM_MS, 1500);
    reads("-2h", FROM_MS, 7200000);
    refuses("");
    refuses("-");
    refuses("64k");
    refuses("10s");
    refuses("Now");
    refuses("start ");
    refuses("--1");
    refuses("-s");
    refuses("-1.5");
    refuses("-99999999999999999999");
}

static void append(struct stream *s, struct block_pool *pool, const char *text,
                   uint64_t now)
{
    struct str message = str_from(text);
    struct append_outcome out;
    struct append a = {
        .messages = &message, .messages_n = 1, .pool = pool, .now_ms = now};
    assert_int_equal(stream_append(s, &a, &out), APPEND_DONE);
}

static uint64_t pos_of(struct stream *s, const char *text, uint64_t now)
{
    struct stream_from from;
    assert_true(stream_from_read(str_from(text), &from));
    return stream_from_pos(s, &from, now);
}

static void positions_are_begins_of_messages_within_the_stream(void **state)
{
    (void)state;
    struct block_pool pool;
    struct stream_config c = {
        .name = STR("a"),
        .content_type = STR("text/plain"),
        .bounds = {.policy = POLICY_DROP_OLDEST, .bytes_max = 10}};
    test_pool_init(&pool, 4);
    struct stream *s = stream_new(&c, 1000);
    assert_non_null(s);
    append(s, &pool, "1234", 1000);
    append(s, &pool, "5678", 60000);
    append(s, &pool, "90", 120000);
    append(s, &pool, "ab", 120001);
    assert_int_equal(pos_of(s, "now", 120001), 12);
    assert_int_equal(pos_of(s, "start", 120001), 4);
    assert_int_equal(pos_of(s, "-2", 120001), 10);
    assert_int_equal(pos_of(s, "-3", 120001), 10);
    assert_int_equal(pos_of(s, "-1k", 120001), 4);
    assert_int_equal(pos_of(s, "-10s", 120001), 8);
    assert_int_equal(pos_of(s, "-90s", 120001), 4);
    assert_int_equal(pos_of(s, "-2h", 120001), 4);
    assert_int_equal(pos_of(s, "-1s", 240000), 12);
    stream_unref(s);
    test_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_means_one_thing),
        cmocka_unit_test(positions_are_begins_of_messages_within_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
