/* Bodies: by length, in chunks, with trailers; and what is refused in them. */
#include "tests/support/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define POST    "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define SIXTEEN "0123456789abcdef"

static void assert_body(const struct reading *r, struct str body)
{
    assert_true(r->complete);
    assert_true(str_equal(bytes_view(&r->body), body));
    assert_int_equal(r->req.body_bytes, body.len);
    assert_int_equal(request_body_left(&r->req), 0);
}

/* By length */

static void body_by_length_is_delivered(void **state)
{
    (void)state;
    struct reading r;
    FEED(POST "Content-Length: 11\r\n\r\nhello\0world", &r);
    assert_body(&r, STR("hello\0world"));
    assert_true(r.req.has_length);
    assert_int_equal(r.req.length, 11);
    feed_fini(&r);
}

static void bytes_behind_a_body_are_left(void **state)
{
    (void)state;
    struct reading r;
    FEED(POST "Content-Length: 2\r\n\r\nabGET /next", &r);
    assert_body(&r, STR("ab"));
    assert_int_equal(r.used, sizeof(POST "Content-Length: 2\r\n\r\nab") - 1);
    feed_fini(&r);
}

static void length_of_zero_is_complete_with_the_head(void **state)
{
    (void)state;
    struct reading r;
    FEED(POST "Content-Length: 000\r\n\r\n", &r);
    assert_body(&r, STR(""));
    assert_true(r.req.has_length);
    feed_fini(&r);
}

static void largest_length_is_accepted(void **state)
{
    (void)state;
    struct reading r;
    FEED(POST "Content-Length: 9223372036854775807\r\n\r\nx", &r);
    assert_false(r.complete);
    assert_int_equal(request_body_left(&r.req), INT64_MAX - 1);
    feed_fini(&r);
}

static void piece_of_a_body_is_a_view_of_what_was_given(void **state)
{
    (void)state;
    struct request req;
    struct request_limits limits = {256, 64, 0, 0};
    static const char data[] = POST "Content-Length: 3\r\n\r\nabc";
    size_t used;
    size_t more;
    struct str piece;

    assert_true(request_init(&req, &limits));
    assert_int_equal(request_feed_head(&req, data, sizeof data - 1, &used),
                     FLOW_DONE);
    assert_int_equal(request_feed_body(&req, data + used, 3, &more, &piece),
                     FLOW_DONE);
    assert_ptr_equal(piece.at, data + used);
    assert_int_equal(request_feed_body(&req, data, 0, &more, &piece), FLOW_END);
    request_fini(&req);
}

/* Chunks */

static void chunked_body_is_delivered(void **state)
{
    (void)state;
    struct reading r;
    FEED(CHUNKED "5\r\nhello\r\n1\r\n \r\n005\r\nworld\r\n0\r\n\r\nGET", &r);
    assert_body(&r, STR("hello world"));
    assert_true(r.req.chunked);
    assert_int_equal(r.req.trailers_n, 0);
    feed_fini(&r);
}

static void chunk_size_is_hexadecimal_in_either_case(void **state)
{
    (void)state;
    struct reading r;
    FEED(CHUNKED "1a\r\n" SIXTEEN "0123456789\r\n1A\r\n" SIXTEEN
                 "0123456789\r\n000\r\n\r\n",
         &r);
    assert_body(&r, STR(SIXTEEN "0123456789" SIXTEEN "0123456789"));
    feed_fini(&r);
}

static void chunked_is_known_in_any_letter_case(void **state)
{
    (void)state;
    struct reading r;
    FEED(POST "transfer-ENCODING: \t CHUNKed \r\n\r\n0\r\n\r\n", &r);
    assert_body(&r, STR(""));
    feed_fini(&r);
}

static void chunk_extensions_are_passed_over(void **state)
{
    (void)state;
    struct reading r;
    FEED(CHUNKED "2;a=b;c\r\nhi\r\n0;d=\"e;\tf\"\r\n\r\n", &r);
    assert_body(&r, STR("hi"));
    feed_fini(&r);
}

