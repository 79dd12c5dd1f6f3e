#include "httpd/guard/tokens.h"

#include "httpd/guard/token_rules.h"
#include "parser/ascii.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

bool token_is_sound(struct str text)
{
    size_t i = 0;
    if (text.len < TOKEN_BYTES_MIN || text.len > TOKEN_BYTES_MAX)
        return false;
    while (i < text.len &&
           (ascii_is_alpha(text.at[i]) || ascii_is_digit(text.at[i]) ||
            (text.at[i] != '\0' && strchr("-._~+/", text.at[i]))))
        i++;
    size_t plain = i;
    while (i < text.len && text.at[i] == '=')
        i++;
    return plain > 0 && i == text.len;
}

bool token_digest(struct str token, unsigned char *ret)
{
    return SHA256((const unsigned char *)token.at, token.len, ret) != NULL;
}

const char *tokens_warning(const struct tokens *t)
{
    return t->warning;
}

/* The token of an Authorization field, at NULL when it has another scheme. */
static struct str bearer_of(struct str field)
{
    struct str rest = ascii_skip_ows(field);
    struct str scheme = ascii_take_token(&rest);
    if (!ascii_equal(scheme, STR("bearer")) ||
        (rest.len > 0 && rest.at[0] != ' '))
        return (struct str){0};
    return ascii_trim_ows_end(ascii_skip_ows(rest));
}

static bool covers(const struct token_rule *rule, enum token_action action,
                   struct str stream)
{
    return (rule->actions & action) != 0 && str_starts(stream, rule->prefix);
}

static bool is_public(const struct tokens *t, enum token_action action,
                      struct str stream)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->rules[i].anybody && covers(&t->rules[i], action, stream))
            return true;
    }
    return false;
}

/* Goes through all rules, whichever fits. */
static enum token_verdict judge(const struct tokens *t, struct str token,
                                enum token_action action, struct str stream)
{
    unsigned char digest[TOKEN_DIGEST_BYTES];
    if (!token_is_sound(token))
        return TOKEN_MALFORMED;
    if (!token_digest(token, digest))
        return TOKEN_NO_MEMORY;
    bool known = false;
    bool allowed = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct token_rule *rule = &t->rules[i];
        bool same = CRYPTO_memcmp(rule->digest, digest, sizeof digest) == 0;
        same = same && !rule->anybody;
        known = known || same;
        allowed = allowed || (same && covers(rule, action, stream));
    }
    if (!known)
        return TOKEN_WRONG;
    return allowed ? TOKEN_OK : TOKEN_SCOPE;
}

enum token_verdict tokens_check(const struct tokens *t,
                                const struct token_offer *offer,
                                enum token_action action, struct str stream)
{
    assert(t && (action == TOKEN_READ || action == TOKEN_PUBLISH));
    if (is_public(t, action, stream))
        return TOKEN_OK;
    struct str token = bearer_of(offer->authorization);
    if (token.at && offer->access_token.at)
        return TOKEN_MALFORMED;
    if (!token.at)
        token = offer->access_token;
    return token.at ? judge(t, token, action, stream) : TOKEN_MISSING;
}

struct told {
    unsigned status;
    const char *challenge;
    const char *advice;
};

static const struct told told[] = {
    [TOKEN_OK] = {0, NULL, ""},
    [TOKEN_MISSING] = {401, "Bearer realm=\"streams\"",
                       "This stream needs a token: send \"Authorization: "
                       "Bearer TOKEN\" or ?access_token=TOKEN."},
    [TOKEN_MALFORMED] = {400,
                         "Bearer realm=\"streams\", error=\"invalid_request\"",
                         "This is no bearer token, or there are two: send one, "
                         "as \"Authorization: Bearer TOKEN\"."},
    [TOKEN_WRONG] = {401, "Bearer realm=\"streams\", error=\"invalid_token\"",
                     "This token is not known here: ask the operator for "
                     "one."},
    [TOKEN_SCOPE] = {403,
                     "Bearer realm=\"streams\", error=\"insufficient_scope\"",
                     "This token is not for this, or not for this stream: use "
                     "one that is."},
    [TOKEN_NO_MEMORY] = {503, NULL, "Memory is short: try again soon."},
};

unsigned token_status(enum token_verdict v)
{
    assert(v <= TOKEN_NO_MEMORY);
    return told[v].status;
}

const char *token_challenge(enum token_verdict v)
{
    assert(v <= TOKEN_NO_MEMORY);
    return told[v].challenge;
}

const char *token_advice(enum token_verdict v)
{
    assert(v <= TOKEN_NO_MEMORY);
    return told[v].advice;
}
