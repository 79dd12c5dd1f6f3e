/* Random streams, cut at random, rendered in random steps with gaps, ends and
 * heartbeats between; a client's log of it against what the stream holds.
 * TEST_SEED in the environment picks others. */
#include "httpd/streams/render.h"
#include "tests/model/dice.h"
#include "tests/model/render_decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS           6000u
#define STREAMS_TO_NOTICE 500u
#define MESSAGES_MAX      40u
#define STREAM_BYTES_MAX  (128u << 10)
#define LOG_BYTES_MAX     (4u << 20)
#define WINDOW_BYTES      (16u << 10)

/* What a fault can be planted into. */
struct render_ops {
    enum flow (*step)(const struct render_style *style,
                      struct render_state *state, const struct render_input *in,
                      struct bytes *out, size_t *ret_used);
};

struct trial {
    const struct render_ops *ops;
    struct dice dice;
    struct render_style style;
    struct render_state state;
    char data[STREAM_BYTES_MAX];
    size_t len;
    uint64_t base; /* the position of data[0] */
    size_t ends[MESSAGES_MAX];
    size_t ends_n;
    bool closed;
    size_t at;    /* rendered so far */
    size_t begin; /* of the message that at lies in, as the reader knows it */
    bool told;
    size_t chunks_n;
    struct bytes out;
    struct bytes expected;
    char complaint[400];
};

static void complain(struct trial *t, const char *what, int line)
{
    if (t->complaint[0] == '\0')
        snprintf(t->complaint, sizeof t->complaint,
                 "seed %llu, form %d, kind %d, at %zu, line %d: %s",
                 (unsigned long long)dice_seed(), (int)t->style.form,
                 (int)t->style.kind, t->at, line, what);
}

#define AGREE(t, what)                                                         \
    do {                                                                       \
        if (!(what))                                                           \
            complain(t, #what, __LINE__);                                      \
    } while (0)

/* A stream. */

static void fill(struct trial *t, char *at, size_t n)
{
    static const char *const words[] = {
        "\r",
        "\n",
        "\r\n",
        "\n ",
        ":",
        "data: x",
        "plain",
        " ",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\xf0\x9f",
        "\xff",
        "\xed\xa0\x80",
    };
    size_t words_n = sizeof words / sizeof words[0];
    bool noise = dice_one_in(&t->dice, 4);
    size_t calm = dice_between(&t->dice, 1, 6);
    for (size_t i = 0; i < n;) {
        const char *word = words[dice_below(&t->dice, words_n)];
        size_t len = strlen(word);
        if (!dice_one_in(&t->dice, calm))
            word = "some text", len = 9;
        if (len > n - i)
            len = n - i;
        memcpy(at + i, word, len);
        if (noise)
            at[i] = (char)dice_roll(&t->dice);
        i += len;
    }
}

static size_t message_bytes(struct trial *t)
{
    static const size_t edges[] = {1, 2, 3, 125, 126, 127};
    switch (dice_below(&t->dice, 10)) {
    case 0:
        return dice_between(&t->dice, 1, 10000);
    case 1:
        return RENDER_IN_BYTES_MAX * dice_between(&t->dice, 1, 2) - 2 +
               dice_below(&t->dice, 5);
    case 2:
        return edges[dice_below(&t->dice, sizeof edges / sizeof edges[0])];
    default:
        return dice_between(&t->dice, 1, 200);
    }
}

static void new_stream(struct trial *t)
{
    size_t n = dice_between(&t->dice, 1, MESSAGES_MAX);
    t->len = 0;
    t->ends_n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = message_bytes(t);
        if (t->style.kind == STREAM_JSON && len < 2)
            len = 2;
        if (len > STREAM_BYTES_MAX - t->len)
            break;
        fill(t, t->data + t->len, len);
        t->len += len;
        if (t->style.kind == STREAM_JSON)
            t->data[t->len - 1] = '\n';
        t->ends[t->ends_n++] = t->len;
    }
}

