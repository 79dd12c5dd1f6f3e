/* answer.h - one HTTP/1 response, read strictly.
 *
 * Promise    what is whole is well formed: CRLF everywhere, field names are
 *            tokens, one framing only, chunk sizes in hexadecimal.
 * Refuses    anything else as ANSWER_BROKEN with a line that says why.
 * Limits     ANSWER_CHUNKS_MAX chunk sizes are remembered.
 * Owns       copies of head, body and trailers. Free with answer_fini().
 * Source     RFC 9112 sections 4 to 7. */
#ifndef TESTS_SUPPORT_ANSWER_H
#define TESTS_SUPPORT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_CHUNKS_MAX 4096u

enum answer_result {
    ANSWER_WHOLE,
    ANSWER_MORE, /* it may still become whole */
    ANSWER_BROKEN,
};

struct answer {
    int status;
    char *head; /* status line and fields, each line with its CRLF; a string */
    char *body; /* without framing, a NUL behind it */
    char *trailers; /* lines with their CRLF; a string */
    size_t body_len;
    bool chunked;
    bool until_close;
    size_t chunks_n; /* chunks seen, the last one left out */
    uint32_t chunks[ANSWER_CHUNKS_MAX];
    const char *why; /* when broken: a literal */
};

/* Reads one response at the start of data. no_body: it answers a HEAD.
 * ended: no more bytes will come. *ret_used is set when it is whole. */
enum answer_result answer_read(struct answer *a, const char *data, size_t len,
                               bool no_body, bool ended, size_t *ret_used);

void answer_fini(struct answer *a);

/* The value of the first field of that name, in any letter case, copied to a
 * static buffer that lasts for four calls; NULL when there is none. */
const char *answer_field(const struct answer *a, const char *name);

/* How many fields of that name the head has. */
size_t answer_field_n(const struct answer *a, const char *name);

/* The same for the trailer section. */
const char *answer_trailer(const struct answer *a, const char *name);

/* Whether a list field holds that member, in any letter case. */
bool answer_lists(const struct answer *a, const char *name, const char *member);

/* Whether status, fields (Date left out) and body are the same. */
bool answer_same(const struct answer *a, const struct answer *b);

/* Whether status and fields (Date left out) are the same. */
bool answer_same_head(const struct answer *a, const struct answer *b);

#endif
