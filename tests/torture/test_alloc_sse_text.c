/* An allocation fails while an event is written: nothing of it is left, and
 * the next try writes it whole. */
#include "parser/sse_text.h"
#include "tests/support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TRIES_MAX 32u
#define HELD      "id: 7\n"

typedef enum flow writer(struct bytes *out, struct str payload,
                         enum sse_form form);

/* Lines enough that the bytes grow more than once. */
static char payload[2000];

/* Fails the Nth allocation for every N there is; tells how many there are. */
static size_t fail_each(writer *how)
{
    struct str p = {payload, sizeof payload};
    memset(payload, '\n', sizeof payload);
    for (size_t n = 0; n < TRIES_MAX; n++) {
        struct bytes out;
        bytes_init(&out, 1u << 20);
        assert_int_equal(bytes_append_str(&out, STR(HELD)), FLOW_DONE);
        fail_alloc_after(n);
        enum flow r = how(&out, p, SSE_TIGHT);
        bool failed = fail_alloc_off();
        assert_int_equal(r, failed ? FLOW_NO_MEMORY : FLOW_DONE);
        if (failed) {
            assert_true(str_equal(bytes_view(&out), STR(HELD)));
            assert_int_equal(how(&out, p, SSE_TIGHT), FLOW_DONE);
        }
        assert_true(out.len > sizeof payload);
        bytes_fini(&out);
        if (!failed)
            return n;
    }
    fail_msg("more than %u allocations", TRIES_MAX);
    return TRIES_MAX;
}

static void lines_survive_a_failed_allocation(void **state)
{
    (void)state;
    assert_true(fail_each(sse_text_write) >= 3);
}

static void base64_survives_a_failed_allocation(void **state)
{
    (void)state;
    assert_true(fail_each(sse_text_write_base64) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_survive_a_failed_allocation),
        cmocka_unit_test(base64_survives_a_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
