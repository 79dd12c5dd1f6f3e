#include "httpd/http/websocket.h"

#include "buffers/bytes.h"
#include "tests/support/ws_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE_MAX 20000u
#define LIMIT_BYTES (8u << 20)

/* A WebSocket without a connection: what it said, and the messages it gave,
 * as "t:text|" and "b:bytes|". */
struct peer {
    struct websocket ws;
    struct budget budget;
    struct budget_purse purse;
    struct bytes said;
    struct bytes got;
    unsigned refuse_n; /* messages to be refused before one is taken */
    unsigned refused_n;
    unsigned close_code; /* to be closed with at the first message */
    bool deaf;           /* say() fails */
};

static bool say(void *self, struct str bytes)
{
    struct peer *p = self;
    if (!p->deaf)
        assert_int_equal(bytes_append_str(&p->said, bytes), FLOW_DONE);
    return !p->deaf;
}

static enum flow on_message(void *self, const struct websocket_message *m)
{
    struct peer *p = self;
    if (p->refuse_n > 0) {
        p->refuse_n--;
        p->refused_n++;
        return FLOW_FULL;
    }
    bytes_printf(&p->got, "%c:%.*s|", m->text ? 't' : 'b', (int)m->len,
                 m->data);
    if (p->close_code)
        websocket_close(&p->ws, p->close_code, "enough");
    return FLOW_DONE;
}

static const struct websocket_ops ops = {on_message, say};

static void begin(struct peer *p)
{
    memset(p, 0, sizeof(*p));
    budget_init(&p->budget, LIMIT_BYTES);
    budget_purse_init(&p->purse, &p->budget, BUDGET_ACCEPTED);
    bytes_init(&p->said, 1 << 20);
    bytes_init(&p->got, 1 << 20);
    websocket_init(&p->ws, MESSAGE_MAX, &ops, p, &p->purse);
}

static uint64_t taken(struct peer *p)
{
    return atomic_load(&p->budget.used) - p->purse.unused;
}

static void end(struct peer *p)
{
    websocket_fini(&p->ws);
    assert_int_equal(taken(p), 0);
    budget_purse_fini(&p->purse);
    assert_int_equal(atomic_load(&p->budget.used), 0);
    bytes_fini(&p->said);
    bytes_fini(&p->got);
}

static enum flow feed(struct peer *p, const char *bytes, size_t len)
{
    char *copy = malloc(len + 1); /* so that a sanitizer sees its end */
    memcpy(copy, bytes, len);
    enum flow r = websocket_feed(&p->ws, (struct str){copy, len});
    free(copy);
    return r;
}

static void got(struct peer *p, const char *messages)
{
    bytes_append(&p->got, "", 1);
    assert_string_equal(p->got.data, messages);
    bytes_reset(&p->got);
}

static void said(struct peer *p, const char *bytes, size_t len)
{
    assert_int_equal(p->said.len, len);
    assert_memory_equal(p->said.data, bytes, len);
    bytes_reset(&p->said);
}

#define SAID(p, literal) said(p, "" literal, sizeof(literal) - 1)

static void said_close(struct peer *p, unsigned code)
{
    assert_true(p->ws.over);
    assert_true(p->said.len >= 4);
    assert_int_equal((unsigned char)p->said.data[0], WS_CLOSE);
    assert_int_equal((unsigned char)p->said.data[2], code >> 8);
    assert_int_equal((unsigned char)p->said.data[3], code & 0xff);
}

/* Two messages, one of them in pieces with a ping between. */
static size_t conversation(char *out)
{
    size_t n = ws_put(out, WS_TEXT_PART, "fir", 3);
    n += ws_put(out + n, WS_PING, "!", 1);
    n += ws_put(out + n, WS_LAST_PART, "st", 2);
    n += ws_put(out + n, WS_BINARY, "second", 6);
    n += ws_put(out + n, WS_TEXT, "", 0);
    return n;
}

static void it_is_small_and_holds_nothing_between_messages(void **state)
{
    struct peer p;
    char out[128];
    size_t n = conversation(out);
    (void)state;
    assert_true(sizeof(struct websocket) <= 64);
    begin(&p);
    assert_int_equal(feed(&p, out, n), FLOW_DONE);
    got(&p, "t:first|b:second|t:|");
    SAID(&p, "\x8a\x01!");
    assert_null(p.ws.inbox);
    assert_int_equal(taken(&p), 0);
    end(&p);
}

static void two_pieces_give_the_same_as_one(void **state)
{
    struct peer p;
    char out[128];
    size_t n = conversation(out);
    (void)state;
    for (size_t cut = 1; cut < n; cut++) {
        begin(&p);
        feed(&p, out, cut);
        feed(&p, out + cut, n - cut);
        got(&p, "t:first|b:second|t:|");
        SAID(&p, "\x8a\x01!");
        assert_null(p.ws.inbox);
        end(&p);
    }
}

