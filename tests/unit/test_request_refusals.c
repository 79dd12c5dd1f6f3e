/* What has two readings, or none, is refused: however it is cut up, with the
 * same verdict. */
#include "tests/support/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define END  "\r\n"

/* Lines */

static void folded_field_is_refused(void **state)
{
    (void)state;
    REFUSED(GET HOST "Foo: bar\r\n baz\r\n" END, "OBS_FOLD", 400);
    REFUSED(GET HOST "Foo: bar\r\n\tbaz\r\n" END, "OBS_FOLD", 400);
    REFUSED(GET HOST "Foo: bar\r\n \r\n" END, "OBS_FOLD", 400);
}

static void folded_length_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Foo: bar\r\n Content-Length: 38\r\n" END, "OBS_FOLD",
            400);
    REFUSED(POST HOST "Foo: bar\r\n\tContent-Length: 38\r\n" END, "OBS_FOLD",
            400);
    REFUSED(POST HOST "Content-Length:\r\n 38\r\n" END, "OBS_FOLD", 400);
    REFUSED(POST HOST "Content-Length: 3\r\n 8\r\n" END, "OBS_FOLD", 400);
}

static void folded_encoding_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Transfer-Encoding:\r\n chunked\r\n" END, "OBS_FOLD",
            400);
    REFUSED(POST HOST "Transfer-Encoding: chunked\r\n\t, x\r\n" END, "OBS_FOLD",
            400);
}

static void white_space_before_the_first_field_is_refused(void **state)
{
    (void)state;
    REFUSED(GET " Host: a\r\n" END, "OBS_FOLD", 400);
}

static void bare_carriage_return_is_refused(void **state)
{
    (void)state;
    REFUSED(GET HOST "Foo: a\rb\r\n" END, "BARE_CR", 400);
    REFUSED(GET HOST "Foo: a\r\r\n" END, "BARE_CR", 400);
    REFUSED(GET HOST "Fo\ro: a\r\n" END, "BARE_CR", 400);
    REFUSED(GET HOST "\rFoo: a\r\n" END, "BARE_CR", 400);
    REFUSED(GET HOST "\r\r\n", "BARE_CR", 400);
    REFUSED("GET /\r HTTP/1.1\r\n" HOST END, "BARE_CR", 400);
    REFUSED("GET / HTTP/1.1\r\r\n" HOST END, "BARE_CR", 400);
    REFUSED("\rGET / HTTP/1.1\r\n" HOST END, "BARE_CR", 400);
}

static void bare_line_feed_is_refused(void **state)
{
    (void)state;
    REFUSED("GET / HTTP/1.1\n" HOST END, "BARE_LF", 400);
    REFUSED(GET "Host: a\n" END, "BARE_LF", 400);
    REFUSED(GET HOST "\n", "BARE_LF", 400);
    REFUSED(GET HOST "Foo: a\n\r\n", "BARE_LF", 400);
    REFUSED("\nGET / HTTP/1.1\r\n" HOST END, "BARE_LF", 400);
}

static void nul_byte_is_refused(void **state)
{
    (void)state;
    REFUSED("\0GET / HTTP/1.1\r\n" HOST END, "NUL_BYTE", 400);
    REFUSED("G\0T / HTTP/1.1\r\n" HOST END, "NUL_BYTE", 400);
    REFUSED("GET /\0 HTTP/1.1\r\n" HOST END, "NUL_BYTE", 400);
    REFUSED("GET / HTTP/1.\0\r\n" HOST END, "NUL_BYTE", 400);
    REFUSED(GET HOST "F\0o: a\r\n" END, "NUL_BYTE", 400);
    REFUSED(GET HOST "Foo: a\0b\r\n" END, "NUL_BYTE", 400);
    REFUSED(GET HOST "Foo: \0\r\n" END, "NUL_BYTE", 400);
}

static void third_empty_line_before_a_request_is_refused(void **state)
{
    (void)state;
    REFUSED("\r\n\r\n\r\n" GET HOST END, "EMPTY_LINES", 400);
}

static void binary_noise_is_refused_at_its_first_byte(void **state)
{
    (void)state;
    REFUSED("\x16", "BAD_METHOD", 400);
}

