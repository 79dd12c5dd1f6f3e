#include "httpd/streams/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 64u
#define AT           "0000000000000000_00000000000"
#define POS          UINT64_C(10000)

/* A stream from POS on, whose tail is the end of the last message. */
struct fixture {
    struct render_style style;
    struct render_state state;
    struct bytes data;
    struct bytes out;
    uint32_t ends[MESSAGES_MAX];
    size_t ends_n;
    size_t at;
    bool closed;
};

static void begin(struct fixture *f, enum render_form form,
                  enum stream_kind kind)
{
    *f = (struct fixture){.style = {.form = form, .kind = kind}};
    bytes_init(&f->data, 1u << 20);
    bytes_init(&f->out, 1u << 20);
}

static void end(struct fixture *f)
{
    bytes_fini(&f->data);
    bytes_fini(&f->out);
}

static void publish_bytes(struct fixture *f, const char *at, size_t n)
{
    assert_true(f->ends_n < MESSAGES_MAX);
    assert_int_equal(bytes_append(&f->data, at, n), FLOW_DONE);
    f->ends[f->ends_n++] = (uint32_t)f->data.len;
}

static void publish(struct fixture *f, const char *text)
{
    publish_bytes(f, text, strlen(text));
}

static void publish_many(struct fixture *f, char c, size_t n)
{
    char *at = malloc(n);
    assert_non_null(at);
    memset(at, c, n);
    publish_bytes(f, at, n);
    free(at);
}

static size_t step(struct fixture *f)
{
    uint32_t ends[MESSAGES_MAX];
    size_t used = 0;
    struct render_input in = {
        .data = str_skip(bytes_view(&f->data), f->at),
        .ends = ends,
        .pos = POS + f->at,
        .tail = POS + f->data.len,
        .closed = f->closed,
        .cursor = 77,
    };
    for (size_t i = 0; i < f->ends_n; i++)
        if (f->ends[i] > f->at)
            ends[in.ends_n++] = f->ends[i] - (uint32_t)f->at;
    assert_int_equal(render_step(&f->style, &f->state, &in, &f->out, &used),
                     FLOW_DONE);
    f->at += used;
    return used;
}

/* What was made since the last look. */
static void assert_made_bytes(struct fixture *f, const char *at, size_t n)
{
    assert_int_equal(f->out.len, n);
    assert_memory_equal(f->out.data, at, n);
    bytes_reset(&f->out);
}

#define assert_made(f, literal)                                                \
    assert_made_bytes(f, "" literal, sizeof(literal) - 1)

static void raw_is_the_payload_in_bounded_steps(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_RAW, STREAM_TEXT);
    publish(&f, "one");
    publish(&f, "two\n");
    assert_int_equal(step(&f), 7);
    assert_made(&f, "onetwo\n");
    publish_many(&f, 'x', RENDER_IN_BYTES_MAX + 1);
    assert_int_equal(step(&f), RENDER_IN_BYTES_MAX);
    end(&f);
}

static void a_step_is_one_chunk(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_RAW, STREAM_TEXT);
    f.style.chunked = true;
    publish(&f, "0123456789");
    publish(&f, "abcdefgh");
    step(&f);
    assert_made(&f, "12\r\n0123456789abcdefgh\r\n");
    f.style.form = RENDER_SSE;
    publish(&f, "x");
    step(&f);
    assert_made(&f, "2f\r\ndata: x\nid: " AT "10019\n\n\r\n");
    end(&f);
}

static void an_event_ends_with_where_to_go_on(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE, STREAM_TEXT);
    publish(&f, "hello");
    publish(&f, " world");
    step(&f);
    assert_made(&f, "data: hello\nid: " AT "10005\n\n"
                    "data:  world\nid: " AT "10011\n\n");
    end(&f);
}

static void each_kind_of_line_end_begins_a_data_line(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE, STREAM_TEXT);
    publish(&f, "a\nb\rc\r\nd\n\re\n");
    step(&f);
    assert_made(&f, "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e\n"
                    "data: \nid: " AT "10012\n\n");
    end(&f);
}

