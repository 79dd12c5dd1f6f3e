/* A random program of pushes and skips on a write queue and on its model:
 * everything that waits as one flat array, one item for each byte of the queue
 * and of the file ranges. A file's item tells which range it is of, and the
 * position. Faults that are planted behind the model's back prove that it would
 * notice one of the queue's. TEST_SEED in the environment picks another
 * program. */
#include "buffers/write_queue.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define KEEP       16u
#define HIGH_BYTES 8000u
#define LOW_BYTES  2000u
#define HARD_BYTES (HIGH_BYTES + WRITE_QUEUE_SLACK_BYTES)
#define IOV_N      16

#define STEPS         1000000
#define PLANTED_STEPS 2000
#define DEFAULT_SEED  20240615u
#define MODEL_ITEMS   (1u << 20)
#define FILES_WAITING 64
#define FILE_BYTES    2000
#define PIECES        6
#define PIECE_BYTES   300
#define LARGE_BYTES   70000
#define VIEW_BYTES    3000
#define HUGE_BYTES    150000 /* beyond the hard limit */
#define BLOCKS_N      8
#define IS_FILE       (UINT64_C(1) << 63)

struct model {
    struct block_pool pool;
    struct write_queue q;
    struct block *blocks[BLOCKS_N]; /* filled once, shared again and again */
    uint64_t *items;
    size_t begin;
    size_t end;
    size_t len;        /* items that are bytes */
    int *released;     /* per file range */
    int files_n;       /* pushed so far */
    int files_waiting; /* not yet sent whole */
    unsigned first_seed;
    unsigned seed;
    int step;
    bool planted;
    const char *wrong; /* what did not agree */
    jmp_buf stop;
};

enum plant {
    PLANT_NOTHING,
    PLANT_SKIP,
    PLANT_PUSH,
    PLANT_OTHER_BYTES,
    PLANTS,
};

#define MUST(m, what)                                                          \
    do {                                                                       \
        if (!(what)) {                                                         \
            (m)->wrong = #what;                                                \
            longjmp((m)->stop, 1);                                             \
        }                                                                      \
    } while (0)

static size_t any(struct model *m, size_t below)
{
    return (size_t)rand_r(&m->seed) % below;
}

static void count_release(void *owner)
{
    ++*(int *)owner;
}

static uint64_t file_item(int id, uint64_t pos)
{
    return IS_FILE | (uint64_t)id << 32 | pos;
}

static void model_add(struct model *m, uint64_t item)
{
    if (m->end == MODEL_ITEMS) {
        m->end -= m->begin;
        memmove(m->items, m->items + m->begin, m->end * sizeof m->items[0]);
        m->begin = 0;
    }
    MUST(m, m->end < MODEL_ITEMS);
    m->items[m->end++] = item;
}

static void model_add_bytes(struct model *m, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        model_add(m, (unsigned char)s.at[i]);
    m->len += s.len;
}

/* The last byte of a file range is on its way: its owner must be let go. */
static void model_drop(struct model *m, size_t n)
{
    for (; n > 0; n--) {
        uint64_t item = m->items[m->begin++];
        bool last = m->begin == m->end || m->items[m->begin] != item + 1;
        if (!(item & IS_FILE))
            m->len--;
        else if (last) {
            MUST(m, m->released[item >> 32 & 0x7fffffff] == 1);
            m->files_waiting--;
        }
    }
}

static bool fits(const struct model *m, size_t len)
{
    return m->len + len <= HARD_BYTES;
}

static void do_push_all(struct model *m)
{
    static char bytes[LARGE_BYTES];
    struct str pieces[PIECES];
    size_t n = any(m, PIECES + 1);
    size_t total = 0;
    size_t below = any(m, 30) == 0 ? LARGE_BYTES : PIECE_BYTES;
    for (size_t i = 0; i < sizeof bytes; i += 1 + any(m, 500))
        bytes[i] = (char)any(m, 256);
    for (size_t i = 0; i < n; i++) {
        size_t at = any(m, below);
        pieces[i] = (struct str){bytes + at, any(m, below - at)};
        total += pieces[i].len;
    }
    enum flow r = n == 1 && any(m, 2)
                      ? write_queue_push(&m->q, pieces[0].at, pieces[0].len)
                      : write_queue_push_all(&m->q, pieces, n);
    bool taken = fits(m, total);
    MUST(m, r == (taken ? FLOW_DONE : FLOW_FULL));
    for (size_t i = 0; taken && i < n; i++)
        model_add_bytes(m, pieces[i]);
}

