#include "parser/json_messages.h"

#include "parser/ascii.h"
#include "parser/utf8.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>

#include <yajl/yajl_parse.h>

/* libyajl does not look at what its allocator answers. It is given bytes enough
 * for every text that measure() lets through: its stack grows with the depth,
 * and it keeps nothing of a text that ends with a bracket or a quote. */
#define ARENA_BYTES 8192u
#define ARENA_ALIGN 16u

struct arena {
    alignas(ARENA_ALIGN) char bytes[ARENA_BYTES];
    size_t used;
};

static void *arena_malloc(void *ctx, size_t size)
{
    struct arena *a = ctx;
    assert(size <= ARENA_BYTES - a->used);
    char *at = a->bytes + a->used;
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    a->used += size < ARENA_BYTES - a->used ? size : ARENA_BYTES - a->used;
    return at;
}

/* Copies as much as may have been in the old place. */
static void *arena_realloc(void *ctx, void *old, size_t size)
{
    struct arena *a = ctx;
    if (!old)
        return arena_malloc(a, size);
    size_t before = (size_t)(a->bytes + a->used - (char *)old);
    void *at = arena_malloc(a, size);
    memcpy(at, old, size < before ? size : before);
    return at;
}

static void arena_free(void *ctx, void *old)
{
    (void)ctx;
    (void)old;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str trim(struct str s)
{
    while (s.len > 0 && is_space(s.at[0]))
        s = str_skip(s, 1);
    while (s.len > 0 && is_space(s.at[s.len - 1]))
        s.len--;
    return s;
}

/* How many bytes the string has that s begins with, quotes included; 0 when it
 * has no end. */
static size_t string_bytes(struct str s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.at[i] == '"')
            return i + 1;
        if (s.at[i] == '\\')
            i++;
    }
    return 0;
}

/* How brackets and strings stand, whatever is between them. */
struct shape {
    size_t depth;
    size_t pos;
    size_t commas; /* of the outermost array or object */
};

/* Goes on by one character or one string. */
static enum json_result step(struct shape *s, struct str text)
{
    size_t used = 1;
    switch (text.at[s->pos]) {
    case '[':
    case '{':
        if (s->depth++ == JSON_DEPTH_MAX)
            return JSON_TOO_DEEP;
        break;
    case ']':
    case '}':
        s->depth--;
        break;
    case ',':
        s->commas += s->depth == 1;
        break;
    case '"':
        used = string_bytes(str_skip(text, s->pos));
        break;
    case '\v': /* white space to libyajl */
    case '\f':
        return JSON_MALFORMED;
    default:
        break;
    }
    s->pos += used;
    return used > 0 ? JSON_DONE : JSON_MALFORMED;
}

/* Whether a text without white space around it is one array, object or string
 * with nothing behind, as far as brackets and quotes tell. */
static enum json_result measure(struct shape *s, struct str text)
{
    do {
        enum json_result r = step(s, text);
        if (r != JSON_DONE)
            return r;
    } while (s->depth > 0 && s->pos < text.len);
    return s->depth == 0 && s->pos == text.len ? JSON_DONE : JSON_MALFORMED;
}

/* Whether the grammar allows the text. Without callbacks nothing is decoded;
 * the parser goes with its arena. */
static bool follows_grammar(struct str text, size_t *ret_pos)
{
    struct arena arena;
    arena.used = 0;
    yajl_alloc_funcs funcs = {arena_malloc, arena_realloc, arena_free, &arena};
    yajl_handle parser = yajl_alloc(NULL, &funcs, NULL);
    yajl_config(parser, yajl_dont_validate_strings, 1); /* we did, in full */
    if (yajl_parse(parser, (const unsigned char *)text.at, text.len) !=
        yajl_status_ok) {
        *ret_pos = yajl_get_bytes_consumed(parser);
        return false;
    }
    *ret_pos = text.len;
    return yajl_complete_parse(parser) == yajl_status_ok;
}

/* The same for what is neither array, object nor string. In brackets, for else
 * libyajl would overlook half a token behind a whole one ("1-"). */
static bool is_bare_value(struct str text, size_t *ret_pos)
{
    char wrapped[JSON_NUMBER_BYTES_MAX + 2];
    size_t n = 0;
    while (n < text.len && n < JSON_NUMBER_BYTES_MAX &&
           ascii_is_token(text.at[n]))
        n++;
    *ret_pos = n;
    if (n == 0 || n < text.len)
        return false;
    wrapped[0] = '[';
    memcpy(wrapped + 1, text.at, n);
    wrapped[n + 1] = ']';
    bool follows = follows_grammar((struct str){wrapped, n + 2}, ret_pos);
    *ret_pos -= *ret_pos > 0; /* the bracket is ours */
    return follows;
}

static bool is_bare(struct str text)
{
    return !ascii_at(text, '[') && !ascii_at(text, '{') && !ascii_at(text, '"');
}

static enum json_result check(struct shape *s, struct str text)
{
    size_t valid = utf8_valid_bytes(text);
    if (valid < text.len) {
        s->pos = valid;
        return JSON_MALFORMED;
    }
    if (is_bare(text))
        return is_bare_value(text, &s->pos) ? JSON_DONE : JSON_MALFORMED;
    enum json_result r = measure(s, text);
    if (r == JSON_DONE && !follows_grammar(text, &s->pos))
        return JSON_MALFORMED;
    return r;
}

static void join_lines(char *body, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (body[i] == '\n' || body[i] == '\r')
            body[i] = ' ';
}

enum json_result json_messages_open(struct json_messages *m, char *body,
                                    size_t len, size_t *ret_pos)
{
    struct str text = trim((struct str){body, len});
    struct shape s = {0, 0, 0};
    enum json_result r = check(&s, text);
    if (r != JSON_DONE) {
        *ret_pos = (size_t)(text.at - body) + s.pos;
        return r;
    }
    join_lines(body, len);
    m->n = 1;
    m->rest = text;
    if (text.at[0] != '[')
        return JSON_DONE;
    m->rest = trim((struct str){text.at + 1, text.len - 2});
    m->n = m->rest.len > 0 ? s.commas + 1 : 0;
    return m->n > 0 ? JSON_DONE : JSON_EMPTY;
}

bool json_messages_next(struct json_messages *m, struct str *ret_message)
{
    struct shape s = {0, 0, 0};
    if (m->rest.len == 0)
        return false;
    if (m->n == 1)
        s.pos = m->rest.len;
    while (s.pos < m->rest.len && (s.depth > 0 || m->rest.at[s.pos] != ','))
        step(&s, m->rest);
    *ret_message = trim((struct str){m->rest.at, s.pos});
    size_t comma = s.pos < m->rest.len;
    m->rest = str_skip(m->rest, s.pos + comma);
    return true;
}
