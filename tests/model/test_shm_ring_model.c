/* A random program of a million operations on both sides of a ring and on its
 * model: the flat array of everything that was ever written, with a position
 * for each side. TEST_SEED in the environment picks another program. */
#include "buffers/shm_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS        1000000u
#define FAULT_STEPS  20000u
#define DEFAULT_SEED 20240615u
#define CAP          4096u
#define FLAT_BYTES   (1u << 24)
#define PIECE_MAX    300u
#define READ_ODDS    92u   /* of 100, with those of a write */
#define REOPEN_ODDS  2000u /* one step in so many */
#define WHY_BYTES    160u

/* Faults that the checker must find. */
enum fault {
    FAULT_NONE,
    FAULT_BYTE,     /* one byte is written wrong */
    FAULT_LOST,     /* one commit does not happen */
    FAULT_CONSUMED, /* one consume happens twice */
    FAULT_WAKE_UP,  /* one wake-up is swallowed */
};

struct model {
    struct shm_ring writer;
    struct shm_ring reader;
    unsigned char *flat; /* by position, from begin on */
    uint64_t begin;
    uint64_t head;
    uint64_t tail;
    bool writer_armed;
    bool reader_armed;
    bool writer_heard;
    bool reader_heard;
    size_t writer_wants;
    size_t reader_wants;
    bool closed;
    unsigned seed;
    unsigned step;
    enum fault fault;
    unsigned fault_step;
    char why[WHY_BYTES]; /* the first thing that was wrong */
};