/* What the log should say. */

static struct str offset_text(uint64_t pos)
{
    static char text[64];
    int n = snprintf(text, sizeof text, "%016d_%016llu", 0,
                     (unsigned long long)pos);
    return (struct str){text, (size_t)n};
}

static const char *type_of(const struct trial *t)
{
    switch (t->style.form) {
    case RENDER_SSE:
        return "message";
    case RENDER_SSE_DS:
        return "data";
    case RENDER_WS:
        return t->style.kind == STREAM_BINARY ? "binary" : "text";
    default:
        return "binary";
    }
}

static bool is_sse(const struct trial *t)
{
    return t->style.form == RENDER_SSE || t->style.form == RENDER_SSE_DS;
}

/* What a client should have of these bytes of one message; open: of those that
 * are not all. */
static void show(const struct trial *t, struct str bytes, bool open,
                 struct bytes *ret)
{
    if (t->style.kind == STREAM_JSON && !open)
        bytes.len--;
    if (is_sse(t) && t->style.kind == STREAM_BINARY) {
        bytes.len -= open ? bytes.len % 3 : 0;
        plain_base64(bytes, ret);
    } else if (is_sse(t)) {
        plain_lines(bytes, ret);
    } else if (t->style.form == RENDER_WS && t->style.kind != STREAM_BINARY) {
        mend_utf8(bytes, open, ret);
    } else {
        assert_int_equal(bytes_append_str(ret, bytes), FLOW_DONE);
    }
}

static void expect_control(struct trial *t, const char *type, size_t at,
                           uint64_t cursor)
{
    char json[256];
    bool tail = at == t->len;
    struct str offset = offset_text(t->base + at);
    char tokens[64] = "";
    if (!tail || !t->closed)
        snprintf(tokens, sizeof tokens, ",\"streamCursor\":\"%llu\"",
                 (unsigned long long)cursor);
    snprintf(json, sizeof json, "{\"streamNextOffset\":\"%.*s\"%s%s%s}",
             (int)offset.len, offset.at, tokens,
             tail ? ",\"upToDate\":true" : "",
             tail && t->closed ? ",\"streamClosed\":true" : "");
    log_event(&t->expected, type, str_from(json), STR(""));
}

static bool is_json_ds(const struct trial *t)
{
    return t->style.form == RENDER_SSE_DS && t->style.kind == STREAM_JSON;
}

static void expect_message(struct trial *t, size_t end, uint64_t cursor,
                           struct bytes *array)
{
    struct bytes shown;
    struct str bytes = {t->data + t->begin, end - t->begin};
    bytes_init(&shown, LOG_BYTES_MAX);
    show(t, bytes, false, &shown);
    if (is_json_ds(t)) {
        (void)bytes_append_str(array, array->len ? STR(",") : STR("["));
        (void)bytes_append_str(array, bytes_view(&shown));
    } else {
        log_event(&t->expected, type_of(t), bytes_view(&shown),
                  t->style.form == RENDER_SSE ? offset_text(t->base + end)
                                              : STR(""));
        if (t->style.form == RENDER_SSE_DS)
            expect_control(t, "control", end, cursor);
    }
    t->begin = end;
    bytes_fini(&shown);
}

/* What was passed on the way from at to end. */
static void expect_step(struct trial *t, size_t end, uint64_t cursor)
{
    struct bytes array;
    size_t begin = t->begin;
    bytes_init(&array, LOG_BYTES_MAX);
    for (size_t i = 0; i < t->ends_n; i++)
        if (t->ends[i] > t->at && t->ends[i] <= end)
            expect_message(t, t->ends[i], cursor, &array);
    if (array.len > 0) {
        (void)bytes_append_str(&array, STR("]"));
        log_event(&t->expected, "data", bytes_view(&array), STR(""));
        expect_control(t, "control", end, cursor);
    }
    if (t->begin != begin && t->style.form == RENDER_WS_DS)
        expect_control(t, "text", end, cursor);
    bytes_fini(&array);
}

