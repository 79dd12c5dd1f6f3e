/* Random programs on each kind of buffer and on its naive model. TEST_SEED in
 * the environment picks other programs. */
#include "tests/model/buffer_trial.h"
#include "tests/model/dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Of each kind. */
#define STEPS_PER_SIZE  1000000u
#define STEPS_TO_NOTICE 20000u

static const size_t elem_sizes[] = {1, 3, 8, 64, 100};

static void run_programs(enum buffer_kind kind)
{
    char complaint[BUFFER_TRIAL_COMPLAINT_BYTES];
    for (size_t i = 0; i < sizeof elem_sizes / sizeof elem_sizes[0]; i++) {
        struct buffer_trial_plan plan = {.ops = &buffer_ops_real,
                                         .kind = kind,
                                         .elem_bytes = elem_sizes[i],
                                         .seed = dice_seed() + i,
                                         .steps = STEPS_PER_SIZE};
        buffer_trial(&plan, complaint);
        if (complaint[0] != '\0')
            fail_msg("elements of %zu bytes: %s", elem_sizes[i], complaint);
    }
}

static void a_growable_buffer_agrees_with_the_model(void **state)
{
    (void)state;
    run_programs(BUFFER_GROWABLE);
}

static void a_block_buffer_agrees_with_the_model(void **state)
{
    (void)state;
    run_programs(BUFFER_BLOCK);
}

static void a_ring_buffer_agrees_with_the_model(void **state)
{
    (void)state;
    run_programs(BUFFER_RING);
}

static void every_planted_fault_is_noticed(void **state)
{
    static const enum buffer_kind kinds[] = {BUFFER_GROWABLE, BUFFER_BLOCK,
                                             BUFFER_RING};
    char complaint[BUFFER_TRIAL_COMPLAINT_BYTES];
    (void)state;
    for (unsigned i = 0; i < BUFFER_FAULTS * 3; i++) {
        enum buffer_fault fault = (enum buffer_fault)(i / 3);
        struct buffer_trial_plan plan = {.ops = buffer_ops_faulty(fault, 8),
                                         .kind = kinds[i % 3],
                                         .elem_bytes = 8,
                                         .seed = dice_seed(),
                                         .steps = STEPS_TO_NOTICE};
        buffer_trial(&plan, complaint);
        if (complaint[0] == '\0')
            fail_msg("%s, kind %u: not noticed", buffer_ops_fault_name(fault),
                     i % 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growable_buffer_agrees_with_the_model),
        cmocka_unit_test(a_block_buffer_agrees_with_the_model),
        cmocka_unit_test(a_ring_buffer_agrees_with_the_model),
        cmocka_unit_test(every_planted_fault_is_noticed),
    };
    /* Said beforehand, for an assertion of the buffer ends the process. */
    print_message("TEST_SEED=%llu\n", (unsigned long long)dice_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
