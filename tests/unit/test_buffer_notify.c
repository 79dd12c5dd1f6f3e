/* The notify hook: told once for each time that nothing was found. */
#include "buffers/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#define CAP 4

struct ear {
    struct buffer *b;
    unsigned events; /* all since the last look */
    int calls_n;
    bool drains; /* from within the call */
};

static void hear(void *arg, unsigned events)
{
    struct ear *e = arg;
    int elem;
    e->events |= events;
    e->calls_n++;
    buffer_check(e->b); /* no lock is held */
    while (e->drains && buffer_try_next(e->b, &elem) == FLOW_DONE)
        ;
}

static struct ear *make(enum buffer_kind kind)
{
    struct ear *e = calloc(1, sizeof *e);
    assert_non_null(e);
    struct buffer_config config = {.name = "notify",
                                   .kind = kind,
                                   .elem_bytes = sizeof(int),
                                   .cap = CAP,
                                   .cap_max = kind == BUFFER_GROWABLE ? CAP : 0,
                                   .notify = hear,
                                   .notify_arg = e};
    e->b = buffer_new(&config);
    assert_non_null(e->b);
    return e;
}

static void drop(struct ear *e)
{
    buffer_check(e->b);
    buffer_free(e->b);
    free(e);
}

/* Exactly these, in one call at most, since the last look. */
static void heard(struct ear *e, unsigned events)
{
    assert_int_equal(e->events, events);
    assert_int_equal(e->calls_n, events != 0 ? 1 : 0);
    e->events = 0;
    e->calls_n = 0;
    buffer_check(e->b);
}

static enum flow add(struct ear *e)
{
    int elem = 1;
    return buffer_try_add(e->b, &elem);
}

static enum flow next(struct ear *e)
{
    int elem;
    return buffer_try_next(e->b, &elem);
}

static void fill(struct ear *e)
{
    for (int i = 0; i < CAP; i++)
        assert_int_equal(add(e), FLOW_DONE);
    e->events = 0;
    e->calls_n = 0;
}

static void a_new_buffer_tells_of_its_first_element_once(void **state)
{
    (void)state;
    for (int kind = BUFFER_GROWABLE; kind <= BUFFER_RING; kind++) {
        struct ear *e = make((enum buffer_kind)kind);
        assert_int_equal(add(e), FLOW_DONE);
        heard(e, BUFFER_READABLE);
        assert_int_equal(add(e), FLOW_DONE);
        heard(e, 0);
        drop(e);
    }
}

static void each_again_is_answered_by_one_call(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    (void)state;
    fill(e);
    for (int i = 0; i < CAP; i++)
        assert_int_equal(next(e), FLOW_DONE);
    assert_int_equal(add(e), FLOW_DONE);
    heard(e, 0); /* nobody has found it empty */
    assert_int_equal(next(e), FLOW_DONE);
    assert_int_equal(next(e), FLOW_AGAIN);
    assert_int_equal(next(e), FLOW_AGAIN);
    heard(e, 0);
    assert_int_equal(add(e), FLOW_DONE);
    heard(e, BUFFER_READABLE);
    drop(e);
}

static void every_way_in_tells_the_reader(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    void *room;
    size_t n;
    int elems[2] = {1, 2};
    (void)state;
    assert_int_equal(buffer_write(e->b, elems, 2, &n), FLOW_DONE);
    heard(e, BUFFER_READABLE);
    while (next(e) == FLOW_DONE)
        ;
    assert_int_equal(buffer_reserve(e->b, 1, &room, &n), FLOW_DONE);
    heard(e, 0);
    buffer_commit(e->b, 0);
    heard(e, 0);
    assert_int_equal(buffer_reserve(e->b, 1, &room, &n), FLOW_DONE);
    buffer_commit(e->b, 1);
    heard(e, BUFFER_READABLE);
    drop(e);
}

static void every_way_out_tells_the_writer(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    const void *elems;
    size_t n;
    (void)state;
    fill(e);
    assert_int_equal(add(e), FLOW_FULL);
    assert_int_equal(next(e), FLOW_DONE);
    heard(e, BUFFER_WRITABLE);
    assert_int_equal(next(e), FLOW_DONE);
    heard(e, 0);
    add(e);
    add(e);
    assert_int_equal(add(e), FLOW_FULL);
    assert_int_equal(buffer_peek(e->b, 1, &elems, &n), FLOW_DONE);
    heard(e, 0);
    buffer_consume(e->b, 1);
    heard(e, BUFFER_WRITABLE);
    add(e);
    assert_int_equal(add(e), FLOW_FULL);
    assert_int_equal(buffer_discard(e->b, 2, &n), FLOW_DONE);
    heard(e, BUFFER_WRITABLE);
    drop(e);
}

static void a_growable_one_that_refused_tells_of_room(void **state)
{
    struct ear *e = make(BUFFER_GROWABLE);
    (void)state;
    fill(e);
    assert_int_equal(add(e), FLOW_FULL);
    assert_int_equal(next(e), FLOW_DONE);
    heard(e, BUFFER_WRITABLE);
    drop(e);
}

static void a_write_that_took_a_part_is_told_of_room(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    int elems[CAP + 2] = {0};
    size_t n;
    (void)state;
    assert_int_equal(buffer_try_write(e->b, elems, CAP + 2, &n), FLOW_FULL);
    heard(e, BUFFER_READABLE);
    assert_int_equal(next(e), FLOW_DONE);
    heard(e, BUFFER_WRITABLE);
    drop(e);
}

