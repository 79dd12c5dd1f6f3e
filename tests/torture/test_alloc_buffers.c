#include "buffers/block_pool.h"
#include "buffers/bytes.h"
#include "buffers/write_queue.h"
#include "parser/escape.h"
#include "tests/support/fail_alloc.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define TRIES_MAX  64u
#define HIGH_BYTES 200000u
#define LOW_BYTES  1000u
#define LARGE      180000u /* more than two large blocks */
#define IOV_N      16

struct fixture {
    struct block_pool pool;
    struct write_queue q;
    int released;
    char bytes[LARGE];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < sizeof f->bytes; i++)
        f->bytes[i] = (char)(i * 31 + i / 251);
    test_pool_init(&f->pool, 0);
    write_queue_init(&f->q, &f->pool, HIGH_BYTES, LOW_BYTES);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fail_alloc_off();
    write_queue_fini(&f->q);
    test_pool_fini(&f->pool);
    free(f);
    return 0;
}

static void count_release(void *owner)
{
    ++*(int *)owner;
}

static enum flow push_file(struct fixture *f)
{
    struct file_range range = {
        .fd = 7, .len = 10, .release = count_release, .owner = &f->released};
    return write_queue_push_file(&f->q, &range);
}

/* The queue holds exactly the first n of the fixture's bytes. */
static void holds(struct fixture *f, size_t n)
{
    struct iovec iov[IOV_N];
    struct write_view view;
    size_t at = 0;
    write_queue_check(&f->q);
    write_queue_peek(&f->q, iov, IOV_N, &view);
    for (int i = 0; i < view.iov_n; i++) {
        assert_true(iov[i].iov_len <= n - at);
        assert_memory_equal(iov[i].iov_base, f->bytes + at, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    assert_int_equal(at, n);
    assert_false(view.more);
}

static void the_switch_itself_works(void **state)
{
    (void)state;
    fail_alloc_after(1);
    void *volatile first = malloc(1);
    void *volatile second = malloc(1);
    void *volatile third = malloc(1);
    assert_true(fail_alloc_off());
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    free(first);
    free(second);
    free(third);

    fail_alloc_from(0);
    first = calloc(1, 1);
    second = realloc(NULL, 1);
    assert_true(fail_alloc_off());
    assert_null(first);
    assert_null(second);
    free(first);
    free(second);

    fail_alloc_after(5);
    assert_false(fail_alloc_off());
}

static void a_failed_append_changes_nothing(void **state)
{
    struct bytes b;
    (void)state;
    bytes_init(&b, 1u << 20);
    fail_alloc_from(0);
    assert_int_equal(bytes_append(&b, "x", 1), FLOW_NO_MEMORY);
    assert_null(b.data);
    fail_alloc_off();
    assert_int_equal(bytes_append(&b, "kept", 4), FLOW_DONE);
    size_t cap = b.cap;
    while (b.len < cap)
        assert_int_equal(bytes_append(&b, "x", 1), FLOW_DONE);
    char *data = b.data;
    char *room;
    fail_alloc_from(0);
    assert_int_equal(bytes_append(&b, "y", 1), FLOW_NO_MEMORY);
    assert_int_equal(bytes_reserve(&b, 1, &room), FLOW_NO_MEMORY);
    assert_int_equal(bytes_printf(&b, "%d", 12), FLOW_NO_MEMORY);
    fail_alloc_off();
    assert_ptr_equal(b.data, data);
    assert_int_equal(b.len, cap);
    assert_int_equal(b.cap, cap);
    assert_memory_equal(b.data, "keptxxxx", 8);
    assert_int_equal(bytes_append(&b, "y", 1), FLOW_DONE);
    bytes_fini(&b);
}

static void a_failed_escape_leaves_nothing_behind(void **state)
{
    char text[3000];
    size_t n = 0;
    bool hit = true;
    (void)state;
    memset(text, '<', sizeof text);
    for (; hit && n < TRIES_MAX; n++) {
        struct bytes b;
        bytes_init(&b, 1u << 20);
        assert_int_equal(bytes_append(&b, "kept", 4), FLOW_DONE);
        fail_alloc_after(n);
        enum flow r = escape_html(&b, (struct str){text, sizeof text});
        hit = fail_alloc_off();
        assert_int_equal(r, hit ? FLOW_NO_MEMORY : FLOW_DONE);
        assert_int_equal(b.len, 4 + (hit ? 0 : 4 * sizeof text));
        bytes_fini(&b);
    }
    assert_true(n > 1 && n < TRIES_MAX);
}

static void a_failed_push_changes_nothing_and_may_be_tried_again(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    bool hit = true;
    for (; hit && n < TRIES_MAX; n++) {
        assert_int_equal(write_queue_push(&f->q, f->bytes, 100), FLOW_DONE);
        uint64_t blocks = test_pool_in_use(&f->pool);
        fail_alloc_after(n);
        enum flow r =
            write_queue_push(&f->q, f->bytes + 100, sizeof f->bytes - 100);
        hit = fail_alloc_off();
        assert_int_equal(r, hit ? FLOW_NO_MEMORY : FLOW_DONE);
        if (hit) {
            holds(f, 100);
            assert_int_equal(test_pool_in_use(&f->pool), blocks);
            r = write_queue_push(&f->q, f->bytes + 100, sizeof f->bytes - 100);
            assert_int_equal(r, FLOW_DONE);
        }
        holds(f, sizeof f->bytes);
        write_queue_skip(&f->q, sizeof f->bytes);
        assert_true(write_queue_empty(&f->q));
    }
    assert_true(n > 2 && n < TRIES_MAX);
}

static void a_failed_push_all_takes_no_piece(void **state)
{
    struct fixture *f = *state;
    struct str pieces[3] = {
        {f->bytes, 5}, {f->bytes + 5, 70000}, {f->bytes + 70005, 70000}};
    size_t n = 0;
    bool hit = true;
    for (; hit && n < TRIES_MAX; n++) {
        fail_alloc_after(n);
        enum flow r = write_queue_push_all(&f->q, pieces, 3);
        hit = fail_alloc_off();
        assert_int_equal(r, hit ? FLOW_NO_MEMORY : FLOW_DONE);
        holds(f, hit ? 0 : 140005);
        assert_true(test_pool_in_use(&f->pool) == 0 || !hit);
    }
    assert_true(n > 2 && n < TRIES_MAX);
}

static void a_refused_file_range_is_released_at_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(write_queue_push(&f->q, f->bytes, 100), FLOW_DONE);
    fail_alloc_from(0);
    assert_int_equal(push_file(f), FLOW_NO_MEMORY);
    assert_true(fail_alloc_off());
    assert_int_equal(f->released, 1);
    assert_int_equal(f->q.file_len, 0);
    holds(f, 100);
    assert_int_equal(push_file(f), FLOW_DONE);
    assert_int_equal(f->released, 1);
    write_queue_skip(&f->q, 110);
    assert_int_equal(f->released, 2);
}

static void a_refused_block_is_let_go_at_once(void **state)
{
    struct fixture *f = *state;
    struct block *b =
        block_pool_get(&f->pool, BLOCK_4K, BUDGET_LEAVING, "test");
    assert_non_null(b);
    memcpy(b->data, f->bytes + 100, 50);
    b->len = 50;
    assert_int_equal(write_queue_push(&f->q, f->bytes, 100), FLOW_DONE);
    fail_alloc_from(0);
    assert_int_equal(write_queue_push_block(&f->q, block_ref(b), 0, 50),
                     FLOW_NO_MEMORY);
    assert_true(fail_alloc_off());
    assert_false(block_shared(b));
    holds(f, 100);
    assert_int_equal(write_queue_push_block(&f->q, b, 0, 50), FLOW_DONE);
    holds(f, 150);
    write_queue_skip(&f->q, 150);
    assert_int_equal(test_pool_in_use(&f->pool), 0);
}

static void a_block_that_the_system_refuses_costs_nothing(void **state)
{
    struct budget budget;
    struct block_pool_config config = {.name = "small", .budget = &budget};
    struct block_pool p;
    (void)state;
    budget_init(&budget, 64u << 20);
    block_pool_init(&p, &config);
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++) {
        fail_alloc_from(0);
        assert_null(block_pool_get(&p, c, BUDGET_LEAVING, "test"));
        assert_true(fail_alloc_off());
        assert_int_equal(p.class[c].refused, 1);
        assert_int_equal(p.class[c].created, 0);
        assert_int_equal(budget.used, 0);
        block_pool_check(&p);
        struct block *b = block_pool_get(&p, c, BUDGET_LEAVING, "test");
        assert_non_null(b);
        block_unref(b);
    }
    block_pool_fini(&p);
    assert_int_equal(budget.used, 0);
}