static void json_loses_the_line_feed_that_it_is_stored_with(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE, STREAM_JSON);
    publish(&f, "{\"a\":1}\n");
    step(&f);
    assert_made(&f, "data: {\"a\":1}\nid: " AT "10008\n\n");
    f.style.form = RENDER_WS;
    publish(&f, "[]\n");
    step(&f);
    assert_made(&f, "\x81\x02[]");
    end(&f);
}

static void binary_events_are_base64(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE, STREAM_BINARY);
    publish_bytes(&f, "\0\xff\n\xfb", 4);
    step(&f);
    assert_made(&f, "data: AP8K+w==\nid: " AT "10004\n\n");
    end(&f);
}

static void strict_data_is_followed_by_its_control(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE_DS, STREAM_TEXT);
    publish(&f, "line1\nline2");
    publish(&f, "x");
    step(&f);
    assert_made(&f, "event: data\ndata:line1\ndata:line2\n\n"
                    "event: control\ndata:{\"streamNextOffset\":\"" AT
                    "10011\",\"streamCursor\":\"77\"}\n\n"
                    "event: data\ndata:x\n\n"
                    "event: control\ndata:{\"streamNextOffset\""
                    ":\"" AT "10012\",\"streamCursor\":\"77\","
                    "\"upToDate\":true}\n\n");
    end(&f);
}

static void strict_lines_keep_a_space_at_their_begin(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE_DS, STREAM_TEXT);
    publish(&f, " a\n  b\n\nc");
    step(&f);
    static const char lines[] =
        "event: data\ndata:  a\ndata:   b\ndata:\ndata:c\n\nevent: control";
    assert_memory_equal(f.out.data, lines, sizeof lines - 1);
    end(&f);
}

static void short_json_messages_share_an_array(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE_DS, STREAM_JSON);
    publish(&f, "{\"n\":1}\n");
    publish(&f, "{\"n\":2}\n");
    step(&f);
    assert_made(&f, "event: data\ndata:[{\"n\":1},{\"n\":2}]\n\n"
                    "event: control\ndata:{\"streamNextOffset\":\"" AT
                    "10016\",\"streamCursor\":\"77\","
                    "\"upToDate\":true}\n\n");
    end(&f);
}

static void a_closed_stream_needs_no_cursor(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE_DS, STREAM_BINARY);
    f.closed = true;
    publish(&f, "end");
    step(&f);
    assert_made(&f, "event: data\ndata:ZW5k\n\n"
                    "event: control\ndata:{\"streamNextOffset\":\"" AT
                    "10003\",\"upToDate\":true,"
                    "\"streamClosed\":true}\n\n");
    end(&f);
}

static void before_the_tail_a_closed_stream_is_not_told(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE_DS, STREAM_TEXT);
    f.closed = true;
    publish_many(&f, 'x', RENDER_GROUP_BYTES);
    publish(&f, "end");
    step(&f);
    assert_null(memmem(f.out.data, f.out.len, "streamClosed", 12));
    assert_null(memmem(f.out.data, f.out.len, "upToDate", 8));
    step(&f);
    assert_non_null(memmem(f.out.data, f.out.len, "streamClosed", 12));
    end(&f);
}

static void short_messages_are_grouped(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_WS, STREAM_BINARY);
    for (int i = 0; i < 20; i++)
        publish_many(&f, 'x', 98);
    assert_int_equal(step(&f), 11 * 98);
    assert_int_equal(f.out.len, 11 * 100);
    end(&f);
}

static void a_long_message_is_never_begun_in_a_group(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_WS, STREAM_BINARY);
    publish(&f, "short");
    publish_many(&f, 'x', RENDER_IN_BYTES_MAX + 1);
    assert_int_equal(step(&f), 5);
    assert_int_equal(step(&f), RENDER_IN_BYTES_MAX);
    assert_true(f.state.in_message);
    assert_int_equal(step(&f), 1);
    assert_false(f.state.in_message);
    end(&f);
}