static void part_of_a_message_is_counted(void **state)
{
    struct peer p;
    char out[MESSAGE_MAX + WS_HEAD_BYTES_MAX];
    char data[MESSAGE_MAX] = {0};
    size_t n = ws_put(out, WS_BINARY, data, MESSAGE_MAX);
    (void)state;
    begin(&p);
    feed(&p, out, 1);
    assert_int_equal(taken(&p), WEBSOCKET_INBOX_BYTES);
    feed(&p, out + 1, n - 2);
    assert_true(taken(&p) >= WEBSOCKET_INBOX_BYTES + MESSAGE_MAX - 1);
    assert_true(taken(&p) <= WEBSOCKET_INBOX_BYTES + 2 * MESSAGE_MAX);
    feed(&p, out + n - 1, 1);
    assert_int_equal(taken(&p), 0);
    end(&p);
}

static void when_the_budget_is_spent_it_is_1013(void **state)
{
    struct peer p;
    (void)state;
    begin(&p);
    budget_set_limit(&p.budget, WEBSOCKET_INBOX_BYTES / 2);
    feed(&p, "\x81", 1);
    said_close(&p, 1013);
    assert_null(p.ws.inbox);
    end(&p);

    char out[8000];
    char data[7000] = {0};
    size_t n = ws_put(out, WS_BINARY, data, sizeof(data));
    begin(&p);
    budget_set_limit(&p.budget, 2 * WEBSOCKET_INBOX_BYTES);
    feed(&p, out, n);
    said_close(&p, 1013);
    assert_null(p.ws.inbox);
    end(&p);
}

static void refused_message_is_offered_again_with_what_follows(void **state)
{
    char out[128];
    size_t n = conversation(out);
    (void)state;
    for (unsigned refuse_n = 1; refuse_n < 6; refuse_n++) {
        struct peer p;
        begin(&p);
        p.refuse_n = refuse_n;
        assert_int_equal(feed(&p, out, n), FLOW_DONE);
        assert_true(websocket_held(&p.ws));
        got(&p, "");
        assert_true(taken(&p) > WEBSOCKET_INBOX_BYTES);
        for (unsigned i = 0; i < refuse_n; i++)
            assert_int_equal(websocket_resume(&p.ws), FLOW_DONE);
        assert_int_equal(p.refused_n, refuse_n);
        got(&p, "t:first|b:second|t:|");
        SAID(&p, "\x8a\x01!");
        assert_null(p.ws.inbox);
        end(&p);
    }
}

static enum flow every_other(void *self, const struct websocket_message *m)
{
    struct peer *p = self;
    p->refuse_n = p->refused_n % 2 == 0;
    p->refused_n += !p->refuse_n;
    return on_message(self, m);
}

static void each_message_may_be_refused_once(void **state)
{
    static const struct websocket_ops other = {every_other, say};
    char out[4096];
    char want[4096];
    size_t n = 0;
    int at = 0;
    struct peer p;
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        char text[8];
        at += snprintf(want + at, sizeof(want) - (size_t)at, "t:%u|", i);
        snprintf(text, sizeof(text), "%u", i);
        n += ws_put(out + n, WS_TEXT, text, strlen(text));
    }
    begin(&p);
    p.ws.ops = &other;
    feed(&p, out, n);
    while (websocket_held(&p.ws))
        assert_int_equal(websocket_resume(&p.ws), FLOW_DONE);
    got(&p, want);
    assert_int_equal(p.refused_n, 200);
    end(&p);
}

static void empty_message_may_be_refused(void **state)
{
    struct peer p;
    char out[16];
    (void)state;
    begin(&p);
    p.refuse_n = 2;
    feed(&p, out, ws_put(out, WS_TEXT, "", 0));
    assert_true(websocket_held(&p.ws));
    websocket_resume(&p.ws);
    assert_true(websocket_held(&p.ws));
    websocket_resume(&p.ws);
    got(&p, "t:|");
    assert_null(p.ws.inbox);
    end(&p);
}

static void owner_may_close_at_a_message(void **state)
{
    struct peer p;
    char out[128];
    size_t n = conversation(out);
    (void)state;
    begin(&p);
    p.close_code = 4000;
    assert_int_equal(feed(&p, out, n), FLOW_DONE);
    got(&p, "t:first|");
    SAID(&p, "\x8a\x01!\x88\x08\x0f\xa0"
             "enough");
    assert_int_equal(feed(&p, out, n), FLOW_DONE);
    got(&p, "");
    SAID(&p, "");
    assert_null(p.ws.inbox);
    end(&p);
}

