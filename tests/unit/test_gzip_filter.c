#include "buffers/bytes.h"
#include "httpd/http/gzip_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <malloc.h>
#include <zlib.h>

#define OUT_BYTES_MAX (8u << 20)
#define TEXT_BYTES    (300u << 10)

struct catcher {
    struct bytes out;
    size_t step_max;
    size_t call_bytes; /* emitted since the test last looked */
    enum flow answer;
};

static char text[TEXT_BYTES];

static enum flow catch (void *arg, struct str out) {
    struct catcher *c = arg;

    assert_true(out.len > 0);
    if (out.len > c->step_max) c->step_max = out.len;
    c->call_bytes += out.len;
    if (c->answer != FLOW_DONE) return c->answer;
    return bytes_append_str(&c->out, out);
}

static int setup(void **state)
{
    struct catcher *c = calloc(1, sizeof(*c));

    bytes_init(&c->out, OUT_BYTES_MAX);
    c->answer = FLOW_DONE;
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct catcher *c = *state;

    bytes_fini(&c->out);
    free(c);
    return 0;
}

/* Log-like lines: they compress, but not to nothing. */
static void fill_words(unsigned seed)
{
    static const char *const words[] = {"stream ", "reader ", "slow\n",
                                        "window ", "0x7f3a ", "\xc3\xa9 "};
    size_t len = 0;

    srandom(seed);
    while (len < sizeof(text)) {
        const char *word = words[random() % 6];
        size_t n = strlen(word);
        if (n > sizeof(text) - len)
            n = sizeof(text) - len;
        memcpy(text + len, word, n);
        len += n;
    }
}

static void fill_noise(unsigned seed)
{
    srandom(seed);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(random() >> 8);
}

/* Decodes what was caught; returns how many bytes of text came out. */
static size_t decode(const struct catcher *c, char *out, size_t cap, int *end)
{
    z_stream z = {0};

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (unsigned char *)c->out.data;
    z.avail_in = (unsigned)c->out.len;
    z.next_out = (unsigned char *)out;
    z.avail_out = (unsigned)cap;
    *end = inflate(&z, Z_SYNC_FLUSH);
    assert_int_equal(z.avail_in, 0);
    size_t len = z.total_out;
    inflateEnd(&z);
    return len;
}

static void assert_decodes_to(const struct catcher *c, size_t len, bool whole)
{
    static char back[TEXT_BYTES + 1];
    int end = 0;

    assert_int_equal(decode(c, back, sizeof(back), &end), len);
    assert_memory_equal(back, text, len);
    if (whole)
        assert_int_equal(end, Z_STREAM_END);
}

static size_t random_cut(size_t left)
{
    size_t max = random() % 4 == 0 ? 40000 : 300;
    size_t cut = (size_t)random() % max;

    return cut < left ? cut : left;
}

static void push_all(struct gzip_filter *f, struct catcher *c)
{
    for (size_t at = 0; at < sizeof(text);) {
        size_t n = random_cut(sizeof(text) - at);
        struct str piece = {text + at, n};
        assert_int_equal(gzip_filter_push(f, piece, catch, c), FLOW_DONE);
        at += n;
    }
}

static void text_in_random_pieces_comes_back_whole_at_every_level(void **state)
{
    struct catcher *c = *state;

    for (int level = GZIP_FILTER_LEVEL_MIN; level <= GZIP_FILTER_LEVEL_MAX;
         level++) {
        struct gzip_filter *f = gzip_filter_new(level);
        assert_non_null(f);
        fill_words((unsigned)level);
        push_all(f, c);
        assert_int_equal(gzip_filter_finish(f, catch, c), FLOW_DONE);
        assert_decodes_to(c, sizeof(text), true);
        assert_true(c->out.len < sizeof(text) / 3);
        bytes_reset(&c->out);
        gzip_filter_free(f);
    }
}

static void a_higher_level_makes_less(void **state)
{
    struct catcher *c = *state;
    size_t len[2];
    const int level[2] = {GZIP_FILTER_LEVEL_MIN, GZIP_FILTER_LEVEL_MAX};

    for (int i = 0; i < 2; i++) {
        struct gzip_filter *f = gzip_filter_new(level[i]);
        fill_words(7);
        push_all(f, c);
        gzip_filter_finish(f, catch, c);
        len[i] = c->out.len;
        bytes_reset(&c->out);
        gzip_filter_free(f);
    }
    assert_true(len[1] < len[0]);
}

