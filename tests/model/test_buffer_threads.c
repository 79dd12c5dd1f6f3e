/* Crowds of threads on each kind of buffer, a million elements a kind.
 * TEST_ELEMENTS in the environment sets another number, TEST_SEED other
 * choices. A crowd that stands still is ended by an alarm. */
#include "tests/model/crowd.h"
#include "tests/model/dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define ELEMENTS 100000u
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ELEMENTS 100000u
#endif
#endif
#ifndef ELEMENTS
#define ELEMENTS 1000000u
#endif

#define ELEMENTS_TO_NOTICE 20000u
#define ALARM_SECONDS      100u /* one crowd takes less than two */

struct shape {
    unsigned producers;
    unsigned consumers;
};

static const struct shape shapes[] = {{4, 4}, {1, 1}, {4, 1}, {1, 4}};

#define SHAPES (sizeof shapes / sizeof shapes[0])

static const char *const kind_names[] = {"growable", "block", "ring"};

static size_t elements(void)
{
    const char *text = getenv("TEST_ELEMENTS");
    size_t n = text ? strtoul(text, NULL, 10) : ELEMENTS;
    return n < SHAPES * CROWD_SIDE_MAX ? SHAPES * CROWD_SIDE_MAX : n;
}

static void on_alarm(int signal_number)
{
    static const char text[] = "a crowd stands still\n";
    (void)signal_number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    abort();
}

static void run(const struct crowd_plan *plan)
{
    char complaint[CROWD_COMPLAINT_BYTES];
    alarm(ALARM_SECONDS);
    crowd_run(plan, complaint);
    alarm(0);
    if (complaint[0] != '\0')
        fail_msg("%s, %u to %u, end %d, in place %d, disturbed %d, by ear %d, "
                 "seed %llu: %s",
                 kind_names[plan->kind], plan->producers, plan->consumers,
                 (int)plan->end, plan->in_place, plan->disturbed, plan->by_ear,
                 (unsigned long long)plan->seed, complaint);
}

static struct crowd_plan plan_of(enum buffer_kind kind, struct shape shape,
                                 size_t n)
{
    return (struct crowd_plan){.ops = &buffer_ops_real,
                               .kind = kind,
                               .producers = shape.producers,
                               .consumers = shape.consumers,
                               .elements = n,
                               .seed = dice_seed()};
}

/* Of each shape: plain, with reserve and peek, disturbed, and both. */
static void run_shapes(enum buffer_kind kind)
{
    for (unsigned i = 0; i < SHAPES * 4; i++) {
        struct crowd_plan plan =
            plan_of(kind, shapes[i / 4], elements() / SHAPES / 4);
        plan.in_place = i % 2 == 1;
        plan.disturbed = i % 4 >= 2;
        run(&plan);
    }
}

static void a_growable_buffer_hands_each_element_over_once(void **state)
{
    (void)state;
    run_shapes(BUFFER_GROWABLE);
}

static void a_block_buffer_hands_each_element_over_once(void **state)
{
    (void)state;
    run_shapes(BUFFER_BLOCK);
}

static void a_ring_buffer_counts_what_it_does_not_hand_over(void **state)
{
    (void)state;
    run_shapes(BUFFER_RING);
}

static void a_close_in_the_midst_ends_every_thread(void **state)
{
    enum { KINDS = 3, ENDS = 3, ROUNDS = 4 };
    (void)state;
    for (unsigned i = 0; i < KINDS * ENDS * SHAPES * ROUNDS; i++) {
        struct crowd_plan plan = plan_of((enum buffer_kind)(i % KINDS),
                                         shapes[i / KINDS / ENDS % SHAPES],
                                         elements() / 200 + CROWD_SIDE_MAX);
        plan.end = (enum crowd_end)(CROWD_CLOSE_WRITE + i / KINDS % ENDS);
        plan.in_place = i / KINDS / ENDS / SHAPES % 2 == 1;
        plan.disturbed = i / KINDS / ENDS / SHAPES >= 2;
        plan.seed += i;
        run(&plan);
    }
}

static void who_waits_for_the_notify_hook_is_called(void **state)
{
    (void)state;
    for (unsigned kind = BUFFER_GROWABLE; kind <= BUFFER_RING; kind++)
        for (unsigned disturbed = 0; disturbed < 2; disturbed++) {
            struct crowd_plan plan = plan_of(
                (enum buffer_kind)kind, (struct shape){1, 1}, elements() / 10);
            plan.by_ear = true;
            plan.disturbed = disturbed;
            run(&plan);
        }
}

static void every_planted_fault_is_noticed(void **state)
{
    char complaint[CROWD_COMPLAINT_BYTES];
    (void)state;
    for (unsigned i = 0; i < BUFFER_FAULTS * 3; i++) {
        enum buffer_fault fault = (enum buffer_fault)(i / 3);
        struct crowd_plan plan =
            plan_of((enum buffer_kind)(i % 3), shapes[0], ELEMENTS_TO_NOTICE);
        plan.ops = buffer_ops_faulty(fault, sizeof(struct crowd_item));
        alarm(ALARM_SECONDS);
        crowd_run(&plan, complaint);
        alarm(0);
        if (complaint[0] == '\0')
            fail_msg("%s, %s: not noticed", buffer_ops_fault_name(fault),
                     kind_names[plan.kind]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growable_buffer_hands_each_element_over_once),
        cmocka_unit_test(a_block_buffer_hands_each_element_over_once),
        cmocka_unit_test(a_ring_buffer_counts_what_it_does_not_hand_over),
        cmocka_unit_test(a_close_in_the_midst_ends_every_thread),
        cmocka_unit_test(who_waits_for_the_notify_hook_is_called),
        cmocka_unit_test(every_planted_fault_is_noticed),
    };
    signal(SIGALRM, on_alarm);
    print_message("TEST_SEED=%llu\n", (unsigned long long)dice_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
