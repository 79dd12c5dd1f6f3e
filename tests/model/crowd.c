#include "tests/model/crowd_inner.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_SECOND   UINT64_C(1000000000)
#define DEADLINE_NS_MAX ((size_t)300000)
#define PAUSE_NS_MAX    ((size_t)200000)
#define HEAR_SECONDS    20 /* a notify hook that is later was not called */
#define END_NS_MAX      (5 * NS_PER_SECOND) /* from a close to the last join */
#define CROWD_ERROR     ECONNRESET

uint64_t crowd_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t crowd_deadline_ns(struct dice *dice)
{
    return crowd_now_ns() + dice_below(dice, DEADLINE_NS_MAX);
}

struct crowd_item crowd_item(unsigned producer, uint64_t seq)
{
    struct dice dice = {seq << 8 | producer};
    return (struct crowd_item){seq, producer, dice_roll(&dice)};
}

void crowd_complain(struct crowd *crowd, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&crowd->lock);
    if (crowd->complaint[0] == '\0')
        vsnprintf(crowd->complaint, CROWD_COMPLAINT_BYTES, format, args);
    pthread_mutex_unlock(&crowd->lock);
    va_end(args);
}

void crowd_wait(struct crowd *crowd, sem_t *sem, const char *what)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += HEAR_SECONDS;
    while (sem_timedwait(sem, &deadline) != 0)
        if (errno == ETIMEDOUT) {
            crowd_complain(crowd, "notify did not say %s", what);
            return;
        }
}

static void on_notify(void *arg, unsigned events)
{
    struct crowd *crowd = arg;
    if (events & BUFFER_READABLE)
        sem_post(&crowd->readable);
    if (events & BUFFER_WRITABLE)
        sem_post(&crowd->writable);
}

static void pause_ns(size_t ns)
{
    struct timespec pause = {.tv_nsec = (long)ns};
    nanosleep(&pause, NULL);
}

static void any_disturbance(struct crowd *crowd, struct dice *dice)
{
    struct buffer_stats stats;
    switch (dice_below(dice, 5)) {
    case 0:
        buffer_stats(crowd->b, &stats);
        break;
    case 1:
        buffer_check(crowd->b);
        break;
    case 2:
        buffer_sample_age(crowd->b, crowd_now_ns() / 1000000);
        break;
    default:
        buffer_set_cap(crowd->b, dice_between(dice, 1, CROWD_CAP_MAX));
    }
    if (buffer_len(crowd->b) > CROWD_CAP_MAX)
        crowd_complain(crowd, "longer than its cap ever was");
}

static void *disturb(void *arg)
{
    struct crowd *crowd = arg;
    struct dice dice = {crowd->plan->seed + 1000};
    while (!atomic_load(&crowd->over)) {
        any_disturbance(crowd, &dice);
        pause_ns(dice_below(&dice, PAUSE_NS_MAX));
    }
    return NULL;
}

struct cast {
    struct crowd crowd;
    struct producer producers[CROWD_SIDE_MAX];
    struct consumer consumers[CROWD_SIDE_MAX];
    pthread_t producing[CROWD_SIDE_MAX];
    pthread_t consuming[CROWD_SIDE_MAX];
    pthread_t disturbing;
};

static void start(pthread_t *thread, void *(*body)(void *), void *arg)
{
    int failed = pthread_create(thread, NULL, body, arg);
    assert(!failed);
}

static void set_up(struct cast *cast, const struct crowd_plan *plan,
                   char *complaint)
{
    struct crowd *crowd = &cast->crowd;
    struct buffer_config config = {.name = "crowd",
                                   .kind = plan->kind,
                                   .elem_bytes = sizeof(struct crowd_item),
                                   .cap = 64,
                                   .notify = on_notify,
                                   .notify_arg = crowd};
    config.cap_max = plan->kind == BUFFER_GROWABLE ? CROWD_CAP_MAX : 0;
    crowd->plan = plan;
    crowd->complaint = complaint;
    crowd->share = plan->elements / plan->producers;
    crowd->seen = calloc(plan->elements, sizeof crowd->seen[0]);
    crowd->b = buffer_new(&config);
    assert(crowd->seen && crowd->b);
    sem_init(&crowd->readable, 0, 0);
    sem_init(&crowd->writable, 0, 0);
    pthread_mutex_init(&crowd->lock, NULL);
}

static void tear_down(struct cast *cast)
{
    struct crowd *crowd = &cast->crowd;
    pthread_mutex_destroy(&crowd->lock);
    sem_destroy(&crowd->writable);
    sem_destroy(&crowd->readable);
    buffer_free(crowd->b);
    free(crowd->seen);
}

static void start_all(struct cast *cast)
{
    const struct crowd_plan *plan = cast->crowd.plan;
    for (unsigned i = 0; i < plan->consumers; i++) {
        struct consumer *c = &cast->consumers[i];
        c->crowd = &cast->crowd;
        c->dice.state = plan->seed + 100 + i;
        start(&cast->consuming[i], crowd_consume, c);
    }
    for (unsigned i = 0; i < plan->producers; i++) {
        struct producer *p = &cast->producers[i];
        p->crowd = &cast->crowd;
        p->id = i;
        p->dice.state = plan->seed + 200 + i;
        start(&cast->producing[i], crowd_produce, p);
    }
    if (plan->disturbed)
        start(&cast->disturbing, disturb, &cast->crowd);
}

