/* Every way that is known to slip a second request past a first one. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MARK      "this was smuggled"
#define FOLLOWING "GET /smuggled.txt HTTP/1.1\r\nHost: x\r\n\r\n"

struct conversation {
    const char *bytes;
    size_t len;
    int status;
};

#define REFUSED(name, code, text)                                              \
    static struct conversation refused_##name = {                              \
        text FOLLOWING, sizeof(text FOLLOWING) - 1, code};
#define ACCEPTED(name, code, text)                                             \
    static struct conversation accepted_##name = {                             \
        text FOLLOWING, sizeof(text FOLLOWING) - 1, code};
#include "tests/wire/smuggling.def"
#undef REFUSED
#undef ACCEPTED

static struct server server;

static void check_status(const struct answer *a, int status)
{
    if (status)
        assert_int_equal(a->status, status);
    else
        assert_true(a->status == 400 || a->status == 501 || a->status == 505);
}

/* One answer, the end, and nothing of what was smuggled. */
static void expect_refusal(const struct conversation *c, enum delivery d,
                           struct answer *ret)
{
    struct wire w;
    wire_open(&w, server.port);
    wire_send(&w, c->bytes, c->len, d);
    wire_answer(&w, ret);
    check_status(ret, c->status);
    assert_true(answer_lists(ret, "Connection", "close"));
    assert_null(strstr(ret->body, MARK));
    wire_expect_end(&w);
    assert_false(w.reset);
    wire_close(&w);
}

static void is_refused(void **state)
{
    const struct conversation *c = *state;
    struct answer whole;
    struct answer pieces;
    expect_refusal(c, DELIVER_WHOLE, &whole);
    for (enum delivery d = DELIVER_CUT; d < DELIVERIES; d++) {
        expect_refusal(c, d, &pieces);
        assert_int_equal(pieces.status, whole.status);
        assert_string_equal(pieces.body, whole.body);
        answer_fini(&pieces);
    }
    answer_fini(&whole);
}

static void is_accepted(void **state)
{
    const struct conversation *c = *state;
    for (enum delivery d = DELIVER_WHOLE; d < DELIVERIES; d++) {
        struct wire w;
        struct answer a;
        wire_open(&w, server.port);
        assert_true(wire_send(&w, c->bytes, c->len, d));
        wire_answer(&w, &a);
        assert_int_equal(a.status, c->status);
        answer_fini(&a);
        wire_answer(&w, &a);
        assert_string_equal(a.body, MARK);
        answer_fini(&a);
        wire_expect_quiet(&w, 0);
        wire_close(&w);
    }
}

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    server_text(&server, "www/a.txt", "a");
    server_text(&server, "www/smuggled.txt", MARK);
    server_start(&server, "", "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_fini(&server);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define REFUSED(name, code, text)                                              \
    {#name "_is_refused", is_refused, NULL, NULL, &refused_##name},
#define ACCEPTED(name, code, text)                                             \
    {#name "_is_accepted", is_accepted, NULL, NULL, &accepted_##name},
#include "tests/wire/smuggling.def"
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
