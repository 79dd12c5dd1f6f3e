#include "buffers/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct buffer *make(enum buffer_kind kind, size_t cap, size_t cap_max)
{
    struct buffer_config config = {.name = "test",
                                   .kind = kind,
                                   .elem_bytes = sizeof(int),
                                   .cap = cap,
                                   .cap_max = cap_max};
    struct buffer *b = buffer_new(&config);
    assert_non_null(b);
    buffer_check(b);
    return b;
}

/* first, first + 1, ... */
static enum flow put(struct buffer *b, int first, size_t n, size_t *ret_n)
{
    int elems[64];
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++)
        elems[i] = first + (int)i;
    enum flow r = buffer_try_write(b, elems, n, ret_n);
    buffer_check(b);
    return r;
}

static void put_all(struct buffer *b, int first, size_t n)
{
    size_t put_n;
    assert_int_equal(put(b, first, n, &put_n), FLOW_DONE);
    assert_int_equal(put_n, n);
}

/* They come next, in order. */
static void get(struct buffer *b, int first, size_t n)
{
    int elems[64];
    size_t got;
    assert_true(n <= 64);
    assert_int_equal(buffer_try_read(b, elems, n, &got), FLOW_DONE);
    assert_int_equal(got, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(elems[i], first + (int)i);
    buffer_check(b);
}

static const int *shown(struct buffer *b, size_t n, size_t *ret_n)
{
    const void *elems;
    assert_int_equal(buffer_try_peek(b, n, &elems, ret_n), FLOW_DONE);
    buffer_check(b);
    return elems;
}

static int *room(struct buffer *b, size_t n, size_t *ret_n)
{
    void *at;
    assert_int_equal(buffer_try_reserve(b, n, &at, ret_n), FLOW_DONE);
    buffer_check(b);
    return at;
}

static void commit(struct buffer *b, size_t n)
{
    buffer_commit(b, n);
    buffer_check(b);
}

static void consume(struct buffer *b, size_t n)
{
    buffer_consume(b, n);
    buffer_check(b);
}

static struct buffer_stats stats_of(const struct buffer *b)
{
    struct buffer_stats stats;
    buffer_stats(b, &stats);
    return stats;
}

/* Single elements and runs of several lengths, around the end many times. */
static void go_around(size_t bytes, size_t cap)
{
    struct buffer_config config = {
        .name = "sizes", .kind = BUFFER_BLOCK, .elem_bytes = bytes, .cap = cap};
    struct buffer *b = buffer_new(&config);
    unsigned char *in = malloc(bytes * cap);
    unsigned char *out = malloc(bytes * cap);
    size_t n;
    assert_true(b && in && out);
    for (size_t turn = 0; turn < 3 * cap; turn++) {
        size_t run = turn % cap + 1;
        for (size_t i = 0; i < bytes * run; i++)
            in[i] = (unsigned char)(i * 31 + i / 251 + turn);
        if (run == 1) {
            assert_int_equal(buffer_try_add(b, in), FLOW_DONE);
            assert_int_equal(buffer_try_next(b, out), FLOW_DONE);
        } else {
            assert_int_equal(buffer_try_write(b, in, run, &n), FLOW_DONE);
            assert_int_equal(n, run);
            assert_int_equal(buffer_try_read(b, out, cap, &n), FLOW_DONE);
            assert_int_equal(n, run);
        }
        buffer_check(b);
        assert_memory_equal(in, out, bytes * run);
    }
    free(in);
    free(out);
    buffer_free(b);
}

static void elements_of_any_size_come_out_as_they_went_in(void **state)
{
    static const size_t sizes[] = {1,  2,  3,  4,   7,    8,    15,   16,
                                   24, 64, 65, 100, 4096, 5000, 70000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        go_around(sizes[i], 5);
    go_around(BUFFER_ELEM_BYTES_MAX, 2);
    go_around(8, 1);
}

static void a_write_of_nothing_asks_only_whether_it_is_open(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 1, 0);
    size_t n = 99;
    (void)state;
    put_all(b, 1, 1);
    assert_int_equal(buffer_write(b, NULL, 0, &n), FLOW_DONE);
    assert_int_equal(n, 0);
    buffer_close_write(b);
    assert_int_equal(buffer_write(b, NULL, 0, &n), FLOW_END);
    buffer_free(b);
}

static void a_write_that_does_not_fit_says_how_much_did(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    size_t n;
    (void)state;
    assert_int_equal(put(b, 1, 6, &n), FLOW_FULL);
    assert_int_equal(n, 4);
    get(b, 1, 4);
    buffer_free(b);
}

static void a_read_is_content_with_what_there_is(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 8, 0);
    int elems[8];
    size_t n;
    (void)state;
    put_all(b, 1, 3);
    assert_int_equal(buffer_read(b, elems, 8, &n), FLOW_DONE);
    assert_int_equal(n, 3);
    buffer_free(b);
}