static void join_producers(struct cast *cast)
{
    for (unsigned i = 0; i < cast->crowd.plan->producers; i++)
        pthread_join(cast->producing[i], NULL);
}

static void join_consumers(struct cast *cast)
{
    for (unsigned i = 0; i < cast->crowd.plan->consumers; i++)
        pthread_join(cast->consuming[i], NULL);
}

/* Until a random share of the elements was written. */
static void wait_for_midst(struct crowd *crowd)
{
    struct dice dice = {crowd->plan->seed + 300};
    struct buffer_stats stats;
    uint64_t wanted =
        dice_below(&dice, crowd->share * crowd->plan->producers * 3 / 4);
    do {
        pause_ns(10000);
        buffer_stats(crowd->b, &stats);
    } while (stats.written < wanted);
}

static void close_in_the_midst(struct crowd *crowd)
{
    wait_for_midst(crowd);
    switch (crowd->plan->end) {
    case CROWD_CLOSE_WRITE:
        buffer_close_write(crowd->b);
        break;
    case CROWD_CLOSE:
        buffer_close(crowd->b);
        break;
    default:
        buffer_close_with_error(crowd->b, CROWD_ERROR);
    }
}

static void end_all(struct cast *cast)
{
    struct crowd *crowd = &cast->crowd;
    if (crowd->plan->end == CROWD_DRAINS) {
        join_producers(cast);
        buffer_close_write(crowd->b);
    } else {
        close_in_the_midst(crowd);
    }
    uint64_t closed_ns = crowd_now_ns();
    if (crowd->plan->end != CROWD_DRAINS)
        join_producers(cast);
    join_consumers(cast);
    if (crowd_now_ns() - closed_ns > END_NS_MAX)
        crowd_complain(crowd, "threads outlived the close");
    atomic_store(&crowd->over, true);
    if (crowd->plan->disturbed)
        pthread_join(cast->disturbing, NULL);
}

static void check_ends(struct cast *cast)
{
    struct crowd *crowd = &cast->crowd;
    const struct crowd_plan *plan = crowd->plan;
    bool broken = plan->end == CROWD_CLOSE_ERROR;
    enum flow end = broken ? FLOW_FAILED : FLOW_END;
    for (unsigned i = 0; i < plan->consumers; i++)
        if (cast->consumers[i].end != end)
            crowd_complain(crowd, "consumer %u ended with %d", i,
                           (int)cast->consumers[i].end);
    for (unsigned i = 0; i < plan->producers; i++)
        if (cast->producers[i].seq < crowd->share &&
            (cast->producers[i].end != end || plan->end == CROWD_DRAINS))
            crowd_complain(crowd, "producer %u ended with %d", i,
                           (int)cast->producers[i].end);
    if (buffer_error(crowd->b) != (broken ? CROWD_ERROR : 0))
        crowd_complain(crowd, "the error is %d", buffer_error(crowd->b));
}

/* After a close a commit or a consume may have moved nothing, and does not
 * say so: each thread may have counted one batch too many. */
static void check_count(struct crowd *crowd, const char *what, uint64_t counted,
                        uint64_t stat, uint64_t slack)
{
    if (counted < stat || counted - stat > slack)
        crowd_complain(crowd, "%s: %llu were counted, the buffer says %llu",
                       what, (unsigned long long)counted,
                       (unsigned long long)stat);
}

static void check_counts(struct cast *cast)
{
    struct crowd *crowd = &cast->crowd;
    const struct crowd_plan *plan = crowd->plan;
    uint64_t batch =
        plan->in_place && plan->end != CROWD_DRAINS ? CROWD_BATCH_MAX : 0;
    struct buffer_stats stats;
    uint64_t taken = 0;
    uint64_t got = 0;
    for (unsigned i = 0; i < plan->producers; i++)
        taken += cast->producers[i].seq;
    for (unsigned i = 0; i < plan->consumers; i++)
        got += cast->consumers[i].got + cast->consumers[i].discarded;
    plan->ops->stats(crowd->b, &stats);
    check_count(crowd, "written", taken, stats.written,
                batch * plan->producers);
    check_count(crowd, "read", got, stats.read, batch * plan->consumers);
    if (stats.written != stats.read + stats.lost + stats.dropped)
        crowd_complain(crowd, "written is not read, lost and dropped");
    if (plan->kind != BUFFER_RING && stats.lost > 0)
        crowd_complain(crowd, "lost without a ring");
    if (plan->end <= CROWD_CLOSE_WRITE && stats.dropped > 0)
        crowd_complain(crowd, "dropped though it was drained");
    if (buffer_len(crowd->b) > 0)
        crowd_complain(crowd, "something is left");
}

void crowd_run(const struct crowd_plan *plan,
               char ret_complaint[CROWD_COMPLAINT_BYTES])
{
    struct cast cast = {0};
    assert(plan->producers >= 1 && plan->producers <= CROWD_SIDE_MAX);
    assert(plan->consumers >= 1 && plan->consumers <= CROWD_SIDE_MAX);
    ret_complaint[0] = '\0';
    set_up(&cast, plan, ret_complaint);
    start_all(&cast);
    end_all(&cast);
    check_ends(&cast);
    check_counts(&cast);
    buffer_check(cast.crowd.b);
    tear_down(&cast);
}