static void the_most_output_fits_its_bound(void **state)
{
    static const enum render_form forms[] = {RENDER_SSE, RENDER_SSE_DS,
                                             RENDER_WS, RENDER_WS_DS};
    struct fixture f;
    (void)state;
    for (size_t form = 0; form < sizeof forms / sizeof forms[0]; form++)
        for (int kind = STREAM_BINARY; kind <= STREAM_JSON; kind++) {
            begin(&f, forms[form], (enum stream_kind)kind);
            for (size_t i = 0; i < 20; i++)
                publish(&f, "\n");
            publish_many(&f, kind == STREAM_TEXT ? '\n' : '\xff',
                         RENDER_IN_BYTES_MAX - 20);
            step(&f);
            assert_true(f.out.len <= RENDER_OUT_BYTES_MAX);
            end(&f);
        }
}

static void long_text_is_fragments_of_one_message(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_WS, STREAM_TEXT);
    publish_many(&f, 'x', 2 * RENDER_IN_BYTES_MAX + 2);
    step(&f);
    assert_memory_equal(f.out.data, "\x01\x7e\x06\x00x", 5);
    bytes_reset(&f.out);
    step(&f);
    assert_memory_equal(f.out.data, "\x00\x7e\x06\x00x", 5);
    bytes_reset(&f.out);
    step(&f);
    assert_made(&f, "\x80\x02xx");
    end(&f);
}

static void the_shortest_length_of_a_frame_is_used(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_WS, STREAM_BINARY);
    publish_many(&f, 'x', 125);
    step(&f);
    assert_memory_equal(f.out.data, "\x82\x7dx", 3);
    assert_int_equal(f.out.len, 127);
    bytes_reset(&f.out);
    publish_many(&f, 'x', 126);
    step(&f);
    assert_memory_equal(f.out.data, "\x82\x7e\x00\x7ex", 5);
    assert_int_equal(f.out.len, 130);
    end(&f);
}

static void text_that_is_not_utf8_is_mended_for_websocket(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_WS, STREAM_TEXT);
    publish(&f, "a\xff"
                "b\xe2\x82");
    step(&f);
    assert_made(&f, "\x81\x08"
                    "a\xef\xbf\xbd"
                    "b\xef\xbf\xbd");
    end(&f);
}

static void fragments_hold_whole_characters(void **state)
{
    struct fixture f;
    char text[RENDER_IN_BYTES_MAX + 2];
    (void)state;
    begin(&f, RENDER_WS, STREAM_TEXT);
    memset(text, 'x', sizeof text);
    memcpy(text + RENDER_IN_BYTES_MAX - 1, "\xe2\x82\xac", 3);
    publish_bytes(&f, text, sizeof text);
    step(&f);
    assert_int_equal(f.out.len, 4 + RENDER_IN_BYTES_MAX - 1);
    bytes_reset(&f.out);
    step(&f);
    assert_made(&f, "\x80\x03\xe2\x82\xac");
    end(&f);
}

static void with_ds_data_is_binary_and_text_is_control(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_WS_DS, STREAM_TEXT);
    publish(&f, "a\xff");
    publish(&f, "b");
    step(&f);
    assert_made(&f, "\x82\x02"
                    "a\xff\x82\x01"
                    "b\x81\x5c{\"streamNextOffset\":\"" AT
                    "10003\",\"streamCursor\":\"77\","
                    "\"upToDate\":true}");
    end(&f);
}

