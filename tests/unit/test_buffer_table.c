/* The table at the head of buffer.h, cell by cell: every operation, in every
 * form, in every state, for every kind. A cell that is forgotten fails. */
#include "buffers/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define CAP      4
#define PART     2
#define ERROR    77
#define SHORT_MS 3    /* in which a call that need not wait has answered */
#define LONG_MS  5000 /* in which every wait must have ended */

enum state {
    EMPTY,
    HALF,
    FULL,
    LEFT,    /* close_write(), elements are left */
    DRAINED, /* close_write(), nothing is left */
    CLOSED,
    BROKEN,
    STATES,
};

static const char *const state_names[STATES] = {
    "open, empty", "open, part", "open, full",       "write side closed, left",
    "drained",     "closed",     "closed with error"};

enum form {
    PLAIN,
    TRY,
    UNTIL,
    FORMS,
};

enum { KINDS = BUFFER_RING + 1 };

static const char *const kind_names[KINDS] = {"growable", "block", "ring"};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t in_ms(uint64_t ms)
{
    return now_ns() + ms * 1000000u;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void fill(struct buffer *b, int n)
{
    for (int i = 1; i <= n; i++)
        assert_int_equal(buffer_try_add(b, &i), FLOW_DONE);
}

static struct buffer *in_state(enum buffer_kind kind, enum state s)
{
    static const int held[STATES] = {0, PART, CAP, PART, 0, PART, PART};
    struct buffer_config config = {.name = "table",
                                   .kind = kind,
                                   .elem_bytes = sizeof(int),
                                   .cap = kind == BUFFER_GROWABLE ? 1 : CAP,
                                   .cap_max =
                                       kind == BUFFER_GROWABLE ? CAP : 0};
    struct buffer *b = buffer_new(&config);
    assert_non_null(b);
    fill(b, held[s]);
    if (s == LEFT || s == DRAINED)
        buffer_close_write(b);
    else if (s == CLOSED)
        buffer_close(b);
    else if (s == BROKEN)
        buffer_close_with_error(b, ERROR);
    buffer_check(b);
    return b;
}

/* The operations, each moving one element if it can. */

static const int seven = 7;

static enum flow do_add(struct buffer *b, enum form form, uint64_t deadline)
{
    if (form == PLAIN)
        return buffer_add(b, &seven);
    return form == TRY ? buffer_try_add(b, &seven)
                       : buffer_add_until(b, &seven, deadline);
}

static enum flow do_write(struct buffer *b, enum form form, uint64_t deadline)
{
    size_t n = 99;
    enum flow r;
    if (form == PLAIN)
        r = buffer_write(b, &seven, 1, &n);
    else if (form == TRY)
        r = buffer_try_write(b, &seven, 1, &n);
    else
        r = buffer_write_until(b, &seven, 1, deadline, &n);
    assert_int_equal(n, r == FLOW_DONE ? 1 : 0);
    return r;
}

static enum flow do_reserve(struct buffer *b, enum form form, uint64_t deadline)
{
    void *room = &room;
    size_t n = 99;
    enum flow r;
    if (form == PLAIN)
        r = buffer_reserve(b, 1, &room, &n);
    else if (form == TRY)
        r = buffer_try_reserve(b, 1, &room, &n);
    else
        r = buffer_reserve_until(b, 1, deadline, &room, &n);
    assert_int_equal(n, r == FLOW_DONE ? 1 : 0);
    assert_true((room != NULL) == (r == FLOW_DONE));
    if (r == FLOW_DONE && room) {
        *(int *)room = seven;
        buffer_check(b);
        buffer_commit(b, 1);
    }
    return r;
}

static enum flow do_next(struct buffer *b, enum form form, uint64_t deadline)
{
    int got;
    if (form == PLAIN)
        return buffer_next(b, &got);
    return form == TRY ? buffer_try_next(b, &got)
                       : buffer_next_until(b, &got, deadline);
}

static enum flow do_read(struct buffer *b, enum form form, uint64_t deadline)
{
    int got;
    size_t n = 99;
    enum flow r;
    if (form == PLAIN)
        r = buffer_read(b, &got, 1, &n);
    else if (form == TRY)
        r = buffer_try_read(b, &got, 1, &n);
    else
        r = buffer_read_until(b, &got, 1, deadline, &n);
    assert_int_equal(n, r == FLOW_DONE ? 1 : 0);
    return r;
}

static enum flow do_peek(struct buffer *b, enum form form, uint64_t deadline)
{
    const void *elems = &elems;
    size_t n = 99;
    enum flow r;
    if (form == PLAIN)
        r = buffer_peek(b, 1, &elems, &n);
    else if (form == TRY)
        r = buffer_try_peek(b, 1, &elems, &n);
    else
        r = buffer_peek_until(b, 1, deadline, &elems, &n);
    assert_int_equal(n, r == FLOW_DONE ? 1 : 0);
    assert_true((elems != NULL) == (r == FLOW_DONE));
    if (r == FLOW_DONE && elems) {
        assert_int_equal(*(const int *)elems, 1);
        buffer_check(b);
        buffer_consume(b, 1);
    }
    return r;
}

static enum flow do_discard(struct buffer *b, enum form form, uint64_t deadline)
{
    size_t n = 99;
    enum flow r = buffer_discard(b, 1, &n);
    (void)form;
    (void)deadline;
    assert_int_equal(n, r == FLOW_DONE ? 1 : 0);
    return r;
}

/* D done, E end, X failed; A again and F full at once; W waits, and says F or A
 * where it may not. */
struct row {
    const char *name;
    enum flow (*run)(struct buffer *b, enum form form, uint64_t deadline);
    bool writes;
    char cells[KINDS][STATES]; /* growable, block, ring */
};

/*        empty, half, full, left, drained, closed, broken */
#define WRITE_CELLS                                                            \
    {                                                                          \
        {'D', 'D', 'F', 'E', 'E', 'E', 'X'},                                   \
            {'D', 'D', 'W', 'E', 'E', 'E', 'X'},                               \
            {'D', 'D', 'D', 'E', 'E', 'E', 'X'},                               \
    }
#define READ_CELLS                                                             \
    {                                                                          \
        {'W', 'D', 'D', 'D', 'E', 'E', 'X'},                                   \
            {'W', 'D', 'D', 'D', 'E', 'E', 'X'},                               \
            {'W', 'D', 'D', 'D', 'E', 'E', 'X'},                               \
    }
#define DISCARD_CELLS                                                          \
    {                                                                          \
        {'A', 'D', 'D', 'D', 'E', 'E', 'X'},                                   \
            {'A', 'D', 'D', 'D', 'E', 'E', 'X'},                               \
            {'A', 'D', 'D', 'D', 'E', 'E', 'X'},                               \
    }

static const struct row rows[] = {
    {"add", do_add, true, WRITE_CELLS},
    {"write", do_write, true, WRITE_CELLS},
    {"reserve", do_reserve, true, WRITE_CELLS},
    {"next", do_next, false, READ_CELLS},
    {"read", do_read, false, READ_CELLS},
    {"peek", do_peek, false, READ_CELLS},
    {"discard", do_discard, false, DISCARD_CELLS},
};

#define ROWS (sizeof rows / sizeof rows[0])

struct cell {
    const struct row *row;
    enum buffer_kind kind;
    enum state state;
    enum form form;
};

static char cell_of(const struct cell *c)
{
    return c->row->cells[c->kind][c->state];
}

static enum flow flow_of(char cell, bool writes)
{
    switch (cell) {
    case 'D':
        return FLOW_DONE;
    case 'E':
        return FLOW_END;
    case 'X':
        return FLOW_FAILED;
    case 'F':
        return FLOW_FULL;
    case 'A':
        return FLOW_AGAIN;
    case 'W':
        return writes ? FLOW_FULL : FLOW_AGAIN;
    default:
        fail_msg("a cell is missing");
        return FLOW_FAILED;
    }
}

static void complain(const struct cell *c, enum flow r)
{
    fail_msg("%s %s (form %d) of a buffer that is %s: %d", kind_names[c->kind],
             c->row->name, (int)c->form, state_names[c->state], (int)r);
}

static size_t len_after(const struct cell *c, size_t before, enum flow r)
{
    if (r != FLOW_DONE)
        return before;
    if (c->row->writes)
        return before < CAP ? before + 1 : CAP;
    return before - 1;
}

static void check_answer(const struct cell *c)
{
    struct buffer *b = in_state(c->kind, c->state);
    size_t before = buffer_len(b);
    bool waits = cell_of(c) == 'W';
    uint64_t deadline = in_ms(waits ? SHORT_MS : LONG_MS);
    enum flow r = c->row->run(b, c->form, deadline);
    if (r != flow_of(cell_of(c), c->row->writes))
        complain(c, r);
    if (waits && c->form == UNTIL)
        assert_true(now_ns() >= deadline);
    buffer_check(b);
    assert_int_equal(buffer_len(b), len_after(c, before, r));
    buffer_free(b);
}

/* A cell where the plain form waits: another thread does, until a close. */
struct sleeper {
    const struct row *row;
    struct buffer *b;
    atomic_bool ended;
    enum flow r;
};

static void *sleep_in_it(void *arg)
{
    struct sleeper *s = arg;
    s->r = s->row->run(s->b, PLAIN, 0);
    atomic_store(&s->ended, true);
    return NULL;
}

static void check_wait(const struct cell *c)
{
    struct sleeper s = {.row = c->row, .b = in_state(c->kind, c->state)};
    pthread_t thread;
    struct timespec until;
    assert_int_equal(pthread_create(&thread, NULL, sleep_in_it, &s), 0);
    sleep_ms(SHORT_MS);
    if (atomic_load(&s.ended))
        complain(c, s.r);
    buffer_check(s.b);
    buffer_close_with_error(s.b, ERROR);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONG_MS / 1000;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
    assert_int_equal(s.r, FLOW_FAILED);
    buffer_check(s.b);
    buffer_free(s.b);
}

static void each_answer(enum buffer_kind kind)
{
    for (size_t i = 0; i < ROWS; i++)
        for (int s = 0; s < STATES; s++)
            for (int f = 0; f < FORMS; f++) {
                struct cell c = {&rows[i], kind, (enum state)s, (enum form)f};
                if (cell_of(&c) == 'W' && f == PLAIN)
                    check_wait(&c);
                else
                    check_answer(&c);
            }
}

static void a_growable_buffer_answers_by_the_table(void **state)
{
    (void)state;
    each_answer(BUFFER_GROWABLE);
}

static void a_block_buffer_answers_by_the_table(void **state)
{
    (void)state;
    each_answer(BUFFER_BLOCK);
}

static void a_ring_buffer_answers_by_the_table(void **state)
{
    (void)state;
    each_answer(BUFFER_RING);
}

/* What changes the state. */

struct change {
    const char *name;
    void (*run)(struct buffer *b);
    enum state after[STATES];
};

static void do_reset(struct buffer *b)
{
    assert_int_equal(buffer_reset(b), FLOW_DONE);
}

static void do_break(struct buffer *b)
{
    buffer_close_with_error(b, ERROR);
}

static const struct change changes[] = {
    {"close_write",
     buffer_close_write,
     {DRAINED, LEFT, LEFT, LEFT, DRAINED, CLOSED, BROKEN}},
    {"close",
     buffer_close,
     {CLOSED, CLOSED, CLOSED, CLOSED, DRAINED, CLOSED, BROKEN}},
    {"close_with_error",
     do_break,
     {BROKEN, BROKEN, BROKEN, BROKEN, DRAINED, CLOSED, BROKEN}},
    {"reset", do_reset, {EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY}},
};

static void is_in_state(struct buffer *b, enum state s, size_t held)
{
    static const enum flow adds[STATES] = {FLOW_DONE,  FLOW_DONE, FLOW_FULL,
                                           FLOW_END,   FLOW_END,  FLOW_END,
                                           FLOW_FAILED};
    int got;
    buffer_check(b);
    assert_int_equal(buffer_len(b), s == LEFT ? held : 0);
    assert_int_equal(buffer_error(b), s == BROKEN ? ERROR : 0);
    assert_int_equal(buffer_try_add(b, &seven), adds[s]);
    enum flow r = buffer_try_next(b, &got);
    if (s == BROKEN)
        assert_int_equal(r, FLOW_FAILED);
    else
        assert_int_equal(r, s == DRAINED || s == CLOSED ? FLOW_END : FLOW_DONE);
}

static void every_change_leads_where_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        for (int kind = 0; kind < KINDS; kind++)
            for (int s = 0; s < STATES; s++) {
                struct buffer *b =
                    in_state((enum buffer_kind)kind, (enum state)s);
                size_t held = buffer_len(b);
                changes[i].run(b);
                is_in_state(b, changes[i].after[s], held);
                buffer_free(b);
            }
}

