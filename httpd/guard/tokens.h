/* tokens.h - who may publish to and read which streams, by bearer tokens.
 *
 *      # one rule a line: what, who, which streams
 *      publish  6Vv2mYc0sT1bQ9rKx4Zp7w==  sensors/
 *      read     public                    sensors/
 *      both     Kd83hfy2lQz5nB0tWm6XcJ1a  *
 *
 * A prefix is compared byte by byte with the (decoded) name of the stream, so
 * that "chat" covers "chat", "chat/1" and "chatter", "chat/" only what is
 * below. "public" stands for anybody, with a token or without.
 *
 * Promise    what no rule allows is refused. A token is compared with every
 *            rule in constant time; only SHA-256 of it is kept. No message
 *            shows any text of the file.
 * Refuses    a file with a line that is no rule, or with none at all:
 *            "FILE:LINE: what is wrong; what would be right".
 * Limits     TOKENS_FILE_BYTES_MAX, TOKENS_RULES_MAX, TOKENS_PREFIX_BYTES_MAX;
 *            tokens of TOKEN_BYTES_MIN to TOKEN_BYTES_MAX bytes of token68.
 * Threads    any; read only once loaded.
 * Cost       a digest of the token and 32 bytes compared for each rule.
 * Source     RFC 6750 sections 2.1, 3 and 3.1; RFC 9110 section 11.2. */
#ifndef HTTPD_GUARD_TOKENS_H
#define HTTPD_GUARD_TOKENS_H

#include "buffers/str.h"

#include <stddef.h>

#define TOKENS_FILE_BYTES_MAX   (256u << 10)
#define TOKENS_RULES_MAX        1024u
#define TOKENS_PREFIX_BYTES_MAX 1024u
#define TOKEN_BYTES_MIN         16u
#define TOKEN_BYTES_MAX         256u

struct tokens;

/* On failure returns NULL and says why in one line of ret_error. */
struct tokens *tokens_load(const char *path, char *ret_error, size_t error_cap);
void tokens_free(struct tokens *t);

/* What the operator should hear though it works, or NULL: the file may be read
 * by others. */
const char *tokens_warning(const struct tokens *t);

enum token_action {
    TOKEN_READ = 1,
    TOKEN_PUBLISH = 2, /* create, append, close, delete */
};

enum token_verdict {
    TOKEN_OK,
    TOKEN_MISSING,   /* 401 */
    TOKEN_MALFORMED, /* 400, error="invalid_request": also when given twice */
    TOKEN_WRONG,     /* 401, error="invalid_token" */
    TOKEN_SCOPE,     /* 403, error="insufficient_scope" */
    TOKEN_NO_MEMORY, /* 503 */
};

/* What a request brought; at NULL where there is nothing. */
struct token_offer {
    struct str authorization; /* field value; other schemes are as none */
    struct str access_token;  /* query parameter, decoded */
};

enum token_verdict tokens_check(const struct tokens *t,
                                const struct token_offer *offer,
                                enum token_action action, struct str stream);

/* Status of the answer, 0 for TOKEN_OK; its WWW-Authenticate, or NULL; and one
 * line of plain text that says what to do. */
unsigned token_status(enum token_verdict v);
const char *token_challenge(enum token_verdict v);
const char *token_advice(enum token_verdict v);

#endif