static void hello_says_where_a_reader_is(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE_DS, STREAM_TEXT);
    render_hello(&f.style, POS, true, false, 5, &f.out);
    assert_made(&f, "event: control\ndata:{\"streamNextOffset\":\"" AT
                    "10000\",\"streamCursor\":\"5\","
                    "\"upToDate\":true}\n\n");
    f.style.form = RENDER_SSE;
    render_hello(&f.style, POS, true, false, 5, &f.out);
    assert_made(&f, "id: " AT "10000\n\n");
    f.style = (struct render_style){.form = RENDER_RAW, .chunked = true};
    render_hello(&f.style, POS, true, false, 5, &f.out);
    assert_made(&f, "");
    end(&f);
}

static void a_gap_is_told_exactly(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE, STREAM_TEXT);
    render_gap(&f.style, &f.state, 10000, 10009, &f.out);
    assert_made(&f, "event: gap\ndata: {\"from\":\"" AT "10000\",\"to\":\"" AT
                    "10009\"}\nid: " AT "10009\n\n");
    f.style.form = RENDER_SSE_DS;
    render_gap(&f.style, &f.state, 10000, 10009, &f.out);
    assert_made(&f, "event: gap\ndata: {\"from\":\"" AT "10000\",\"to\":\"" AT
                    "10009\"}\n\n");
    f.style.form = RENDER_WS;
    render_gap(&f.style, &f.state, 10000, 10009, &f.out);
    assert_made(&f, "\x81\x5d{\"gap\":{\"from\":\"" AT "10000\",\"to\":\"" AT
                    "10009\"}}");
    end(&f);
}

static void a_message_that_is_cut_off_is_no_message(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE_DS, STREAM_JSON);
    publish_many(&f, '1', RENDER_IN_BYTES_MAX + 9);
    step(&f);
    bytes_reset(&f.out);
    f.style.chunked = true;
    render_end(&f.style, &f.state, 1001, "away", &f.out);
    assert_made(&f, "d\r\n\nevent: cut\n\n\r\n0\r\n\r\n");
    assert_false(f.state.in_message);
    end(&f);
}

static void a_lapped_websocket_ends_with_what_it_lost(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_WS, STREAM_TEXT);
    render_lapped(&f.style, &f.state, 10000, 10009, &f.out);
    assert_made(&f, "\x88\x4d\x11\x3alapped: " AT "10000 " AT "10009");
    end(&f);
}

static void bare_bytes_of_a_lapped_reader_have_no_end(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_RAW, STREAM_TEXT);
    f.style.chunked = true;
    render_lapped(&f.style, &f.state, 10000, 10009, &f.out);
    render_gap(&f.style, &f.state, 10000, 10009, &f.out);
    assert_made(&f, "");
    end(&f);
}

static void a_heartbeat_never_breaks_an_event(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE, STREAM_TEXT);
    render_heartbeat(&f.style, &f.state, &f.out);
    assert_made(&f, ":\n\n");
    f.state.in_message = true;
    render_heartbeat(&f.style, &f.state, &f.out);
    assert_made(&f, "");
    f.style.form = RENDER_WS;
    render_heartbeat(&f.style, &f.state, &f.out);
    assert_made(&f, "\x89\x00");
    end(&f);
}

static void a_close_is_told_once(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE_DS, STREAM_TEXT);
    f.style.chunked = true;
    render_close(&f.style, POS, true, 5, &f.out);
    assert_made(&f, "0\r\n\r\n");
    render_close(&f.style, POS, false, 5, &f.out);
    assert_made(&f, "72\r\nevent: control\ndata:{\"streamNextOffset\":\"" AT
                    "10000\",\"upToDate\":true,\"streamClosed\":true}"
                    "\n\n\r\n0\r\n\r\n");
    f.style = (struct render_style){.form = RENDER_WS};
    render_close(&f.style, POS, true, 5, &f.out);
    assert_made(&f, "\x88\x08\x03\xe8"
                    "closed");
    end(&f);
}

static void a_page_learns_that_its_source_is_closed(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, RENDER_SSE, STREAM_TEXT);
    render_close(&f.style, POS, true, 5, &f.out);
    assert_made(&f, "event: closed\ndata: {\"offset\":\"" AT "10000\"}"
                    "\n\n");
    end(&f);
}