static void expect_cut(struct trial *t)
{
    struct bytes shown;
    struct str bytes = {t->data + t->begin, t->at - t->begin};
    bytes_init(&shown, LOG_BYTES_MAX);
    if (is_json_ds(t))
        (void)bytes_append_str(&shown, STR("["));
    show(t, bytes, true, &shown);
    log_event(&t->expected, is_sse(t) ? "cut" : type_of(t), bytes_view(&shown),
              STR(""));
    bytes_fini(&shown);
}

static void expect_gap(struct trial *t, uint64_t from, uint64_t to)
{
    char json[128];
    char first[64];
    struct str offset = offset_text(from);
    snprintf(first, sizeof first, "%.*s", (int)offset.len, offset.at);
    offset = offset_text(to);
    bool sse = is_sse(t);
    snprintf(json, sizeof json, "%s{\"from\":\"%s\",\"to\":\"%.*s\"}%s",
             sse ? "" : "{\"gap\":", first, (int)offset.len, offset.at,
             sse ? "" : "}");
    log_event(&t->expected, sse ? "gap" : "text", str_from(json),
              t->style.form == RENDER_SSE ? offset : STR(""));
}

/* What is done. */

/* A copy of a stretch, as a stream gives it: cut anywhere, but not beyond the
 * last end that it reports. */
static size_t window(struct trial *t, uint32_t *ends, struct render_input *ret)
{
    size_t cap = dice_one_in(&t->dice, 3) ? 8 : WINDOW_BYTES;
    size_t len = dice_between(&t->dice, 1, cap);
    if (len > t->len - t->at)
        len = t->len - t->at;
    *ret = (struct render_input){
        .data = {t->data + t->at, len},
        .ends = ends,
        .pos = t->base + t->at,
        .tail = t->base + t->len,
        .closed = t->closed,
        .cursor = dice_below(&t->dice, 1000000),
    };
    for (size_t i = 0; i < t->ends_n; i++)
        if (t->ends[i] > t->at && t->ends[i] <= t->at + len)
            ends[ret->ends_n++] = (uint32_t)(t->ends[i] - t->at);
    return len;
}

static bool same_state(const struct render_state *a,
                       const struct render_state *b)
{
    return a->in_message == b->in_message && a->after_cr == b->after_cr &&
           a->line_start == b->line_start && a->carry_n == b->carry_n;
}

static void do_step(struct trial *t)
{
    static const struct render_state between = {0};
    uint32_t ends[MESSAGES_MAX];
    struct render_input in;
    size_t used = 0;
    size_t before = t->out.len;
    size_t len = window(t, ends, &in);
    enum flow flow = t->ops->step(&t->style, &t->state, &in, &t->out, &used);
    AGREE(t, flow == FLOW_DONE);
    AGREE(t, used >= 1 && used <= len && used <= RENDER_IN_BYTES_MAX);
    AGREE(t, t->out.len - before <= RENDER_OUT_BYTES_MAX);
    if (t->complaint[0] != '\0')
        return;
    t->chunks_n += t->out.len > before;
    if (t->style.form == RENDER_RAW)
        (void)bytes_append(&t->expected, in.data.at, used);
    else
        expect_step(t, t->at + used, in.cursor);
    t->at += used;
    t->told = t->closed && t->at == t->len;
    if (t->style.form != RENDER_RAW)
        AGREE(t, t->state.in_message == (t->at != t->begin));
    if (t->at == t->begin)
        AGREE(t, same_state(&t->state, &between));
}

/* On to a message that begins later. */
static void do_gap(struct trial *t)
{
    size_t to = t->ends[dice_below(&t->dice, t->ends_n)];
    size_t before = t->out.len;
    if (to <= t->at || t->style.form == RENDER_RAW)
        return;
    if (t->at != t->begin)
        expect_cut(t);
    expect_gap(t, t->base + t->at, t->base + to);
    (void)render_gap(&t->style, &t->state, t->base + t->at, t->base + to,
                     &t->out);
    t->at = to;
    t->begin = to;
    t->told = false;
    t->chunks_n += t->out.len > before;
}

