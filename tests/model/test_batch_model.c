/* A million random operations on a batch and on its model, which is a flat
 * array of the bytes that were accepted and have not left. A flush must show
 * just these, and leave when a bound says so and not otherwise. TEST_SEED in
 * the environment picks another program. A second run of the same program, in
 * which one byte is damaged, proves that the model can say no. */
#include "buffers/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define STEPS        1000000
#define DEFAULT_SEED 20250301u
#define BOUND_MAX    3000u
#define RECORD_MAX   400u

struct model {
    struct batch b;
    uint64_t now_us;

    /* What was accepted and has not left. */
    unsigned char bytes[BOUND_MAX];
    size_t len;
    uint64_t records_n;
    uint64_t oldest_us;

    size_t bytes_max;
    uint64_t count_max;
    uint64_t delay_us_max;
    struct batch_stats want;

    unsigned first_seed;
    unsigned seed;
    unsigned char next; /* byte of the stream */
    bool flush_failed;  /* in this operation */
    int step;
    int damage_at; /* the step in which a flushed byte is damaged; -1: none */
    bool differed;
};

static struct model *the_model; /* whose clock the batch reads */

static uint64_t now_us(void)
{
    return the_model->now_us;
}

/* A difference is noted, for a planted one must be found. */
#define MUST(m, what)                                                          \
    do {                                                                       \
        if (!(what)) {                                                         \
            (m)->differed = true;                                              \
            if ((m)->damage_at < 0)                                            \
                fail_msg("seed %u, step %d: %s", (m)->first_seed, (m)->step,   \
                         #what);                                               \
        }                                                                      \
    } while (0)

static size_t any(struct model *m, size_t below)
{
    return (size_t)rand_r(&m->seed) % below;
}

static enum batch_reason reason_of(const struct batch_stats *a,
                                   const struct batch_stats *b)
{
    int r = 0;
    while (r < BATCH_REASONS - 1 && a->flushes[r] == b->flushes[r])
        r++;
    return (enum batch_reason)r;
}

static enum flow flush(void *arg, struct str bytes, uint64_t records_n,
                       size_t *ret_taken)
{
    struct model *m = arg;
    size_t taken = any(m, 3) == 0 ? any(m, bytes.len + 1) : bytes.len;
    MUST(m, records_n > 0 && records_n == m->records_n);
    MUST(m, bytes.len == m->len);
    if (m->step == m->damage_at && m->len > 0)
        m->bytes[any(m, m->len)] ^= 1;
    MUST(m, m->len == 0 || memcmp(bytes.at, m->bytes, m->len) == 0);
    m->want.lost_bytes += bytes.len - taken;
    bool fails = taken < bytes.len || any(m, 20) == 0;
    bool says_so = taken == bytes.len || any(m, 2) == 0;
    m->want.failed += fails;
    m->flush_failed |= fails;
    m->now_us += any(m, 100);
    m->want.latency_us_last = m->now_us - m->oldest_us;
    m->want.latency_us_sum += m->want.latency_us_last;
    if (m->want.latency_us_last > m->want.latency_us_max)
        m->want.latency_us_max = m->want.latency_us_last;
    m->len = 0;
    m->records_n = 0;
    m->oldest_us = 0;
    *ret_taken = taken;
    return fails && says_so ? FLOW_FAILED : FLOW_DONE;
}

static void accept(struct model *m, const char *record, size_t n)
{
    if (m->records_n++ == 0)
        m->oldest_us = m->now_us;
    memcpy(m->bytes + m->len, record, n);
    m->len += n;
    m->want.records++;
    m->want.bytes += n;
    if (m->len > m->want.held_max)
        m->want.held_max = m->len;
}

/* The model accepts between the flush that makes room and the one that the
 * record causes: with a reserved room just before the commit. */
static void do_add(struct model *m)
{
    char record[RECORD_MAX];
    size_t n = any(m, any(m, 20) == 0 ? RECORD_MAX : 60);
    size_t used = any(m, 4) == 0 ? any(m, n + 1) : n;
    char *room;
    for (size_t i = 0; i < used; i++)
        record[i] = (char)m->next++;
    bool fits = n <= m->bytes_max;
    bool must_go = m->len + n > m->bytes_max;
    enum flow r = batch_reserve(&m->b, n, &room);
    MUST(m, r == (fits ? FLOW_DONE : FLOW_FULL));
    MUST(m, !fits || !must_go || m->len == 0);
    if (r != FLOW_DONE) {
        m->want.refused++;
        return;
    }
    if (any(m, 50) == 0)
        return; /* reserved in vain */
    if (used > 0)
        memcpy(room, record, used);
    accept(m, record, used);
    bool full = m->len >= m->bytes_max ||
                (m->count_max > 0 && m->records_n >= m->count_max);
    r = batch_commit(&m->b, used);
    MUST(m, r == (m->flush_failed ? FLOW_FAILED : FLOW_DONE));
    MUST(m, (m->len == 0 && m->records_n == 0) == full);
}

static void do_tick(struct model *m)
{
    uint64_t due_us = batch_due_us(&m->b);
    bool waits = m->records_n > 0;
    bool full = waits && (m->len >= m->bytes_max ||
                          (m->count_max > 0 && m->records_n >= m->count_max));
    bool late = waits && m->delay_us_max > 0 &&
                m->now_us >= m->oldest_us + m->delay_us_max;
    MUST(m, (due_us <= m->now_us) == (full || late));
    enum flow r = batch_tick(&m->b);
    MUST(m, r == (m->flush_failed ? FLOW_FAILED : FLOW_DONE));
    MUST(m, waits == false || (m->records_n == 0) == (full || late));
}

static void do_set_bounds(struct model *m)
{
    m->bytes_max = 1 + any(m, any(m, 2) ? BOUND_MAX : 100);
    m->count_max = any(m, 3) == 0 ? 0 : 1 + any(m, 40);
    m->delay_us_max = any(m, 3) == 0 ? 0 : 1 + any(m, 5000);
    batch_set_bounds(&m->b, m->bytes_max, m->count_max, m->delay_us_max);
}

static void do_fini(struct model *m)
{
    batch_fini(&m->b);
    MUST(m, m->len == 0 && m->records_n == 0);
}

static void check(struct model *m, const struct batch_stats *before)
{
    struct batch_stats got;
    uint64_t flushes = 0;
    uint64_t flushes_before = 0;
    batch_check(&m->b);
    batch_stats(&m->b, &got);
    MUST(m, got.records == m->want.records && got.bytes == m->want.bytes);
    MUST(m, got.refused == m->want.refused && got.failed == m->want.failed);
    MUST(m, got.lost_bytes == m->want.lost_bytes);
    MUST(m, got.held == m->len && got.held_max == m->want.held_max);
    MUST(m, got.oldest_us == m->oldest_us && got.bytes_max == m->bytes_max);
    MUST(m, got.latency_us_last == m->want.latency_us_last);
    MUST(m, got.latency_us_max == m->want.latency_us_max);
    MUST(m, got.latency_us_sum == m->want.latency_us_sum);
    for (int r = 0; r < BATCH_REASONS; r++) {
        flushes += got.flushes[r];
        flushes_before += before->flushes[r];
    }
    MUST(m, flushes <= flushes_before + 2);
}

static void do_step(struct model *m)
{
    struct batch_stats before;
    struct batch_stats after;
    batch_stats(&m->b, &before);
    size_t act = any(m, 1000);
    m->flush_failed = false;
    m->now_us += any(m, 50);
    if (act < 850)
        do_add(m);
    else if (act < 950)
        do_tick(m);
    else if (act < 990) {
        batch_flush(&m->b);
        MUST(m, m->records_n == 0);
        batch_stats(&m->b, &after);
        MUST(m, reason_of(&before, &after) >= BATCH_KEY_POINT);
    } else if (act < 998)
        do_set_bounds(m);
    else
        do_fini(m);
    check(m, &before);
}

static unsigned seed_to_use(void)
{
    const char *text = getenv("TEST_SEED");
    return text ? (unsigned)strtoul(text, NULL, 10) : DEFAULT_SEED;
}

static void start(struct model *m, unsigned seed, int damage_at)
{
    *m = (struct model){.first_seed = seed,
                        .seed = seed,
                        .now_us = 1,
                        .bytes_max = 1000,
                        .damage_at = damage_at};
    struct batch_config config = {
        .bytes_max = 1000, .now_us = now_us, .flush = flush, .flush_arg = m};
    the_model = m;
    batch_init(&m->b, &config);
}

static void a_million_operations_agree_with_the_model(void **state)
{
    static struct model m;
    (void)state;
    start(&m, seed_to_use(), -1);
    /* Said beforehand, for an assertion of the batch ends the process. */
    print_message("TEST_SEED=%u\n", m.first_seed);
    for (m.step = 0; m.step < STEPS; m.step++)
        do_step(&m);
    MUST(&m, m.want.failed > 100 && m.want.refused > 100);
    for (int r = 0; r < BATCH_REASONS; r++) {
        struct batch_stats stats;
        batch_stats(&m.b, &stats);
        MUST(&m, stats.flushes[r] > 100);
    }
    do_fini(&m);
}

/* The first flush of a byte at this step or later. */
static void one_damaged_byte_is_found(void **state)
{
    static struct model m;
    (void)state;
    start(&m, seed_to_use(), STEPS);
    for (m.step = 0; m.step < STEPS && !m.differed; m.step++) {
        m.damage_at = m.step < 5000 ? STEPS : m.step;
        do_step(&m);
    }
    MUST(&m, m.differed);
    assert_true(m.differed);
    assert_true(m.step > 5000);
    do_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_operations_agree_with_the_model),
        cmocka_unit_test(one_damaged_byte_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
