#include "httpd/http/exchange.h"

#include "httpd/config/config.h"
#include "httpd/http/response.h"
#include "httpd/loop/worker.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* An exchange on a queue that nobody empties but the test. */
struct fixture {
    struct worker *worker;
    struct config config;
    struct write_queue out;
    struct exchange *x;
    unsigned wakes;
    unsigned stops;
    unsigned pulls;
    unsigned pushes_left;
    struct str piece;
    struct bytes body;
    size_t body_room;
    bool body_ended;
    char text[70000];
};

static void on_wake(struct exchange *x)
{
    struct fixture *f = x->carrier;
    f->wakes++;
}

static const struct carrier_ops carrier_ops = {.wake = on_wake};

static enum flow pull_pieces(void *self, struct exchange *x)
{
    struct fixture *f = self;
    f->pulls++;
    if (f->pushes_left == 0)
        return FLOW_END;
    f->pushes_left--;
    return exchange_push(x, f->piece);
}

static enum flow pull_nothing(void *self, struct exchange *x)
{
    (void)x;
    struct fixture *f = self;
    f->pulls++;
    return FLOW_AGAIN;
}

static void count_stop(void *self)
{
    struct fixture *f = self;
    f->stops++;
}

static const struct source_ops pieces = {
    .name = "pieces", .pull = pull_pieces, .stop = count_stop};
static const struct source_ops waiting = {
    .name = "waiting", .pull = pull_nothing, .stop = count_stop};

static size_t body_room(void *self, struct exchange *x)
{
    (void)x;
    struct fixture *f = self;
    return f->body_room;
}

static enum flow body_push(void *self, struct exchange *x, struct str piece)
{
    (void)x;
    struct fixture *f = self;
    return bytes_append_str(&f->body, piece);
}

static void body_end(void *self, struct exchange *x)
{
    struct fixture *f = self;
    f->body_ended = true;
    response_begin(x, 200);
    response_send_bytes(x, STR("ok"));
}

static const struct body_ops collect = {"collect", body_room, body_push,
                                        body_end, count_stop};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct worker *w = calloc(1, sizeof *w);
    f->config.head_bytes_max = 16384;
    f->config.target_bytes_max = 8192;
    f->config.chunk_ext_bytes_max = 4096;
    f->config.trailer_bytes_max = 8192;
    w->config = &f->config;
    memset(w->date, 'D', sizeof w->date);
    bytes_init(&w->head, RESPONSE_HEAD_BYTES_MAX);
    test_pool_init(&w->pool, 16);
    f->worker = w;
    f->body_room = 1000;
    bytes_init(&f->body, 100000);
    write_queue_init(&f->out, &w->pool, 64u << 10, 16u << 10);
    f->x = exchange_new(w);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    exchange_free(f->x);
    write_queue_fini(&f->out);
    test_pool_fini(&f->worker->pool);
    bytes_fini(&f->worker->head);
    bytes_fini(&f->body);
    free(f->worker);
    free(f);
    return 0;
}

/* Feeds a request head; what follows it is returned. */
static struct str ask(struct fixture *f, const char *request)
{
    size_t used = 0;
    struct exchange *x = f->x;
    assert_int_equal(
        request_feed_head(&x->req, request, strlen(request), &used), FLOW_DONE);
    x->carrier = f;
    x->carrier_ops = &carrier_ops;
    x->out = &f->out;
    x->keep_alive = x->req.keep_alive;
    x->continue_wanted = x->req.expect_continue;
    x->body_bytes_max = 5000;
    return str_from(request + used);
}

/* Everything queued so far, as text. */
static const char *queued(struct fixture *f)
{
    struct iovec iov[64];
    struct write_view view;
    size_t n = 0;
    write_queue_check(&f->out);
    write_queue_peek(&f->out, iov, 64, &view);
    for (int i = 0; i < view.iov_n; i++) {
        memcpy(f->text + n, iov[i].iov_base, iov[i].iov_len);
        n += iov[i].iov_len;
    }
    f->text[n] = '\0';
    return f->text;
}

static const char *body_of(struct fixture *f)
{
    return strstr(queued(f), "\r\n\r\n") + 4;
}

static void assert_head_has(struct fixture *f, const char *text)
{
    if (!strstr(queued(f), text))
        fail_msg("no \"%s\" in:\n%s", text, f->text);
}