static void do_push_file(struct model *m)
{
    if (m->files_waiting == FILES_WAITING)
        return;
    int id = m->files_n++;
    struct file_range range = {.fd = id,
                               .pos = any(m, 1u << 20),
                               .len = 1 + any(m, FILE_BYTES),
                               .release = count_release,
                               .owner = &m->released[id]};
    MUST(m, write_queue_push_file(&m->q, &range) == FLOW_DONE);
    for (uint64_t i = 0; i < range.len; i++)
        model_add(m, file_item(id, range.pos + i));
    m->files_waiting++;
}

/* Some views are of the same block, and one now and then is too large for any
 * queue that holds more. */
static void do_push_block(struct model *m)
{
    struct block *b = m->blocks[any(m, BLOCKS_N)];
    bool huge = b->len >= HUGE_BYTES && any(m, 4) == 0;
    size_t len = huge ? HUGE_BYTES : 1 + any(m, VIEW_BYTES);
    size_t at = any(m, b->len - len + 1);
    bool taken = m->len == 0 || fits(m, len);
    unsigned refs = b->refs;
    enum flow r = write_queue_push_block(&m->q, block_ref(b), at, len);
    MUST(m, r == (taken ? FLOW_DONE : FLOW_FULL));
    MUST(m, b->refs == refs + taken);
    if (taken)
        model_add_bytes(m, (struct str){b->data + at, len});
}

/* Compares a file view with the model; returns its length. */
static size_t check_file(struct model *m, const struct file_range *file)
{
    MUST(m, file->len > 0 && file->len <= m->end - m->begin);
    MUST(m, m->released[file->fd] == 0);
    for (uint64_t i = 0; i < file->len; i++)
        MUST(m, m->items[m->begin + i] == file_item(file->fd, file->pos + i));
    return (size_t)file->len;
}

static size_t check_bytes(struct model *m, const struct iovec *iov, int iov_n)
{
    size_t n = 0;
    for (int i = 0; i < iov_n; i++) {
        const unsigned char *at = iov[i].iov_base;
        MUST(m, iov[i].iov_len > 0);
        MUST(m, n + iov[i].iov_len <= m->end - m->begin);
        for (size_t k = 0; k < iov[i].iov_len; k++)
            MUST(m, m->items[m->begin + n++] == at[k]);
    }
    return n;
}

/* Looks at the head; returns how much is shown, and shown is right. */
static size_t do_peek(struct model *m)
{
    struct iovec iov[IOV_N];
    struct write_view view;
    int iov_n = 1 + (int)any(m, any(m, 2) ? 2 : IOV_N);
    write_queue_peek(&m->q, iov, iov_n, &view);
    MUST(m, view.iov == iov && view.iov_n >= 0 && view.iov_n <= iov_n);
    MUST(m, !view.file || view.iov_n == 0);
    size_t n =
        view.file ? check_file(m, view.file) : check_bytes(m, iov, view.iov_n);
    MUST(m, n > 0 || m->begin == m->end);
    MUST(m, view.more == (n < m->end - m->begin));
    return n;
}

static void do_skip(struct model *m, size_t n)
{
    write_queue_skip(&m->q, n);
    model_drop(m, n);
}

static void check_marks(struct model *m)
{
    const struct write_queue *q = &m->q;
    size_t room = m->len < HIGH_BYTES ? HIGH_BYTES - m->len : 0;
    MUST(m, q->len == m->len);
    MUST(m, q->file_len == m->end - m->begin - m->len);
    MUST(m, write_queue_empty(q) == (m->begin == m->end));
    MUST(m, write_queue_room(q) <= room);
    MUST(m, m->len <= LOW_BYTES || !write_queue_low(q));
    MUST(m, m->len > 0 || write_queue_low(q));
}

/* Phases in which more comes than goes alternate with the other kind, so that
 * the queue is full at times and empty at times. */
