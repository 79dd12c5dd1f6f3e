/* An allocation fails while a request is read: the caller tries again, and
 * the request is what it would have been. */
#include "parser/request.h"
#include "tests/support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TRIES_MAX 32u

/* Long enough that storage grows for the head, and again for what follows. */
#define NAME "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static const char message[] =
    "PUT /%61/" NAME NAME " HTTP/1.1\r\nHost: a\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n0\r\nA: " NAME NAME NAME NAME NAME NAME "\r\n\r\n";

static const struct request_limits limits = {
    .head_bytes_max = 1024,
    .target_bytes_max = 512,
    .chunk_ext_bytes_max = 64,
    .trailer_bytes_max = 1024,
};

struct feeder {
    struct request req;
    size_t pos;
    size_t step; /* bytes given at once, at most */
    size_t body_bytes;
    size_t refused_n; /* calls that found no memory */
};

static enum flow feed(struct feeder *f, bool in_body)
{
    size_t left = sizeof message - 1 - f->pos;
    size_t n = left < f->step ? left : f->step;
    size_t used;
    struct str piece = {NULL, 0};
    enum flow r =
        in_body ? request_feed_body(&f->req, message + f->pos, n, &used, &piece)
                : request_feed_head(&f->req, message + f->pos, n, &used);
    assert_true(used <= n);
    f->pos += used;
    f->body_bytes += piece.len;
    f->refused_n += r == FLOW_NO_MEMORY;
    return r;
}

static void feed_all(struct feeder *f)
{
    enum flow r;
    do {
        r = feed(f, false);
        assert_true(r == FLOW_DONE || r == FLOW_AGAIN || r == FLOW_NO_MEMORY);
    } while (r != FLOW_DONE);
    do {
        r = feed(f, true);
        assert_true(r == FLOW_DONE || r == FLOW_AGAIN || r == FLOW_END);
    } while (r != FLOW_END);
}

static void assert_whole(const struct feeder *f)
{
    struct str path = request_str(&f->req, f->req.path);
    assert_true(str_equal(path, STR("/a/" NAME NAME)));
    assert_int_equal(f->pos, sizeof message - 1);
    assert_int_equal(f->body_bytes, 5);
    assert_int_equal(f->req.headers_n, 2);
    assert_int_equal(f->req.trailers_n, 1);
}

/* Fails the Nth allocation for every N there is; tells how many there are. */
static size_t fail_each(size_t step)
{
    for (size_t n = 0; n < TRIES_MAX; n++) {
        struct feeder f = {.step = step};
        assert_true(request_init(&f.req, &limits));
        fail_alloc_after(n);
        feed_all(&f);
        bool failed = fail_alloc_off();
        assert_whole(&f);
        assert_int_equal(f.refused_n, failed);
        request_fini(&f.req);
        if (!failed)
            return n;
    }
    fail_msg("more than %u allocations", TRIES_MAX);
    return TRIES_MAX;
}

static void request_that_came_whole_survives_a_failed_allocation(void **state)
{
    (void)state;
    assert_true(fail_each(sizeof message) >= 2);
}

static void request_in_pieces_survives_a_failed_allocation(void **state)
{
    (void)state;
    assert_true(fail_each(1) >= 2);
    assert_true(fail_each(7) >= 2);
    assert_true(fail_each(100) >= 2);
}

static void request_without_a_parser_is_not_made(void **state)
{
    (void)state;
    struct request req;
    fail_alloc_after(0);
    bool made = request_init(&req, &limits);
    fail_alloc_off();
    assert_false(made);
    request_fini(&req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_that_came_whole_survives_a_failed_allocation),
        cmocka_unit_test(request_in_pieces_survives_a_failed_allocation),
        cmocka_unit_test(request_without_a_parser_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