static void discard_drops_the_oldest(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 8, 0);
    size_t n;
    (void)state;
    put_all(b, 1, 5);
    assert_int_equal(buffer_discard(b, 2, &n), FLOW_DONE);
    assert_int_equal(n, 2);
    get(b, 3, 1);
    assert_int_equal(buffer_discard(b, 99, &n), FLOW_DONE);
    assert_int_equal(n, 2);
    assert_int_equal(stats_of(b).read, 5);
    buffer_check(b);
    buffer_free(b);
}

static void reserved_room_ends_where_the_circle_does(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    size_t n;
    (void)state;
    put_all(b, 1, 3);
    get(b, 1, 3);
    int *at = room(b, 3, &n);
    assert_int_equal(n, 1);
    at[0] = 4;
    commit(b, 1);
    at = room(b, 9, &n);
    assert_int_equal(n, 3);
    at[0] = 5;
    at[1] = 6;
    commit(b, 2);
    get(b, 4, 3);
    buffer_free(b);
}

static void a_commit_of_nothing_leaves_everything_as_it_was(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    size_t n;
    (void)state;
    put_all(b, 1, 2);
    room(b, 2, &n);
    commit(b, 0);
    put_all(b, 3, 2);
    get(b, 1, 4);
    buffer_free(b);
}

static void readers_go_on_while_a_reserve_is_out(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    size_t n;
    (void)state;
    put_all(b, 1, 2);
    int *at = room(b, 2, &n);
    get(b, 1, 2);
    at[0] = 3;
    commit(b, 1);
    get(b, 3, 1);
    buffer_free(b);
}

static void a_peek_shows_what_lies_in_one_piece(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    size_t n;
    (void)state;
    put_all(b, 1, 3);
    get(b, 1, 3);
    put_all(b, 4, 3);
    const int *elems = shown(b, 9, &n);
    assert_int_equal(n, 1);
    assert_int_equal(elems[0], 4);
    consume(b, 1);
    elems = shown(b, 9, &n);
    assert_int_equal(n, 2);
    assert_int_equal(elems[1], 6);
    consume(b, 1);
    get(b, 6, 1);
    buffer_free(b);
}

static void consuming_nothing_puts_it_back(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    size_t n;
    (void)state;
    put_all(b, 1, 2);
    shown(b, 2, &n);
    consume(b, 0);
    get(b, 1, 2);
    buffer_free(b);
}

static void growing_keeps_the_order_of_what_goes_around_the_end(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE, 4, 64);
    (void)state;
    put_all(b, 1, 3);
    get(b, 1, 2);
    put_all(b, 4, 3);
    put_all(b, 7, 20);
    assert_true(stats_of(b).grown > 0);
    assert_int_equal(buffer_len(b), 24);
    get(b, 3, 24);
    buffer_free(b);
}

static void a_growable_buffer_stops_at_its_ceiling(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE, 1, 6);
    size_t n;
    int elem = 0;
    (void)state;
    assert_int_equal(put(b, 1, 9, &n), FLOW_FULL);
    assert_int_equal(n, 6);
    assert_int_equal(buffer_add(b, &elem), FLOW_FULL);
    assert_int_equal(buffer_cap(b), 6);
    get(b, 1, 6);
    buffer_free(b);
}

static void a_growable_buffer_grows_beside_a_peek(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE, 2, 64);
    size_t n;
    (void)state;
    put_all(b, 1, 2);
    const int *elems = shown(b, 2, &n);
    put_all(b, 3, 1);
    put_all(b, 4, 20);
    assert_true(stats_of(b).grown >= 2);
    assert_int_equal(elems[0], 1);
    assert_int_equal(elems[1], 2);
    consume(b, 1);
    get(b, 2, 22);
    buffer_free(b);
}

static void a_growable_buffer_reserves_by_growing(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE, 2, 64);
    size_t n;
    (void)state;
    put_all(b, 1, 2);
    int *at = room(b, 10, &n);
    assert_int_equal(n, 10);
    for (int i = 0; i < 10; i++)
        at[i] = 3 + i;
    commit(b, 10);
    get(b, 1, 12);
    buffer_free(b);
}

