/* Appends that make a stream, and those that come again. */
#include "tests/support/streaming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FORM_TYPE "Content-Type: application/x-www-form-urlencoded\r\n"
#define CLOSE     "Stream-Closed: true\r\n"

static struct server server;

static void first_append_that_is_refused_makes_no_stream(void **state)
{
    static char much[5000];
    (void)state;
    memset(much, 'x', sizeof much - 1);
    server_start(&server, "streams_max = 1\n" FRIENDLY(" stream_bytes = 4k"),
                 "");
    stream_expect(&server, "POST /s/large", TEXT_TYPE, much, 413);
    stream_expect(&server, "POST /s/gap",
                  "Producer-Id: p\r\nProducer-Epoch: 0\r\n"
                  "Producer-Seq: 3\r\n",
                  "x", 409);
    stream_expect(&server, "POST /s/a", TEXT_TYPE, "a", 204);
    stream_expect(&server, "POST /s/b", TEXT_TYPE, "b", 503);
    stream_expect(&server, "GET /s/large", "", NULL, 404);
    stream_expect(&server, "GET /s/gap", "", NULL, 404);
    stream_expect_body(&server, "GET /s/a", "a");
}

#define NAMES_N 64u

/* So many requests behind each other, each for a name of its own. */
static void ask_for_names(struct wire *w, unsigned round, const char *fields,
                          const char *body)
{
    static char all[NAMES_N * 256];
    size_t len = 0;
    for (unsigned i = 0; i < NAMES_N; i++)
        len +=
            (size_t)snprintf(all + len, sizeof all - len,
                             "POST /s/%u-%u HTTP/1.1\r\nHost: localhost\r\n%s"
                             "Content-Length: %zu\r\n\r\n%s",
                             round, i, fields, strlen(body), body);
    wire_send(w, all, len, DELIVER_WHOLE);
}

static void take_answers(struct wire *w)
{
    struct answer a;
    for (unsigned i = 0; i < NAMES_N; i++) {
        wire_answer(w, &a);
        answer_fini(&a);
    }
    wire_close(w);
}

/* Two workers make the same streams at the same time. Who loses the name adds
 * to a stream of another kind, or is refused. */
static void first_appends_of_two_kinds_do_not_mix(void **state)
{
    (void)state;
    stream_start(&server);
    for (unsigned round = 0; round < 12; round++) {
        struct wire json;
        struct wire form;
        struct answer a;
        char line[64];
        wire_open(&json, server.port);
        wire_open(&form, server.port);
        server_sleep(5);
        ask_for_names(&json, round, JSON_TYPE, "{\"a\":1}");
        ask_for_names(&form, round, FORM_TYPE, "not json");
        take_answers(&json);
        take_answers(&form);
        for (unsigned i = 0; i < NAMES_N; i++) {
            snprintf(line, sizeof line, "GET /s/%u-%u", round, i);
            stream_ask(&server, line, "", NULL, &a);
            bool is_json =
                strstr(answer_field(&a, "Content-Type"), "json") != NULL;
            assert_string_equal(a.body, is_json ? "[{\"a\":1}]" : "not json");
            answer_fini(&a);
        }
    }
}

static void retry_of_the_closing_append_has_its_sequence(void **state)
{
#define CLOSING                                                                \
    "Producer-Id: p\r\nProducer-Epoch: 3\r\nProducer-Seq: 0\r\n" CLOSE
    struct answer a;
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", CLOSING, "x", 200);
    stream_ask(&server, "POST /s/a", CLOSING, "x", &a);
    assert_int_equal(a.status, 204);
    assert_string_equal(answer_field(&a, "Producer-Epoch"), "3");
    assert_string_equal(answer_field(&a, "Producer-Seq"), "0");
    answer_fini(&a);
}

static void duplicate_keeps_a_stream_alive(void **state)
{
#define FIRST "Producer-Id: p\r\nProducer-Epoch: 0\r\nProducer-Seq: 0\r\n"
    (void)state;
    stream_start(&server);
    stream_expect(&server, "POST /s/a", FIRST "Stream-TTL: 2\r\n", "x", 200);
    server_sleep(1300);
    stream_expect(&server, "POST /s/a", FIRST, "x", 204);
    server_sleep(1300);
    stream_expect(&server, "HEAD /s/a", "", NULL, 200);
}

#define TEST(name) SERVER_TEST(name, &server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_append_that_is_refused_makes_no_stream),
        TEST(first_appends_of_two_kinds_do_not_mix),
        TEST(retry_of_the_closing_append_has_its_sequence),
        TEST(duplicate_keeps_a_stream_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