static void len_and_error_are_what_the_table_says(void **state)
{
    static const size_t lens[STATES] = {0, PART, CAP, PART, 0, 0, 0};
    static const int errors[STATES] = {0, 0, 0, 0, 0, 0, ERROR};
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int s = 0; s < STATES; s++) {
            struct buffer *b = in_state((enum buffer_kind)kind, (enum state)s);
            assert_int_equal(buffer_len(b), lens[s]);
            assert_int_equal(buffer_error(b), errors[s]);
            assert_int_equal(buffer_cap(b), CAP);
            buffer_free(b);
        }
}

/* While something is handed out. */

static void others_wait_while_a_reserve_is_out(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int s = EMPTY; s <= HALF; s++)
            for (size_t i = 0; i < ROWS; i++) {
                struct buffer *b =
                    in_state((enum buffer_kind)kind, (enum state)s);
                void *room;
                size_t n;
                assert_int_equal(buffer_try_reserve(b, 1, &room, &n),
                                 FLOW_DONE);
                enum flow r = rows[i].run(b, TRY, 0);
                assert_int_equal(r, rows[i].writes ? FLOW_FULL
                                    : s == EMPTY   ? FLOW_AGAIN
                                                   : FLOW_DONE);
                assert_int_equal(buffer_reset(b), FLOW_AGAIN);
                assert_int_equal(buffer_set_cap(b, CAP + 1), FLOW_AGAIN);
                buffer_check(b);
                buffer_commit(b, 0);
                assert_int_equal(do_add(b, TRY, 0), FLOW_DONE);
                buffer_check(b);
                buffer_free(b);
            }
}