static void body_left_is_unknown_while_chunks_come(void **state)
{
    (void)state;
    struct reading r;
    FEED(CHUNKED "2\r\nhi\r\n0\r\n", &r);
    assert_false(r.complete);
    assert_true(request_body_left(&r.req) == UINT64_MAX);
    feed_fini(&r);
}

static void malformed_chunk_size_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED ";a\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "+5\r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "-5\r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "0x5\r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED " 5\r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "5 \r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "5\t;a\r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "1_0\r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "5g\r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "5\0\r\nhello\r\n", "BAD_CHUNK", 400);
}

static void chunk_size_beyond_2_63_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "8000000000000000\r\n", "CHUNK_SIZE_TOO_LARGE", 413);
    REFUSED(CHUNKED "ffffffffffffffff\r\n", "CHUNK_SIZE_TOO_LARGE", 413);
    REFUSED(CHUNKED "10000000000000000\r\n", "CHUNK_SIZE_TOO_LARGE", 413);
}

static void largest_chunk_size_is_accepted(void **state)
{
    (void)state;
    struct reading r;
    FEED(CHUNKED "7fffffffffffffff\r\nx", &r);
    assert_int_equal(r.req.body_bytes, 1);
    feed_fini(&r);
}

static void chunk_size_of_17_digits_is_refused(void **state)
{
    (void)state;
    struct reading r;
    REFUSED(CHUNKED "00000000000000001\r\n", "CHUNK_SIZE_TOO_LARGE", 413);
    REFUSED(CHUNKED "00000000000000000\r\n", "CHUNK_SIZE_TOO_LARGE", 413);
    FEED(CHUNKED "0000000000000001\r\nx\r\n0000000000000000\r\n\r\n", &r);
    assert_body(&r, STR("x"));
    feed_fini(&r);
}

static void chunk_without_its_line_end_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "5\r\nhello0\r\n\r\n", "BAD_CHUNK_END", 400);
    REFUSED(CHUNKED "5\r\nhello\n0\r\n\r\n", "BAD_CHUNK_END", 400);
    REFUSED(CHUNKED "5\r\nhello\r0\r\n\r\n", "BAD_CHUNK_END", 400);
    REFUSED(CHUNKED "5\r\nhellox\n0\r\n\r\n", "BAD_CHUNK_END", 400);
    REFUSED(CHUNKED "4\r\nhello\r\n0\r\n\r\n", "BAD_CHUNK_END", 400);
}

static void bare_line_feed_in_a_chunk_line_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "5\nhello\r\n", "BARE_LF", 400);
    REFUSED(CHUNKED "5;a\nhello\r\n", "BARE_LF", 400);
    REFUSED(CHUNKED "0\n\r\n", "BARE_LF", 400);
}

static void bare_carriage_return_in_a_chunk_line_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "5\rhello\r\n", "BARE_CR", 400);
    REFUSED(CHUNKED "5;a\rb\r\nhello\r\n", "BARE_CR", 400);
}

static void control_byte_in_an_extension_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "5;a\0\r\nhello\r\n", "BAD_CHUNK", 400);
    REFUSED(CHUNKED "5;\x7f\r\nhello\r\n", "BAD_CHUNK", 400);
}

static void endless_extension_of_one_chunk_is_refused(void **state)
{
    (void)state;
    struct bytes body;
    bytes_init(&body, 65536);
    bytes_append_str(&body, STR(CHUNKED "5;"));
    feed_pad(&body, sizeof CHUNKED + FEED_EXT_BYTES_MAX + 2);
    feed_refused(body.data, body.len, "CHUNK_EXT_TOO_LARGE", 413);
    bytes_fini(&body);
}

