#include "tests/support/streaming.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define LINE_BYTES_MAX 2048u
#define LOG_MS         8000u
#define LOG_BYTES_MAX  (1u << 20)
#define STEP_MS        20u
#define EARLY_MS       1500u

static void send_request(struct wire *w, const char *line, const char *fields,
                         const void *body, size_t len)
{
    char head[LINE_BYTES_MAX + STREAM_FIELDS_MAX];
    char length[64] = "";
    if (body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", len);
    int n = snprintf(head, sizeof head,
                     "%s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n", line, fields,
                     length);
    assert_in_range(n, 1, sizeof head - 1);
    wire_text(w, head);
    if (len > 0)
        wire_send(w, body, len, DELIVER_WHOLE);
}

static void ask_bytes(const struct server *s, const char *line,
                      const char *fields, const struct answer *body,
                      struct answer *ret)
{
    struct wire w;
    wire_open(&w, s->port);
    send_request(&w, line, fields, body->body, body->body_len);
    if (strncmp(line, "HEAD ", 5) == 0)
        wire_answer_to_head(&w, ret);
    else
        wire_answer(&w, ret);
    wire_close(&w);
}

void stream_start(struct server *s)
{
    server_start(s, FRIENDLY("") STRICT(""), "");
}

void stream_ask(const struct server *s, const char *line, const char *fields,
                const char *body, struct answer *ret)
{
    struct answer sent = {.body = (char *)body,
                          .body_len = body ? strlen(body) : 0};
    ask_bytes(s, line, fields, &sent, ret);
}

void stream_expect(const struct server *s, const char *line, const char *fields,
                   const char *body, int status)
{
    struct answer a;
    stream_ask(s, line, fields, body, &a);
    if (a.status != status)
        print_message("--- to %s\n--- came:\n%s\n%s\n", line, a.head, a.body);
    assert_int_equal(a.status, status);
    answer_fini(&a);
}

void stream_expect_body(const struct server *s, const char *line,
                        const char *body)
{
    struct answer a;
    stream_ask(s, line, "", NULL, &a);
    if (a.status != 200 || strcmp(a.body, body) != 0)
        print_message("--- %s gave\n%s\n%s\n", line, a.head, a.body);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, body);
    answer_fini(&a);
}

void stream_post_bytes(const struct server *s, const char *target,
                       const void *data, size_t len)
{
    char line[LINE_BYTES_MAX];
    struct answer a;
    struct answer sent = {.body = (char *)data, .body_len = len};
    snprintf(line, sizeof line, "POST %s", target);
    ask_bytes(s, line, "", &sent, &a);
    if (a.status != 204)
        print_message("--- %s gave %d: %s\n", line, a.status, a.body);
    assert_int_equal(a.status, 204);
    answer_fini(&a);
}

void stream_post(const struct server *s, const char *target, const char *text)
{
    stream_post_bytes(s, target, text, strlen(text));
}

uint64_t offset_number(const char *text)
{
    assert_non_null(text);
    assert_int_equal(strlen(text), strlen(OFFSET("0000000000000000")));
    return strtoull(text + strlen(OFFSET("")), NULL, 10);
}

static uint64_t head_number(const struct server *s, const char *target,
                            const char *field)
{
    char line[LINE_BYTES_MAX];
    struct answer a;
    snprintf(line, sizeof line, "HEAD %s", target);
    stream_ask(s, line, "", NULL, &a);
    assert_int_equal(a.status, 200);
    uint64_t n = offset_number(answer_field(&a, field));
    answer_fini(&a);
    return n;
}

uint64_t stream_tail(const struct server *s, const char *target)
{
    return head_number(s, target, "Stream-Next-Offset");
}

uint64_t stream_first(const struct server *s, const char *target)
{
    return head_number(s, target, "Stream-Earliest-Offset");
}

static char pattern_at(uint64_t pos)
{
    return (char)("0123456789abcdefghijklmnopqrstu"[pos % 31] ^
                  (char)(pos / 31 * 7 & 0xf));
}

void fill_pattern(char *out, uint64_t pos, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = pattern_at(pos + i);
}

bool is_pattern(const char *at, uint64_t pos, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] != pattern_at(pos + i))
            return false;
    return true;
}