static void do_heartbeat(struct trial *t)
{
    size_t before = t->out.len;
    (void)render_heartbeat(&t->style, &t->state, &t->out);
    t->chunks_n += t->out.len > before;
    if (is_sse(t) && t->at == t->begin)
        log_word(&t->expected, "comment", STR(""));
    else if (!is_sse(t) && t->style.form != RENDER_RAW)
        log_word(&t->expected, "ping", STR(""));
}

static bool is_ws(const struct trial *t)
{
    return t->style.form == RENDER_WS || t->style.form == RENDER_WS_DS;
}

static void do_close(struct trial *t)
{
    char json[64];
    struct str offset = offset_text(t->base + t->at);
    t->chunks_n += t->style.form == RENDER_SSE ||
                   (t->style.form == RENDER_SSE_DS && !t->told);
    if (t->style.form == RENDER_SSE) {
        snprintf(json, sizeof json, "{\"offset\":\"%.*s\"}", (int)offset.len,
                 offset.at);
        log_event(&t->expected, "closed", str_from(json), STR(""));
    } else if (t->style.form == RENDER_SSE_DS && !t->told) {
        expect_control(t, "control", t->at, 1);
    } else if (t->style.form == RENDER_WS_DS && !t->told) {
        expect_control(t, "text", t->at, 1);
    }
    if (is_ws(t))
        log_word(&t->expected, "close 1000", STR("closed"));
    (void)render_close(&t->style, t->base + t->at, t->told, 1, &t->out);
}

static void do_end(struct trial *t)
{
    bool cuts = t->style.form != RENDER_RAW && t->at != t->begin;
    if (cuts)
        expect_cut(t);
    t->chunks_n += cuts;
    if (is_ws(t))
        log_word(&t->expected, "close 1001", STR("away"));
    (void)render_end(&t->style, &t->state, 1001, "away", &t->out);
}

/* What a client has of it. */
static void compare(struct trial *t)
{
    struct bytes body;
    struct bytes log;
    size_t chunks_n = 0;
    bytes_init(&body, LOG_BYTES_MAX);
    bytes_init(&log, LOG_BYTES_MAX);
    if (t->style.chunked)
        AGREE(t, decode_chunks(bytes_view(&t->out), &body, &chunks_n, &log));
    else
        (void)bytes_append_str(&body, bytes_view(&t->out));
    AGREE(t, !t->style.chunked || chunks_n == t->chunks_n);
    if (t->style.form == RENDER_RAW)
        (void)bytes_append_str(&log, bytes_view(&body));
    else if (is_ws(t))
        decode_ws(bytes_view(&body), &log);
    else
        decode_sse(bytes_view(&body), &log);
    AGREE(t, str_equal(bytes_view(&log), bytes_view(&t->expected)));
    if (t->complaint[0] != '\0' && getenv("TEST_SHOW"))
        fprintf(stderr, "--- expected\n%.*s\n--- log\n%.*s\n",
                (int)t->expected.len, t->expected.data, (int)log.len, log.data);
    bytes_fini(&log);
    bytes_fini(&body);
}

static void follow(struct trial *t)
{
    size_t gaps = dice_one_in(&t->dice, 3) ? 20 : 1000000;
    size_t end =
        dice_one_in(&t->dice, 3) ? dice_between(&t->dice, 0, t->len) : t->len;
    while (t->at < end && t->complaint[0] == '\0') {
        if (dice_one_in(&t->dice, gaps))
            do_gap(t);
        else if (dice_one_in(&t->dice, 20))
            do_heartbeat(t);
        else
            do_step(t);
    }
    if (t->at == t->len && t->closed)
        do_close(t);
    else
        do_end(t);
}