static void head_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct bytes head;
    bytes_init(&head, 65536);
    bytes_append_str(&head, STR(GET HOST "Foo: "));
    feed_pad(&head, FEED_HEAD_BYTES_MAX + 1);
    feed_refused(head.data, head.len, "HEAD_TOO_LARGE", 431);
    bytes_fini(&head);
}

static void
target_beyond_the_limit_is_refused_before_the_line_ends(void **state)
{
    (void)state;
    struct bytes head;
    bytes_init(&head, 65536);
    bytes_append_str(&head, STR("GET /"));
    feed_pad(&head, 4 + FEED_TARGET_BYTES_MAX + 1);
    feed_refused(head.data, head.len, "TARGET_TOO_LONG", 414);
    bytes_append_str(&head, STR(" HTTP/1.1\r\n\r\n"));
    feed_refused(head.data, head.len, "TARGET_TOO_LONG", 414);
    bytes_fini(&head);
}

static void one_field_too_many_is_refused(void **state)
{
    (void)state;
    struct bytes head;
    bytes_init(&head, 4096);
    bytes_append_str(&head, STR(GET HOST));
    for (unsigned i = 1; i <= REQUEST_HEADERS_MAX; i++)
        bytes_append_str(&head, STR("a:b\r\n"));
    feed_refused(head.data, head.len, "TOO_MANY_HEADERS", 431);
    bytes_fini(&head);
}

/* Request line */

static void version_other_than_1_0_and_1_1_is_refused(void **state)
{
    (void)state;
    REFUSED("GET / HTTP/0.9\r\n" HOST END, "BAD_VERSION", 505);
    REFUSED("GET / HTTP/1.2\r\n" HOST END, "BAD_VERSION", 505);
    REFUSED("GET / HTTP/2.0\r\n" HOST END, "BAD_VERSION", 505);
    REFUSED("PUT / HTTP/3.1\r\n" HOST END, "BAD_VERSION", 505);
    REFUSED("GET / HTTP/1.10\r\n" HOST END, "BAD_REQUEST_LINE", 400);
    REFUSED("GET / HTTP/11\r\n" HOST END, "BAD_REQUEST_LINE", 400);
    REFUSED("GET / HTTP/1.1 \r\n" HOST END, "BAD_REQUEST_LINE", 400);
    REFUSED("GET / \r\n" HOST END, "BAD_PROTOCOL", 400);
    REFUSED("GET /\r\n", "BAD_REQUEST_LINE", 400);
}

static void other_protocol_is_refused(void **state)
{
    (void)state;
    REFUSED("GET / RTSP/1.0\r\n" HOST END, "BAD_PROTOCOL", 400);
    REFUSED("SOURCE /x ICE/1.0\r\n" HOST END, "METHOD_UNKNOWN", 501);
    REFUSED("GET /x ICE/1.0\r\n" HOST END, "BAD_PROTOCOL", 400);
    REFUSED("GET / http/1.1\r\n" HOST END, "BAD_PROTOCOL", 400);
    REFUSED("GET / Http/1.1\r\n" HOST END, "BAD_PROTOCOL", 400);
}

