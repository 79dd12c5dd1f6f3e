/* The state of all buffers over HTTP, and what happens when memory is short. */
#include "tests/support/server.h"
#include "tests/support/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>

#define STATUS_ROUTE "route \"/status/\" {\n status = true\n}\n"

/* Readers that never read hold one block each. */
#define SLOW_ROUTE                                                             \
    "route \"/slow/\" {\n lab = true\n queue_high = 16k\n queue_low = 4k\n"    \
    " sndbuf = 16k\n}\n"
#define SLOW_MAX  200u
#define BIG_BYTES (8u << 20)
#define SOON_MS   10000u
#define FEW       40u

#define GET(target)   "GET " target " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
#define PATCH(target) "PATCH " target " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

/* The first read takes the head, the next one the body and what follows. */
#define BODY_BYTES      5000u
#define PIPELINED_BYTES (60u << 10)

#define SLOW_BYTES (128u << 10)

#define SQUEEZE GET("/slow/gzip?bytes=64m")

static struct server server;

static int set_up(void **state)
{
    (void)state;
    server_init(&server);
    server_text(&server, "www/a.txt", "a");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_fini(&server);
    return 0;
}

static void ask(const char *request, int status, const char *text)
{
    struct answer a;
    wire_ask_by(server.port, request, DELIVER_WHOLE, &a);
    assert_int_equal(a.status, status);
    if (!strstr(a.body, text))
        print_message("%s", a.body);
    assert_non_null(strstr(a.body, text));
    answer_fini(&a);
}

/* A reader of JSON that only says whether it is JSON. RFC 8259 */
static const char *skip_value(const char *at);

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *skip_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (*at && *at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        at += *at == '\\' && at[1] ? 2 : 1;
    }
    return *at ? at + 1 : NULL;
}

static const char *skip_member(const char *at)
{
    at = skip_string(skip_space(at));
    if (!at)
        return NULL;
    at = skip_space(at);
    return *at == ':' ? skip_value(at + 1) : NULL;
}

static const char *skip_members(const char *at, char end)
{
    at = skip_space(at);
    if (*at == end)
        return at + 1;
    for (;;) {
        at = end == '}' ? skip_member(at) : skip_value(at);
        if (!at)
            return NULL;
        at = skip_space(at);
        if (*at == end)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

static const char *skip_value(const char *at)
{
    at = skip_space(at);
    if (*at == '{')
        return skip_members(at + 1, '}');
    if (*at == '[')
        return skip_members(at + 1, ']');
    if (*at == '"')
        return skip_string(at);
    size_t n = strspn(at, "-+.0123456789abcdefghijklmnopqrstuvwxyzE");
    return n > 0 ? at + n : NULL;
}

static void assert_json(const char *text)
{
    const char *end = skip_value(text);
    assert_non_null(end);
    assert_int_equal(*skip_space(end), '\0');
}

static uint64_t number_behind(const char *text, const char *first,
                              const char *second)
{
    const char *at = strstr(text, first);
    assert_non_null(at);
    at = strstr(at, second);
    assert_non_null(at);
    return strtoull(at + strlen(second), NULL, 10);
}

static void table_is_aligned_and_never_cached(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, STATUS_ROUTE, "");
    wire_ask_by(server.port, GET("/status/"), DELIVER_WHOLE, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_field(&a, "Cache-Control"), "no-store");
    assert_string_equal(answer_field(&a, "Content-Type"),
                        "text/plain; charset=utf-8");
    assert_null(answer_field(&a, "Access-Control-Allow-Origin"));
    assert_non_null(strstr(a.body, "ALERTS\nnone\n"));
    const char *title = strstr(a.body, "BUFFERS");
    const char *row = strstr(a.body, "worker/0/write-queues ");
    assert_non_null(title);
    assert_non_null(row);
    assert_int_equal(strstr(title, "policy") - title,
                     strstr(row, "back-pressure") - row);
    assert_non_null(strstr(a.body, "worker/1/pool/64k"));
    assert_non_null(strstr(a.body, "worker/0/read-size"));
    answer_fini(&a);
}

static void json_is_json_by_accept_and_by_parameter(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, STATUS_ROUTE, "");
    wire_ask_by(server.port, GET("/status/?format=json"), DELIVER_WHOLE, &a);
    assert_string_equal(answer_field(&a, "Content-Type"), "application/json");
    assert_json(a.body);
    assert_non_null(strstr(a.body, "\"name\":\"worker/0/pool/4k\""));
    answer_fini(&a);
    wire_ask_by(server.port,
                "GET /status/ HTTP/1.1\r\nHost: localhost\r\n"
                "Accept: application/json\r\n\r\n",
                DELIVER_WHOLE, &a);
    assert_json(a.body);
    assert_true(number_behind(a.body, "\"memory\"", "\"bound\":") > 0);
    answer_fini(&a);
    ask("GET /status/ HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", 200,
        "ALERTS\n");
}

