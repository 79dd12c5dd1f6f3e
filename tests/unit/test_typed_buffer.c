#include "buffers/typed_buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct sample {
    double value;
    int id;
};

TYPED_BUFFER(sample_buffer, struct sample);
TYPED_BUFFER(text_buffer, const char *);

static void samples(struct sample_buffer *b, enum buffer_kind kind)
{
    assert_true(sample_buffer_init(
        b, &(struct buffer_config){.name = "samples", .kind = kind, .cap = 4}));
}

static void a_sample_comes_out_as_it_went_in(void **state)
{
    struct sample_buffer b;
    struct sample in = {.value = 0.5, .id = 3};
    struct sample out;
    (void)state;
    samples(&b, BUFFER_BLOCK);
    assert_int_equal(sample_buffer_add(&b, &in), FLOW_DONE);
    assert_int_equal(sample_buffer_try_add(&b, &in), FLOW_DONE);
    assert_int_equal(sample_buffer_add_until(&b, &in, 0), FLOW_DONE);
    assert_int_equal(sample_buffer_len(&b), 3);
    assert_int_equal(sample_buffer_next(&b, &out), FLOW_DONE);
    assert_true(out.value == 0.5 && out.id == 3);
    assert_int_equal(sample_buffer_try_next(&b, &out), FLOW_DONE);
    assert_int_equal(sample_buffer_next_until(&b, &out, 0), FLOW_DONE);
    assert_int_equal(sample_buffer_try_next(&b, &out), FLOW_AGAIN);
    sample_buffer_check(&b);
    sample_buffer_fini(&b);
    assert_null(b.raw);
}

static void samples_come_out_in_their_order(void **state)
{
    struct sample_buffer b;
    struct sample in[4] = {{.id = 1}, {.id = 2}, {.id = 3}, {.id = 4}};
    struct sample out[4];
    size_t n;
    (void)state;
    samples(&b, BUFFER_BLOCK);
    assert_int_equal(sample_buffer_write(&b, in, 2, &n), FLOW_DONE);
    assert_int_equal(sample_buffer_write_until(&b, in + 2, 1, 0, &n),
                     FLOW_DONE);
    assert_int_equal(sample_buffer_try_write(&b, in + 3, 1, &n), FLOW_DONE);
    assert_int_equal(sample_buffer_read(&b, out, 1, &n), FLOW_DONE);
    assert_int_equal(out[0].id, 1);
    assert_int_equal(sample_buffer_discard(&b, 1, &n), FLOW_DONE);
    assert_int_equal(sample_buffer_try_read(&b, out, 1, &n), FLOW_DONE);
    assert_int_equal(out[0].id, 3);
    assert_int_equal(sample_buffer_read_until(&b, out, 4, 0, &n), FLOW_DONE);
    assert_int_equal(n, 1);
    assert_int_equal(out[0].id, 4);
    sample_buffer_fini(&b);
}

static void room_and_elements_have_the_type(void **state)
{
    struct sample_buffer b;
    struct sample *room;
    const struct sample *shown;
    size_t n;
    (void)state;
    samples(&b, BUFFER_RING);
    assert_int_equal(sample_buffer_reserve(&b, 2, &room, &n), FLOW_DONE);
    assert_int_equal(n, 2);
    room[0].id = 1;
    room[1].id = 2;
    sample_buffer_commit(&b, 2);
    assert_int_equal(sample_buffer_try_reserve(&b, 1, &room, &n), FLOW_DONE);
    sample_buffer_commit(&b, 0);
    assert_int_equal(sample_buffer_reserve_until(&b, 1, 0, &room, &n),
                     FLOW_DONE);
    sample_buffer_commit(&b, 0);
    assert_int_equal(sample_buffer_peek(&b, 1, &shown, &n), FLOW_DONE);
    assert_int_equal(shown->id, 1);
    sample_buffer_consume(&b, 1);
    assert_int_equal(sample_buffer_try_peek(&b, 9, &shown, &n), FLOW_DONE);
    sample_buffer_consume(&b, 0);
    assert_int_equal(sample_buffer_peek_until(&b, 9, 0, &shown, &n), FLOW_DONE);
    assert_int_equal(shown->id, 2);
    sample_buffer_consume(&b, 1);
    sample_buffer_fini(&b);
}

static void count_calls(void *arg, unsigned events)
{
    unsigned *calls = arg;
    if (events & (BUFFER_READABLE | BUFFER_WRITABLE))
        ++*calls;
}

/* A try_ form that finds nothing asks for a call, the zero-copy ones too. */
static void a_try_that_finds_no_way_is_called_back(void **state)
{
    struct sample_buffer b;
    struct sample in = {.id = 7};
    struct sample *room;
    const struct sample *shown;
    unsigned calls = 0;
    size_t n;
    (void)state;
    assert_true(
        sample_buffer_init(&b, &(struct buffer_config){.kind = BUFFER_BLOCK,
                                                       .cap = 1,
                                                       .notify = count_calls,
                                                       .notify_arg = &calls}));
    assert_int_equal(sample_buffer_add(&b, &in), FLOW_DONE);
    assert_int_equal(sample_buffer_next(&b, &in), FLOW_DONE);
    calls = 0;
    assert_int_equal(sample_buffer_try_peek(&b, 1, &shown, &n), FLOW_AGAIN);
    assert_int_equal(sample_buffer_add(&b, &in), FLOW_DONE);
    assert_int_equal(calls, 1);
    assert_int_equal(sample_buffer_try_reserve(&b, 1, &room, &n), FLOW_FULL);
    assert_int_equal(sample_buffer_next(&b, &in), FLOW_DONE);
    assert_int_equal(calls, 2);
    sample_buffer_check(&b);
    sample_buffer_fini(&b);
}