static void owner_may_close_while_one_is_held(void **state)
{
    struct peer p;
    char out[128];
    (void)state;
    begin(&p);
    p.refuse_n = 9;
    feed(&p, out, conversation(out));
    bytes_reset(&p.said);
    websocket_close(&p.ws, 1013, "");
    said_close(&p, 1013);
    websocket_resume(&p.ws);
    got(&p, "");
    end(&p);
}

static void what_cannot_be_said_is_a_failure(void **state)
{
    struct peer p;
    char out[16];
    (void)state;
    begin(&p);
    p.deaf = true;
    assert_int_equal(feed(&p, out, ws_put(out, WS_PING, "", 0)), FLOW_FAILED);
    assert_false(websocket_send(&p.ws, WEBSOCKET_TEXT, STR("a")));
    end(&p);
}

static void messages_have_the_shortest_heads(void **state)
{
    struct peer p;
    char *data = calloc(1, 65536);
    (void)state;
    begin(&p);
    websocket_send(&p.ws, WEBSOCKET_TEXT, STR("hi"));
    SAID(&p, "\x81\x02hi");
    websocket_send(&p.ws, WEBSOCKET_PING, (struct str){0});
    SAID(&p, "\x89\0");
    websocket_send(&p.ws, WEBSOCKET_BINARY, (struct str){data, 125});
    assert_memory_equal(p.said.data, "\x82\x7d\0", 3);
    assert_int_equal(p.said.len, 127);
    bytes_reset(&p.said);
    websocket_send(&p.ws, WEBSOCKET_BINARY, (struct str){data, 126});
    assert_memory_equal(p.said.data, "\x82\x7e\0\x7e\0", 5);
    assert_int_equal(p.said.len, 130);
    bytes_reset(&p.said);
    websocket_send(&p.ws, WEBSOCKET_BINARY, (struct str){data, 65536});
    assert_memory_equal(p.said.data, "\x82\x7f\0\0\0\0\0\x01\0\0\0", 11);
    assert_int_equal(p.said.len, 65546);
    end(&p);
    free(data);
}

static void long_reason_is_cut(void **state)
{
    struct peer p;
    char reason[200];
    (void)state;
    memset(reason, 'r', sizeof(reason));
    reason[sizeof(reason) - 1] = '\0';
    begin(&p);
    websocket_close(&p.ws, 1000, reason);
    assert_int_equal(p.said.len, 127);
    websocket_close(&p.ws, 1001, "");
    assert_int_equal(p.said.len, 127);
    end(&p);
}

static void message_that_comes_to_a_halt_is_1008(void **state)
{
    struct peer p;
    (void)state;
    begin(&p);
    feed(&p, "\x81\x85", 2);
    websocket_tick(&p.ws, 1000, false);
    websocket_tick(&p.ws, 1000 + WEBSOCKET_STALL_MS - 1, false);
    assert_false(p.ws.over);
    feed(&p, "\0\0\0\0a", 5); /* it goes on */
    websocket_tick(&p.ws, 1000 + WEBSOCKET_STALL_MS, false);
    websocket_tick(&p.ws, 900 + 2 * WEBSOCKET_STALL_MS, true); /* our fault */
    websocket_tick(&p.ws, 800 + 3 * WEBSOCKET_STALL_MS, false);
    assert_false(p.ws.over);
    websocket_tick(&p.ws, 900 + 3 * WEBSOCKET_STALL_MS, false);
    said_close(&p, 1008);
    end(&p);
}

static void silence_between_messages_is_no_halt(void **state)
{
    struct peer p;
    char out[128];
    (void)state;
    begin(&p);
    feed(&p, out, conversation(out));
    bytes_reset(&p.said);
    websocket_tick(&p.ws, 1000, false);
    websocket_tick(&p.ws, 1000 + 2 * WEBSOCKET_STALL_MS, false);
    SAID(&p, "");
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_small_and_holds_nothing_between_messages),
        cmocka_unit_test(two_pieces_give_the_same_as_one),
        cmocka_unit_test(part_of_a_message_is_counted),
        cmocka_unit_test(when_the_budget_is_spent_it_is_1013),
        cmocka_unit_test(refused_message_is_offered_again_with_what_follows),
        cmocka_unit_test(each_message_may_be_refused_once),
        cmocka_unit_test(empty_message_may_be_refused),
        cmocka_unit_test(owner_may_close_at_a_message),
        cmocka_unit_test(owner_may_close_while_one_is_held),
        cmocka_unit_test(what_cannot_be_said_is_a_failure),
        cmocka_unit_test(messages_have_the_shortest_heads),
        cmocka_unit_test(long_reason_is_cut),
        cmocka_unit_test(message_that_comes_to_a_halt_is_1008),
        cmocka_unit_test(silence_between_messages_is_no_halt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