static void preface_of_http_2_is_refused(void **state)
{
    (void)state;
    REFUSED("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "METHOD_UNKNOWN", 501);
}

static void unknown_method_is_not_implemented(void **state)
{
    (void)state;
    REFUSED("FOO / HTTP/1.1\r\n" HOST END, "METHOD_UNKNOWN", 501);
    REFUSED("get / HTTP/1.1\r\n" HOST END, "METHOD_UNKNOWN", 501);
    REFUSED("GETT / HTTP/1.1\r\n" HOST END, "METHOD_UNKNOWN", 501);
    REFUSED("M-SEARCH / HTTP/1.1\r\n" HOST END, "METHOD_UNKNOWN", 501);
}

static void method_that_is_no_token_is_refused(void **state)
{
    (void)state;
    REFUSED("G@T / HTTP/1.1\r\n" HOST END, "BAD_METHOD", 400);
    REFUSED(" GET / HTTP/1.1\r\n" HOST END, "BAD_METHOD", 400);
    REFUSED("GET\t/ HTTP/1.1 x\r\n" HOST END, "BAD_METHOD", 400);
}

static void request_line_with_a_stray_space_is_refused(void **state)
{
    (void)state;
    REFUSED("GET /a b HTTP/1.1\r\n" HOST END, "BAD_REQUEST_LINE", 400);
    REFUSED("GET  / HTTP/1.1\r\n" HOST END, "BAD_REQUEST_LINE", 400);
    REFUSED("GET /  HTTP/1.1\r\n" HOST END, "BAD_REQUEST_LINE", 400);
}

static void target_of_no_known_form_is_refused(void **state)
{
    (void)state;
    REFUSED("GET index.html HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET ftp://a/ HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET http:/a HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET http:///a HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET http://u@a/ HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET http://a:65536/ HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET a:80 HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET ?q HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET  HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
}

static void asterisk_is_for_options_only(void **state)
{
    (void)state;
    REFUSED("GET * HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("OPTIONS *x HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("OPTIONS *?x HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
}

static void connect_takes_host_and_port_only(void **state)
{
    (void)state;
    REFUSED("CONNECT / HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("CONNECT a HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("CONNECT a: HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("CONNECT a:80/ HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("CONNECT http://a:80 HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
}

static void target_with_a_forbidden_byte_is_refused(void **state)
{
    (void)state;
    REFUSED("GET /\t HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET /\x01 HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET /\x7f HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET /\x80 HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET /\xc3\xa4 HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET /#a HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
    REFUSED("GET /?q#a HTTP/1.1\r\n" HOST END, "BAD_TARGET", 400);
}

static void malformed_escape_in_the_path_is_refused(void **state)
{
    (void)state;
    REFUSED("GET /% HTTP/1.1\r\n" HOST END, "BAD_ESCAPE", 400);
    REFUSED("GET /%4 HTTP/1.1\r\n" HOST END, "BAD_ESCAPE", 400);
    REFUSED("GET /%4g HTTP/1.1\r\n" HOST END, "BAD_ESCAPE", 400);
    REFUSED("GET /%4?1 HTTP/1.1\r\n" HOST END, "BAD_ESCAPE", 400);
    REFUSED("GET /a%00 HTTP/1.1\r\n" HOST END, "NUL_ESCAPE", 400);
}

static void path_above_the_root_is_refused(void **state)
{
    (void)state;
    REFUSED("GET /.. HTTP/1.1\r\n" HOST END, "PATH_ABOVE_ROOT", 400);
    REFUSED("GET /a/../../b HTTP/1.1\r\n" HOST END, "PATH_ABOVE_ROOT", 400);
    REFUSED("GET /%2e%2E/b HTTP/1.1\r\n" HOST END, "PATH_ABOVE_ROOT", 400);
    REFUSED("GET /a%2f..%2f../b HTTP/1.1\r\n" HOST END, "PATH_ABOVE_ROOT", 400);
}

/* Fields */

static void empty_header_name_is_refused(void **state)
{
    (void)state;
    REFUSED(GET HOST ": a\r\n" END, "EMPTY_HEADER_NAME", 400);
    REFUSED(GET ":\r\n" HOST END, "EMPTY_HEADER_NAME", 400);
}

static void white_space_before_the_colon_is_refused(void **state)
{
    (void)state;
    REFUSED(GET HOST "Foo : a\r\n" END, "SPACE_BEFORE_COLON", 400);
    REFUSED(GET HOST "Foo\t: a\r\n" END, "SPACE_BEFORE_COLON", 400);
    REFUSED(POST HOST "Content-Length : 5\r\n" END, "SPACE_BEFORE_COLON", 400);
    REFUSED(POST HOST "Transfer-Encoding \t: chunked\r\n" END,
            "SPACE_BEFORE_COLON", 400);
}

static void header_name_that_is_no_token_is_refused(void **state)
{
    (void)state;
    REFUSED(GET HOST "Foo\r\n" END, "BAD_HEADER_NAME", 400);
    REFUSED(GET HOST "Fo o: a\r\n" END, "BAD_HEADER_NAME", 400);
    REFUSED(GET HOST "Fo(o: a\r\n" END, "BAD_HEADER_NAME", 400);
    REFUSED(GET HOST "Fo\x80o: a\r\n" END, "BAD_HEADER_NAME", 400);
    REFUSED(GET HOST "Foo\x0b: a\r\n" END, "BAD_HEADER_NAME", 400);
}

static void control_byte_in_a_value_is_refused(void **state)
{
    (void)state;
    REFUSED(GET HOST "Foo: \x01\r\n" END, "BAD_HEADER_VALUE", 400);
    REFUSED(GET HOST "Foo: a long value \x1f of many words\r\n" END,
            "BAD_HEADER_VALUE", 400);
    REFUSED(GET HOST "Foo: a\tb\x7f\r\n" END, "BAD_HEADER_VALUE", 400);
    REFUSED(POST HOST "Transfer-Encoding: \x0b"
                      "chunked\r\n" END,
            "BAD_HEADER_VALUE", 400);
}

static void missing_host_is_refused_on_1_1(void **state)
{
    (void)state;
    REFUSED(GET END, "NO_HOST", 400);
    REFUSED("GET http://a/ HTTP/1.1\r\n" END, "NO_HOST", 400);
}

static void second_host_is_refused(void **state)
{
    (void)state;
    REFUSED(GET HOST HOST END, "TWO_HOSTS", 400);
    REFUSED(GET HOST "Foo: b\r\nhOST:\r\n" END, "TWO_HOSTS", 400);
    REFUSED("GET / HTTP/1.0\r\n" HOST HOST END, "TWO_HOSTS", 400);
}

static void malformed_host_is_refused(void **state)
{
    (void)state;
    REFUSED(GET "Host: a b\r\n" END, "BAD_HOST", 400);
    REFUSED(GET "Host: a/b\r\n" END, "BAD_HOST", 400);
    REFUSED(GET "Host: user@a\r\n" END, "BAD_HOST", 400);
    REFUSED(GET "Host: :80\r\n" END, "BAD_HOST", 400);
    REFUSED(GET "Host: a:65536\r\n" END, "BAD_HOST", 400);
    REFUSED(GET "Host: a:+1\r\n" END, "BAD_HOST", 400);
    REFUSED(GET "Host: [::1\r\n" END, "BAD_HOST", 400);
    REFUSED(GET "Host: \xc3\xa4\r\n" END, "BAD_HOST", 400);
    REFUSED("GET http://a/ HTTP/1.1\r\nHost: b c\r\n" END, "BAD_HOST", 400);
}

static void other_expectation_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Expect: 200-ok\r\n" END, "BAD_EXPECT", 417);
    REFUSED(POST HOST "Expect: 100-continue\r\nExpect: x\r\n" END, "BAD_EXPECT",
            417);
}

/* Framing */

static void length_that_is_no_plain_number_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Content-Length: +5\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: -5\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: 5 5\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: 0x5\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: 5a\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: 5;\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: 5.0\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: 1_0\r\n" END, "BAD_LENGTH", 400);
}

static void empty_length_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Content-Length:\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: \t \r\n" END, "BAD_LENGTH", 400);
}

static void listed_length_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Content-Length: 5, 5\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: 5,6\r\n" END, "BAD_LENGTH", 400);
    REFUSED(POST HOST "Content-Length: ,5\r\n" END, "BAD_LENGTH", 400);
}

static void repeated_length_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Content-Length: 5\r\nContent-Length: 5\r\n" END,
            "TWO_LENGTHS", 400);
    REFUSED(POST HOST "Content-Length: 5\r\ncontent-length: 6\r\n" END,
            "TWO_LENGTHS", 400);
}

static void length_beyond_2_63_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Content-Length: 9223372036854775808\r\n" END,
            "LENGTH_TOO_LARGE", 413);
    REFUSED(POST HOST "Content-Length: 18446744073709551617\r\n" END,
            "LENGTH_TOO_LARGE", 413);
}