static void only_try_forms_ask_for_a_call(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    int elem = 1;
    size_t n;
    (void)state;
    assert_int_equal(add(e), FLOW_DONE);
    assert_int_equal(next(e), FLOW_DONE);
    heard(e, BUFFER_READABLE);
    assert_int_equal(buffer_next_until(e->b, &elem, 0), FLOW_AGAIN);
    assert_int_equal(buffer_discard(e->b, 1, &n), FLOW_AGAIN);
    assert_int_equal(add(e), FLOW_DONE);
    heard(e, 0);
    drop(e);
}

static void more_room_is_told_of(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    (void)state;
    fill(e);
    assert_int_equal(add(e), FLOW_FULL);
    assert_int_equal(buffer_set_cap(e->b, CAP), FLOW_DONE);
    heard(e, 0);
    assert_int_equal(buffer_set_cap(e->b, CAP + 1), FLOW_DONE);
    heard(e, BUFFER_WRITABLE);
    drop(e);
}

static void close_write_tells_the_reader_of_the_end(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    (void)state;
    assert_int_equal(next(e), FLOW_AGAIN);
    buffer_close_write(e->b);
    heard(e, BUFFER_READABLE | BUFFER_CLOSED);
    assert_int_equal(next(e), FLOW_END);
    buffer_close(e->b);
    heard(e, 0);
    drop(e);
}

static void a_close_is_told_once(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    (void)state;
    fill(e);
    buffer_close_write(e->b);
    heard(e, BUFFER_CLOSED);
    buffer_close_with_error(e->b, 5);
    heard(e, 0);
    assert_int_equal(buffer_error(e->b), 5);
    drop(e);
}

static void a_close_tells_a_writer_that_found_no_room(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    (void)state;
    fill(e);
    assert_int_equal(add(e), FLOW_FULL);
    buffer_close(e->b);
    heard(e, BUFFER_WRITABLE | BUFFER_CLOSED);
    drop(e);
}

static void a_reset_is_as_good_as_new(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    (void)state;
    fill(e);
    assert_int_equal(add(e), FLOW_FULL);
    assert_int_equal(buffer_reset(e->b), FLOW_DONE);
    heard(e, BUFFER_WRITABLE);
    assert_int_equal(add(e), FLOW_DONE);
    heard(e, BUFFER_READABLE);
    buffer_close(e->b);
    heard(e, BUFFER_CLOSED);
    assert_int_equal(buffer_reset(e->b), FLOW_DONE);
    buffer_close(e->b);
    heard(e, BUFFER_READABLE | BUFFER_CLOSED);
    drop(e);
}

static void the_end_of_a_peek_tells_who_was_turned_away(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    const void *elems;
    size_t n;
    (void)state;
    fill(e);
    assert_int_equal(buffer_try_peek(e->b, 1, &elems, &n), FLOW_DONE);
    assert_int_equal(next(e), FLOW_AGAIN);
    heard(e, 0);
    buffer_consume(e->b, 1);
    heard(e, BUFFER_READABLE);
    assert_int_equal(next(e), FLOW_DONE);
    drop(e);
}

static void the_end_of_a_reserve_tells_who_was_turned_away(void **state)
{
    struct ear *e = make(BUFFER_RING);
    void *room;
    size_t n;
    (void)state;
    assert_int_equal(buffer_try_reserve(e->b, 1, &room, &n), FLOW_DONE);
    assert_int_equal(add(e), FLOW_FULL);
    heard(e, 0);
    buffer_commit(e->b, 0);
    heard(e, BUFFER_WRITABLE);
    drop(e);
}

static void a_close_tells_who_was_turned_away(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    const void *elems;
    void *room;
    size_t n;
    (void)state;
    assert_int_equal(add(e), FLOW_DONE);
    heard(e, BUFFER_READABLE);
    assert_int_equal(buffer_try_peek(e->b, 1, &elems, &n), FLOW_DONE);
    assert_int_equal(buffer_try_reserve(e->b, 1, &room, &n), FLOW_DONE);
    assert_int_equal(next(e), FLOW_AGAIN);
    assert_int_equal(add(e), FLOW_FULL);
    buffer_close(e->b);
    heard(e, BUFFER_READABLE | BUFFER_WRITABLE | BUFFER_CLOSED);
    buffer_commit(e->b, 0);
    buffer_consume(e->b, 0);
    heard(e, 0);
    drop(e);
}

static void the_hook_may_read_the_buffer_empty(void **state)
{
    struct ear *e = make(BUFFER_BLOCK);
    (void)state;
    e->drains = true;
    for (int i = 0; i < 3 * CAP; i++)
        assert_int_equal(add(e), FLOW_DONE);
    assert_int_equal(e->calls_n, 3 * CAP);
    assert_int_equal(buffer_len(e->b), 0);
    drop(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_tells_of_its_first_element_once),
        cmocka_unit_test(each_again_is_answered_by_one_call),
        cmocka_unit_test(every_way_in_tells_the_reader),
        cmocka_unit_test(every_way_out_tells_the_writer),
        cmocka_unit_test(a_growable_one_that_refused_tells_of_room),
        cmocka_unit_test(a_write_that_took_a_part_is_told_of_room),
        cmocka_unit_test(only_try_forms_ask_for_a_call),
        cmocka_unit_test(more_room_is_told_of),
        cmocka_unit_test(close_write_tells_the_reader_of_the_end),
        cmocka_unit_test(a_close_is_told_once),
        cmocka_unit_test(a_close_tells_a_writer_that_found_no_room),
        cmocka_unit_test(a_reset_is_as_good_as_new),
        cmocka_unit_test(the_end_of_a_peek_tells_who_was_turned_away),
        cmocka_unit_test(the_end_of_a_reserve_tells_who_was_turned_away),
        cmocka_unit_test(a_close_tells_who_was_turned_away),
        cmocka_unit_test(the_hook_may_read_the_buffer_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