static void extension_of_17_kb_is_refused_at_its_limit(void **state)
{
    (void)state;
    struct request req;
    struct request_limits limits = {4096, 1024, 16384, 1024};
    struct bytes body;
    size_t used;
    size_t more;
    struct str piece;

    bytes_init(&body, 65536);
    bytes_append_str(&body, STR(CHUNKED "5;"));
    feed_pad(&body, 17408);
    assert_true(request_init(&req, &limits));
    assert_int_equal(request_feed_head(&req, body.data, body.len, &used),
                     FLOW_DONE);
    assert_int_equal(request_feed_body(&req, body.data + used, body.len - used,
                                       &more, &piece),
                     FLOW_FAILED);
    assert_string_equal(req.verdict.name, "CHUNK_EXT_TOO_LARGE");
    assert_int_equal(more, 1 + 16384 + 1);
    request_fini(&req);
    bytes_fini(&body);
}

static void extensions_spread_over_many_chunks_are_refused(void **state)
{
    (void)state;
    struct bytes body;
    bytes_init(&body, 65536);
    bytes_append_str(&body, STR(CHUNKED));
    for (unsigned i = 0; i <= FEED_EXT_BYTES_MAX / 2; i++)
        bytes_append_str(&body, STR("1;a\r\nx\r\n"));
    feed_refused(body.data, body.len, "CHUNK_EXT_TOO_LARGE", 413);
    bytes_fini(&body);
}

static void extensions_up_to_the_limit_are_accepted(void **state)
{
    (void)state;
    struct bytes body;
    struct reading r;
    bytes_init(&body, 65536);
    bytes_append_str(&body, STR(CHUNKED));
    for (unsigned i = 0; i < FEED_EXT_BYTES_MAX / 2; i++)
        bytes_append_str(&body, STR("1;a\r\nx\r\n"));
    bytes_append_str(&body, STR("0\r\n\r\n"));
    feed_message(body.data, body.len, &r);
    assert_true(r.complete);
    feed_fini(&r);
    bytes_fini(&body);
}

/* Trailers */

static void trailers_stand_behind_the_headers(void **state)
{
    (void)state;
    struct reading r;
    FEED(CHUNKED "0\r\nDigest: abc\r\nX-Sum: \t 5 \r\n\r\nGET", &r);
    assert_body(&r, STR(""));
    assert_int_equal(r.req.headers_n, 2);
    assert_int_equal(r.req.trailers_n, 2);
    const struct header *h = &r.req.headers[4];
    assert_true(str_equal(request_str(&r.req, h->name), STR("X-Sum")));
    assert_true(str_equal(request_str(&r.req, h->value), STR("5")));
    feed_fini(&r);
}

static void trailers_leave_the_head_where_it_is(void **state)
{
    (void)state;
    struct request req;
    struct request_limits limits = {4096, 1024, 0, 4096};
    struct bytes message;
    size_t used;
    size_t more;
    struct str piece;

    bytes_init(&message, 65536);
    bytes_append_str(&message, STR("PUT /%61 HTTP/1.1\r\nHost: a\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n"
                                   "0\r\nA: "));
    feed_pad(&message, 4000);
    bytes_append_str(&message, STR("\r\n\r\n"));
    assert_true(request_init(&req, &limits));
    assert_int_equal(request_feed_head(&req, message.data, message.len, &used),
                     FLOW_DONE);
    struct str path = request_str(&req, req.path);
    assert_int_equal(request_feed_body(&req, message.data + used,
                                       message.len - used, &more, &piece),
                     FLOW_END);
    assert_ptr_equal(request_str(&req, req.path).at, path.at);
    assert_true(str_equal(path, STR("/a")));
    request_fini(&req);
    bytes_fini(&message);
}

static void trailer_is_not_found_among_the_headers(void **state)
{
    (void)state;
    struct reading r;
    FEED(CHUNKED "0\r\nUser-Agent: abc\r\n\r\n", &r);
    assert_int_equal(r.req.trailers_n, 1);
    assert_null(request_header(&r.req, HEADER_USER_AGENT).at);
    assert_null(request_header_named(&r.req, STR("User-Agent")).at);
    feed_fini(&r);
}

