/* The thread-safe buffers while memory runs out. */
#include "buffers/buffer.h"
#include "tests/support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#define TRIES_MAX 16u
#define CAP       4
#define CAP_MAX   64

static struct buffer_config config_of(enum buffer_kind kind)
{
    return (struct buffer_config){.name = "torture",
                                  .kind = kind,
                                  .elem_bytes = sizeof(int),
                                  .cap = CAP,
                                  .cap_max =
                                      kind == BUFFER_GROWABLE ? CAP_MAX : 0};
}

static struct buffer *make(enum buffer_kind kind)
{
    struct buffer_config config = config_of(kind);
    struct buffer *b = buffer_new(&config);
    assert_non_null(b);
    return b;
}

static enum flow put(struct buffer *b, int first, size_t n, size_t *ret_n)
{
    int elems[CAP_MAX];
    for (size_t i = 0; i < n; i++)
        elems[i] = first + (int)i;
    enum flow r = buffer_try_write(b, elems, n, ret_n);
    buffer_check(b);
    return r;
}

static void get(struct buffer *b, int first, int n)
{
    int elem;
    for (int i = 0; i < n; i++) {
        assert_int_equal(buffer_try_next(b, &elem), FLOW_DONE);
        assert_int_equal(elem, first + i);
        buffer_check(b);
    }
}

static void a_buffer_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    for (int kind = BUFFER_GROWABLE; kind <= BUFFER_RING; kind++) {
        struct buffer_config config = config_of((enum buffer_kind)kind);
        bool failed = true;
        size_t tries = 0;
        for (; failed && tries < TRIES_MAX; tries++) {
            fail_alloc_after(tries);
            struct buffer *b = buffer_new(&config);
            failed = fail_alloc_off();
            assert_true((b == NULL) == failed);
            buffer_free(b);
        }
        assert_true(tries > 1 && tries < TRIES_MAX);
    }
}

static void growth_that_fails_changes_nothing(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE);
    struct buffer_stats before;
    struct buffer_stats after;
    size_t n;
    (void)state;
    assert_int_equal(put(b, 1, CAP - 1, &n), FLOW_DONE);
    buffer_stats(b, &before);
    fail_alloc_from(0);
    assert_int_equal(put(b, 50, 10, &n), FLOW_NO_MEMORY);
    assert_true(fail_alloc_off());
    assert_int_equal(n, 0);
    buffer_stats(b, &after);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(put(b, CAP, 10, &n), FLOW_DONE);
    get(b, 1, CAP - 1 + 10);
    buffer_free(b);
}

static void what_fits_needs_no_memory(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE);
    int elem = CAP;
    size_t n;
    void *room;
    (void)state;
    fail_alloc_from(0);
    assert_int_equal(put(b, 1, CAP - 1, &n), FLOW_DONE);
    assert_int_equal(buffer_try_add(b, &elem), FLOW_DONE);
    assert_int_equal(buffer_try_add(b, &elem), FLOW_NO_MEMORY);
    assert_int_equal(buffer_add(b, &elem), FLOW_NO_MEMORY);
    assert_int_equal(buffer_try_reserve(b, 1, &room, &n), FLOW_NO_MEMORY);
    assert_int_equal(n, 0);
    buffer_check(b);
    get(b, 1, CAP);
    assert_true(fail_alloc_off());
    buffer_free(b);
}

static void growth_that_fails_leaves_a_peek_as_it_is(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE);
    const void *elems;
    size_t n;
    size_t put_n;
    (void)state;
    assert_int_equal(put(b, 1, CAP, &n), FLOW_DONE);
    assert_int_equal(buffer_try_peek(b, CAP, &elems, &n), FLOW_DONE);
    fail_alloc_after(1);
    assert_int_equal(put(b, CAP + 1, CAP, &put_n), FLOW_DONE);
    assert_int_equal(put(b, 50, CAP, &put_n), FLOW_NO_MEMORY);
    assert_true(fail_alloc_off());
    assert_int_equal(*(const int *)elems, 1);
    assert_int_equal(((const int *)elems)[CAP - 1], CAP);
    buffer_consume(b, CAP);
    get(b, CAP + 1, CAP);
    buffer_free(b);
}

static void another_cap_that_fails_changes_nothing(void **state)
{
    (void)state;
    for (int kind = BUFFER_BLOCK; kind <= BUFFER_RING; kind++) {
        struct buffer *b = make((enum buffer_kind)kind);
        size_t n;
        assert_int_equal(put(b, 1, CAP, &n), FLOW_DONE);
        fail_alloc_from(0);
        assert_int_equal(buffer_set_cap(b, CAP + 1), FLOW_NO_MEMORY);
        assert_true(fail_alloc_off());
        assert_int_equal(buffer_cap(b), CAP);
        buffer_check(b);
        get(b, 1, CAP);
        buffer_free(b);
    }
}

static void order_holds_while_memory_comes_and_goes(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE);
    unsigned seed = 20240615;
    int next = 0;
    int got = 0;
    size_t n;
    size_t refused = 0;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        fail_alloc_after((size_t)rand_r(&seed) % 2);
        if (rand_r(&seed) % 2 == 0) {
            enum flow r = put(b, next, (size_t)rand_r(&seed) % CAP_MAX, &n);
            next += (int)n;
            refused += r == FLOW_NO_MEMORY;
        } else if (buffer_len(b) > 0) {
            n = (size_t)rand_r(&seed) % buffer_len(b) + 1;
            get(b, got, (int)n);
            got += (int)n;
        } else if (rand_r(&seed) % 4 == 0)
            buffer_set_cap(b, CAP_MAX - (size_t)rand_r(&seed) % 50);
        fail_alloc_off();
        buffer_check(b);
    }
    assert_true(refused > 0 && got > 0);
    assert_int_equal(buffer_len(b), next - got);
    buffer_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_is_made_whole_or_not_at_all),
        cmocka_unit_test(growth_that_fails_changes_nothing),
        cmocka_unit_test(what_fits_needs_no_memory),
        cmocka_unit_test(growth_that_fails_leaves_a_peek_as_it_is),
        cmocka_unit_test(another_cap_that_fails_changes_nothing),
        cmocka_unit_test(order_holds_while_memory_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