static void a_long_reason_is_cut_to_what_a_close_frame_holds(void **state)
{
    struct fixture f;
    char reason[200];
    (void)state;
    begin(&f, RENDER_WS, STREAM_TEXT);
    memset(reason, 'r', sizeof reason);
    reason[sizeof reason - 1] = '\0';
    render_end(&f.style, &f.state, 1001, reason, &f.out);
    assert_int_equal(f.out.len, 2 + 2 + RENDER_REASON_MAX);
    assert_memory_equal(f.out.data, "\x88\x7d\x03\xe9r", 5);
    end(&f);
}

static void without_room_nothing_changes(void **state)
{
    struct fixture f;
    struct bytes small;
    uint32_t last = 3;
    size_t used = 9;
    struct render_input in = {
        .data = STR("abc"), .ends = &last, .ends_n = 1, .pos = POS};
    (void)state;
    begin(&f, RENDER_SSE, STREAM_TEXT);
    bytes_init(&small, 16);
    f.state.in_message = true;
    assert_int_equal(render_step(&f.style, &f.state, &in, &small, &used),
                     FLOW_FULL);
    assert_int_equal(used, 0);
    assert_int_equal(render_gap(&f.style, &f.state, 1, 2, &small), FLOW_FULL);
    assert_true(f.state.in_message);
    assert_int_equal(small.len, 0);
    bytes_fini(&small);
    end(&f);
}

static void cursors_count_from_their_epoch(void **state)
{
    (void)state;
    assert_int_equal(render_cursor(0), 0);
    assert_int_equal(render_cursor(UINT64_C(1728432019999)), 0);
    assert_int_equal(render_cursor(UINT64_C(1728432020000)), 1);
    assert_int_equal(render_cursor(UINT64_C(1735689600000)), 362880);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_is_the_payload_in_bounded_steps),
        cmocka_unit_test(a_step_is_one_chunk),
        cmocka_unit_test(an_event_ends_with_where_to_go_on),
        cmocka_unit_test(each_kind_of_line_end_begins_a_data_line),
        cmocka_unit_test(json_loses_the_line_feed_that_it_is_stored_with),
        cmocka_unit_test(binary_events_are_base64),
        cmocka_unit_test(strict_data_is_followed_by_its_control),
        cmocka_unit_test(strict_lines_keep_a_space_at_their_begin),
        cmocka_unit_test(short_json_messages_share_an_array),
        cmocka_unit_test(a_closed_stream_needs_no_cursor),
        cmocka_unit_test(before_the_tail_a_closed_stream_is_not_told),
        cmocka_unit_test(short_messages_are_grouped),
        cmocka_unit_test(a_long_message_is_never_begun_in_a_group),
        cmocka_unit_test(the_most_output_fits_its_bound),
        cmocka_unit_test(long_text_is_fragments_of_one_message),
        cmocka_unit_test(the_shortest_length_of_a_frame_is_used),
        cmocka_unit_test(text_that_is_not_utf8_is_mended_for_websocket),
        cmocka_unit_test(fragments_hold_whole_characters),
        cmocka_unit_test(with_ds_data_is_binary_and_text_is_control),
        cmocka_unit_test(hello_says_where_a_reader_is),
        cmocka_unit_test(a_gap_is_told_exactly),
        cmocka_unit_test(a_message_that_is_cut_off_is_no_message),
        cmocka_unit_test(a_lapped_websocket_ends_with_what_it_lost),
        cmocka_unit_test(bare_bytes_of_a_lapped_reader_have_no_end),
        cmocka_unit_test(a_heartbeat_never_breaks_an_event),
        cmocka_unit_test(a_close_is_told_once),
        cmocka_unit_test(a_page_learns_that_its_source_is_closed),
        cmocka_unit_test(a_long_reason_is_cut_to_what_a_close_frame_holds),
        cmocka_unit_test(without_room_nothing_changes),
        cmocka_unit_test(cursors_count_from_their_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