static char *read_log(const struct server *s)
{
    char *log = malloc(LOG_BYTES_MAX);
    assert_non_null(log);
    FILE *f = fopen(server_path(s, "stderr"), "r");
    assert_non_null(f);
    size_t n = fread(log, 1, LOG_BYTES_MAX - 1, f);
    fclose(f);
    log[n] = '\0';
    return log;
}

bool server_has_logged(const struct server *s, const char *text)
{
    char *log = read_log(s);
    bool found = strstr(log, text) != NULL;
    free(log);
    return found;
}

void server_expect_log(const struct server *s, const char *text)
{
    uint64_t end = server_now_ms() + LOG_MS;
    while (!server_has_logged(s, text)) {
        if (server_now_ms() >= end)
            fail_msg("the log does not say: %s; but\n%s", text, read_log(s));
        server_sleep(STEP_MS);
    }
}

static void ask_for(struct live *l, const char *target, const char *fields)
{
    char line[LINE_BYTES_MAX];
    snprintf(line, sizeof line, "GET %s", target);
    send_request(&l->w, line, fields, NULL, 0);
}

/* Length of the head that came, 0: it is not whole yet. */
static size_t head_len(const struct wire *w)
{
    const char *end =
        w->in_len ? memmem(w->in, w->in_len, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - w->in) + 4 : 0;
}

void live_begin(struct live *l)
{
    uint64_t end = server_now_ms() + WIRE_MS;
    size_t n;
    while ((n = head_len(&l->w)) == 0 && !l->w.ended && server_now_ms() < end)
        wire_read(&l->w, 1000);
    assert_true(n > 15);
    free(l->head);
    l->head = strndup(l->w.in, n - 2);
    assert_int_equal(strncmp(l->head, "HTTP/1.1 ", 9), 0);
    l->status = atoi(l->head + 9);
    l->chunked = live_field(l, "Transfer-Encoding") != NULL;
    l->len = 0;
    l->taken = 0;
    l->in_chunk = false;
    l->whole = false;
    wire_skip(&l->w, n);
}

void live_open(struct live *l, int port, const char *target, const char *fields)
{
    memset(l, 0, sizeof *l);
    wire_open(&l->w, port);
    ask_for(l, target, fields);
    live_begin(l);
}

void live_open_narrow(struct live *l, int port, const char *target,
                      const char *fields)
{
    memset(l, 0, sizeof *l);
    wire_open_narrow(&l->w, port, LIVE_NARROW_BYTES);
    ask_for(l, target, fields);
    live_begin(l);
}

void live_again(struct live *l, const char *target, const char *fields)
{
    ask_for(l, target, fields);
    live_begin(l);
}

void live_close(struct live *l)
{
    wire_close(&l->w);
    free(l->head);
    free(l->body);
    memset(l, 0, sizeof *l);
    l->w.fd = -1;
}

const char *live_field(const struct live *l, const char *name)
{
    struct answer a = {.head = l->head};
    return answer_field(&a, name);
}

static void keep(struct live *l, size_t n)
{
    if (l->cap < l->len + n + 1) {
        l->cap = 2 * l->cap + n + 1;
        assert_true(l->cap <= 2 * (size_t)WIRE_IN_BYTES_MAX);
        l->body = realloc(l->body, l->cap);
        assert_non_null(l->body);
    }
    memcpy(l->body + l->len, l->w.in, n);
    l->len += n;
    l->body[l->len] = '\0';
    wire_skip(&l->w, n);
}

/* A chunk's head, if it is there. */
static bool open_chunk(struct live *l)
{
    char *behind;
    const char *end =
        l->w.in_len ? memmem(l->w.in, l->w.in_len, "\r\n", 2) : NULL;
    if (!end)
        return false;
    l->chunk_left = strtoul(l->w.in, &behind, 16);
    assert_true(behind == end && behind > l->w.in);
    size_t n = (size_t)(end - l->w.in) + 2;
    if (l->chunk_left > 0) {
        wire_skip(&l->w, n);
        l->in_chunk = true;
        return true;
    }
    if (l->w.in_len < n + 2)
        return false;
    assert_memory_equal(l->w.in + n, "\r\n", 2);
    wire_skip(&l->w, n + 2);
    l->whole = true;
    return false;
}

