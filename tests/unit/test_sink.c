#include "httpd/conn/sink.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "httpd/limits.h"
#include "tests/support/pool.h"

/* A sink that takes so many bytes a call and remembers what it was told. */
struct fake_sink {
    struct sink sink;
    size_t takes;
    unsigned calls;
    unsigned pushes;
    bool more;
    char got[256];
    size_t got_len;
    uint64_t file_bytes;
    enum flow file_result;
};

static enum flow fake_send(struct sink *s, const struct iovec *iov, int iov_n,
                           bool more, size_t *ret_sent)
{
    struct fake_sink *f = (struct fake_sink *)s;
    size_t left = f->takes;
    f->calls++;
    f->more = more;
    *ret_sent = 0;
    for (int i = 0; i < iov_n; i++) {
        size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;
        memcpy(f->got + f->got_len, iov[i].iov_base, n);
        f->got_len += n;
        left -= n;
        *ret_sent += n;
        if (n < iov[i].iov_len)
            return FLOW_AGAIN;
    }
    return FLOW_DONE;
}

static enum flow fake_send_file(struct sink *s, const struct file_range *range,
                                uint64_t bytes_max, uint64_t *ret_sent)
{
    struct fake_sink *f = (struct fake_sink *)s;
    f->calls++;
    *ret_sent = 0;
    if (f->file_result != FLOW_DONE)
        return f->file_result;
    *ret_sent = range->len < bytes_max ? range->len : bytes_max;
    f->file_bytes += *ret_sent;
    return FLOW_DONE;
}

static void fake_push(struct sink *s)
{
    ((struct fake_sink *)s)->pushes++;
}

static const struct sink_ops fake_ops = {fake_send, fake_send_file, fake_push};

struct fixture {
    struct block_pool pool;
    struct write_queue queue;
    struct fake_sink sink;
    unsigned released;
};

static void on_release(void *owner)
{
    ++*(unsigned *)owner;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    test_pool_init(&f->pool, 16);
    write_queue_init(&f->queue, &f->pool, 64u << 10, 16u << 10);
    f->sink.sink.ops = &fake_ops;
    f->sink.takes = SIZE_MAX;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    write_queue_fini(&f->queue);
    test_pool_fini(&f->pool);
    free(f);
    return 0;
}

static void push_file(struct fixture *f, uint64_t len)
{
    struct file_range range = {
        .fd = 0, .len = len, .release = on_release, .owner = &f->released};
    assert_int_equal(write_queue_push_file(&f->queue, &range), FLOW_DONE);
}

static void pieces_leave_in_one_call(void **state)
{
    struct fixture *f = *state;
    uint64_t sent;
    write_queue_push(&f->queue, "one ", 4);
    write_queue_push(&f->queue, "two", 3);
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_DONE);
    assert_int_equal(f->sink.calls, 1);
    assert_int_equal(sent, 7);
    assert_memory_equal(f->sink.got, "one two", 7);
    assert_true(write_queue_empty(&f->queue));
}

static void what_the_peer_did_not_take_stays(void **state)
{
    struct fixture *f = *state;
    uint64_t sent;
    write_queue_push(&f->queue, "abcdef", 6);
    f->sink.takes = 4;
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_AGAIN);
    assert_int_equal(sent, 4);
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_DONE);
    assert_memory_equal(f->sink.got, "abcdef", 6);
    write_queue_check(&f->queue);
}

static void head_waits_for_the_file_behind_it(void **state)
{
    struct fixture *f = *state;
    uint64_t sent;
    write_queue_push(&f->queue, "head", 4);
    push_file(f, 100);
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_DONE);
    assert_true(f->sink.more);
    assert_int_equal(sent, 104);
    assert_int_equal(f->released, 1);
}

static void large_file_leaves_others_a_turn(void **state)
{
    struct fixture *f = *state;
    uint64_t sent;
    push_file(f, (uint64_t)TURN_FILE_BYTES * 3);
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_FULL);
    assert_int_equal(sent, TURN_FILE_BYTES);
    assert_int_equal(f->released, 0);
}

static void file_that_shrank_is_the_end(void **state)
{
    struct fixture *f = *state;
    uint64_t sent;
    push_file(f, 100);
    f->sink.file_result = FLOW_END;
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_END);
    assert_false(write_queue_empty(&f->queue));
}

static void plain_socket_pushes_back_when_it_is_full(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    struct sink sink = {.ops = &sink_plain_ops, .fd = pair[0]};
    enum flow r = FLOW_DONE;
    uint64_t sent = 0;
    for (int i = 0; i < 100 && r == FLOW_DONE; i++) {
        static const char block[60000];
        assert_int_equal(write_queue_push(&f->queue, block, sizeof block),
                         FLOW_DONE);
        r = sink_flush(&sink, &f->queue, &sent);
    }
    assert_int_equal(r, FLOW_AGAIN);
    close(pair[1]);
    assert_int_equal(sink_flush(&sink, &f->queue, &sent), FLOW_FAILED);
    close(pair[0]);
}

static void plain_socket_sends_a_file_and_sees_its_end(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    uint64_t sent;
    char got[16];
    FILE *file = tmpfile();
    fputs("0123456789", file);
    fflush(file);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    struct sink sink = {.ops = &sink_plain_ops, .fd = pair[0]};
    struct file_range range = {.fd = fileno(file),
                               .pos = 4,
                               .len = 100,
                               .release = on_release,
                               .owner = &f->released};
    write_queue_push_file(&f->queue, &range);
    assert_int_equal(sink_flush(&sink, &f->queue, &sent), FLOW_END);
    assert_int_equal(sent, 6);
    assert_int_equal(read(pair[1], got, sizeof got), 6);
    assert_memory_equal(got, "456789", 6);
    close(pair[0]);
    close(pair[1]);
    fclose(file);
}

static uint64_t first_part_warm(struct sink *s, const struct file_range *range,
                                uint64_t bytes_max)
{
    (void)s;
    (void)bytes_max;
    return range->pos < 40 ? 40 - range->pos : 0;
}

static void only_what_is_warm_of_a_file_leaves(void **state)
{
    struct fixture *f = *state;
    uint64_t sent;
    struct file_range range = {
        .len = 100, .release = on_release, .owner = &f->released};
    f->sink.sink.warm = first_part_warm;
    write_queue_push(&f->queue, "head", 4);
    write_queue_push_file(&f->queue, &range);
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_FULL);
    assert_int_equal(sent, 44);
    assert_int_equal(f->sink.file_bytes, 40);
    assert_int_equal(f->sink.pushes, 1); /* the head does not wait for it */
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_FULL);
    assert_int_equal(sent, 0);
    assert_int_equal(f->sink.file_bytes, 40);
    assert_int_equal(f->released, 0);
    f->sink.sink.warm = NULL;
    assert_int_equal(sink_flush(&f->sink.sink, &f->queue, &sent), FLOW_DONE);
    assert_int_equal(f->sink.file_bytes, 100);
    assert_int_equal(f->released, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pieces_leave_in_one_call),
        TEST(what_the_peer_did_not_take_stays),
        TEST(head_waits_for_the_file_behind_it),
        TEST(large_file_leaves_others_a_turn),
        TEST(file_that_shrank_is_the_end),
        TEST(only_what_is_warm_of_a_file_leaves),
        TEST(plain_socket_pushes_back_when_it_is_full),
        TEST(plain_socket_sends_a_file_and_sees_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
