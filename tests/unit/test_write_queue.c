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
/* Room of an empty queue: a push would take a block, which counts. */
#define ROOM_BYTES (HIGH_BYTES - WRITE_QUEUE_BLOCK_BYTES)

struct fixture {
    struct block_pool pool;
    struct write_queue q;
    int released[3]; /* it outlives the queue, which may release at its end */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_pool_init(&f->pool, KEEP);
    write_queue_init(&f->q, &f->pool, HIGH_BYTES, LOW_BYTES);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    write_queue_fini(&f->q);
    test_pool_fini(&f->pool);
    free(f);
    return 0;
}

static void count_release(void *owner)
{
    ++*(int *)owner;
}

static enum flow push_file(struct fixture *f, int i, uint64_t pos, uint64_t len)
{
    struct file_range range = {.fd = 7,
                               .pos = pos,
                               .len = len,
                               .release = count_release,
                               .owner = &f->released[i]};
    enum flow r = write_queue_push_file(&f->q, &range);
    write_queue_check(&f->q);
    return r;
}

static enum flow push(struct write_queue *q, const char *text)
{
    enum flow r = write_queue_push(q, text, strlen(text));
    write_queue_check(q);
    return r;
}

/* n bytes, all the same. */
static enum flow push_n(struct write_queue *q, size_t n)
{
    static char bytes[2 * HARD_BYTES];
    assert_true(n <= sizeof bytes);
    enum flow r = write_queue_push(q, bytes, n);
    write_queue_check(q);
    return r;
}

static void drop(struct write_queue *q, uint64_t n)
{
    write_queue_skip(q, n);
    write_queue_check(q);
}

/* The bytes at the head, as one text. */
static const char *head_text(const struct write_queue *q)
{
    static char text[256];
    struct iovec iov[IOV_N];
    struct write_view view;
    size_t n = 0;
    write_queue_peek(q, iov, IOV_N, &view);
    for (int i = 0; i < view.iov_n; i++) {
        assert_true(iov[i].iov_len < sizeof text - n);
        memcpy(text + n, iov[i].iov_base, iov[i].iov_len);
        n += iov[i].iov_len;
    }
    text[n] = '\0';
    return text;
}

/* A block of the pool that says what text says. */
static struct block *block_of(struct fixture *f, const char *text)
{
    struct block *b =
        block_pool_get(&f->pool, BLOCK_64K, BUDGET_LEAVING, "test");
    assert_non_null(b);
    b->len = (uint32_t)strlen(text);
    memcpy(b->data, text, b->len);
    return b;
}

static enum flow push_block(struct fixture *f, struct block *b, size_t at,
                            size_t len)
{
    enum flow r = write_queue_push_block(&f->q, b, at, len);
    write_queue_check(&f->q);
    return r;
}

static void a_new_queue_is_empty_and_owns_nothing(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[1];
    struct write_view view;
    assert_true(write_queue_empty(&f->q));
    assert_int_equal(write_queue_room(&f->q), ROOM_BYTES);
    assert_true(write_queue_low(&f->q));
    write_queue_peek(&f->q, iov, 1, &view);
    assert_int_equal(view.iov_n, 0);
    assert_null(view.file);
    assert_false(view.more);
    assert_int_equal(f->pool.class[BLOCK_4K].created, 0);
    assert_int_equal(f->pool.class[BLOCK_64K].created, 0);
    write_queue_check(&f->q);
}

static void bytes_leave_in_the_order_they_came(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push(&f->q, "one "), FLOW_DONE);
    assert_int_equal(push(&f->q, "two "), FLOW_DONE);
    struct str pieces[] = {STR("thr"), STR(""), STR("ee")};
    assert_int_equal(write_queue_push_all(&f->q, pieces, 3), FLOW_DONE);
    assert_string_equal(head_text(&f->q), "one two three");
    drop(&f->q, 6);
    assert_string_equal(head_text(&f->q), "o three");
    drop(&f->q, 7);
    assert_true(write_queue_empty(&f->q));
}