#define MUST(m, what)                                                          \
    do {                                                                       \
        if (!(what) && !(m)->why[0])                                           \
            snprintf((m)->why, sizeof(m)->why, "step %u: %s", (m)->step,       \
                     #what);                                                   \
    } while (0)

static size_t any(struct model *m, size_t below)
{
    return (size_t)rand_r(&m->seed) % below;
}

static bool fault_due(struct model *m, enum fault f)
{
    if (m->fault != f || m->step < m->fault_step)
        return false;
    m->fault = FAULT_NONE;
    return true;
}

static void open_ring(struct model *m)
{
    m->closed = false;
    m->writer_armed = m->reader_armed = false;
    m->writer_heard = m->reader_heard = false;
    m->begin = m->head = m->tail = 0;
    MUST(m, shm_ring_create(&m->writer, "model", CAP, SHM_WRITER));
    MUST(m, shm_ring_attach(&m->reader, m->writer.fds, SHM_READER));
}

static void close_ring(struct model *m)
{
    shm_ring_fini(&m->writer);
    shm_ring_fini(&m->reader);
}

static unsigned char *flat_at(struct model *m, uint64_t pos)
{
    return m->flat + (pos - m->begin);
}

static void make_flat_room(struct model *m)
{
    if (m->tail - m->begin + CAP <= FLAT_BYTES)
        return;
    memmove(m->flat, flat_at(m, m->head), m->tail - m->head);
    m->begin = m->head;
}

static bool readable(const struct shm_ring *r)
{
    struct pollfd p = {.fd = shm_ring_event_fd(r), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* A side that once was owed a wake-up keeps it until it disarms. */
static void note_wake_ups(struct model *m)
{
    size_t len = (size_t)(m->tail - m->head);
    if (m->reader_armed && (m->closed || len >= m->reader_wants)) {
        m->reader_armed = false;
        m->reader_heard = true;
        if (fault_due(m, FAULT_WAKE_UP))
            shm_ring_disarm(&m->reader);
    }
    if (m->writer_armed && CAP - len >= m->writer_wants) {
        m->writer_armed = false;
        m->writer_heard = true;
    }
}

static void check(struct model *m)
{
    size_t len = (size_t)(m->tail - m->head);
    MUST(m, m->writer.pos == m->tail);
    MUST(m, m->reader.pos == m->head);
    MUST(m, shm_ring_len(&m->writer) == len);
    MUST(m, shm_ring_len(&m->reader) == len);
    note_wake_ups(m);
    if (m->step % 8 != 0)
        return;
    MUST(m, readable(&m->reader) == m->reader_heard);
    MUST(m, readable(&m->writer) == m->writer_heard);
}

static void do_commit(struct model *m, char *room, size_t n)
{
    for (size_t i = 0; i < n; i++)
        room[i] = (char)(*flat_at(m, m->tail + i) = (unsigned char)any(m, 256));
    if (n > 0 && fault_due(m, FAULT_BYTE))
        room[n / 2] ^= 1;
    if (n == 0 || !fault_due(m, FAULT_LOST))
        shm_ring_commit(&m->writer, n);
    m->tail += n;
}

static void do_write(struct model *m)
{
    char *room;
    size_t n;
    size_t below = any(m, 20) == 0 ? CAP : PIECE_MAX;
    size_t ask = 1 + any(m, below);
    size_t left = CAP - (size_t)(m->tail - m->head);
    enum flow r = shm_ring_reserve(&m->writer, ask, &room, &n);
    MUST(m, r == (left >= ask ? FLOW_DONE : FLOW_FULL));
    MUST(m, n == (r == FLOW_DONE ? left : 0));
    if (m->why[0] || r != FLOW_DONE)
        return;
    make_flat_room(m);
    size_t first = any(m, ask + 1);
    do_commit(m, room, first);
    do_commit(m, room + first, any(m, ask - first + 1));
}

static void do_read(struct model *m)
{
    const char *bytes;
    size_t n;
    size_t len = (size_t)(m->tail - m->head);
    enum flow none = m->closed ? FLOW_END : FLOW_AGAIN;
    enum flow r = shm_ring_peek(&m->reader, &bytes, &n);
    MUST(m, r == (len > 0 ? FLOW_DONE : none));
    MUST(m, n == len);
    if (m->why[0] || r != FLOW_DONE)
        return;
    MUST(m, memcmp(bytes, flat_at(m, m->head), n) == 0);
    size_t taken = any(m, 3) == 0 ? n : any(m, n + 1);
    shm_ring_consume(&m->reader, taken);
    m->head += taken;
    if (taken > 0 && taken < n && fault_due(m, FAULT_CONSUMED))
        shm_ring_consume(&m->reader, 1);
}

/* Arming over and over, as a loop does that always asks again. */
static void do_arm_reader(struct model *m)
{
    size_t len = (size_t)(m->tail - m->head);
    shm_ring_disarm(&m->reader);
    m->reader_wants = 1 + any(m, any(m, 2) ? 1 : CAP);
    bool now = shm_ring_arm(&m->reader, m->reader_wants);
    MUST(m, now == (m->closed || len >= m->reader_wants));
    m->reader_armed = !now;
    m->reader_heard = false;
}

static void do_arm_writer(struct model *m)
{
    size_t left = CAP - (size_t)(m->tail - m->head);
    shm_ring_disarm(&m->writer);
    m->writer_wants = 1 + any(m, CAP);
    bool now = shm_ring_arm(&m->writer, m->writer_wants);
    MUST(m, now == (left >= m->writer_wants));
    m->writer_armed = !now;
    m->writer_heard = false;
}

/* A side that ends without a word and comes back. */
static void do_restart(struct model *m)
{
    struct shm_ring fresh;
    bool writer = !m->closed && any(m, 2);
    struct shm_ring *old = writer ? &m->writer : &m->reader;
    MUST(m, shm_ring_attach(&fresh, old->fds, old->role));
    shm_ring_fini(old);
    *old = fresh;
    shm_ring_disarm(old);
    *(writer ? &m->writer_armed : &m->reader_armed) = false;
    *(writer ? &m->writer_heard : &m->reader_heard) = false;
}

/* The writer closes; a ring that is drained is replaced by a new one. */
static void do_close(struct model *m)
{
    if (!m->closed) {
        shm_ring_close(&m->writer);
        m->closed = true;
    } else if (m->head == m->tail) {
        close_ring(m);
        open_ring(m);
    }
}

static void do_step(struct model *m)
{
    bool filling = m->step / 300 % 2 == 0;
    size_t act = m->closed ? READ_ODDS - 1 : any(m, 100);
    if (any(m, REOPEN_ODDS) == 0)
        do_close(m);
    else if (any(m, REOPEN_ODDS) == 0)
        do_restart(m);
    else if (act < (filling ? 60u : 30u))
        do_write(m);
    else if (act < READ_ODDS)
        do_read(m);
    else if (act < 96)
        do_arm_reader(m);
    else
        do_arm_writer(m);
    check(m);
}

static void run(struct model *m, unsigned steps)
{
    m->flat = malloc(FLAT_BYTES);
    assert_non_null(m->flat);
    open_ring(m);
    for (m->step = 0; m->step < steps && !m->why[0]; m->step++)
        do_step(m);
    close_ring(m);
    free(m->flat);
}

static void a_million_random_operations_agree_with_a_flat_model(void **state)
{
    const char *text = getenv("TEST_SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : DEFAULT_SEED;
    struct model m = {.seed = seed};
    (void)state;
    /* Said beforehand, for an assertion of the ring ends the process. */
    print_message("TEST_SEED=%u\n", seed);
    run(&m, STEPS);
    if (m.why[0])
        fail_msg("seed %u, %s", seed, m.why);
}

static void a_planted_fault_is_found(void **state)
{
    const enum fault faults[] = {FAULT_BYTE, FAULT_LOST, FAULT_CONSUMED,
                                 FAULT_WAKE_UP};
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct model m = {.seed = DEFAULT_SEED,
                          .fault = faults[i],
                          .fault_step = FAULT_STEPS / 4};
        run(&m, FAULT_STEPS);
        assert_int_equal(m.fault, FAULT_NONE);
        assert_true(m.why[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_random_operations_agree_with_a_flat_model),
        cmocka_unit_test(a_planted_fault_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