static void assert_head_lacks(struct fixture *f, const char *text)
{
    if (strstr(queued(f), text))
        fail_msg("\"%s\" in:\n%s", text, f->text);
}

#define GET_1_1 "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void known_length_is_announced(void **state)
{
    struct fixture *f = *state;
    ask(f, GET_1_1);
    response_begin(f->x, 200);
    response_send_bytes(f->x, STR("hello"));
    assert_head_has(f, "HTTP/1.1 200 OK\r\nServer: sluice\r\nDate: DDD");
    assert_head_has(f, "Content-Length: 5\r\n");
    assert_head_lacks(f, "Connection:");
    assert_string_equal(body_of(f), "hello");
    assert_true(f->x->finished);
}

static void head_request_gets_the_head_alone(void **state)
{
    struct fixture *f = *state;
    ask(f, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    response_begin(f->x, 200);
    response_send_bytes(f->x, STR("hello"));
    assert_head_has(f, "Content-Length: 5\r\n");
    assert_string_equal(body_of(f), "");
}

static void source_of_head_request_is_stopped_unpulled(void **state)
{
    struct fixture *f = *state;
    ask(f, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    response_begin(f->x, 200);
    response_send_source(f->x, &pieces, f, RESPONSE_LENGTH_UNKNOWN);
    assert_head_has(f, "Transfer-Encoding: chunked\r\n");
    assert_int_equal(f->pulls, 0);
    assert_int_equal(f->stops, 1);
    assert_true(f->x->finished);
}

static void not_modified_has_neither_body_nor_length(void **state)
{
    struct fixture *f = *state;
    ask(f, GET_1_1);
    response_begin(f->x, 304);
    response_send_empty(f->x);
    assert_head_lacks(f, "Content-Length");
    assert_string_equal(body_of(f), "");
}

static void unknown_length_is_chunked_one_push_a_chunk(void **state)
{
    struct fixture *f = *state;
    ask(f, GET_1_1);
    f->pushes_left = 2;
    f->piece = STR("0123456789abcdef");
    response_begin(f->x, 200);
    response_send_source(f->x, &pieces, f, RESPONSE_LENGTH_UNKNOWN);
    exchange_trailer(f->x, STR("Sum"), STR("42"));
    assert_int_equal(exchange_pump(f->x), FLOW_END);
    assert_string_equal(body_of(f), "10\r\n0123456789abcdef\r\n"
                                    "10\r\n0123456789abcdef\r\n"
                                    "0\r\nSum: 42\r\n\r\n");
    assert_int_equal(f->stops, 1);
}

static void old_client_gets_the_body_until_close(void **state)
{
    struct fixture *f = *state;
    ask(f, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    f->pushes_left = 1;
    f->piece = STR("plain");
    response_begin(f->x, 200);
    response_send_source(f->x, &pieces, f, RESPONSE_LENGTH_UNKNOWN);
    assert_int_equal(exchange_pump(f->x), FLOW_END);
    assert_head_lacks(f, "chunked");
    assert_head_has(f, "Connection: close\r\n");
    assert_string_equal(body_of(f), "plain");
    assert_false(f->x->keep_alive);
}

static void old_client_that_asks_is_kept_alive(void **state)
{
    struct fixture *f = *state;
    ask(f, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    response_begin(f->x, 200);
    response_send_bytes(f->x, STR("x"));
    assert_head_has(f, "Connection: keep-alive\r\n");
    assert_true(f->x->keep_alive);
}

static void source_rests_at_the_high_mark(void **state)
{
    struct fixture *f = *state;
    static const char block[10000];
    ask(f, GET_1_1);
    f->pushes_left = 1000;
    f->piece = (struct str){block, sizeof block};
    response_begin(f->x, 200);
    response_send_source(f->x, &pieces, f, 1000 * sizeof block);
    assert_int_equal(exchange_pump(f->x), FLOW_DONE);
    assert_in_range(f->pulls, 6, 7);
    assert_int_equal(exchange_room(f->x), 0);
    unsigned before = f->pulls;
    assert_int_equal(exchange_pump(f->x), FLOW_DONE);
    assert_int_equal(f->pulls, before);
}

static void body_shorter_than_promised_breaks_the_exchange(void **state)
{
    struct fixture *f = *state;
    ask(f, GET_1_1);
    f->pushes_left = 1;
    f->piece = STR("short");
    response_begin(f->x, 200);
    response_send_source(f->x, &pieces, f, 6);
    assert_int_equal(exchange_pump(f->x), FLOW_FAILED);
    assert_true(f->x->broken);
    assert_int_equal(f->stops, 1);
}

static void header_value_with_a_line_end_breaks_the_exchange(void **state)
{
    struct fixture *f = *state;
    ask(f, GET_1_1);
    response_begin(f->x, 200);
    response_header(f->x, "Location", STR("/a\r\nSet-Cookie: b=c"));
    response_send_empty(f->x);
    assert_true(f->x->broken);
    assert_true(write_queue_empty(&f->out));
}

static void waiting_source_is_stopped_once_on_reset(void **state)
{
    struct fixture *f = *state;
    ask(f, GET_1_1);
    response_begin(f->x, 200);
    response_send_source(f->x, &waiting, f, RESPONSE_LENGTH_UNKNOWN);
    assert_int_equal(exchange_pump(f->x), FLOW_AGAIN);
    exchange_wake(f->x);
    assert_int_equal(f->wakes, 1);
    exchange_reset(f->x);
    assert_int_equal(f->stops, 1);
}

static enum flow answer_late(void *self, struct exchange *x)
{
    struct fixture *f = self;
    if (f->pulls++ == 0)
        return FLOW_AGAIN;
    response_begin(x, 200);
    response_send_source(x, &pieces, f, RESPONSE_LENGTH_UNKNOWN);
    return FLOW_DONE;
}

static void deferred_answer_replaces_what_deferred_it(void **state)
{
    static const struct source_ops late = {
        .name = "late", .pull = answer_late, .stop = count_stop};
    struct fixture *f = *state;
    ask(f, GET_1_1);
    f->piece = STR("x");
    f->pushes_left = 1;
    exchange_defer(f->x, &late, f);
    assert_int_equal(exchange_pump(f->x), FLOW_AGAIN);
    assert_true(write_queue_empty(&f->out));
    assert_int_equal(exchange_pump(f->x), FLOW_END);
    assert_int_equal(f->stops, 2);
    assert_string_equal(body_of(f), "1\r\nx\r\n0\r\n\r\n");
}

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static void body_goes_to_its_reader_and_no_further(void **state)
{
    struct fixture *f = *state;
    struct str rest = ask(f, POST "Content-Length: 5\r\n\r\nhelloGET /next");
    size_t used;
    assert_true(exchange_read_body(f->x, &collect, f));
    assert_int_equal(exchange_feed_body(f->x, rest.at, rest.len, &used),
                     FLOW_END);
    assert_int_equal(used, 5);
    assert_memory_equal(f->body.data, "hello", 5);
    assert_true(f->body_ended);
}

static void body_ends_with_its_last_byte_though_nothing_follows(void **state)
{
    struct fixture *f = *state;
    struct str rest = ask(f, POST "Content-Length: 5\r\n\r\nhello");
    size_t used;
    assert_true(exchange_read_body(f->x, &collect, f));
    assert_int_equal(exchange_feed_body(f->x, rest.at, rest.len, &used),
                     FLOW_END);
    assert_true(f->body_ended);
}

static void body_is_read_only_as_far_as_there_is_room(void **state)
{
    struct fixture *f = *state;
    struct str rest = ask(f, POST "Content-Length: 5\r\n\r\nhello");
    size_t used;
    f->body_room = 0;
    assert_true(exchange_read_body(f->x, &collect, f));
    assert_int_equal(exchange_feed_body(f->x, rest.at, rest.len, &used),
                     FLOW_FULL);
    assert_int_equal(used, 0);
}

static void continue_is_sent_when_the_body_is_wanted(void **state)
{
    struct fixture *f = *state;
    ask(f, POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_true(exchange_read_body(f->x, &collect, f));
    assert_string_equal(queued(f), "HTTP/1.1 100 Continue\r\n\r\n");
}

static void continue_is_withheld_from_a_body_too_large(void **state)
{
    struct fixture *f = *state;
    ask(f, POST "Content-Length: 5001\r\nExpect: 100-continue\r\n\r\n");
    assert_false(exchange_read_body(f->x, &collect, f));
    assert_head_has(f, "HTTP/1.1 413 ");
    assert_head_has(f, "Connection: close\r\n");
    assert_int_equal(f->stops, 1);
}

static void post_without_a_length_is_told_so(void **state)
{
    struct fixture *f = *state;
    ask(f, POST "\r\n");
    assert_false(exchange_read_body(f->x, &collect, f));
    assert_head_has(f, "HTTP/1.1 411 ");
}

static void chunked_body_beyond_the_limit_gets_413(void **state)
{
    struct fixture *f = *state;
    char chunk[5100] = "13ed\r\n"; /* 5101 bytes announced */
    size_t used;
    memset(chunk + 6, 'x', sizeof chunk - 6);
    ask(f, POST "Transfer-Encoding: chunked\r\n\r\n");
    f->body_room = 100000;
    assert_true(exchange_read_body(f->x, &collect, f));
    assert_int_equal(exchange_feed_body(f->x, chunk, sizeof chunk, &used),
                     FLOW_FAILED);
    assert_head_has(f, "HTTP/1.1 413 ");
    assert_false(f->x->keep_alive);
}

static void long_body_that_nobody_wants_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    ask(f, POST "Content-Length: 1000000\r\n\r\n");
    response_error(f->x, 404, "nothing here");
    assert_head_has(f, "Connection: close\r\n");
}

static void short_body_that_nobody_wants_does_not(void **state)
{
    struct fixture *f = *state;
    ask(f, POST "Content-Length: 1000\r\n\r\n");
    response_error(f->x, 404, "nothing here");
    assert_head_lacks(f, "Connection: close\r\n");
}

static struct block *get_block(struct fixture *f)
{
    struct block *b = block_pool_get(&f->worker->pool, BLOCK_64K,
                                     BUDGET_LEAVING, "test_exchange");
    assert_non_null(b);
    memset(b->data, 'b', 1000);
    memcpy(b->data + 100, "hello", 5);
    b->len = 1000;
    return b;
}

static void block_is_shared_as_a_part_of_the_body(void **state)
{
    struct fixture *f = *state;
    struct block *b = get_block(f);
    ask(f, GET_1_1);
    response_begin(f->x, 200);
    response_send_source(f->x, &waiting, f, 10);
    assert_int_equal(exchange_push_block(f->x, block_ref(b), 100, 5),
                     FLOW_DONE);
    assert_true(block_shared(b));
    assert_int_equal(exchange_push_block(f->x, block_ref(b), 100, 5),
                     FLOW_DONE);
    assert_int_equal(f->x->sent, 10);
    assert_string_equal(body_of(f), "hellohello");
    write_queue_skip(&f->out, f->out.len);
    assert_false(block_shared(b));
    block_unref(b);
}

static void block_beyond_the_promised_length_is_let_go(void **state)
{
    struct fixture *f = *state;
    struct block *b = get_block(f);
    ask(f, GET_1_1);
    response_begin(f->x, 200);
    response_send_source(f->x, &waiting, f, 4);
    assert_int_equal(exchange_push_block(f->x, block_ref(b), 100, 5),
                     FLOW_FAILED);
    assert_true(f->x->broken);
    assert_false(block_shared(b));
    assert_int_equal(exchange_push_block(f->x, block_ref(b), 100, 1),
                     FLOW_FAILED);
    assert_false(block_shared(b));
    assert_string_equal(body_of(f), "");
    block_unref(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(known_length_is_announced),
        TEST(head_request_gets_the_head_alone),
        TEST(source_of_head_request_is_stopped_unpulled),
        TEST(not_modified_has_neither_body_nor_length),
        TEST(unknown_length_is_chunked_one_push_a_chunk),
        TEST(old_client_gets_the_body_until_close),
        TEST(old_client_that_asks_is_kept_alive),
        TEST(source_rests_at_the_high_mark),
        TEST(body_shorter_than_promised_breaks_the_exchange),
        TEST(header_value_with_a_line_end_breaks_the_exchange),
        TEST(block_is_shared_as_a_part_of_the_body),
        TEST(block_beyond_the_promised_length_is_let_go),
        TEST(waiting_source_is_stopped_once_on_reset),
        TEST(deferred_answer_replaces_what_deferred_it),
        TEST(body_goes_to_its_reader_and_no_further),
        TEST(body_ends_with_its_last_byte_though_nothing_follows),
        TEST(body_is_read_only_as_far_as_there_is_room),
        TEST(continue_is_sent_when_the_body_is_wanted),
        TEST(continue_is_withheld_from_a_body_too_large),
        TEST(post_without_a_length_is_told_so),
        TEST(chunked_body_beyond_the_limit_gets_413),
        TEST(long_body_that_nobody_wants_ends_the_connection),
        TEST(short_body_that_nobody_wants_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
