#include "buffers/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

static struct buffer *make(enum buffer_kind kind, size_t cap, size_t cap_max)
{
    struct buffer_config config = {.name = "age",
                                   .kind = kind,
                                   .elem_bytes = sizeof(int),
                                   .cap = cap,
                                   .cap_max = cap_max};
    struct buffer *b = buffer_new(&config);
    assert_non_null(b);
    return b;
}

static void put(struct buffer *b)
{
    int elem = 0;
    assert_int_equal(buffer_try_add(b, &elem), FLOW_DONE);
}

static void get(struct buffer *b)
{
    int elem;
    assert_int_equal(buffer_try_next(b, &elem), FLOW_DONE);
}

static void the_oldest_is_as_old_as_the_sample_before_it_came(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    (void)state;
    assert_int_equal(buffer_sample_age(b, 1000), 0);
    put(b);
    assert_int_equal(buffer_sample_age(b, 2000), 1000);
    put(b);
    assert_int_equal(buffer_sample_age(b, 3000), 2000);
    get(b);
    assert_int_equal(buffer_sample_age(b, 4000), 2000);
    get(b);
    assert_int_equal(buffer_sample_age(b, 5000), 0);
    put(b);
    assert_int_equal(buffer_sample_age(b, 6000), 1000);
    buffer_free(b);
}

static void what_came_before_the_first_sample_counts_from_it(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    (void)state;
    put(b);
    assert_int_equal(buffer_sample_age(b, 1000), 0);
    assert_int_equal(buffer_sample_age(b, 2000), 1000);
    assert_int_equal(buffer_sample_age(b, 3000), 2000);
    buffer_free(b);
}

static void an_old_element_does_not_blur_the_age_of_a_new_one(void **state)
{
    struct buffer *b = make(BUFFER_BLOCK, 4, 0);
    uint64_t ms = 0;
    (void)state;
    assert_int_equal(buffer_sample_age(b, ms), 0);
    put(b);
    for (; ms < 1000; ms++)
        assert_int_equal(buffer_sample_age(b, ms), ms);
    put(b);
    buffer_sample_age(b, ms++);
    get(b);
    assert_int_equal(buffer_sample_age(b, ms), 2);
    buffer_free(b);
}

/* Half of the time as many come as go, so that it gets deep and flat again. */
static void the_age_is_never_too_little(void **state)
{
    struct buffer *b = make(BUFFER_GROWABLE, 4, 1u << 16);
    static uint64_t came_ms[1u << 16];
    uint64_t written = 0;
    uint64_t read = 0;
    uint64_t most_ms = 0;
    unsigned seed = 7;
    int elem = 0;
    (void)state;
    assert_int_equal(buffer_sample_age(b, 0), 0);
    for (uint64_t ms = 1; ms < 20000; ms++) {
        bool deeper = ms / 4000 % 2 == 0;
        if (deeper || rand_r(&seed) % 2 == 0) {
            assert_int_equal(buffer_try_add(b, &elem), FLOW_DONE);
            came_ms[written++] = ms;
        }
        for (int i = 0; i < (deeper ? rand_r(&seed) % 2 : 3); i++)
            if (buffer_try_next(b, &elem) == FLOW_DONE)
                read++;
        if (ms % 10 != 0)
            continue;
        uint64_t age = buffer_sample_age(b, ms);
        uint64_t real = read < written ? ms - came_ms[read] : 0;
        most_ms = real > most_ms ? real : most_ms;
        assert_true(age >= real);
        assert_true(age <= real + 10 + most_ms / 8);
    }
    assert_true(most_ms > 1000);
    buffer_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_is_as_old_as_the_sample_before_it_came),
        cmocka_unit_test(what_came_before_the_first_sample_counts_from_it),
        cmocka_unit_test(an_old_element_does_not_blur_the_age_of_a_new_one),
        cmocka_unit_test(the_age_is_never_too_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