static void new_reader(struct trial *t)
{
    t->base = dice_below(&t->dice, 1u << 30);
    t->closed = dice_one_in(&t->dice, 2);
    t->state = (struct render_state){0};
    t->at = 0;
    t->told = false;
    t->chunks_n = 0;
    if (t->style.kind != STREAM_JSON && dice_one_in(&t->dice, 4))
        t->at = dice_below(&t->dice, t->len);
    t->begin = t->at;
    bytes_init(&t->out, LOG_BYTES_MAX);
    bytes_init(&t->expected, LOG_BYTES_MAX);
}

static void run_streams(struct trial *t, unsigned streams)
{
    t->dice.state = dice_seed();
    for (unsigned i = 0; i < streams && t->complaint[0] == '\0'; i++) {
        t->style.form = (enum render_form)dice_below(&t->dice, 5);
        t->style.kind = (enum stream_kind)dice_below(&t->dice, 3);
        t->style.chunked = !is_ws(t) && dice_one_in(&t->dice, 2);
        new_stream(t);
        new_reader(t);
        follow(t);
        if (t->complaint[0] == '\0')
            compare(t);
        bytes_fini(&t->out);
        bytes_fini(&t->expected);
    }
}

static struct trial *new_trial(const struct render_ops *ops)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->ops = ops;
    return t;
}

static void clients_understand_what_the_stream_holds(void **state)
{
    static const struct render_ops real = {render_step};
    struct trial *t = new_trial(&real);
    (void)state;
    run_streams(t, STREAMS);
    if (t->complaint[0] != '\0')
        fail_msg("%s", t->complaint);
    free(t);
}

/* Plants a fault and expects a complaint. */
static void is_noticed(const struct render_ops *faulty)
{
    struct trial *t = new_trial(faulty);
    run_streams(t, STREAMS_TO_NOTICE);
    assert_string_not_equal(t->complaint, "");
    free(t);
}

static enum flow forget_cr(const struct render_style *style,
                           struct render_state *state,
                           const struct render_input *in, struct bytes *out,
                           size_t *ret_used)
{
    state->after_cr = false;
    return render_step(style, state, in, out, ret_used);
}

static enum flow forget_carry(const struct render_style *style,
                              struct render_state *state,
                              const struct render_input *in, struct bytes *out,
                              size_t *ret_used)
{
    state->carry_n = 0;
    return render_step(style, state, in, out, ret_used);
}

static enum flow forget_line(const struct render_style *style,
                             struct render_state *state,
                             const struct render_input *in, struct bytes *out,
                             size_t *ret_used)
{
    state->line_start = false;
    return render_step(style, state, in, out, ret_used);
}

static enum flow miss_the_last_end(const struct render_style *style,
                                   struct render_state *state,
                                   const struct render_input *in,
                                   struct bytes *out, size_t *ret_used)
{
    struct render_input fewer = *in;
    fewer.ends_n -= fewer.ends_n > 0;
    return render_step(style, state, &fewer, out, ret_used);
}

static void a_line_end_cut_in_two_would_be_noticed(void **state)
{
    (void)state;
    is_noticed(&(struct render_ops){forget_cr});
}

static void bytes_that_are_not_carried_over_would_be_noticed(void **state)
{
    (void)state;
    is_noticed(&(struct render_ops){forget_carry});
}

static void a_lost_space_would_be_noticed(void **state)
{
    (void)state;
    is_noticed(&(struct render_ops){forget_line});
}

static void messages_that_run_together_would_be_noticed(void **state)
{
    (void)state;
    is_noticed(&(struct render_ops){miss_the_last_end});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_understand_what_the_stream_holds),
        cmocka_unit_test(a_line_end_cut_in_two_would_be_noticed),
        cmocka_unit_test(bytes_that_are_not_carried_over_would_be_noticed),
        cmocka_unit_test(a_lost_space_would_be_noticed),
        cmocka_unit_test(messages_that_run_together_would_be_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
