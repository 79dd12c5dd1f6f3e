#include "buffers/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define MAX 5000u

static void holds(const struct bytes *b, const char *text)
{
    assert_true(str_equal(bytes_view(b), str_from(text)));
}

static void whole(const struct bytes *b)
{
    assert_true(b->len <= b->cap);
    assert_true(b->cap <= b->max);
    assert_true((b->data == NULL) == (b->cap == 0));
}

static enum flow append(struct bytes *b, const char *text)
{
    return bytes_append_str(b, str_from(text));
}

static void a_new_one_is_empty_and_has_no_storage(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(bytes_view(&b).len, 0);
    assert_null(b.data);
    whole(&b);
    bytes_fini(&b);
}

static void appended_bytes_stand_in_order(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(append(&b, "one "), FLOW_DONE);
    assert_int_equal(bytes_append(&b, "two", 3), FLOW_DONE);
    assert_int_equal(append(&b, ""), FLOW_DONE);
    assert_int_equal(bytes_append(&b, NULL, 0), FLOW_DONE);
    holds(&b, "one two");
    whole(&b);
    bytes_fini(&b);
}

static void it_may_be_filled_to_the_last_byte(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, 7);
    assert_int_equal(append(&b, "seven b"), FLOW_DONE);
    assert_int_equal(append(&b, ""), FLOW_DONE);
    holds(&b, "seven b");
    assert_int_equal(b.cap, 7);
    bytes_fini(&b);
}

static void what_is_too_much_is_refused_whole(void **state)
{
    struct bytes b;
    char *room = NULL;
    (void)state;
    bytes_init(&b, 7);
    assert_int_equal(append(&b, "12345678"), FLOW_FULL);
    assert_null(b.data);
    assert_int_equal(append(&b, "12345"), FLOW_DONE);
    assert_int_equal(append(&b, "678"), FLOW_FULL);
    assert_int_equal(bytes_append(&b, "x", SIZE_MAX), FLOW_FULL);
    assert_int_equal(bytes_reserve(&b, SIZE_MAX - 4, &room), FLOW_FULL);
    assert_int_equal(bytes_printf(&b, "%d", 678), FLOW_FULL);
    holds(&b, "12345");
    assert_int_equal(append(&b, "67"), FLOW_DONE);
    bytes_fini(&b);
}

static void storage_begins_small_and_doubles(void **state)
{
    struct bytes b;
    size_t growths = 0;
    size_t cap = 0;
    (void)state;
    bytes_init(&b, 1u << 20);
    for (size_t i = 0; i < 1u << 20; i++) {
        assert_int_equal(bytes_append(&b, "x", 1), FLOW_DONE);
        growths += b.cap != cap;
        cap = b.cap;
        if (i == 0)
            assert_int_equal(b.cap, BYTES_CAP_MIN);
    }
    assert_int_equal(growths, 13);
    assert_int_equal(b.cap, 1u << 20);
    bytes_fini(&b);
}

static void what_is_committed_is_held(void **state)
{
    struct bytes b;
    char *room = NULL;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(append(&b, "a"), FLOW_DONE);
    assert_int_equal(bytes_reserve(&b, 300, &room), FLOW_DONE);
    memset(room, 'b', 300);
    holds(&b, "a");
    bytes_commit(&b, 3);
    holds(&b, "abbb");
    bytes_commit(&b, 0);
    holds(&b, "abbb");
    whole(&b);
    bytes_fini(&b);
}

