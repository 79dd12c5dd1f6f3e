#include "httpd/guard/token_rules.h"

#include "parser/ascii.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULES_FIRST 8u

static const char out_of_memory[] = "out of memory";

static const char warning[] =
    "may be read by others than its owner; chmod 600 keeps its tokens secret";

/* Reads to the end of the file, or until cap is full. */
static bool read_whole(int fd, char *at, size_t cap, size_t *ret_len)
{
    size_t len = 0;
    ssize_t n = 1;
    while (n != 0 && len < cap) {
        n = read(fd, at + len, cap - len);
        if (n < 0 && errno != EINTR)
            return false;
        len += n > 0 ? (size_t)n : 0;
    }
    *ret_len = len;
    return true;
}

/* The text of an open file; on failure at is NULL and *ret_why says why. */
static struct str read_open(int fd, const struct stat *st, const char **ret_why)
{
    struct str text = {0};
    if (!S_ISREG(st->st_mode)) {
        *ret_why = "is no regular file";
        return text;
    }
    char *at = malloc(TOKENS_FILE_BYTES_MAX + 1u);
    if (!at) {
        *ret_why = out_of_memory;
    } else if (!read_whole(fd, at, TOKENS_FILE_BYTES_MAX + 1u, &text.len)) {
        *ret_why = strerror(errno);
    } else if (text.len > TOKENS_FILE_BYTES_MAX) {
        *ret_why = "is too long; 256 KiB at most";
    } else {
        text.at = at;
        return text;
    }
    free(at);
    return (struct str){0};
}

static struct str read_file(const char *path, struct tokens *t,
                            const char **ret_why)
{
    struct stat st;
    struct str text = {0};
    /* A pipe must not hold the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *ret_why = strerror(errno);
    } else {
        text = read_open(fd, &st, ret_why);
        t->warning = (st.st_mode & 0077) != 0 ? warning : NULL;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

/* The next word of a line; empty at its end. */
static struct str take_word(struct str *line)
{
    size_t n = 0;
    *line = ascii_skip_ows(*line);
    while (n < line->len && !ascii_is_ows(line->at[n]))
        n++;
    struct str word = {line->at, n};
    *line = str_skip(*line, n);
    return word;
}

static unsigned actions_of(struct str word)
{
    if (str_equal(word, STR("read")))
        return TOKEN_READ;
    if (str_equal(word, STR("publish")))
        return TOKEN_PUBLISH;
    return str_equal(word, STR("both")) ? TOKEN_READ | TOKEN_PUBLISH : 0;
}

static const char *prefix_fault(struct str prefix)
{
    if (prefix.len == 0)
        return "has no prefix; name the begin of the streams' names, or * for "
               "every stream";
    if (prefix.len > TOKENS_PREFIX_BYTES_MAX)
        return "has too long a prefix; 1024 bytes at most";
    if (prefix.at[0] == '/')
        return "has a prefix with '/' in front; names begin behind the "
               "route's, like \"chat/\"";
    for (size_t i = 0; i < prefix.len; i++) {
        if ((unsigned char)prefix.at[i] < ' ' || prefix.at[i] == 0x7f)
            return "has a control character in its prefix; take it out";
        if (prefix.at[i] == '*')
            return "has a prefix with '*' in it; a prefix covers what begins "
                   "with it, and * alone every stream";
    }
    return NULL;
}

static struct token_rule *add_rule(struct tokens *t)
{
    if (t->n == t->cap) {
        size_t cap = t->cap > 0 ? 2 * t->cap : RULES_FIRST;
        struct token_rule *rules = realloc(t->rules, cap * sizeof *rules);
        if (!rules)
            return NULL;
        t->rules = rules;
        t->cap = cap;
    }
    t->rules[t->n] = (struct token_rule){0};
    return &t->rules[t->n++];
}

/* Each of these returns what is wrong and what would be right, or NULL. */

static const char *read_prefix(struct str prefix, struct token_rule *rule)
{
    if (str_equal(prefix, STR("*")))
        return NULL;
    const char *wrong = prefix_fault(prefix);
    if (wrong)
        return wrong;
    char *at = malloc(prefix.len);
    if (!at)
        return out_of_memory;
    memcpy(at, prefix.at, prefix.len);
    rule->prefix.at = at;
    rule->prefix.len = prefix.len;
    return NULL;
}

static const char *read_rule(struct str line, struct tokens *t)
{
    struct str action = take_word(&line);
    struct str token = take_word(&line);
    struct str prefix = take_word(&line);
    struct str more = take_word(&line);
    if (action.len == 0 || action.at[0] == '#')
        return NULL;
    if (t->n == TOKENS_RULES_MAX)
        return "is one rule too many; 1024 at most";
    struct token_rule *rule = add_rule(t);
    if (!rule)
        return out_of_memory;
    rule->actions = actions_of(action);
    rule->anybody = str_equal(token, STR("public"));
    if (rule->actions == 0)
        return "begins with no action; write publish, read or both, then a "
               "token, then a prefix";
    if (!rule->anybody && !token_is_sound(token))
        return "has no sound token; 16 to 256 letters, digits and -._~+/, with "
               "= at the end only, or public";
    if (prefix.len > 0 && prefix.at[0] == '#')
        prefix.len = more.len = 0;
    if (more.len > 0 && more.at[0] != '#')
        return "has more than a rule; a comment begins with #";
    if (!rule->anybody && !token_digest(token, rule->digest))
        return out_of_memory;
    return read_prefix(prefix, rule);
}

/* Also counts the lines up to the faulty one. */
static const char *read_rules(struct str text, struct tokens *t,
                              unsigned *ret_line)
{
    const char *wrong = NULL;
    for (*ret_line = 0; text.len > 0 && !wrong; ++*ret_line) {
        const char *end = memchr(text.at, '\n', text.len);
        size_t len = end ? (size_t)(end - text.at) : text.len;
        struct str line = {text.at, len};
        if (len > 0 && line.at[len - 1] == '\r')
            line.len--;
        wrong = read_rule(line, t);
        text = str_skip(text, end ? len + 1 : len);
    }
    return wrong;
}

struct tokens *tokens_load(const char *path, char *ret_error, size_t error_cap)
{
    const char *why = NULL;
    unsigned line = 0;
    assert(path && ret_error);
    struct tokens *t = calloc(1, sizeof *t);
    if (!t) {
        snprintf(ret_error, error_cap, "%s", out_of_memory);
        return NULL;
    }
    struct str text = read_file(path, t, &why);
    if (text.at)
        why = read_rules(text, t, &line);
    if (text.at)
        OPENSSL_cleanse((char *)text.at, text.len);
    free((char *)text.at);
    if (!why && t->n > 0)
        return t;
    if (why && line > 0)
        snprintf(ret_error, error_cap, "%s:%u: %s", path, line, why);
    else
        snprintf(ret_error, error_cap, "%s: %s", path,
                 why ? why
                     : "has no rule; write one a line, like: both TOKEN *");
    tokens_free(t);
    return NULL;
}

void tokens_free(struct tokens *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        free((char *)t->rules[i].prefix.at);
    free(t->rules);
    free(t);
}