static void after_a_flush_everything_pushed_can_be_decoded(void **state)
{
    struct catcher *c = *state;
    struct gzip_filter *f = gzip_filter_new(5);

    fill_words(3);
    for (size_t at = 0; at < sizeof(text) / 4;) {
        size_t n = random_cut(sizeof(text) - at);
        gzip_filter_push(f, (struct str){text + at, n}, catch, c);
        at += n;
        assert_int_equal(gzip_filter_flush(f, catch, c), FLOW_DONE);
        assert_decodes_to(c, at, false);
    }
    gzip_filter_free(f);
}

static void a_flush_without_news_emits_nothing(void **state)
{
    struct catcher *c = *state;
    struct gzip_filter *f = gzip_filter_new(5);

    assert_int_equal(gzip_filter_flush(f, catch, c), FLOW_DONE);
    assert_int_equal(c->call_bytes, 0);
    gzip_filter_push(f, STR("token"), catch, c);
    gzip_filter_flush(f, catch, c);
    c->call_bytes = 0;
    gzip_filter_push(f, STR(""), catch, c);
    assert_int_equal(gzip_filter_flush(f, catch, c), FLOW_DONE);
    assert_int_equal(c->call_bytes, 0);
    gzip_filter_free(f);
}

static void an_empty_body_is_a_whole_member(void **state)
{
    struct catcher *c = *state;
    struct gzip_filter *f = gzip_filter_new(5);

    assert_int_equal(gzip_filter_finish(f, catch, c), FLOW_DONE);
    assert_decodes_to(c, 0, true);
    gzip_filter_free(f);
}

/* Noise does not shrink: all that deflate holds back comes out at once. */
static void a_call_emits_its_piece_and_what_was_held_at_most(void **state)
{
    struct catcher *c = *state;

    for (int level = GZIP_FILTER_LEVEL_MIN; level <= GZIP_FILTER_LEVEL_MAX;
         level++) {
        struct gzip_filter *f = gzip_filter_new(level);
        fill_noise((unsigned)level);
        for (size_t at = 0; at < sizeof(text);) {
            size_t n = random_cut(sizeof(text) - at);
            c->call_bytes = 0;
            gzip_filter_push(f, (struct str){text + at, n}, catch, c);
            assert_true(c->call_bytes <= n + GZIP_FILTER_HELD_BYTES);
            at += n;
        }
        c->call_bytes = 0;
        gzip_filter_finish(f, catch, c);
        assert_true(c->call_bytes <= GZIP_FILTER_HELD_BYTES);
        assert_decodes_to(c, sizeof(text), true);
        bytes_reset(&c->out);
        gzip_filter_free(f);
    }
    assert_int_equal(c->step_max, GZIP_FILTER_STEP_BYTES);
}

static void a_refused_emit_ends_the_filter(void **state)
{
    struct catcher *c = *state;
    struct gzip_filter *f = gzip_filter_new(1);

    gzip_filter_push(f, STR("lost"), catch, c);
    c->answer = FLOW_FULL;
    assert_int_equal(gzip_filter_flush(f, catch, c), FLOW_FULL);
    c->answer = FLOW_DONE;
    assert_int_equal(gzip_filter_push(f, STR("x"), catch, c), FLOW_FAILED);
    assert_int_equal(gzip_filter_flush(f, catch, c), FLOW_FAILED);
    assert_int_equal(gzip_filter_finish(f, catch, c), FLOW_FAILED);
    gzip_filter_free(f);
}

static size_t bytes_in_use(void)
{
    const struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void a_filter_stays_below_its_bound(void **state)
{
    const char *sanitizer = getenv("SLUICE_SANITIZER");
    struct gzip_filter *f;
    size_t before;
    size_t after;

    (void)state;
    if (sanitizer && *sanitizer)
        skip(); /* another allocator, which mallinfo2() does not count */
    before = bytes_in_use();
    f = gzip_filter_new(GZIP_FILTER_LEVEL_MAX);
    assert_non_null(f);
    after = bytes_in_use();
    assert_true(after > before);
    assert_true(after - before <= GZIP_FILTER_BYTES_MAX);
    gzip_filter_free(f);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        FRESH(text_in_random_pieces_comes_back_whole_at_every_level),
        FRESH(a_higher_level_makes_less),
        FRESH(after_a_flush_everything_pushed_can_be_decoded),
        FRESH(a_flush_without_news_emits_nothing),
        FRESH(an_empty_body_is_a_whole_member),
        FRESH(a_call_emits_its_piece_and_what_was_held_at_most),
        FRESH(a_refused_emit_ends_the_filter),
        FRESH(a_filter_stays_below_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
