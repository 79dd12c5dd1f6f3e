#include "httpd/guard/tokens.h"

#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ANNA "anna-0123456789-"
#define BERT "bert.~+/0123456789=="
#define CARO "caro567890123456"

#define RULES                                                                  \
    "# who may do what\n"                                                      \
    "publish " ANNA " sensors/\n"                                              \
    "\n"                                                                       \
    "  read\t" BERT "  sensors/a   # the first only\r\n"                       \
    "both " CARO " *\n"                                                        \
    "read public news\n"                                                       \
    "read " ANNA " log"

static int begin(void **state)
{
    struct temp_folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    temp_folder_init(f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    temp_folder_fini(*state);
    free(*state);
    return 0;
}

static void path_of(const struct temp_folder *f, char *ret, size_t cap)
{
    assert_in_range(snprintf(ret, cap, "%s/tokens", f->path), 1, cap - 1);
}

static struct tokens *load_with(struct temp_folder *f, const char *text,
                                char *ret_error, size_t cap)
{
    char path[300];
    path_of(f, path, sizeof path);
    temp_folder_write(f, "tokens", text);
    ret_error[0] = '\0';
    return tokens_load(path, ret_error, cap);
}

static struct tokens *load(struct temp_folder *f, const char *text)
{
    char error[512];
    struct tokens *t = load_with(f, text, error, sizeof error);
    assert_string_equal(error, "");
    assert_non_null(t);
    return t;
}

/* Refused, with an error that names the file and then says this. */
static void refuse(struct temp_folder *f, const char *text, const char *said)
{
    char error[512];
    char path[300];
    assert_null(load_with(f, text, error, sizeof error));
    path_of(f, path, sizeof path);
    assert_true(str_starts(str_from(error), str_from(path)));
    assert_string_equal(error + strlen(path), said);
}

static enum token_verdict ask(const struct tokens *t, const char *field,
                              enum token_action action, const char *stream)
{
    struct token_offer offer = {.authorization = str_from(field)};
    return tokens_check(t, &offer, action, str_from(stream));
}

static enum token_verdict ask_bare(const struct tokens *t, const char *token,
                                   enum token_action action, const char *stream)
{
    struct token_offer offer = {.access_token = str_from(token)};
    return tokens_check(t, &offer, action, str_from(stream));
}

static void token_opens_its_action_on_its_streams(void **state)
{
    struct tokens *t = load(*state, RULES);
    const char *anna = "Bearer " ANNA;
    const char *bert = "Bearer " BERT;
    assert_int_equal(ask(t, anna, TOKEN_PUBLISH, "sensors/a"), TOKEN_OK);
    assert_int_equal(ask(t, anna, TOKEN_READ, "sensors/a"), TOKEN_SCOPE);
    assert_int_equal(ask(t, anna, TOKEN_PUBLISH, "sensors"), TOKEN_SCOPE);
    assert_int_equal(ask(t, anna, TOKEN_READ, "log"), TOKEN_OK);
    assert_int_equal(ask(t, anna, TOKEN_READ, "logs/1"), TOKEN_OK);
    assert_int_equal(ask(t, anna, TOKEN_PUBLISH, "log"), TOKEN_SCOPE);
    assert_int_equal(ask(t, bert, TOKEN_READ, "sensors/a"), TOKEN_OK);
    assert_int_equal(ask(t, bert, TOKEN_READ, "sensors/b"), TOKEN_SCOPE);
    tokens_free(t);
}

static void both_and_star_open_everything(void **state)
{
    struct tokens *t = load(*state, RULES);
    const char *caro = "Bearer " CARO;
    assert_int_equal(ask(t, caro, TOKEN_PUBLISH, "anything"), TOKEN_OK);
    assert_int_equal(ask(t, caro, TOKEN_READ, "any/thing"), TOKEN_OK);
    assert_int_equal(ask(t, caro, TOKEN_READ, ""), TOKEN_OK);
    tokens_free(t);
}

static void public_streams_need_no_token(void **state)
{
    struct tokens *t = load(*state, RULES);
    assert_int_equal(ask(t, NULL, TOKEN_READ, "news/today"), TOKEN_OK);
    assert_int_equal(ask(t, "Bearer " BERT, TOKEN_READ, "news"), TOKEN_OK);
    assert_int_equal(ask(t, NULL, TOKEN_PUBLISH, "news/today"), TOKEN_MISSING);
    assert_int_equal(ask(t, NULL, TOKEN_READ, "sensors/a"), TOKEN_MISSING);
    tokens_free(t);
}

static void unknown_tokens_are_wrong(void **state)
{
    struct tokens *t = load(*state, RULES);
    assert_int_equal(ask(t, "Bearer anna-0123456789_", TOKEN_READ, "log"),
                     TOKEN_WRONG);
    assert_int_equal(ask(t, "Bearer " ANNA "x", TOKEN_READ, "log"),
                     TOKEN_WRONG);
    assert_int_equal(ask(t, "Bearer ANNA-0123456789-", TOKEN_READ, "log"),
                     TOKEN_WRONG);
    assert_int_equal(ask(t, "Bearer publicpublicpublic", TOKEN_READ, "log"),
                     TOKEN_WRONG);
    tokens_free(t);
}

static void scheme_is_read_in_any_case_and_others_are_as_none(void **state)
{
    struct tokens *t = load(*state, RULES);
    assert_int_equal(ask(t, "bEARER   " ANNA " ", TOKEN_READ, "log"), TOKEN_OK);
    assert_int_equal(ask(t, "Basic YW5uYTpiZXJ0", TOKEN_READ, "log"),
                     TOKEN_MISSING);
    assert_int_equal(ask(t, "BearerX " ANNA, TOKEN_READ, "log"), TOKEN_MISSING);
    assert_int_equal(ask(t, "Bearer/" ANNA, TOKEN_READ, "log"), TOKEN_MISSING);
    assert_int_equal(ask(t, "", TOKEN_READ, "log"), TOKEN_MISSING);
    assert_int_equal(ask(t, NULL, TOKEN_READ, "log"), TOKEN_MISSING);
    tokens_free(t);
}

static void malformed_tokens_are_told_apart_from_wrong_ones(void **state)
{
    struct tokens *t = load(*state, RULES);
    char field[TOKEN_BYTES_MAX + 16] = "Bearer ";
    assert_int_equal(ask(t, "Bearer", TOKEN_READ, "log"), TOKEN_MALFORMED);
    assert_int_equal(ask(t, "Bearer ", TOKEN_READ, "log"), TOKEN_MALFORMED);
    assert_int_equal(ask(t, "Bearer short", TOKEN_READ, "log"),
                     TOKEN_MALFORMED);
    assert_int_equal(ask(t, "Bearer " ANNA " x", TOKEN_READ, "log"),
                     TOKEN_MALFORMED);
    assert_int_equal(ask(t, "Bearer token=\"" ANNA "\"", TOKEN_READ, "log"),
                     TOKEN_MALFORMED);
    memset(field + 7, 'x', TOKEN_BYTES_MAX);
    assert_int_equal(ask(t, field, TOKEN_READ, "log"), TOKEN_WRONG);
    field[7 + TOKEN_BYTES_MAX] = 'x';
    assert_int_equal(ask(t, field, TOKEN_READ, "log"), TOKEN_MALFORMED);
    tokens_free(t);
}

static void bare_token_serves_as_well_but_not_beside_another(void **state)
{
    struct tokens *t = load(*state, RULES);
    struct token_offer twice = {STR("Bearer " ANNA), STR(ANNA)};
    struct token_offer basic = {STR("Basic YW5uYTpiZXJ0"), STR(ANNA)};
    assert_int_equal(ask_bare(t, ANNA, TOKEN_READ, "log"), TOKEN_OK);
    assert_int_equal(ask_bare(t, ANNA, TOKEN_PUBLISH, "log"), TOKEN_SCOPE);
    assert_int_equal(ask_bare(t, CARO "x", TOKEN_READ, "log"), TOKEN_WRONG);
    assert_int_equal(ask_bare(t, "", TOKEN_READ, "log"), TOKEN_MALFORMED);
    assert_int_equal(tokens_check(t, &twice, TOKEN_READ, STR("log")),
                     TOKEN_MALFORMED);
    assert_int_equal(tokens_check(t, &basic, TOKEN_READ, STR("log")), TOKEN_OK);
    tokens_free(t);
}

static void verdicts_answer_as_the_rfc_says(void **state)
{
    (void)state;
    assert_int_equal(token_status(TOKEN_OK), 0);
    assert_int_equal(token_status(TOKEN_MISSING), 401);
    assert_string_equal(token_challenge(TOKEN_MISSING),
                        "Bearer realm=\"streams\"");
    assert_int_equal(token_status(TOKEN_MALFORMED), 400);
    assert_int_equal(token_status(TOKEN_WRONG), 401);
    assert_string_equal(token_challenge(TOKEN_WRONG),
                        "Bearer realm=\"streams\", error=\"invalid_token\"");
    assert_int_equal(token_status(TOKEN_SCOPE), 403);
    assert_non_null(strstr(token_challenge(TOKEN_SCOPE), "insufficient_scope"));
    assert_int_equal(token_status(TOKEN_NO_MEMORY), 503);
    assert_null(token_challenge(TOKEN_NO_MEMORY));
}

static void faulty_lines_are_named_and_show_no_token(void **state)
{
    struct temp_folder *f = *state;
    refuse(f, "\n# x\nwrite " ANNA " *\n",
           ":3: begins with no action; write publish, read or both, then a "
           "token, then a prefix");
    refuse(f, "both secret *",
           ":1: has no sound token; 16 to 256 letters, digits and -._~+/, with "
           "= at the end only, or public");
    refuse(f, "both a=bcdefghijklmnopq *",
           ":1: has no sound token; 16 to 256 letters, digits and -._~+/, with "
           "= at the end only, or public");
    refuse(f, "read public a\nread " ANNA " # all\n",
           ":2: has no prefix; name the begin of the streams' names, or * for "
           "every stream");
    refuse(f, "read " ANNA "\n",
           ":1: has no prefix; name the begin of the streams' names, or * for "
           "every stream");
    refuse(f, "read " ANNA " /chat\n",
           ":1: has a prefix with '/' in front; names begin behind the "
           "route's, like \"chat/\"");
    refuse(f, "read " ANNA " chat/*\n",
           ":1: has a prefix with '*' in it; a prefix covers what begins with "
           "it, and * alone every stream");
    refuse(f, "read " ANNA " a\x01\n",
           ":1: has a control character in its prefix; take it out");
    refuse(f, "read " ANNA " a b\n",
           ":1: has more than a rule; a comment begins with #");
}

static void file_without_a_rule_is_refused(void **state)
{
    struct temp_folder *f = *state;
    refuse(f, "", ": has no rule; write one a line, like: both TOKEN *");
    refuse(f, "# read " ANNA " *\n",
           ": has no rule; write one a line, like: both TOKEN *");
}

static void what_is_no_file_is_refused(void **state)
{
    struct temp_folder *f = *state;
    char path[300];
    char error[512];
    path_of(f, path, sizeof path);
    assert_null(tokens_load(path, error, sizeof error));
    assert_non_null(strstr(error, ": No such file"));
    assert_null(tokens_load(f->path, error, sizeof error));
    assert_non_null(strstr(error, ": is no regular file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(tokens_load(path, error, sizeof error));
    assert_non_null(strstr(error, ": is no regular file"));
}

static void sizes_are_bounded(void **state)
{
    struct temp_folder *f = *state;
    char *text = calloc(1, TOKENS_FILE_BYTES_MAX + 2u);
    assert_non_null(text);
    memset(text, '\n', TOKENS_FILE_BYTES_MAX + 1u);
    refuse(f, text, ": is too long; 256 KiB at most");
    memcpy(text, "both public *", 13);
    text[TOKENS_FILE_BYTES_MAX] = '\0';
    tokens_free(load(f, text));

    char *at = text;
    for (unsigned i = 0; i < TOKENS_RULES_MAX; i++)
        at += sprintf(at, "read token-of-reader-%u r%u\n", i, i);
    struct tokens *t = load(f, text);
    assert_int_equal(ask_bare(t, "token-of-reader-1023", TOKEN_READ, "r1023"),
                     TOKEN_OK);
    assert_int_equal(ask_bare(t, "token-of-reader-1023", TOKEN_READ, "r9"),
                     TOKEN_SCOPE);
    tokens_free(t);
    strcpy(at, "read public *\n");
    refuse(f, text, ":1025: is one rule too many; 1024 at most");

    at = text + sprintf(text, "read public ");
    memset(at, 'p', TOKENS_PREFIX_BYTES_MAX + 1u);
    at[TOKENS_PREFIX_BYTES_MAX + 1u] = '\0';
    refuse(f, text, ":1: has too long a prefix; 1024 bytes at most");
    at[TOKENS_PREFIX_BYTES_MAX] = '\0';
    tokens_free(load(f, text));
    free(text);
}

static void file_that_others_may_read_is_warned_of(void **state)
{
    struct temp_folder *f = *state;
    char path[300];
    char error[512];
    path_of(f, path, sizeof path);
    temp_folder_write(f, "tokens", RULES);
    assert_int_equal(chmod(path, 0640), 0);
    struct tokens *t = tokens_load(path, error, sizeof error);
    assert_non_null(strstr(tokens_warning(t), "chmod 600"));
    tokens_free(t);
    assert_int_equal(chmod(path, 0600), 0);
    t = tokens_load(path, error, sizeof error);
    assert_null(tokens_warning(t));
    tokens_free(t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(token_opens_its_action_on_its_streams),
        TEST(both_and_star_open_everything),
        TEST(public_streams_need_no_token),
        TEST(unknown_tokens_are_wrong),
        TEST(scheme_is_read_in_any_case_and_others_are_as_none),
        TEST(malformed_tokens_are_told_apart_from_wrong_ones),
        TEST(bare_token_serves_as_well_but_not_beside_another),
        TEST(verdicts_answer_as_the_rfc_says),
        TEST(faulty_lines_are_named_and_show_no_token),
        TEST(file_without_a_rule_is_refused),
        TEST(what_is_no_file_is_refused),
        TEST(sizes_are_bounded),
        TEST(file_that_others_may_read_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