static void last_chunk_with_a_bare_line_feed_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "0\r\n\n", "BARE_LF", 400);
    REFUSED(CHUNKED "0\r\nA: b\r\n\n", "BARE_LF", 400);
    REFUSED(CHUNKED "0\r\nA: b\n\r\n", "BARE_LF", 400);
}

static void folded_trailer_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "0\r\nA: b\r\n Content-Length: 38\r\n\r\n", "OBS_FOLD",
            400);
    REFUSED(CHUNKED "0\r\nA: b\r\n\tc\r\n\r\n", "OBS_FOLD", 400);
    REFUSED(CHUNKED "0\r\n A: b\r\n\r\n", "OBS_FOLD", 400);
}

static void malformed_trailer_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "0\r\nA\r\n\r\n", "BAD_HEADER_NAME", 400);
    REFUSED(CHUNKED "0\r\nA : b\r\n\r\n", "SPACE_BEFORE_COLON", 400);
    REFUSED(CHUNKED "0\r\n: b\r\n\r\n", "EMPTY_HEADER_NAME", 400);
    REFUSED(CHUNKED "0\r\nA: b\0c\r\n\r\n", "NUL_BYTE", 400);
    REFUSED(CHUNKED "0\r\nA: b\rc\r\n\r\n", "BARE_CR", 400);
    REFUSED(CHUNKED "0\r\n\rA: b\r\n\r\n", "BARE_CR", 400);
}

static void trailer_that_would_change_the_message_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Content-Length",
        "transfer-encoding",
        "Host",
        "TRAILER",
        "Connection",
        "Expect",
        "Content-Encoding",
        "Content-Type",
        "Content-Range",
        "Authorization",
        "Cookie",
        "TE",
        "Upgrade",
        "Range",
        "If-Match",
        "If-None-Match",
        "If-Range",
        "Cache-Control",
        "If-Modified-Since",
        "Max-Forwards",
        "If-Unmodified-Since",
        "Keep-Alive",
        "Origin",
        "Proxy-Connection",
        "Pragma",
        "Proxy-Authorization",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct bytes body;
        bytes_init(&body, 512);
        bytes_printf(&body, CHUNKED "0\r\n%s: 0\r\n\r\n", names[i]);
        feed_refused(body.data, body.len, "TRAILER_FORBIDDEN", 400);
        bytes_fini(&body);
    }
}

/* A trailer section of one field with that many bytes, then more. */
static void make_trailer(struct bytes *body, unsigned bytes, struct str more)
{
    bytes_init(body, 65536);
    bytes_append_str(body, STR(CHUNKED "0\r\nA: "));
    for (unsigned i = 5; i < bytes; i++)
        bytes_append_str(body, STR("b"));
    bytes_append_str(body, STR("\r\n"));
    bytes_append_str(body, more);
}

static void trailers_up_to_the_limit_are_accepted(void **state)
{
    (void)state;
    struct bytes body;
    struct reading r;
    make_trailer(&body, FEED_TRAILER_BYTES_MAX, STR("\r\n"));
    feed_message(body.data, body.len, &r);
    assert_true(r.complete);
    assert_int_equal(r.req.trailers_n, 1);
    feed_fini(&r);
    bytes_fini(&body);
}

static void trailers_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    struct bytes body;
    make_trailer(&body, FEED_TRAILER_BYTES_MAX + 1, STR("\r\n"));
    feed_refused(body.data, body.len, "TRAILER_TOO_LARGE", 431);
    bytes_fini(&body);
    make_trailer(&body, FEED_TRAILER_BYTES_MAX + 900, STR(""));
    feed_refused(body.data, body.len, "TRAILER_TOO_LARGE", 431);
    bytes_fini(&body);
    make_trailer(&body, FEED_TRAILER_BYTES_MAX, STR("\n"));
    feed_refused(body.data, body.len, "TRAILER_TOO_LARGE", 431);
    bytes_fini(&body);
    make_trailer(&body, FEED_TRAILER_BYTES_MAX, STR("\rx"));
    feed_refused(body.data, body.len, "TRAILER_TOO_LARGE", 431);
    bytes_fini(&body);
}