static void a_push_is_a_copy(void **state)
{
    struct fixture *f = *state;
    char text[] = "mine";
    assert_int_equal(push(&f->q, text), FLOW_DONE);
    text[0] = 'X';
    assert_string_equal(head_text(&f->q), "mine");
}

static void a_push_of_nothing_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(write_queue_push(&f->q, NULL, 0), FLOW_DONE);
    assert_int_equal(write_queue_push_all(&f->q, NULL, 0), FLOW_DONE);
    write_queue_check(&f->q);
    assert_true(write_queue_empty(&f->q));
    drop(&f->q, 0);
}

static void small_pieces_stand_in_one_block(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[IOV_N];
    struct write_view view;
    struct str pieces[] = {STR("HTTP/1.1 200 OK\r\n"), STR("\r\n"), STR("hi")};
    assert_int_equal(write_queue_push_all(&f->q, pieces, 3), FLOW_DONE);
    write_queue_peek(&f->q, iov, IOV_N, &view);
    assert_int_equal(view.iov_n, 1);
    assert_int_equal(iov[0].iov_len, 21);
    assert_false(view.more);
    assert_int_equal(f->pool.class[BLOCK_4K].in_use, 1);
    assert_int_equal(f->pool.class[BLOCK_64K].in_use, 0);
}

static void a_file_range_is_shown_alone(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[IOV_N];
    struct write_view view;
    assert_int_equal(push(&f->q, "head"), FLOW_DONE);
    assert_int_equal(push_file(f, 0, 4096, 100), FLOW_DONE);
    assert_int_equal(push(&f->q, "tail"), FLOW_DONE);

    write_queue_peek(&f->q, iov, IOV_N, &view);
    assert_int_equal(view.iov_n, 1);
    assert_null(view.file);
    assert_true(view.more);
    drop(&f->q, 4);

    write_queue_peek(&f->q, iov, IOV_N, &view);
    assert_int_equal(view.iov_n, 0);
    assert_non_null(view.file);
    assert_int_equal(view.file->fd, 7);
    assert_int_equal(view.file->pos, 4096);
    assert_int_equal(view.file->len, 100);
    assert_true(view.more);
    drop(&f->q, 100);
    assert_string_equal(head_text(&f->q), "tail");
}

static void a_file_range_leaves_in_parts(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[1];
    struct write_view view;
    uint64_t len = UINT64_C(1) << 40;
    assert_int_equal(push_file(f, 0, 5, len), FLOW_DONE);
    assert_true(f->q.file_len == len);
    drop(&f->q, len - 1);
    write_queue_peek(&f->q, iov, 1, &view);
    assert_true(view.file->pos == 5 + len - 1);
    assert_int_equal(view.file->len, 1);
    assert_false(view.more);
    assert_int_equal(f->released[0], 0);
    drop(&f->q, 1);
    assert_int_equal(f->released[0], 1);
    assert_true(write_queue_empty(&f->q));
}

static void one_skip_may_pass_several_segments(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push(&f->q, "abc"), FLOW_DONE);
    assert_int_equal(push_file(f, 0, 0, 10), FLOW_DONE);
    assert_int_equal(push_file(f, 0, 50, 10), FLOW_DONE);
    assert_int_equal(push(&f->q, "def"), FLOW_DONE);
    drop(&f->q, 3 + 20 + 1);
    assert_int_equal(f->released[0], 2);
    assert_string_equal(head_text(&f->q), "ef");
}

static void more_is_set_when_the_array_is_too_short(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[IOV_N];
    struct write_view view;
    assert_int_equal(push_n(&f->q, HARD_BYTES), FLOW_DONE);
    write_queue_peek(&f->q, iov, IOV_N, &view);
    assert_true(view.iov_n >= 2);
    assert_false(view.more);
    int whole_n = view.iov_n;
    write_queue_peek(&f->q, iov, whole_n - 1, &view);
    assert_int_equal(view.iov_n, whole_n - 1);
    assert_true(view.more);
    assert_ptr_equal(view.iov, iov);
}