static void the_rest_is_passed_on(void **state)
{
    struct sample_buffer b;
    struct sample one = {.id = 1};
    struct buffer_stats stats;
    (void)state;
    samples(&b, BUFFER_RING);
    assert_int_equal(sample_buffer_add(&b, &one), FLOW_DONE);
    assert_string_equal(sample_buffer_name(&b), "samples");
    assert_int_equal(sample_buffer_kind(&b), BUFFER_RING);
    assert_int_equal(sample_buffer_set_cap(&b, 8), FLOW_DONE);
    assert_int_equal(sample_buffer_cap(&b), 8);
    assert_int_equal(sample_buffer_sample_age(&b, 1), 0);
    sample_buffer_close_write(&b);
    sample_buffer_close_with_error(&b, 7);
    assert_int_equal(sample_buffer_error(&b), 7);
    assert_int_equal(sample_buffer_reset(&b), FLOW_DONE);
    sample_buffer_close(&b);
    sample_buffer_stats(&b, &stats);
    assert_int_equal(stats.written, 1);
    assert_int_equal(stats.dropped, 1);
    sample_buffer_fini(&b);
}

static void a_pointer_is_a_type_like_any_other(void **state)
{
    struct text_buffer b;
    const char *in = "text";
    const char *out;
    (void)state;
    assert_true(text_buffer_init(
        &b, &(struct buffer_config){.kind = BUFFER_BLOCK, .cap = 1}));
    assert_int_equal(text_buffer_add(&b, &in), FLOW_DONE);
    assert_int_equal(text_buffer_next(&b, &out), FLOW_DONE);
    assert_ptr_equal(in, out);
    text_buffer_fini(&b);
}

/* Whether the compiler takes a function with this body. */
static bool compiles(const char *body)
{
    char command[512];
    const char *cc = getenv("CC");
    snprintf(command, sizeof command,
             "%s -std=c11 -I. -fsyntax-only -x c - 2>/dev/null",
             cc ? cc : "cc");
    FILE *text = popen(command, "w"); // NOLINT: a test's own words
    assert_non_null(text);
    fprintf(text,
            "#include \"buffers/typed_buffer.h\"\n"
            "struct sample { int id; };\n"
            "struct other { int id; };\n"
            "TYPED_BUFFER(sample_buffer, struct sample);\n"
            "TYPED_BUFFER(other_buffer, struct other);\n"
            "void f(struct sample_buffer *b, struct other_buffer *o,\n"
            "       struct sample *s, struct other *x, int *i, size_t *n);\n"
            "void f(struct sample_buffer *b, struct other_buffer *o,\n"
            "       struct sample *s, struct other *x, int *i, size_t *n)\n"
            "{ (void)b; (void)o; (void)s; (void)x; (void)i; (void)n; %s; }\n",
            body);
    return pclose(text) == 0;
}

static void a_pointer_to_another_type_does_not_compile(void **state)
{
    static const char *const right[] = {
        "sample_buffer_add(b, s)",
        "sample_buffer_next(b, s)",
        "sample_buffer_write(b, s, 1, n)",
        "struct sample *r; sample_buffer_reserve(b, 1, &r, n)",
        "const struct sample *r; sample_buffer_peek(b, 1, &r, n)",
    };
    static const char *const wrong[] = {
        "sample_buffer_add(b, x)",
        "sample_buffer_add(b, i)",
        "sample_buffer_add(b, 5)",
        "sample_buffer_next(b, x)",
        "sample_buffer_write(b, x, 1, n)",
        "sample_buffer_read(b, x, 1, n)",
        "sample_buffer_add(o, s)",
        "struct other *r; sample_buffer_reserve(b, 1, &r, n)",
        "const struct other *r; sample_buffer_peek(b, 1, &r, n)",
    };
    (void)state;
    if (access("buffers/typed_buffer.h", R_OK) != 0 || !compiles(""))
        skip();
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        if (!compiles(right[i]))
            fail_msg("does not compile: %s", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (compiles(wrong[i]))
            fail_msg("compiles: %s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_comes_out_as_it_went_in),
        cmocka_unit_test(samples_come_out_in_their_order),
        cmocka_unit_test(room_and_elements_have_the_type),
        cmocka_unit_test(a_try_that_finds_no_way_is_called_back),
        cmocka_unit_test(the_rest_is_passed_on),
        cmocka_unit_test(a_pointer_is_a_type_like_any_other),
        cmocka_unit_test(a_pointer_to_another_type_does_not_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