static void length_beside_encoding_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END,
            "LENGTH_AND_ENCODING", 400);
    REFUSED(POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n" END,
            "LENGTH_AND_ENCODING", 400);
    REFUSED(POST HOST "Transfer-Encoding: x\r\nContent-Length: 0\r\n" END,
            "LENGTH_AND_ENCODING", 400);
}

static void encoding_that_is_not_exactly_chunked_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST "Transfer-Encoding:\r\n" END, "BAD_ENCODING", 400);
    REFUSED(POST HOST "Transfer-Encoding: chunked, chunked\r\n" END,
            "BAD_ENCODING", 400);
    REFUSED(POST HOST "Transfer-Encoding: gzip, chunked\r\n" END,
            "BAD_ENCODING", 400);
    REFUSED(POST HOST "Transfer-Encoding: chunked, gzip\r\n" END,
            "BAD_ENCODING", 400);
    REFUSED(POST HOST "Transfer-Encoding: chunked;q=1\r\n" END, "BAD_ENCODING",
            400);
    REFUSED(POST HOST "Transfer-Encoding: ,chunked\r\n" END, "BAD_ENCODING",
            400);
    REFUSED(POST HOST "Transfer-Encoding: \"chunked\"\r\n" END, "BAD_ENCODING",
            400);
    REFUSED(POST HOST "Transfer-Encoding: chun ked\r\n" END, "BAD_ENCODING",
            400);
}

