#include "httpd/http/websocket_handshake.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/worker.h"
#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define KEY                                                                    \
    "Sec-WebSocket-Version: 13\r\n"                                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static const char *const known[] = {"ds.v1", "chat"};

struct fixture {
    struct worker worker;
    struct config config;
    struct write_queue out;
    struct exchange *x;
};

static void begin(struct fixture *f, const char *line, const char *fields)
{
    char request[2048];
    size_t used = 0;
    struct worker *w = &f->worker;
    memset(f, 0, sizeof(*f));
    f->config.head_bytes_max = 16384;
    f->config.target_bytes_max = 8192;
    w->config = &f->config;
    memset(w->date, 'D', sizeof(w->date));
    bytes_init(&w->head, RESPONSE_HEAD_BYTES_MAX);
    test_pool_init(&w->pool, 16);
    write_queue_init(&f->out, &w->pool, 65536, 0);
    f->x = exchange_new(w);
    f->x->out = &f->out;
    int n = snprintf(request, sizeof(request), "%s\r\nHost: h\r\n%s\r\n", line,
                     fields);
    assert_int_equal(request_feed_head(&f->x->req, request, (size_t)n, &used),
                     FLOW_DONE);
}

static void end(struct fixture *f)
{
    exchange_free(f->x);
    write_queue_fini(&f->out);
    test_pool_fini(&f->worker.pool);
    bytes_fini(&f->worker.head);
}

static bool wanted(const char *line, const char *fields)
{
    struct fixture f;
    begin(&f, line, fields);
    bool w = websocket_wanted(&f.x->req);
    end(&f);
    return w;
}

static void upgrade_is_wanted_by_tokens_in_any_case_and_place(void **state)
{
    const char *get = "GET / HTTP/1.1";
    (void)state;
    assert_true(wanted(get, UPGRADE));
    assert_true(wanted(get, "Connection: keep-alive , UPGRADE\r\n"
                            "Upgrade: h2c,WebSocket\r\n"));
    assert_true(wanted(get, "Connection: keep-alive\r\nConnection: ,upgrade\r\n"
                            "Upgrade:\r\nUpgrade: ,, websocket\r\n"));
    assert_false(wanted(get, "Connection: upgrades\r\nUpgrade: websocket\r\n"));
    assert_false(wanted(get, "Connection: upgrade\r\nUpgrade: websockets\r\n"));
    assert_false(wanted(get, "Connection: upgrade\r\n"));
    assert_false(wanted(get, "Upgrade: websocket\r\n"));
    assert_false(wanted("POST / HTTP/1.1", UPGRADE));
    assert_false(wanted("GET / HTTP/1.0", UPGRADE));
}

static size_t protocol(const char *fields, bool *ret_said)
{
    struct fixture f;
    size_t which = 0;
    begin(&f, "GET / HTTP/1.1", fields);
    assert_true(websocket_accept(f.x, known, 2, &which));
    bytes_append(&f.worker.head, "", 1);
    *ret_said = strstr(f.worker.head.data, "Sec-WebSocket-Protocol: ") != NULL;
    if (which < 2)
        assert_non_null(strstr(f.worker.head.data, known[which]));
    end(&f);
    return which;
}

static void first_protocol_of_the_client_that_is_known_is_chosen(void **state)
{
    bool told;
    (void)state;
    assert_int_equal(protocol(UPGRADE KEY, &told), WEBSOCKET_NO_PROTOCOL);
    assert_false(told);
    assert_int_equal(
        protocol(UPGRADE KEY "Sec-WebSocket-Protocol: mqtt\r\n", &told),
        WEBSOCKET_NO_PROTOCOL);
    assert_false(told);
    assert_int_equal(protocol(UPGRADE KEY
                              "Sec-WebSocket-Protocol: x, chat, ds.v1\r\n",
                              &told),
                     1);
    assert_true(told);
    assert_int_equal(protocol(UPGRADE KEY "Sec-WebSocket-Protocol: x\r\n"
                                          "Sec-WebSocket-Protocol: ds.v1\r\n",
                              &told),
                     0);
    assert_true(told);
}

static void refused(const char *fields, int status)
{
    struct fixture f;
    size_t which;
    begin(&f, "GET / HTTP/1.1", fields);
    assert_false(websocket_accept(f.x, known, 2, &which));
    assert_int_equal(f.x->status, status);
    assert_true(f.x->head_sent);
    end(&f);
}

static void what_stands_twice_is_refused(void **state)
{
    (void)state;
    refused(UPGRADE KEY "Sec-WebSocket-Version: 13\r\n", 426);
    refused(UPGRADE KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400);
    refused(UPGRADE KEY "Content-Length: 1\r\n", 400);
    refused(UPGRADE, 426);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upgrade_is_wanted_by_tokens_in_any_case_and_place),
        cmocka_unit_test(first_protocol_of_the_client_that_is_known_is_chosen),
        cmocka_unit_test(what_stands_twice_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