/* Bytes carry their number in the order of pushing, so what leaves can be
 * told to be right whatever was refused meanwhile. */
static void push_some(struct fixture *f, unsigned *seed, uint32_t *next)
{
    unsigned char bytes[9000];
    size_t n = (size_t)rand_r(seed) % sizeof bytes;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)((*next + i) % 251);
    if (write_queue_push(&f->q, bytes, n) == FLOW_DONE)
        *next += (uint32_t)n;
}

static void send_some(struct fixture *f, unsigned *seed, uint32_t *sent)
{
    struct iovec iov[1];
    struct write_view view;
    write_queue_peek(&f->q, iov, 1, &view);
    if (view.file)
        write_queue_skip(&f->q, view.file->len);
    if (view.iov_n == 0)
        return;
    size_t n = (size_t)rand_r(seed) % (iov[0].iov_len + 1);
    const unsigned char *at = iov[0].iov_base;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(at[i], (*sent + i) % 251);
    *sent += (uint32_t)n;
    write_queue_skip(&f->q, n);
}

static void order_holds_while_memory_comes_and_goes(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 20240615;
    uint32_t next = 0;
    uint32_t sent = 0;
    int asked = 0;
    for (int i = 0; i < 20000; i++) {
        int act = rand_r(&seed) % 5;
        fail_alloc_after((size_t)rand_r(&seed) % 3);
        if (act < 2)
            push_some(f, &seed, &next);
        else if (act == 2) {
            push_file(f);
            asked++;
        } else
            send_some(f, &seed, &sent);
        fail_alloc_off();
        write_queue_check(&f->q);
    }
    assert_true(sent > 0 && next - sent == f->q.len);
    write_queue_fini(&f->q);
    assert_int_equal(f->released, asked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_switch_itself_works),
        TEST(a_failed_append_changes_nothing),
        TEST(a_failed_escape_leaves_nothing_behind),
        TEST(a_failed_push_changes_nothing_and_may_be_tried_again),
        TEST(a_failed_push_all_takes_no_piece),
        TEST(a_refused_file_range_is_released_at_once),
        TEST(a_refused_block_is_let_go_at_once),
        TEST(a_block_that_the_system_refuses_costs_nothing),
        TEST(order_holds_while_memory_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