static void other_encoding_is_not_implemented(void **state)
{
    (void)state;
    REFUSED(POST HOST "Transfer-Encoding: gzip\r\n" END, "ENCODING_UNKNOWN",
            501);
    REFUSED(POST HOST "Transfer-Encoding: identity\r\n" END, "ENCODING_UNKNOWN",
            501);
    REFUSED(POST HOST "Transfer-Encoding: xchunked\r\n" END, "ENCODING_UNKNOWN",
            501);
}

static void encoding_on_two_lines_is_refused(void **state)
{
    (void)state;
    REFUSED(POST HOST
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END,
            "BAD_ENCODING", 400);
    REFUSED(POST HOST
            "Transfer-Encoding: x\r\ntransfer-encoding: chunked\r\n" END,
            "BAD_ENCODING", 400);
}

static void encoding_on_1_0_is_refused(void **state)
{
    (void)state;
    REFUSED("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END,
            "ENCODING_ON_1_0", 400);
    REFUSED("POST / HTTP/1.0\r\nContent-Length: 1\r\n"
            "Transfer-Encoding: chunked\r\n" END,
            "ENCODING_ON_1_0", 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_field_is_refused),
        cmocka_unit_test(folded_length_is_refused),
        cmocka_unit_test(folded_encoding_is_refused),
        cmocka_unit_test(white_space_before_the_first_field_is_refused),
        cmocka_unit_test(bare_carriage_return_is_refused),
        cmocka_unit_test(bare_line_feed_is_refused),
        cmocka_unit_test(nul_byte_is_refused),
        cmocka_unit_test(third_empty_line_before_a_request_is_refused),
        cmocka_unit_test(binary_noise_is_refused_at_its_first_byte),
        cmocka_unit_test(head_beyond_the_limit_is_refused),
        cmocka_unit_test(
            target_beyond_the_limit_is_refused_before_the_line_ends),
        cmocka_unit_test(one_field_too_many_is_refused),
        cmocka_unit_test(version_other_than_1_0_and_1_1_is_refused),
        cmocka_unit_test(other_protocol_is_refused),
        cmocka_unit_test(preface_of_http_2_is_refused),
        cmocka_unit_test(unknown_method_is_not_implemented),
        cmocka_unit_test(method_that_is_no_token_is_refused),
        cmocka_unit_test(request_line_with_a_stray_space_is_refused),
        cmocka_unit_test(target_of_no_known_form_is_refused),
        cmocka_unit_test(asterisk_is_for_options_only),
        cmocka_unit_test(connect_takes_host_and_port_only),
        cmocka_unit_test(target_with_a_forbidden_byte_is_refused),
        cmocka_unit_test(malformed_escape_in_the_path_is_refused),
        cmocka_unit_test(path_above_the_root_is_refused),
        cmocka_unit_test(empty_header_name_is_refused),
        cmocka_unit_test(white_space_before_the_colon_is_refused),
        cmocka_unit_test(header_name_that_is_no_token_is_refused),
        cmocka_unit_test(control_byte_in_a_value_is_refused),
        cmocka_unit_test(missing_host_is_refused_on_1_1),
        cmocka_unit_test(second_host_is_refused),
        cmocka_unit_test(malformed_host_is_refused),
        cmocka_unit_test(other_expectation_is_refused),
        cmocka_unit_test(length_that_is_no_plain_number_is_refused),
        cmocka_unit_test(empty_length_is_refused),
        cmocka_unit_test(listed_length_is_refused),
        cmocka_unit_test(repeated_length_is_refused),
        cmocka_unit_test(length_beyond_2_63_is_refused),
        cmocka_unit_test(length_beside_encoding_is_refused),
        cmocka_unit_test(encoding_that_is_not_exactly_chunked_is_refused),
        cmocka_unit_test(other_encoding_is_not_implemented),
        cmocka_unit_test(encoding_on_two_lines_is_refused),
        cmocka_unit_test(encoding_on_1_0_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