static void do_step(struct model *m)
{
    bool filling = m->step / 400 % 2 == 0;
    size_t act = any(m, 100);
    if (act < (filling ? 40u : 15u))
        do_push_all(m);
    else if (act < (filling ? 52u : 22u))
        do_push_block(m);
    else if (act < (filling ? 65u : 30u))
        do_push_file(m);
    else if (act < 70)
        do_peek(m);
    else if (act < 98)
        do_skip(m, any(m, do_peek(m) + 1));
    else
        do_skip(m, any(m, m->end - m->begin + 1));
    write_queue_check(&m->q);
    check_marks(m);
}

static unsigned seed_to_use(void)
{
    const char *text = getenv("TEST_SEED");
    return text ? (unsigned)strtoul(text, NULL, 10) : DEFAULT_SEED;
}

static void model_init(struct model *m)
{
    *m = (struct model){.seed = seed_to_use()};
    m->first_seed = m->seed;
    test_pool_init(&m->pool, KEEP);
    write_queue_init(&m->q, &m->pool, HIGH_BYTES, LOW_BYTES);
    m->items = malloc(MODEL_ITEMS * sizeof m->items[0]);
    m->released = calloc(STEPS, sizeof m->released[0]);
    assert_true(m->items && m->released);
    for (int i = 0; i < BLOCKS_N; i++) {
        enum block_class c = (enum block_class)(i % BLOCK_4M);
        struct block *b =
            block_pool_get(&m->pool, c, BUDGET_LEAVING, "the model");
        assert_non_null(b);
        for (b->len = 0; b->len < b->cap; b->len++)
            b->data[b->len] = (char)(b->len * 7 + b->len / 253 + (uint32_t)i);
        m->blocks[i] = b;
    }
}

static void model_fini(struct model *m)
{
    write_queue_fini(&m->q);
    for (int i = 0; i < BLOCKS_N; i++) {
        assert_false(block_shared(m->blocks[i]));
        block_unref(m->blocks[i]);
    }
    test_pool_fini(&m->pool);
    free(m->items);
    free(m->released);
}

/* What the model cannot know of; true when it could be done. */
static bool plant(struct model *m, enum plant what)
{
    struct iovec iov[1];
    struct write_view view;
    write_queue_peek(&m->q, iov, 1, &view);
    if (view.iov_n == 0)
        return what == PLANT_NOTHING;
    switch (what) {
    case PLANT_SKIP:
        write_queue_skip(&m->q, 1);
        break;
    case PLANT_PUSH:
        return write_queue_push(&m->q, "x", 1) == FLOW_DONE;
    case PLANT_OTHER_BYTES:
        ++*(char *)iov[0].iov_base;
        break;
    case PLANT_NOTHING:
    default:
        break;
    }
    return true;
}

/* Ends early when something is wrong. */
static void run(struct model *m, int steps, enum plant what)
{
    if (setjmp(m->stop) != 0)
        return;
    for (m->step = 0; m->step < steps; m->step++) {
        do_step(m);
        if (m->step >= steps / 2 && plant(m, what))
            m->planted = true;
    }
}

static void a_random_program_agrees_with_a_flat_model(void **state)
{
    static struct model m;
    (void)state;
    model_init(&m);
    /* Said beforehand, for an assertion of the queue ends the process. */
    print_message("TEST_SEED=%u\n", m.first_seed);
    run(&m, STEPS, PLANT_NOTHING);
    if (m.wrong)
        fail_msg("seed %u, step %d: %s", m.first_seed, m.step, m.wrong);
    write_queue_fini(&m.q);
    for (int i = 0; i < m.files_n; i++)
        assert_int_equal(m.released[i], 1);
    model_fini(&m);
}

static void a_planted_fault_is_noticed(void **state)
{
    static struct model m;
    (void)state;
    for (int what = PLANT_NOTHING + 1; what < PLANTS; what++) {
        model_init(&m);
        run(&m, PLANTED_STEPS, (enum plant)what);
        assert_true(m.planted);
        assert_non_null(m.wrong);
        model_fini(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_program_agrees_with_a_flat_model),
        cmocka_unit_test(a_planted_fault_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