static void file_ranges_do_not_count_against_the_marks(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_file(f, 0, 0, UINT64_C(1) << 40), FLOW_DONE);
    assert_int_equal(write_queue_room(&f->q), ROOM_BYTES);
    assert_true(write_queue_low(&f->q));
    assert_false(write_queue_empty(&f->q));
}

static void room_ends_at_the_high_mark(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_n(&f->q, ROOM_BYTES - 10), FLOW_DONE);
    assert_int_equal(write_queue_room(&f->q), 10);
    assert_int_equal(push_n(&f->q, 10), FLOW_DONE);
    assert_int_equal(write_queue_room(&f->q), 0);
    assert_int_equal(push_n(&f->q, 10), FLOW_DONE);
    assert_int_equal(write_queue_room(&f->q), 0);
}

static void the_sent_part_of_the_first_block_takes_room(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_n(&f->q, ROOM_BYTES - 10), FLOW_DONE);
    drop(&f->q, ROOM_BYTES - 11);
    assert_int_equal(write_queue_room(&f->q), 10);
    drop(&f->q, 1);
    assert_int_equal(write_queue_room(&f->q), ROOM_BYTES);
}

/* The first block is a small one here, and back before the low mark. */
static void a_stopped_source_waits_for_the_low_mark(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_n(&f->q, 1), FLOW_DONE);
    assert_int_equal(push_n(&f->q, HIGH_BYTES - 1), FLOW_DONE);
    assert_false(write_queue_low(&f->q));
    drop(&f->q, HIGH_BYTES - LOW_BYTES - 1);
    assert_true(write_queue_room(&f->q) > 0);
    assert_false(write_queue_low(&f->q));
    drop(&f->q, 2);
    assert_true(write_queue_low(&f->q));
}

static void a_low_queue_always_has_room(void **state)
{
    struct fixture *f = *state;
    for (size_t n = 1; n < HARD_BYTES; n += 997) {
        assert_int_equal(push_n(&f->q, n), FLOW_DONE);
        while (!write_queue_low(&f->q)) {
            assert_false(write_queue_empty(&f->q));
            drop(&f->q, f->q.len < 100 ? f->q.len : 100);
        }
        assert_true(write_queue_room(&f->q) > 0);
        drop(&f->q, f->q.len);
        assert_int_equal(write_queue_room(&f->q), ROOM_BYTES);
    }
}

static void a_push_beyond_the_hard_limit_is_refused_whole(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_n(&f->q, HARD_BYTES + 1), FLOW_FULL);
    assert_true(write_queue_empty(&f->q));
    assert_int_equal(push_n(&f->q, HARD_BYTES - 3), FLOW_DONE);
    assert_int_equal(push_n(&f->q, 4), FLOW_FULL);
    struct str pieces[] = {STR("ab"), STR("cd")};
    assert_int_equal(write_queue_push_all(&f->q, pieces, 2), FLOW_FULL);
    write_queue_check(&f->q);
    assert_int_equal(f->q.len, HARD_BYTES - 3);
    assert_int_equal(push_n(&f->q, 3), FLOW_DONE);
    assert_int_equal(push_n(&f->q, 1), FLOW_FULL);
    drop(&f->q, 1);
    assert_int_equal(push_n(&f->q, 1), FLOW_DONE);
}

static void a_file_range_fits_when_bytes_do_not(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_n(&f->q, HARD_BYTES), FLOW_DONE);
    assert_int_equal(push_file(f, 0, 0, 1), FLOW_DONE);
}

static void fini_releases_each_file_range_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(push_file(f, i, 0, 10), FLOW_DONE);
    drop(&f->q, 15);
    write_queue_fini(&f->q);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f->released[i], 1);
    assert_true(write_queue_empty(&f->q));
    write_queue_check(&f->q);
    write_queue_fini(&f->q);
    assert_int_equal(f->released[0] + f->released[1] + f->released[2], 3);
}

static void spent_blocks_go_back_to_the_pool(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(push_n(&f->q, HARD_BYTES), FLOW_DONE);
        drop(&f->q, HARD_BYTES);
        assert_int_equal(f->pool.class[BLOCK_4K].in_use, 0);
        assert_int_equal(f->pool.class[BLOCK_64K].in_use, 0);
    }
    assert_true(f->pool.class[BLOCK_64K].created <= 3);
}

