/* token_rules.h - what a file of tokens becomes; for tokens.c and its loader.
 *
 * Owns       the prefixes.
 * Threads    read only once loaded. */
#ifndef HTTPD_GUARD_TOKEN_RULES_H
#define HTTPD_GUARD_TOKEN_RULES_H

#include "httpd/guard/tokens.h"

#include <stdbool.h>

#define TOKEN_DIGEST_BYTES 32u

struct token_rule {
    unsigned char digest[TOKEN_DIGEST_BYTES]; /* of nothing for anybody */
    bool anybody;
    unsigned actions; /* of enum token_action */
    struct str prefix;
};

struct tokens {
    struct token_rule *rules;
    size_t n;
    size_t cap;
    const char *warning;
};

/* token68 of a length that is allowed. */
bool token_is_sound(struct str text);

/* False when out of memory. */
bool token_digest(struct str token, unsigned char *ret);

#endif
