#include "httpd/http/exchange.h"
#include "httpd/sources/chunk_writer.h"
#include "httpd/sources/lab_chunks.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HIGH_BYTES 4096u

/* An exchange with a queue and nothing behind it. */
struct fixture {
    struct block_pool pool;
    struct write_queue queue;
    struct exchange x;
};

static void begin(struct fixture *f, enum framing framing)
{
    memset(f, 0, sizeof(*f));
    test_pool_init(&f->pool, 0);
    write_queue_init(&f->queue, &f->pool, HIGH_BYTES, 0);
    f->x.out = &f->queue;
    f->x.head_sent = true;
    f->x.framing = (uint8_t)framing;
}

static void end(struct fixture *f)
{
    write_queue_fini(&f->queue);
    test_pool_fini(&f->pool);
}

/* What is on the wire so far. */
static size_t wire(const struct fixture *f, char *out, size_t cap)
{
    struct iovec iov[32];
    struct write_view view;
    size_t n = 0;

    write_queue_peek(&f->queue, iov, 32, &view);
    for (int i = 0; i < view.iov_n; i++) {
        assert_true(n + iov[i].iov_len <= cap);
        memcpy(out + n, iov[i].iov_base, iov[i].iov_len);
        n += iov[i].iov_len;
    }
    return n;
}

static void pieces_of_a_chunk_are_one_chunk_on_the_wire(void **state)
{
    struct fixture f;
    struct chunk_writer w = {0};
    char out[64];

    (void)state;
    begin(&f, FRAMING_CHUNKED);
    assert_int_equal(chunk_writer_begin(&w, &f.x, 10), FLOW_DONE);
    assert_int_equal(chunk_writer_push(&w, &f.x, STR("0123")), FLOW_DONE);
    assert_int_equal(chunk_writer_push(&w, &f.x, STR("456789")), FLOW_DONE);
    const size_t n = wire(&f, out, sizeof(out));
    assert_int_equal(n, 15);
    assert_memory_equal(out, "a\r\n0123456789\r\n", 15);
    end(&f);
}

static void next_chunk_begins_with_its_own_size(void **state)
{
    struct fixture f;
    struct chunk_writer w = {0};
    char out[64];

    (void)state;
    begin(&f, FRAMING_CHUNKED);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(chunk_writer_begin(&w, &f.x, 1), FLOW_DONE);
        assert_int_equal(chunk_writer_push(&w, &f.x, STR("x")), FLOW_DONE);
    }
    const size_t n = wire(&f, out, sizeof(out));
    assert_int_equal(n, 12);
    assert_memory_equal(out, "1\r\nx\r\n1\r\nx\r\n", 12);
    end(&f);
}

static void without_chunked_framing_only_the_bytes_go_out(void **state)
{
    struct fixture f;
    struct chunk_writer w = {0};
    char out[64];

    (void)state;
    begin(&f, FRAMING_UNTIL_CLOSE);
    assert_int_equal(chunk_writer_begin(&w, &f.x, 2), FLOW_DONE);
    assert_int_equal(chunk_writer_push(&w, &f.x, STR("ab")), FLOW_DONE);
    assert_int_equal(wire(&f, out, sizeof(out)), 2);
    end(&f);
}

static bool read_sizes(struct str list, uint32_t *sizes, size_t *ret_n)
{
    char complaint[LAB_COMPLAINT_BYTES];

    return lab_chunk_sizes_read(list, sizes, ret_n, complaint);
}

static void sizes_are_read_in_their_order(void **state)
{
    uint32_t sizes[LAB_CHUNK_SIZES_MAX];
    size_t n = 0;

    (void)state;
    assert_true(read_sizes(STR("1,4k,100"), sizes, &n));
    assert_int_equal(n, 3);
    assert_int_equal(sizes[0], 1);
    assert_int_equal(sizes[1], 4096);
    assert_int_equal(sizes[2], 100);
}

static void empty_zero_and_huge_sizes_are_refused(void **state)
{
    uint32_t sizes[LAB_CHUNK_SIZES_MAX];
    size_t n = 0;

    (void)state;
    assert_false(read_sizes(STR(""), sizes, &n));
    assert_false(read_sizes(STR("1,"), sizes, &n));
    assert_false(read_sizes(STR(",1"), sizes, &n));
    assert_false(read_sizes(STR("1,0"), sizes, &n));
    assert_false(read_sizes(STR("1048577"), sizes, &n));
    assert_true(read_sizes(STR("1048576"), sizes, &n));
}

static void one_size_too_many_is_refused(void **state)
{
    char list[2 * LAB_CHUNK_SIZES_MAX + 2];
    uint32_t sizes[LAB_CHUNK_SIZES_MAX];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(list); i++)
        list[i] = i % 2 == 0 ? '1' : ',';
    const struct str full = {list, 2 * LAB_CHUNK_SIZES_MAX - 1};
    const struct str over = {list, 2 * LAB_CHUNK_SIZES_MAX + 1};
    assert_true(read_sizes(full, sizes, &n));
    assert_int_equal(n, LAB_CHUNK_SIZES_MAX);
    assert_false(read_sizes(over, sizes, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_a_chunk_are_one_chunk_on_the_wire),
        cmocka_unit_test(next_chunk_begins_with_its_own_size),
        cmocka_unit_test(without_chunked_framing_only_the_bytes_go_out),
        cmocka_unit_test(sizes_are_read_in_their_order),
        cmocka_unit_test(empty_zero_and_huge_sizes_are_refused),
        cmocka_unit_test(one_size_too_many_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
