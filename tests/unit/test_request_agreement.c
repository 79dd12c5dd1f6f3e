/* llhttp reads every head that the guard let through. Hardly any bytes are
 * known on which they differ, so most of these tests change what the guard
 * found, just before llhttp is asked, and expect that it is noticed. */
#include <llhttp.h>

static llhttp_errno_t meddle_and_execute(llhttp_t *http, const char *data,
                                         size_t len);

#define llhttp_execute meddle_and_execute
#include "parser/request.c" /* NOLINT(bugprone-suspicious-include) */
#undef llhttp_execute

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void (*meddle)(struct request *req);

static llhttp_errno_t meddle_and_execute(llhttp_t *http, const char *data,
                                         size_t len)
{
    if (meddle)
        meddle(http->data);
    return llhttp_execute(http, data, len);
}

/* Whether the head is refused because the readings differ. */
static bool differs(const char *head, void (*how)(struct request *req))
{
    static const struct request_limits limits = {512, 128, 64, 64};
    struct request req;
    size_t used;

    assert_true(request_init(&req, &limits));
    meddle = how;
    enum flow r = request_feed_head(&req, head, strlen(head), &used);
    bool refused = r == FLOW_FAILED;
    if (refused)
        assert_string_equal(req.verdict.name, "READINGS_DIFFER");
    else
        assert_int_equal(r, FLOW_DONE);
    request_fini(&req);
    return refused;
}

static const char get[] =
    "GET /a HTTP/1.1\r\nHost: b\r\nEmpty: \r\nAge: 1 \r\n\r\n";
static const char post[] =
    "POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 12\r\n\r\n";

static void same_readings_are_accepted(void **state)
{
    (void)state;
    assert_false(differs(get, NULL));
    assert_false(differs(post, NULL));
}

/* Optional white space for the guard, part of the value for llhttp. */
static void tab_behind_a_framing_value_is_read_differently(void **state)
{
    (void)state;
    assert_true(differs("PUT / HTTP/1.1\r\nHost: b\r\n"
                        "Transfer-Encoding: chunked\t\r\n\r\n",
                        NULL));
    assert_true(differs("PUT / HTTP/1.1\r\nHost: b\r\n"
                        "Content-Length: 5\t\r\n\r\n",
                        NULL));
}

static void shorten_target(struct request *req)
{
    req->target.len--;
}

static void move_target(struct request *req)
{
    req->target.off--;
}

static void other_target_is_noticed(void **state)
{
    (void)state;
    assert_true(differs(get, shorten_target));
    assert_true(differs(get, move_target));
}

static void shorten_name(struct request *req)
{
    req->headers[1].name.len--;
}

static void move_name(struct request *req)
{
    req->headers[3].name.off++;
}

static void other_name_is_noticed(void **state)
{
    (void)state;
    assert_true(differs(get, shorten_name));
    assert_true(differs(get, move_name));
}

static void lengthen_value(struct request *req)
{
    req->headers[1].value.len++;
}

static void move_value(struct request *req)
{
    req->headers[3].value.off--;
}

static void empty_value(struct request *req)
{
    req->headers[3].value.len = 0;
}

static void fill_value(struct request *req)
{
    req->headers[2].value.len = 1;
}

static void other_value_is_noticed(void **state)
{
    (void)state;
    assert_true(differs(get, lengthen_value));
    assert_true(differs(get, move_value));
    assert_true(differs(get, empty_value));
    assert_true(differs(get, fill_value));
}

static void lose_field(struct request *req)
{
    req->headers_n--;
}

static void invent_field(struct request *req)
{
    req->headers_n++;
}

static void other_number_of_fields_is_noticed(void **state)
{
    (void)state;
    assert_true(differs(get, lose_field));
    assert_true(differs(get, invent_field));
}

static void change_method(struct request *req)
{
    req->method = METHOD_HEAD;
}

static void change_version(struct request *req)
{
    req->minor = 0;
}

static void other_request_line_is_noticed(void **state)
{
    (void)state;
    assert_true(differs(get, change_method));
    assert_true(differs(get, change_version));
}

static void change_length(struct request *req)
{
    req->length++;
}

static void forget_length(struct request *req)
{
    req->has_length = false;
}

static void invent_chunks(struct request *req)
{
    req->chunked = true;
}

static void other_framing_is_noticed(void **state)
{
    (void)state;
    assert_true(differs(post, change_length));
    assert_true(differs(post, forget_length));
    assert_true(differs(post, invent_chunks));
}

static void break_byte(struct request *req)
{
    req->storage.data[req->headers[1].value.off] = '\x01';
}

static void end_early(struct request *req)
{
    memcpy(req->storage.data + req->headers[3].name.off - 2, "\r\n\r\n", 4);
}

static void end_late(struct request *req)
{
    req->storage.data[req->parser->head_end - 2] = 'a';
}

static void head_that_llhttp_refuses_or_ends_elsewhere_is_noticed(void **state)
{
    (void)state;
    assert_true(differs(get, break_byte));
    assert_true(differs(get, end_early));
    assert_true(differs(get, end_late));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_readings_are_accepted),
        cmocka_unit_test(tab_behind_a_framing_value_is_read_differently),
        cmocka_unit_test(other_target_is_noticed),
        cmocka_unit_test(other_name_is_noticed),
        cmocka_unit_test(other_value_is_noticed),
        cmocka_unit_test(other_number_of_fields_is_noticed),
        cmocka_unit_test(other_request_line_is_noticed),
        cmocka_unit_test(other_framing_is_noticed),
        cmocka_unit_test(head_that_llhttp_refuses_or_ends_elsewhere_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