static void a_full_ring_loses_the_oldest_and_counts_them(void **state)
{
    struct buffer *b = make(BUFFER_RING, 4, 0);
    (void)state;
    put_all(b, 1, 4);
    put_all(b, 5, 3);
    assert_int_equal(stats_of(b).lost, 3);
    get(b, 4, 4);
    buffer_free(b);
}

static void of_a_write_beyond_its_size_a_ring_keeps_the_end(void **state)
{
    struct buffer *b = make(BUFFER_RING, 4, 0);
    (void)state;
    put_all(b, 1, 3);
    put_all(b, 4, 10);
    assert_int_equal(stats_of(b).written, 13);
    assert_int_equal(stats_of(b).lost, 9);
    get(b, 10, 4);
    buffer_free(b);
}

static void a_peeked_full_ring_loses_the_new_instead(void **state)
{
    struct buffer *b = make(BUFFER_RING, 4, 0);
    size_t n;
    (void)state;
    put_all(b, 1, 3);
    const int *elems = shown(b, 2, &n);
    put_all(b, 4, 3);
    put_all(b, 7, 9);
    assert_int_equal(elems[0], 1);
    assert_int_equal(elems[1], 2);
    assert_int_equal(stats_of(b).lost, 11);
    consume(b, 2);
    put_all(b, 50, 1);
    get(b, 3, 2);
    get(b, 50, 1);
    buffer_free(b);
}

static void a_full_ring_loses_as_many_as_it_reserves(void **state)
{
    struct buffer *b = make(BUFFER_RING, 4, 0);
    size_t n;
    (void)state;
    put_all(b, 1, 4);
    int *at = room(b, 2, &n);
    assert_int_equal(n, 2);
    assert_int_equal(stats_of(b).lost, 2);
    at[0] = 5;
    at[1] = 6;
    commit(b, 2);
    get(b, 3, 4);
    buffer_free(b);
}

static void after_a_close_commit_and_consume_move_nothing(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    size_t n;
    int elem;
    (void)state;
    put_all(b, 1, 2);
    room(b, 1, &n);
    shown(b, 2, &n);
    buffer_close(b);
    buffer_check(b);
    commit(b, 1);
    consume(b, 2);
    assert_int_equal(buffer_len(b), 0);
    assert_int_equal(buffer_try_next(b, &elem), FLOW_END);
    assert_int_equal(stats_of(b).dropped, 2);
    assert_int_equal(stats_of(b).read, 0);
    buffer_free(b);
}

static void what_was_peeked_before_close_write_is_consumed(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    size_t n;
    int elem;
    (void)state;
    put_all(b, 1, 2);
    room(b, 1, &n);
    shown(b, 1, &n);
    buffer_close_write(b);
    commit(b, 1);
    consume(b, 1);
    get(b, 2, 1);
    assert_int_equal(buffer_try_next(b, &elem), FLOW_END);
    buffer_free(b);
}

static void a_reset_opens_it_again_and_counts_what_it_drops(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    (void)state;
    put_all(b, 1, 3);
    assert_int_equal(buffer_reset(b), FLOW_DONE);
    assert_int_equal(stats_of(b).dropped, 3);
    put_all(b, 4, 4);
    buffer_close_with_error(b, 5);
    assert_int_equal(buffer_error(b), 5);
    assert_int_equal(buffer_reset(b), FLOW_DONE);
    assert_int_equal(buffer_error(b), 0);
    put_all(b, 8, 4);
    get(b, 8, 4);
    assert_int_equal(stats_of(b).written, 11);
    assert_int_equal(stats_of(b).dropped, 7);
    buffer_free(b);
}

static void another_cap_keeps_what_is_held(void **state)
{
    (void)state;
    for (int kind = BUFFER_BLOCK; kind <= BUFFER_RING; kind++) {
        struct buffer *b = make((enum buffer_kind)kind, 4, 0);
        size_t n;
        put_all(b, 1, 3);
        get(b, 1, 2);
        put_all(b, 4, 3);
        assert_int_equal(buffer_set_cap(b, 3), FLOW_FULL);
        assert_int_equal(buffer_cap(b), 4);
        assert_int_equal(buffer_set_cap(b, 6), FLOW_DONE);
        put_all(b, 7, 2);
        assert_int_equal(buffer_len(b), 6);
        get(b, 3, 3);
        assert_int_equal(buffer_set_cap(b, 3), FLOW_DONE);
        buffer_check(b);
        assert_int_equal(put(b, 9, 1, &n),
                         kind == BUFFER_BLOCK ? FLOW_FULL : FLOW_DONE);
        get(b, kind == BUFFER_BLOCK ? 6 : 7, 3);
        buffer_free(b);
    }
}