static void others_wait_while_a_peek_is_out(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < ROWS; i++) {
            struct buffer *b = in_state((enum buffer_kind)kind, HALF);
            const void *elems;
            size_t n;
            assert_int_equal(buffer_try_peek(b, CAP, &elems, &n), FLOW_DONE);
            enum flow r = rows[i].run(b, TRY, 0);
            assert_int_equal(r, rows[i].writes ? FLOW_DONE : FLOW_AGAIN);
            assert_int_equal(buffer_reset(b), FLOW_AGAIN);
            assert_int_equal(buffer_set_cap(b, CAP + 1), FLOW_AGAIN);
            assert_int_equal(*(const int *)elems, 1);
            buffer_check(b);
            buffer_consume(b, 0);
            assert_int_equal(do_next(b, TRY, 0), FLOW_DONE);
            buffer_check(b);
            buffer_free(b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growable_buffer_answers_by_the_table),
        cmocka_unit_test(a_block_buffer_answers_by_the_table),
        cmocka_unit_test(a_ring_buffer_answers_by_the_table),
        cmocka_unit_test(every_change_leads_where_the_table_says),
        cmocka_unit_test(len_and_error_are_what_the_table_says),
        cmocka_unit_test(others_wait_while_a_reserve_is_out),
        cmocka_unit_test(others_wait_while_a_peek_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