static void reset_keeps_the_storage(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(append(&b, "something"), FLOW_DONE);
    char *data = b.data;
    bytes_reset(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(append(&b, "else"), FLOW_DONE);
    assert_ptr_equal(b.data, data);
    holds(&b, "else");
    bytes_fini(&b);
}

static void trim_frees_only_what_has_grown_too_large(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(append(&b, "x"), FLOW_DONE);
    bytes_reset(&b);
    bytes_trim(&b, BYTES_CAP_MIN);
    assert_int_equal(b.cap, BYTES_CAP_MIN);
    bytes_trim(&b, BYTES_CAP_MIN - 1);
    assert_int_equal(b.cap, 0);
    whole(&b);
    assert_int_equal(append(&b, "again"), FLOW_DONE);
    holds(&b, "again");
    bytes_fini(&b);
}

static void fini_leaves_it_empty_and_may_come_twice(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(append(&b, "x"), FLOW_DONE);
    bytes_fini(&b);
    whole(&b);
    assert_int_equal(b.len, 0);
    bytes_fini(&b);
}

static void formatted_text_is_appended(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(bytes_printf(&b, "%s=%d", "n", 5), FLOW_DONE);
    assert_int_equal(bytes_printf(&b, "%s", ""), FLOW_DONE);
    assert_int_equal(bytes_printf(&b, "; %c%%", 'x'), FLOW_DONE);
    holds(&b, "n=5; x%");
    bytes_fini(&b);
}

static void long_formatted_text_makes_it_grow(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(append(&b, "<"), FLOW_DONE);
    assert_int_equal(bytes_printf(&b, "%4000d", 7), FLOW_DONE);
    assert_int_equal(b.len, 4001);
    assert_int_equal(b.data[0], '<');
    assert_int_equal(b.data[4000], '7');
    whole(&b);
    bytes_fini(&b);
}

static void formatted_text_may_fill_it_to_the_last_byte(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, 4);
    assert_int_equal(bytes_printf(&b, "%d", 1234), FLOW_DONE);
    holds(&b, "1234");
    bytes_fini(&b);
}

static void skipping_moves_the_rest_to_the_front(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    assert_int_equal(append(&b, "abcdef"), FLOW_DONE);
    bytes_skip(&b, 0);
    holds(&b, "abcdef");
    bytes_skip(&b, 2);
    holds(&b, "cdef");
    bytes_skip(&b, 4);
    holds(&b, "");
    bytes_skip(&b, 0);
    whole(&b);
    bytes_fini(&b);
}

static void a_random_program_agrees_with_a_flat_array(void **state)
{
    static char model[MAX];
    size_t len = 0;
    unsigned seed = 7;
    struct bytes b;
    (void)state;
    bytes_init(&b, MAX);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)rand_r(&seed) % 400;
        if (rand_r(&seed) % 3 == 0) {
            n = n > len ? len : n;
            bytes_skip(&b, n);
            memmove(model, model + n, len - n);
            len -= n;
        } else {
            char piece[400];
            memset(piece, rand_r(&seed), sizeof piece);
            bool fits = n <= MAX - len;
            assert_int_equal(bytes_append(&b, piece, n),
                             fits ? FLOW_DONE : FLOW_FULL);
            memcpy(model + len, piece, fits ? n : 0);
            len += fits ? n : 0;
        }
        whole(&b);
        assert_true(str_equal(bytes_view(&b), (struct str){model, len}));
    }
    bytes_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_is_empty_and_has_no_storage),
        cmocka_unit_test(appended_bytes_stand_in_order),
        cmocka_unit_test(it_may_be_filled_to_the_last_byte),
        cmocka_unit_test(what_is_too_much_is_refused_whole),
        cmocka_unit_test(storage_begins_small_and_doubles),
        cmocka_unit_test(what_is_committed_is_held),
        cmocka_unit_test(reset_keeps_the_storage),
        cmocka_unit_test(trim_frees_only_what_has_grown_too_large),
        cmocka_unit_test(fini_leaves_it_empty_and_may_come_twice),
        cmocka_unit_test(formatted_text_is_appended),
        cmocka_unit_test(long_formatted_text_makes_it_grow),
        cmocka_unit_test(formatted_text_may_fill_it_to_the_last_byte),
        cmocka_unit_test(skipping_moves_the_rest_to_the_front),
        cmocka_unit_test(a_random_program_agrees_with_a_flat_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