static void a_growable_buffer_gets_another_ceiling(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE, 2, 8);
    size_t n;
    (void)state;
    put_all(b, 1, 8);
    assert_int_equal(buffer_set_cap(b, 12), FLOW_DONE);
    assert_int_equal(put(b, 9, 9, &n), FLOW_FULL);
    assert_int_equal(n, 4);
    get(b, 1, 9);
    assert_int_equal(buffer_set_cap(b, 2), FLOW_FULL);
    assert_int_equal(buffer_set_cap(b, 3), FLOW_DONE);
    assert_int_equal(buffer_cap(b), 3);
    buffer_check(b);
    get(b, 10, 3);
    buffer_free(b);
}

static void a_cap_beyond_the_limits_is_refused(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    (void)state;
    assert_int_equal(buffer_set_cap(b, 0), FLOW_FULL);
    assert_int_equal(buffer_set_cap(b, SIZE_MAX), FLOW_FULL);
    assert_int_equal(buffer_set_cap(b, BUFFER_CAP_BYTES_MAX), FLOW_FULL);
    assert_int_equal(buffer_cap(b), 4);
    buffer_free(b);
}

static void the_deepest_is_remembered(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 32, 0);
    (void)state;
    put_all(b, 1, 3);
    get(b, 1, 3);
    for (int i = 0; i < 20; i++) {
        put_all(b, i, 2);
        get(b, i, 2);
    }
    assert_int_equal(stats_of(b).len_max, 3);
    for (int i = 0; i < 17; i++)
        assert_int_equal(buffer_add(b, &i), FLOW_DONE);
    assert_int_equal(stats_of(b).len_max, 17);
    buffer_free(b);
}

static void a_long_name_is_cut(void **state)
{
    char name[BUFFER_NAME_BYTES + 10];
    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    struct buffer *b = buffer_new(&(struct buffer_config){
        .name = name, .kind = BUFFER_RING, .elem_bytes = 1, .cap = 1});
    assert_non_null(b);
    assert_int_equal(strlen(buffer_name(b)), BUFFER_NAME_BYTES - 1);
    assert_int_equal(buffer_kind(b), BUFFER_RING);
    buffer_free(b);
    buffer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_of_any_size_come_out_as_they_went_in),
        cmocka_unit_test(a_write_of_nothing_asks_only_whether_it_is_open),
        cmocka_unit_test(a_write_that_does_not_fit_says_how_much_did),
        cmocka_unit_test(a_read_is_content_with_what_there_is),
        cmocka_unit_test(discard_drops_the_oldest),
        cmocka_unit_test(reserved_room_ends_where_the_circle_does),
        cmocka_unit_test(a_commit_of_nothing_leaves_everything_as_it_was),
        cmocka_unit_test(readers_go_on_while_a_reserve_is_out),
        cmocka_unit_test(a_peek_shows_what_lies_in_one_piece),
        cmocka_unit_test(consuming_nothing_puts_it_back),
        cmocka_unit_test(growing_keeps_the_order_of_what_goes_around_the_end),
        cmocka_unit_test(a_growable_buffer_stops_at_its_ceiling),
        cmocka_unit_test(a_growable_buffer_grows_beside_a_peek),
        cmocka_unit_test(a_growable_buffer_reserves_by_growing),
        cmocka_unit_test(a_full_ring_loses_the_oldest_and_counts_them),
        cmocka_unit_test(of_a_write_beyond_its_size_a_ring_keeps_the_end),
        cmocka_unit_test(a_peeked_full_ring_loses_the_new_instead),
        cmocka_unit_test(a_full_ring_loses_as_many_as_it_reserves),
        cmocka_unit_test(after_a_close_commit_and_consume_move_nothing),
        cmocka_unit_test(what_was_peeked_before_close_write_is_consumed),
        cmocka_unit_test(a_reset_opens_it_again_and_counts_what_it_drops),
        cmocka_unit_test(another_cap_keeps_what_is_held),
        cmocka_unit_test(a_growable_buffer_gets_another_ceiling),
        cmocka_unit_test(a_cap_beyond_the_limits_is_refused),
        cmocka_unit_test(the_deepest_is_remembered),
        cmocka_unit_test(a_long_name_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