/* A queue that never runs empty must not hold what was sent for ever. */
static void a_queue_that_never_empties_stays_small(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_n(&f->q, 1000), FLOW_DONE);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(push_n(&f->q, 1000), FLOW_DONE);
        drop(&f->q, 1000);
    }
    assert_true(f->pool.class[BLOCK_64K].peak <= 2);
}

static void a_shared_block_is_shown_and_not_copied(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[IOV_N];
    struct write_view view;
    struct block *b = block_of(f, "0123456789");
    assert_int_equal(push(&f->q, "head "), FLOW_DONE);
    assert_int_equal(push_block(f, block_ref(b), 2, 3), FLOW_DONE);
    assert_int_equal(push(&f->q, " tail"), FLOW_DONE);
    assert_string_equal(head_text(&f->q), "head 234 tail");
    write_queue_peek(&f->q, iov, IOV_N, &view);
    assert_int_equal(view.iov_n, 3);
    assert_ptr_equal(iov[1].iov_base, b->data + 2);
    drop(&f->q, 6);
    assert_string_equal(head_text(&f->q), "34 tail");
    block_unref(b);
    drop(&f->q, 7);
    assert_int_equal(f->pool.class[BLOCK_64K].in_use, 0);
}

static void a_block_goes_back_when_its_last_view_has_left(void **state)
{
    struct fixture *f = *state;
    struct block *b = block_of(f, "abcdef");
    assert_int_equal(push_block(f, block_ref(b), 0, 3), FLOW_DONE);
    assert_int_equal(push_block(f, b, 3, 3), FLOW_DONE);
    drop(&f->q, 3);
    assert_int_equal(f->pool.class[BLOCK_64K].in_use, 1);
    assert_false(block_shared(b));
    drop(&f->q, 3);
    assert_int_equal(f->pool.class[BLOCK_64K].in_use, 0);
}

static void a_shared_view_counts_its_bytes(void **state)
{
    struct fixture *f = *state;
    struct block *b = block_of(f, "");
    size_t room = HIGH_BYTES - 2 * WRITE_QUEUE_BLOCK_BYTES;
    b->len = HIGH_BYTES;
    assert_int_equal(push_block(f, block_ref(b), 0, 1000), FLOW_DONE);
    assert_int_equal(f->q.len, 1000);
    assert_int_equal(write_queue_room(&f->q), room - 1000);
    drop(&f->q, 600);
    assert_int_equal(write_queue_room(&f->q), room - 400);
    assert_int_equal(push_block(f, b, 0, HIGH_BYTES - 400), FLOW_DONE);
    assert_int_equal(write_queue_room(&f->q), 0);
    assert_false(write_queue_low(&f->q));
}

static void a_refused_block_is_let_go(void **state)
{
    struct fixture *f = *state;
    struct block *b = block_of(f, "abc");
    assert_int_equal(push_n(&f->q, HARD_BYTES - 2), FLOW_DONE);
    assert_int_equal(push_block(f, block_ref(b), 0, 3), FLOW_FULL);
    assert_false(block_shared(b));
    assert_int_equal(push_block(f, block_ref(b), 1, 2), FLOW_DONE);
    assert_true(block_shared(b));
    block_unref(b);
}

static void a_view_of_any_size_is_taken_when_it_is_alone(void **state)
{
    struct fixture *f = *state;
    struct block *b =
        block_pool_get(&f->pool, BLOCK_1M, BUDGET_LEAVING, "test");
    assert_non_null(b);
    b->len = b->cap;
    assert_int_equal(push(&f->q, "x"), FLOW_DONE);
    assert_int_equal(push_block(f, block_ref(b), 0, b->len), FLOW_FULL);
    drop(&f->q, 1);
    assert_int_equal(push_file(f, 0, 0, 10), FLOW_DONE);
    assert_int_equal(push_block(f, block_ref(b), 0, b->len), FLOW_DONE);
    assert_int_equal(write_queue_room(&f->q), 0);
    assert_int_equal(push(&f->q, "x"), FLOW_FULL);
    assert_int_equal(push_block(f, block_ref(b), 0, 1), FLOW_FULL);
    drop(&f->q, 10 + b->len - HARD_BYTES + 1);
    assert_int_equal(push(&f->q, "x"), FLOW_DONE);
    block_unref(b);
}

