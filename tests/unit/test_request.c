/* What is accepted, and what it is taken apart into. */
#include "tests/support/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define END  "\r\n"

static void assert_span(const struct reading *r, struct span s, const char *is)
{
    struct str text = request_str(&r->req, s);
    if (!str_equal(text, str_from(is)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.at, is);
}

static void assert_header(const struct reading *r, enum header_id id,
                          const char *is)
{
    struct str value = request_header(&r->req, id);
    assert_non_null(value.at);
    assert_true(str_equal(value, str_from(is)));
}

static void request_is_taken_apart(void **state)
{
    (void)state;
    struct reading r;
    FEED("GET /a%20b/../c?x=%41&y HTTP/1.1\r\n"
         "Host: example.org:8080\r\n"
         "user-agent:  curl/8.0 \t\r\n"
         "X-Empty:\r\n"
         "ACCEPT: */*\r\n" END "rest",
         &r);
    assert_true(r.complete);
    assert_int_equal(r.req.method, METHOD_GET);
    assert_int_equal(r.req.form, TARGET_ORIGIN);
    assert_int_equal(r.req.minor, 1);
    assert_span(&r, r.req.target, "/a%20b/../c?x=%41&y");
    assert_span(&r, r.req.path, "/c");
    assert_span(&r, r.req.query, "x=%41&y");
    assert_span(&r, r.req.authority, "example.org:8080");
    assert_int_equal(r.req.headers_n, 4);
    assert_header(&r, HEADER_USER_AGENT, "curl/8.0");
    assert_header(&r, HEADER_ACCEPT, "*/*");
    feed_fini(&r);
}

static void bytes_behind_the_head_are_left(void **state)
{
    (void)state;
    struct reading r;
    FEED(GET HOST END GET HOST END, &r);
    assert_true(r.complete);
    assert_int_equal(r.used, sizeof(GET HOST END) - 1);
    feed_fini(&r);
}

static void two_empty_lines_before_a_request_are_skipped(void **state)
{
    (void)state;
    struct reading r;
    FEED("\r\n\r\n" GET HOST END, &r);
    assert_true(r.complete);
    assert_span(&r, r.req.path, "/");
    feed_fini(&r);
}

static void every_known_method_is_accepted(void **state)
{
    (void)state;
    for (enum method m = METHOD_GET; m <= METHOD_TRACE; m++) {
        struct bytes head;
        struct reading r;
        bytes_init(&head, 256);
        bytes_printf(&head, "%s %s HTTP/1.1\r\n" HOST END, method_name(m),
                     m == METHOD_CONNECT ? "a:443" : "/");
        feed_message(head.data, head.len, &r);
        assert_true(r.complete);
        assert_int_equal(r.req.method, m);
        feed_fini(&r);
        bytes_fini(&head);
    }
}

static void authority_of_the_target_overrides_host(void **state)
{
    (void)state;
    struct reading r;
    FEED("GET HTTP://b:81/x?y HTTP/1.1\r\n" HOST END, &r);
    assert_true(r.complete);
    assert_int_equal(r.req.form, TARGET_ABSOLUTE);
    assert_span(&r, r.req.authority, "b:81");
    assert_span(&r, r.req.path, "/x");
    assert_span(&r, r.req.query, "y");
    feed_fini(&r);
}

static void absolute_target_without_a_path_means_the_root(void **state)
{
    (void)state;
    struct reading r;
    FEED("GET https://[::1]?q HTTP/1.1\r\n" HOST END, &r);
    assert_true(r.complete);
    assert_span(&r, r.req.authority, "[::1]");
    assert_span(&r, r.req.path, "/");
    assert_span(&r, r.req.query, "q");
    feed_fini(&r);
}

static void asterisk_has_no_path(void **state)
{
    (void)state;
    struct reading r;
    FEED("OPTIONS * HTTP/1.1\r\n" HOST END, &r);
    assert_true(r.complete);
    assert_int_equal(r.req.form, TARGET_ASTERISK);
    assert_span(&r, r.req.path, "");
    assert_span(&r, r.req.authority, "a");
    feed_fini(&r);
}

static void connect_names_an_authority(void **state)
{
    (void)state;
    struct reading r;
    FEED("CONNECT [::1]:443 HTTP/1.1\r\n" HOST END "payload", &r);
    assert_true(r.complete);
    assert_int_equal(r.req.form, TARGET_AUTHORITY);
    assert_span(&r, r.req.authority, "[::1]:443");
    assert_span(&r, r.req.path, "");
    assert_int_equal(r.used,
                     sizeof("CONNECT [::1]:443 HTTP/1.1\r\n" HOST END) - 1);
    feed_fini(&r);
}

static void empty_host_leaves_the_authority_empty(void **state)
{
    (void)state;
    struct reading r;
    FEED(GET "Host:\r\n" END, &r);
    assert_true(r.complete);
    assert_span(&r, r.req.authority, "");
    feed_fini(&r);
}

static void host_may_be_missing_on_1_0(void **state)
{
    (void)state;
    struct reading r;
    FEED("GET / HTTP/1.0\r\n" END, &r);
    assert_true(r.complete);
    assert_int_equal(r.req.minor, 0);
    assert_span(&r, r.req.authority, "");
    feed_fini(&r);
}

static void value_may_hold_tabs_and_bytes_above_ascii(void **state)
{
    (void)state;
    struct reading r;
    FEED(GET HOST "User-Agent: one\ttwo three \xc3\xa4\xff four\r\n" END, &r);
    assert_header(&r, HEADER_USER_AGENT, "one\ttwo three \xc3\xa4\xff four");
    feed_fini(&r);
}

static void fields_of_one_name_are_walked_in_order(void **state)
{
    (void)state;
    struct reading r;
    struct str value;
    uint16_t it = 0;

    FEED(GET "If-Match: 1\r\n" HOST
             "if-match: 2\r\nX: 9\r\nIF-MATCH: 3\r\n" END,
         &r);
    for (int want = '1'; want <= '3'; want++) {
        assert_true(request_header_next(&r.req, HEADER_IF_MATCH, &it, &value));
        assert_int_equal(value.at[0], want);
    }
    assert_false(request_header_next(&r.req, HEADER_IF_MATCH, &it, &value));
    feed_fini(&r);
}

static void field_is_found_by_name_in_any_letter_case(void **state)
{
    (void)state;
    struct reading r;
    FEED(GET HOST "X-One: 1\r\nx-one: 2\r\nX-Empty:\r\n" END, &r);
    assert_true(
        str_equal(request_header_named(&r.req, STR("x-ONE")), STR("1")));
    assert_null(request_header_named(&r.req, STR("x-on")).at);
    assert_non_null(request_header_named(&r.req, STR("X-empty")).at);
    feed_fini(&r);
}

static void missing_and_empty_fields_can_be_told_apart(void **state)
{
    (void)state;
    struct reading r;
    FEED(GET HOST "Accept: \r\n" END, &r);
    assert_non_null(request_header(&r.req, HEADER_ACCEPT).at);
    assert_int_equal(request_header(&r.req, HEADER_ACCEPT).len, 0);
    assert_null(request_header(&r.req, HEADER_RANGE).at);
    feed_fini(&r);
}

static void every_name_the_server_reads_is_known(void **state)
{
    (void)state;
    static const char *const names[HEADER_IDS] = {
        [HEADER_ACCEPT] = "Accept",
        [HEADER_ACCEPT_ENCODING] = "Accept-Encoding",
        [HEADER_AUTHORIZATION] = "Authorization",
        [HEADER_CONNECTION] = "Connection",
        [HEADER_CONTENT_LENGTH] = "Content-Length",
        [HEADER_CONTENT_TYPE] = "Content-Type",
        [HEADER_EXPECT] = "Expect",
        [HEADER_HOST] = "Host",
        [HEADER_IF_MATCH] = "If-Match",
        [HEADER_IF_MODIFIED_SINCE] = "If-Modified-Since",
        [HEADER_IF_NONE_MATCH] = "If-None-Match",
        [HEADER_IF_RANGE] = "If-Range",
        [HEADER_IF_UNMODIFIED_SINCE] = "If-Unmodified-Since",
        [HEADER_LAST_EVENT_ID] = "Last-Event-ID",
        [HEADER_ORIGIN] = "Origin",
        [HEADER_PRODUCER_EPOCH] = "Producer-Epoch",
        [HEADER_PRODUCER_ID] = "Producer-Id",
        [HEADER_PRODUCER_SEQ] = "Producer-Seq",
        [HEADER_RANGE] = "Range",
        [HEADER_SEC_WEBSOCKET_KEY] = "Sec-WebSocket-Key",
        [HEADER_SEC_WEBSOCKET_PROTOCOL] = "Sec-WebSocket-Protocol",
        [HEADER_SEC_WEBSOCKET_VERSION] = "Sec-WebSocket-Version",
        [HEADER_STREAM_CLOSED] = "Stream-Closed",
        [HEADER_STREAM_EXPIRES_AT] = "Stream-Expires-At",
        [HEADER_STREAM_SEQ] = "Stream-Seq",
        [HEADER_STREAM_TTL] = "Stream-TTL",
        [HEADER_TRAILER] = "Trailer",
        [HEADER_TRANSFER_ENCODING] = "Transfer-Encoding",
        [HEADER_UPGRADE] = "Upgrade",
        [HEADER_USER_AGENT] = "User-Agent",
    };
    for (enum header_id id = HEADER_OTHER + 1; id < HEADER_IDS; id++) {
        struct bytes head;
        struct reading r;
        const char *value = id == HEADER_EXPECT              ? "100-continue"
                            : id == HEADER_TRANSFER_ENCODING ? "chunked"
                                                             : "7";
        bytes_init(&head, 256);
        bytes_printf(&head, GET "%s%s: %s\r\n" END,
                     id == HEADER_HOST ? "" : HOST, names[id], value);
        feed_message(head.data, head.len, &r);
        assert_header(&r, id, value);
        feed_fini(&r);
        bytes_fini(&head);
    }
}

static void name_that_only_resembles_a_known_one_is_another(void **state)
{
    (void)state;
    struct reading r;
    FEED(GET HOST "Hosts: b\r\nHaat: c\r\nHos: d\r\nH: e\r\n" END, &r);
    assert_true(r.complete);
    assert_header(&r, HEADER_HOST, "a");
    feed_fini(&r);
}

static void connection_stays_open_on_1_1_unless_closed(void **state)
{
    (void)state;
    struct reading r;
    FEED(GET HOST END, &r);
    assert_true(r.req.keep_alive);
    feed_fini(&r);
    FEED(GET HOST "Connection: CLOSE\r\n" END, &r);
    assert_false(r.req.keep_alive);
    feed_fini(&r);
    FEED(GET HOST "Connection: closed\r\n" END, &r);
    assert_true(r.req.keep_alive);
    feed_fini(&r);
}

static void connection_closes_on_1_0_unless_kept(void **state)
{
    (void)state;
    struct reading r;
    FEED("GET / HTTP/1.0\r\n" END, &r);
    assert_false(r.req.keep_alive);
    feed_fini(&r);
    FEED("GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n" END, &r);
    assert_true(r.req.keep_alive);
    feed_fini(&r);
}

static void close_wins_over_keep_alive(void **state)
{
    (void)state;
    struct reading r;
    FEED(GET HOST "Connection: keep-alive , \tclose\r\n" END, &r);
    assert_false(r.req.keep_alive);
    feed_fini(&r);
    FEED(GET HOST "Connection: close\t , keep-alive\r\n" END, &r);
    assert_false(r.req.keep_alive);
    feed_fini(&r);
    FEED(GET HOST "Connection: ,close,\r\nConnection: keep-alive\r\n" END, &r);
    assert_false(r.req.keep_alive);
    feed_fini(&r);
}

static void upgrade_is_left_to_the_server(void **state)
{
    (void)state;
    struct reading r;
    FEED("POST / HTTP/1.1\r\n" HOST
         "Connection: Upgrade\r\nUpgrade: websocket\r\n"
         "Content-Length: 2\r\n" END "ab",
         &r);
    assert_true(r.complete);
    assert_true(r.req.keep_alive);
    assert_int_equal(r.body.len, 2);
    feed_fini(&r);
}

static void expectation_is_reported_on_1_1_only(void **state)
{
    (void)state;
    struct reading r;
    FEED("PUT / HTTP/1.1\r\n" HOST
         "Expect: 100-Continue\r\nContent-Length: 1\r\n" END,
         &r);
    assert_true(r.req.expect_continue);
    feed_fini(&r);
    FEED("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n" END,
         &r);
    assert_false(r.req.expect_continue);
    feed_fini(&r);
}

static void head_of_exactly_the_limit_is_accepted(void **state)
{
    (void)state;
    struct bytes head;
    struct reading r;
    bytes_init(&head, FEED_HEAD_BYTES_MAX);
    bytes_append_str(&head, STR(GET HOST "Foo: "));
    feed_pad(&head, FEED_HEAD_BYTES_MAX - 4);
    bytes_append_str(&head, STR("\r\n\r\n"));
    feed_message(head.data, head.len, &r);
    assert_int_equal(head.len, FEED_HEAD_BYTES_MAX);
    assert_true(r.complete);
    feed_fini(&r);
    bytes_fini(&head);
}

static void target_of_exactly_the_limit_is_accepted(void **state)
{
    (void)state;
    struct bytes head;
    struct reading r;
    bytes_init(&head, FEED_HEAD_BYTES_MAX);
    bytes_append_str(&head, STR("GET /"));
    feed_pad(&head, 4 + FEED_TARGET_BYTES_MAX);
    bytes_append_str(&head, STR(" HTTP/1.1\r\n" HOST END));
    feed_message(head.data, head.len, &r);
    assert_true(r.complete);
    assert_int_equal(r.req.target.len, FEED_TARGET_BYTES_MAX);
    feed_fini(&r);
    bytes_fini(&head);
}

static void as_many_fields_as_fit_are_accepted(void **state)
{
    (void)state;
    struct bytes head;
    struct reading r;
    bytes_init(&head, 4096);
    bytes_append_str(&head, STR(GET HOST));
    for (unsigned i = 1; i < REQUEST_HEADERS_MAX; i++)
        bytes_append_str(&head, STR("a:b\r\n"));
    bytes_append_str(&head, STR(END));
    feed_message(head.data, head.len, &r);
    assert_true(r.complete);
    assert_int_equal(r.req.headers_n, REQUEST_HEADERS_MAX);
    feed_fini(&r);
    bytes_fini(&head);
}

/* One request object, used again and again */

static const struct request_limits limits = {1024, 256, 64, 64};

static enum flow feed_head(struct request *req, const char *text)
{
    size_t used;
    return request_feed_head(req, text, strlen(text), &used);
}

static void reset_forgets_the_request_before(void **state)
{
    (void)state;
    struct request req;
    assert_true(request_init(&req, &limits));
    assert_int_equal(feed_head(&req,
                               "POST /%41 HTTP/1.1\r\nHost: b\r\nAccept: x\r\n"
                               "Connection: close\r\nExpect: 100-continue\r\n"
                               "Content-Length: 7\r\n\r\n"),
                     FLOW_DONE);
    request_reset(&req);
    assert_int_equal(feed_head(&req, "GET / HTTP/1.0\r\n\r\n"), FLOW_DONE);
    assert_int_equal(req.method, METHOD_GET);
    assert_int_equal(req.headers_n, 0);
    assert_null(request_header(&req, HEADER_ACCEPT).at);
    assert_int_equal(req.authority.len, 0);
    assert_false(req.has_length);
    assert_false(req.expect_continue);
    assert_true(req.body_done);
    request_fini(&req);
}

static void refused_request_says_nothing_of_the_one_before(void **state)
{
    (void)state;
    struct request req;
    assert_true(request_init(&req, &limits));
    assert_int_equal(
        feed_head(&req, "PUT / HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n"
                        "Expect: 100-continue\r\n\r\n"),
        FLOW_DONE);
    request_reset(&req);
    assert_int_equal(feed_head(&req, "\n"), FLOW_FAILED);
    assert_int_equal(req.method, METHOD_GET);
    assert_int_equal(req.minor, 0);
    assert_false(req.keep_alive);
    assert_false(req.expect_continue);
    assert_false(req.chunked);
    assert_false(req.has_length);
    assert_false(req.body_done);
    assert_int_equal(req.target.len, 0);
    request_fini(&req);
}

static void reset_lifts_a_refusal(void **state)
{
    (void)state;
    struct request req;
    assert_true(request_init(&req, &limits));
    assert_int_equal(feed_head(&req, "GET / HTTP/1.1\n"), FLOW_FAILED);
    assert_int_equal(feed_head(&req, GET HOST END), FLOW_FAILED);
    request_reset(&req);
    assert_int_equal(feed_head(&req, GET HOST END), FLOW_DONE);
    request_fini(&req);
}

static void request_has_begun_with_its_first_byte(void **state)
{
    (void)state;
    struct request req;
    assert_true(request_init(&req, &limits));
    assert_false(request_begun(&req));
    assert_int_equal(feed_head(&req, "\r\n"), FLOW_AGAIN);
    assert_false(request_begun(&req));
    assert_int_equal(feed_head(&req, "G"), FLOW_AGAIN);
    assert_true(request_begun(&req));
    request_reset(&req);
    assert_false(request_begun(&req));
    request_fini(&req);
}

static void target_of_a_refused_request_can_be_logged(void **state)
{
    (void)state;
    struct request req;
    assert_true(request_init(&req, &limits));
    assert_int_equal(feed_head(&req, "GET /log HTTP/1.1\r\n: x\r\n"),
                     FLOW_FAILED);
    assert_true(str_equal(request_str(&req, req.target), STR("/log")));
    request_fini(&req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_taken_apart),
        cmocka_unit_test(bytes_behind_the_head_are_left),
        cmocka_unit_test(two_empty_lines_before_a_request_are_skipped),
        cmocka_unit_test(every_known_method_is_accepted),
        cmocka_unit_test(authority_of_the_target_overrides_host),
        cmocka_unit_test(absolute_target_without_a_path_means_the_root),
        cmocka_unit_test(asterisk_has_no_path),
        cmocka_unit_test(connect_names_an_authority),
        cmocka_unit_test(empty_host_leaves_the_authority_empty),
        cmocka_unit_test(host_may_be_missing_on_1_0),
        cmocka_unit_test(value_may_hold_tabs_and_bytes_above_ascii),
        cmocka_unit_test(fields_of_one_name_are_walked_in_order),
        cmocka_unit_test(field_is_found_by_name_in_any_letter_case),
        cmocka_unit_test(missing_and_empty_fields_can_be_told_apart),
        cmocka_unit_test(every_name_the_server_reads_is_known),
        cmocka_unit_test(name_that_only_resembles_a_known_one_is_another),
        cmocka_unit_test(connection_stays_open_on_1_1_unless_closed),
        cmocka_unit_test(connection_closes_on_1_0_unless_kept),
        cmocka_unit_test(close_wins_over_keep_alive),
        cmocka_unit_test(upgrade_is_left_to_the_server),
        cmocka_unit_test(expectation_is_reported_on_1_1_only),
        cmocka_unit_test(head_of_exactly_the_limit_is_accepted),
        cmocka_unit_test(target_of_exactly_the_limit_is_accepted),
        cmocka_unit_test(as_many_fields_as_fit_are_accepted),
        cmocka_unit_test(reset_forgets_the_request_before),
        cmocka_unit_test(refused_request_says_nothing_of_the_one_before),
        cmocka_unit_test(reset_lifts_a_refusal),
        cmocka_unit_test(request_has_begun_with_its_first_byte),
        cmocka_unit_test(target_of_a_refused_request_can_be_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
