#include "buffers/bytes.h"
#include "httpd/http/websocket.h"
#include "tests/support/fail_alloc.h"
#include "tests/support/ws_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES 6000u

struct peer {
    struct websocket ws;
    unsigned messages_n;
    unsigned refuse_n;
    char said[256];
    size_t said_n;
};

static bool say(void *self, struct str bytes)
{
    struct peer *p = self;
    assert_true(p->said_n + bytes.len <= sizeof(p->said));
    memcpy(p->said + p->said_n, bytes.at, bytes.len);
    p->said_n += bytes.len;
    return true;
}

static enum flow on_message(void *self, const struct websocket_message *m)
{
    struct peer *p = self;
    if (p->refuse_n > 0) {
        p->refuse_n--;
        return FLOW_FULL;
    }
    assert_int_equal(m->len, BYTES);
    p->messages_n++;
    return FLOW_DONE;
}

/* Three messages in pieces, one of them held. True when all went well. */
static bool converse(const char *out, size_t n, struct budget *budget)
{
    static const struct websocket_ops ops = {on_message, say};
    struct peer p = {.refuse_n = 1};
    struct budget_purse purse;
    budget_purse_init(&purse, budget, BUDGET_ACCEPTED);
    websocket_init(&p.ws, BYTES, &ops, &p, &purse);
    for (size_t at = 0; at < n; at += 5000) {
        while (websocket_held(&p.ws))
            assert_int_equal(websocket_resume(&p.ws), FLOW_DONE);
        size_t len = n - at < 5000 ? n - at : 5000;
        struct str piece = {out + at, len};
        assert_int_equal(websocket_feed(&p.ws, piece), FLOW_DONE);
    }
    bool whole = p.messages_n == 3 && !p.ws.over;
    if (!whole) {
        assert_true(p.ws.over);
        assert_int_equal((unsigned char)p.said[0], WS_CLOSE);
        assert_memory_equal(p.said + 2, "\x03\xf5", 2); /* 1013 */
    }
    websocket_fini(&p.ws);
    budget_purse_fini(&purse);
    assert_int_equal(atomic_load(&budget->used), 0);
    return whole;
}

static void no_memory_is_a_close_frame(void **state)
{
    static const char data[BYTES];
    static char out[3 * (BYTES + WS_HEAD_BYTES_MAX)];
    struct budget budget;
    size_t n = 0;
    size_t failed_n = 0;
    bool whole = false;
    (void)state;
    for (int i = 0; i < 3; i++)
        n += ws_put(out + n, WS_BINARY, data, BYTES);
    budget_init(&budget, 1 << 20);
    for (size_t at = 0; at < 100; at++) {
        fail_alloc_after(at);
        whole = converse(out, n, &budget);
        if (!fail_alloc_off())
            break;
        failed_n++;
        assert_false(whole);
    }
    assert_true(whole);
    assert_true(failed_n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_is_a_close_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