static void copied_bytes_do_not_go_into_a_shared_block(void **state)
{
    struct fixture *f = *state;
    struct block *b = block_of(f, "mine");
    assert_int_equal(push_block(f, block_ref(b), 0, 4), FLOW_DONE);
    assert_int_equal(push(&f->q, "yours"), FLOW_DONE);
    assert_int_equal(b->len, 4);
    assert_memory_equal(b->data, "mine", 4);
    assert_string_equal(head_text(&f->q), "mineyours");
    assert_int_equal(f->pool.class[BLOCK_4K].in_use, 1);
    block_unref(b);
}

static void fini_lets_go_of_shared_blocks(void **state)
{
    struct fixture *f = *state;
    struct block *b = block_of(f, "abc");
    assert_int_equal(push_block(f, block_ref(b), 0, 3), FLOW_DONE);
    assert_int_equal(push_block(f, block_ref(b), 0, 3), FLOW_DONE);
    write_queue_fini(&f->q);
    assert_false(block_shared(b));
    block_unref(b);
}

/* What a stuck connection costs: the queue's part of 73,728 bytes. */
static void a_full_queue_of_64k_fits_two_blocks(void **state)
{
    struct fixture *f = *state;
    static char bytes[64u << 10];
    struct write_queue q;
    struct block_pool_stats s;
    uint64_t cost = 0;
    write_queue_init(&q, &f->pool, 64u << 10, 16u << 10);
    assert_int_equal(push(&q, "HTTP/1.1 200 OK\r\n\r\n"), FLOW_DONE);
    while (write_queue_room(&q) > 0) {
        size_t n = write_queue_room(&q);
        n = n < 16384 ? n : 16384;
        assert_int_equal(write_queue_push(&q, bytes, n), FLOW_DONE);
    }
    block_pool_stats(&f->pool, false, &s);
    for (int c = 0; c < BLOCK_CLASSES; c++)
        cost += s.class[c].bytes;
    assert_true(cost <= (64u << 10) + (4u << 10));
    write_queue_fini(&q);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_queue_is_empty_and_owns_nothing),
        TEST(bytes_leave_in_the_order_they_came),
        TEST(a_push_is_a_copy),
        TEST(a_push_of_nothing_changes_nothing),
        TEST(small_pieces_stand_in_one_block),
        TEST(a_file_range_is_shown_alone),
        TEST(a_file_range_leaves_in_parts),
        TEST(one_skip_may_pass_several_segments),
        TEST(more_is_set_when_the_array_is_too_short),
        TEST(file_ranges_do_not_count_against_the_marks),
        TEST(room_ends_at_the_high_mark),
        TEST(the_sent_part_of_the_first_block_takes_room),
        TEST(a_stopped_source_waits_for_the_low_mark),
        TEST(a_low_queue_always_has_room),
        TEST(a_push_beyond_the_hard_limit_is_refused_whole),
        TEST(a_file_range_fits_when_bytes_do_not),
        TEST(fini_releases_each_file_range_once),
        TEST(spent_blocks_go_back_to_the_pool),
        TEST(a_queue_that_never_empties_stays_small),
        TEST(a_shared_block_is_shown_and_not_copied),
        TEST(a_block_goes_back_when_its_last_view_has_left),
        TEST(a_shared_view_counts_its_bytes),
        TEST(a_refused_block_is_let_go),
        TEST(a_view_of_any_size_is_taken_when_it_is_alone),
        TEST(copied_bytes_do_not_go_into_a_shared_block),
        TEST(fini_lets_go_of_shared_blocks),
        TEST(a_full_queue_of_64k_fits_two_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