static void name_in_the_path_selects(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, STATUS_ROUTE, "");
    wire_ask_by(server.port, GET("/status/worker/1/?format=json"),
                DELIVER_WHOLE, &a);
    assert_non_null(strstr(a.body, "worker/1/pool/4k"));
    assert_null(strstr(a.body, "worker/0/"));
    assert_json(a.body);
    answer_fini(&a);
    ask(GET("/status/worker/9/"), 404, "nothing is named worker/9/");
}

static void bound_is_set_while_it_runs(void **state)
{
    struct answer a;
    (void)state;
    server_start(&server, STATUS_ROUTE, "");
    wire_ask_by(server.port, PATCH("/status/memory?bound=64m&format=json"),
                DELIVER_WHOLE, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(number_behind(a.body, "\"memory\"", "\"bound\":"),
                     64u << 20);
    answer_fini(&a);
    ask(PATCH("/status/worker/1/pool/64k?bound=7"), 200, "worker/1/pool/64k");
    wire_ask_by(server.port, GET("/status/worker/1/pool/64k?format=json"),
                DELIVER_WHOLE, &a);
    assert_int_equal(number_behind(a.body, "pool/64k", "\"bound\":"), 7);
    answer_fini(&a);
}

static void wrong_changes_are_told_why(void **state)
{
    (void)state;
    server_start(&server, STATUS_ROUTE, "");
    ask(PATCH("/status/nothing?bound=1"), 404, "nothing is named nothing");
    ask(PATCH("/status/worker/0/write-queues?bound=1"), 409,
        "has no bound that can be set");
    ask(PATCH("/status/memory?bound=1"), 409, "cannot have this bound");
    ask(PATCH("/status/memory?bound=much"), 400, "say ?bound=NUMBER");
    ask(PATCH("/status/memory"), 400, "say ?bound=NUMBER");
    ask(PATCH("/status/?bound=1"), 400, "name what to change");
    ask(PATCH("/status/advisor?enabled=perhaps"), 400, "?enabled=true");
    ask("DELETE /status/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 405,
        "this path takes");
}

static void page_of_another_name_cannot_change_anything(void **state)
{
    (void)state;
    server_start(&server, STATUS_ROUTE, "");
    ask("PATCH /status/memory?bound=64m HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        403, "only a client on the server's own machine");
    ask("PATCH /status/memory?bound=64m HTTP/1.1\r\nHost: "
        "127.evil.test\r\n\r\n",
        403, "only a client on the server's own machine");
    ask("PATCH /status/memory?bound=64m HTTP/1.1\r\nHost: localhost\r\n"
        "Origin: http://evil.test\r\n\r\n",
        403, "only a client on the server's own machine");
    ask("PATCH /status/memory?bound=64m HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
        200, "memory");
}

static void advisor_is_switched(void **state)
{
    (void)state;
    server_start(&server, STATUS_ROUTE "advisor = true", "");
    ask(GET("/status/"), 200, "The advisor is on;");
    ask(PATCH("/status/advisor?enabled=false"), 200, "The advisor is off;");
    ask(GET("/status/"), 200, "The advisor is off;");
    ask(PATCH("/status/advisor?enabled=true"), 200, "The advisor is on;");
}

/* What a class of the budget has, asked on a connection that stays. */
static uint64_t used_by(struct wire *w, const char *class)
{
    struct answer a;
    char key[64];
    wire_text(w, GET("/status/?format=json"));
    wire_answer(w, &a);
    assert_int_equal(a.status, 200);
    snprintf(key, sizeof key, "\"class\":\"%s\"", class);
    uint64_t used = number_behind(a.body, key, "\"used\":");
    answer_fini(&a);
    return used;
}

/* A block that came back counts as leaving until the next sweep. */
static void wait_for_use(struct wire *w, const char *class, uint64_t wanted)
{
    uint64_t end = server_now_ms() + SOON_MS;
    uint64_t used = used_by(w, class);
    while (used != wanted && server_now_ms() < end) {
        server_sleep(20);
        used = used_by(w, class);
    }
    assert_int_equal(used, wanted);
}

static void every_byte_of_the_budget_comes_back(void **state)
{
    static struct wire clients[FEW];
    struct wire w;
    struct answer a;
    (void)state;
    server_start(&server, STATUS_ROUTE SLOW_ROUTE, "");
    wire_open(&w, server.port);
    uint64_t conns = used_by(&w, "new");
    uint64_t requests = used_by(&w, "accepted");
    wait_for_use(&w, "leaving", 0);
    for (size_t i = 0; i < FEW; i++) {
        wire_open(&clients[i], server.port);
        wire_text(&clients[i], i % 2 ? GET("/a.txt") : GET("/slow/bytes/1g"));
        if (i % 2) {
            wire_answer(&clients[i], &a);
            answer_fini(&a);
        }
    }
    assert_int_equal(used_by(&w, "new"), (FEW + 1) * conns);
    assert_true(used_by(&w, "accepted") > requests);
    for (size_t i = 0; i < FEW; i++)
        wire_close(&clients[i]);
    wait_for_use(&w, "new", conns);
    wait_for_use(&w, "accepted", requests);
    wait_for_use(&w, "leaving", 0);
    wire_close(&w);
}

/* Asks the same on many connections and reads none of it: what a class of the
 * budget has more then, per connection, at least so much, and all comes back.
 */
static void expect_charge(const char *request, size_t len, uint64_t bytes_min)
{
    static struct wire clients[FEW];
    struct wire w;
    uint64_t end = server_now_ms() + SOON_MS;
    server_start(&server, STATUS_ROUTE SLOW_ROUTE, "");
    wire_open(&w, server.port);
    uint64_t before = used_by(&w, "accepted");
    for (size_t i = 0; i < FEW; i++) {
        wire_open_narrow(&clients[i], server.port, 4096);
        (void)wire_send(&clients[i], request, len, DELIVER_WHOLE);
    }
    while (used_by(&w, "accepted") < before + FEW * bytes_min &&
           server_now_ms() < end)
        server_sleep(20);
    assert_true(used_by(&w, "accepted") >= before + FEW * bytes_min);
    for (size_t i = 0; i < FEW; i++)
        wire_close(&clients[i]);
    wait_for_use(&w, "accepted", before);
    wire_close(&w);
}

static void what_compresses_counts_in_the_budget(void **state)
{
    (void)state;
    expect_charge(SQUEEZE, sizeof SQUEEZE - 1, 150u << 10);
}

static void what_was_read_ahead_counts_in_the_budget(void **state)
{
    static char request[PIPELINED_BYTES];
    (void)state;
    int n = snprintf(request, sizeof request,
                     "POST /slow/sink HTTP/1.1\r\nHost: a\r\n"
                     "Content-Length: %u\r\n\r\n%0*d%s",
                     BODY_BYTES, (int)BODY_BYTES, 0, GET("/slow/bytes/1g"));
    for (size_t i = (size_t)n; i < sizeof request; i++)
        request[i] = 'a';
    expect_charge(request, sizeof request, 20u << 10);
}

/* Whether a new connection is served. */
static bool is_served(void)
{
    struct answer a;
    wire_ask_by(server.port, GET("/a.txt"), DELIVER_WHOLE, &a);
    bool served = a.status == 200;
    if (!served) {
        assert_int_equal(a.status, 503);
        assert_non_null(strstr(a.body, "short of memory; try again later"));
        assert_non_null(answer_field(&a, "Retry-After"));
    }
    answer_fini(&a);
    return served;
}

/* Each sweep gives back what was only taken in advance, so that now and then
 * one more is served. */
static void wait_for_refusal(void)
{
    uint64_t end = server_now_ms() + SOON_MS;
    bool served = is_served();
    while (served && server_now_ms() < end) {
        server_sleep(20);
        served = is_served();
    }
    assert_false(served);
}

static size_t fill_memory(struct wire *slow)
{
    size_t n = 0;
    while (n < SLOW_MAX && is_served()) {
        wire_open_narrow(&slow[n], server.port, 4096);
        wire_text(&slow[n], GET("/slow/bytes/1g"));
        n++;
        server_sleep(30);
    }
    assert_true(n < SLOW_MAX);
    return n;
}

/* Until the table shows the text, or no longer does. */
static void wait_for_text(struct wire *w, const char *text, bool wanted)
{
    struct answer a = {0};
    uint64_t end = server_now_ms() + SOON_MS;
    bool there = !wanted;
    while (there != wanted && server_now_ms() < end) {
        wire_text(w, GET("/status/"));
        wire_answer(w, &a);
        assert_int_equal(a.status, 200);
        there = strstr(a.body, text) != NULL;
        answer_fini(&a);
        server_sleep(there == wanted ? 0 : 100);
    }
    assert_int_equal(there, wanted);
}

static void short_memory_refuses_the_new_and_serves_what_runs(void **state)
{
    static struct wire slow[SLOW_MAX];
    struct wire status;
    struct wire download;
    struct answer a;
    (void)state;
    char *big = malloc(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        big[i] = (char)(i * 7 + i / 4096);
    server_file(&server, "www/big.bin", big, BIG_BYTES);
    server_start(&server,
                 STATUS_ROUTE SLOW_ROUTE "memory_max = 4m\nalert_memory = 70\n"
                                         "pool_keep = 256k\n"
                                         "pool_keep_max = 256k",
                 "");
    wire_open(&status, server.port);
    wire_open_narrow(&download, server.port, 4096);
    wire_text(&download, GET("/big.bin"));
    wire_need(&download, 1000);
    size_t n = fill_memory(slow);
    wait_for_text(&status, "warning  memory of memory at ", true);
    wait_for_refusal();
    wire_answer(&download, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, BIG_BYTES);
    assert_memory_equal(a.body, big, BIG_BYTES);
    answer_fini(&a);
    for (size_t i = 0; i < n; i++)
        wire_close(&slow[i]);
    wait_for_text(&status, "warning  memory of memory at ", false);
    assert_true(is_served());
    wire_close(&download);
    wire_close(&status);
    free(big);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* The alert says what to do; it must be possible to do it. */
static void operator_finds_a_way_in_when_memory_is_short(void **state)
{
    static struct wire slow[SLOW_MAX];
    (void)state;
    server_start(&server, STATUS_ROUTE SLOW_ROUTE "memory_max = 64m", "");
    for (size_t i = 0; i < FEW; i++) {
        wire_open_narrow(&slow[i], server.port, 4096);
        wire_text(&slow[i], GET("/slow/bytes/1g"));
        wire_need(&slow[i], 100);
    }
    ask(PATCH("/status/memory?bound=1m"), 200, "memory");
    wait_for_refusal();
    ask(GET("/status/"), 200, "vital");
    ask(PATCH("/status/memory?bound=64m"), 200, "memory");
    assert_true(is_served());
    for (size_t i = 0; i < FEW; i++)
        wire_close(&slow[i]);
}

/* Reads what is there of all of them, until each has its bytes. */
static void read_all(struct wire *clients, size_t *got)
{
    char bytes[4096];
    uint64_t end = server_now_ms() + SOON_MS;
    size_t whole = 0;
    while (whole < FEW && server_now_ms() < end) {
        whole = 0;
        for (size_t i = 0; i < FEW; i++) {
            ssize_t n = recv(clients[i].fd, bytes, sizeof bytes, MSG_DONTWAIT);
            got[i] += n > 0 ? (size_t)n : 0;
            whole += got[i] > SLOW_BYTES;
        }
    }
}

/* An answer that has begun is not cut off for want of memory. */
static void sources_wait_for_memory_and_go_on(void **state)
{
    static struct wire slow[FEW];
    static size_t got[FEW];
    (void)state;
    server_start(&server, STATUS_ROUTE SLOW_ROUTE "memory_max = 64m", "");
    for (size_t i = 0; i < FEW; i++) {
        wire_open_narrow(&slow[i], server.port, 4096);
        wire_text(&slow[i], GET("/slow/bytes/128k"));
    }
    server_sleep(200);
    ask(PATCH("/status/memory?bound=2m"), 200, "memory");
    wait_for_refusal();
    read_all(slow, got);
    for (size_t i = 0; i < FEW; i++) {
        assert_in_range(got[i], SLOW_BYTES, SLOW_BYTES + 1000);
        wire_close(&slow[i]);
    }
    assert_true(is_served());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(table_is_aligned_and_never_cached),
        TEST(json_is_json_by_accept_and_by_parameter),
        TEST(name_in_the_path_selects),
        TEST(bound_is_set_while_it_runs),
        TEST(wrong_changes_are_told_why),
        TEST(page_of_another_name_cannot_change_anything),
        TEST(advisor_is_switched),
        TEST(every_byte_of_the_budget_comes_back),
        TEST(what_compresses_counts_in_the_budget),
        TEST(what_was_read_ahead_counts_in_the_budget),
        TEST(short_memory_refuses_the_new_and_serves_what_runs),
        TEST(operator_finds_a_way_in_when_memory_is_short),
        TEST(sources_wait_for_memory_and_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