/* True: there may be more to decode. */
static bool decode_step(struct live *l)
{
    if (!l->in_chunk)
        return open_chunk(l);
    size_t n = l->w.in_len < l->chunk_left ? l->w.in_len : l->chunk_left;
    if (n > 0)
        keep(l, n);
    l->chunk_left -= n;
    if (l->chunk_left > 0 || l->w.in_len < 2)
        return false;
    assert_memory_equal(l->w.in, "\r\n", 2);
    wire_skip(&l->w, 2);
    l->in_chunk = false;
    return true;
}

static void decode(struct live *l)
{
    if (!l->chunked) {
        if (l->w.in_len > 0)
            keep(l, l->w.in_len);
        return;
    }
    while (!l->whole && decode_step(l)) {
    }
}

bool live_read(struct live *l, unsigned ms)
{
    size_t before = l->len;
    decode(l);
    if (l->len == before && !l->whole) {
        wire_read(&l->w, ms);
        decode(l);
    }
    return l->len > before;
}

static void show(const struct live *l, const char *wanted)
{
    print_message("--- wanted:\n%.300s\n--- came (%zu bytes%s):\n%.600s\n---\n",
                  wanted, l->len,
                  l->whole     ? ", whole"
                  : l->w.ended ? ", closed"
                               : "",
                  l->body ? l->body : "");
}

static bool wait_for(struct live *l, size_t n)
{
    uint64_t end = server_now_ms() + WIRE_MS;
    while (l->len < n && !l->whole && server_now_ms() < end) {
        if (!live_read(l, 1000) && l->w.ended)
            break;
    }
    return l->len >= n;
}

void live_need(struct live *l, size_t n)
{
    if (wait_for(l, n))
        return;
    show(l, "more");
    fail_msg("%zu bytes of body were expected", n);
}

void live_take(struct live *l, size_t n)
{
    assert_true(n <= l->len);
    if (n == 0 || !l->body)
        return;
    memmove(l->body, l->body + n, l->len - n + 1);
    l->len -= n;
    l->taken += n;
}

void live_expect(struct live *l, const char *text)
{
    size_t n = strlen(text);
    if (!wait_for(l, n) || strncmp(l->body ? l->body : "", text, n) != 0) {
        show(l, text);
        fail_msg("another body was expected");
    }
    live_take(l, n);
}

void live_expect_somewhere(struct live *l, const char *text)
{
    const char *at;
    uint64_t end = server_now_ms() + WIRE_MS;
    while (!(at = l->len ? strstr(l->body, text) : NULL)) {
        bool came = live_read(l, 1000);
        if (!came && (l->whole || l->w.ended || server_now_ms() >= end)) {
            show(l, text);
            fail_msg("that does not come");
        }
    }
    live_take(l, (size_t)(at - l->body) + strlen(text));
}

void live_expect_quiet(struct live *l, unsigned ms)
{
    live_read(l, ms);
    if (l->len > 0)
        show(l, "nothing");
    assert_int_equal(l->len, 0);
    assert_false(l->whole);
    assert_false(l->w.ended);
}

enum live_end live_until_end(struct live *l, unsigned ms)
{
    uint64_t end = server_now_ms() + ms;
    uint64_t now;
    decode(l);
    while (!l->whole && !l->w.ended && (now = server_now_ms()) < end)
        live_read(l, (unsigned)(end - now));
    if (l->whole)
        return LIVE_WHOLE;
    if (!l->w.ended)
        return LIVE_OPEN;
    return l->w.reset ? LIVE_RESET : LIVE_CUT;
}

enum live_end live_wait_unread(struct live *l, unsigned ms)
{
    uint64_t end = server_now_ms() + ms;
    struct pollfd p = {l->w.fd, POLLRDHUP, 0};
    while (server_now_ms() < end) {
        if (poll(&p, 1, (int)STEP_MS) <= 0)
            continue;
        if (p.revents & (POLLERR | POLLHUP))
            return LIVE_RESET;
        if (p.revents & POLLRDHUP)
            return LIVE_CUT;
    }
    return LIVE_OPEN;
}

bool live_ends_early(struct live *l)
{
    if (live_wait_unread(l, EARLY_MS) == LIVE_RESET)
        return true;
    enum live_end end = live_until_end(l, WIRE_MS);
    return end == LIVE_CUT || end == LIVE_RESET;
}