static void one_trailer_too_many_is_refused(void **state)
{
    (void)state;
    struct bytes body;
    bytes_init(&body, 65536);
    bytes_append_str(&body, STR(POST "Transfer-Encoding: chunked\r\n"));
    for (unsigned i = 2; i < REQUEST_HEADERS_MAX - 1; i++)
        bytes_append_str(&body, STR("a:\r\n"));
    bytes_append_str(&body, STR("\r\n0\r\na:\r\nb:\r\n"));
    feed_refused(body.data, body.len, "TOO_MANY_TRAILERS", 431);
    bytes_fini(&body);
}

static void refusal_of_a_body_lasts(void **state)
{
    (void)state;
    struct request req;
    struct request_limits limits = {256, 64, 0, 0};
    static const char head[] = CHUNKED;
    size_t used;
    struct str piece;

    assert_true(request_init(&req, &limits));
    assert_int_equal(request_feed_head(&req, head, sizeof head - 1, &used),
                     FLOW_DONE);
    for (int i = 0; i < 2; i++) {
        const char *bytes = i ? "0\r\n\r\n" : "x";
        assert_int_equal(
            request_feed_body(&req, bytes, strlen(bytes), &used, &piece),
            FLOW_FAILED);
        assert_string_equal(req.verdict.name, "BAD_CHUNK");
    }
    request_fini(&req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_by_length_is_delivered),
        cmocka_unit_test(bytes_behind_a_body_are_left),
        cmocka_unit_test(length_of_zero_is_complete_with_the_head),
        cmocka_unit_test(largest_length_is_accepted),
        cmocka_unit_test(piece_of_a_body_is_a_view_of_what_was_given),
        cmocka_unit_test(chunked_body_is_delivered),
        cmocka_unit_test(chunk_size_is_hexadecimal_in_either_case),
        cmocka_unit_test(chunked_is_known_in_any_letter_case),
        cmocka_unit_test(chunk_extensions_are_passed_over),
        cmocka_unit_test(body_left_is_unknown_while_chunks_come),
        cmocka_unit_test(malformed_chunk_size_is_refused),
        cmocka_unit_test(chunk_size_beyond_2_63_is_refused),
        cmocka_unit_test(largest_chunk_size_is_accepted),
        cmocka_unit_test(chunk_size_of_17_digits_is_refused),
        cmocka_unit_test(chunk_without_its_line_end_is_refused),
        cmocka_unit_test(bare_line_feed_in_a_chunk_line_is_refused),
        cmocka_unit_test(bare_carriage_return_in_a_chunk_line_is_refused),
        cmocka_unit_test(control_byte_in_an_extension_is_refused),
        cmocka_unit_test(endless_extension_of_one_chunk_is_refused),
        cmocka_unit_test(extension_of_17_kb_is_refused_at_its_limit),
        cmocka_unit_test(extensions_spread_over_many_chunks_are_refused),
        cmocka_unit_test(extensions_up_to_the_limit_are_accepted),
        cmocka_unit_test(trailers_stand_behind_the_headers),
        cmocka_unit_test(trailers_leave_the_head_where_it_is),
        cmocka_unit_test(trailer_is_not_found_among_the_headers),
        cmocka_unit_test(last_chunk_with_a_bare_line_feed_is_refused),
        cmocka_unit_test(folded_trailer_is_refused),
        cmocka_unit_test(malformed_trailer_is_refused),
        cmocka_unit_test(trailer_that_would_change_the_message_is_refused),
        cmocka_unit_test(trailers_up_to_the_limit_are_accepted),
        cmocka_unit_test(trailers_beyond_the_limit_are_refused),
        cmocka_unit_test(one_trailer_too_many_is_refused),
        cmocka_unit_test(refusal_of_a_body_lasts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
