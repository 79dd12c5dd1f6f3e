/* feed.h - one request, fed to the parser in every way it may arrive.
 *
 * Promise    the bytes are read whole, one by one, and cut in two at every
 *            place; a test fails when anything that can be observed (verdict,
 *            parts, fields, body, bytes used) differs between the ways.
 *            Each piece lies in memory of exactly its size.
 * Limits     those of feed_limits.
 * Owns       a reading; free it with feed_fini().
 * Threads    one at a time; it uses cmocka's assertions. */
#ifndef TESTS_SUPPORT_FEED_H
#define TESTS_SUPPORT_FEED_H

#include "parser/request.h"

#include <stdbool.h>
#include <stddef.h>

#define FEED_HEAD_BYTES_MAX    4096u
#define FEED_TARGET_BYTES_MAX  1024u
#define FEED_EXT_BYTES_MAX     64u
#define FEED_TRAILER_BYTES_MAX 128u

struct reading {
    struct request req; /* as it was at the end */
    struct bytes body;
    struct bytes text; /* all that can be observed, to compare and to print */
    bool complete;     /* the whole message has been read */
    size_t used;       /* bytes of the message */
};

/* Reads one message in all ways and keeps the last reading. */
void feed_message(const char *data, size_t len, struct reading *ret);
void feed_fini(struct reading *reading);

/* Fails unless the message is refused so. */
void feed_refused(const char *data, size_t len, const char *verdict,
                  int status);

/* Appends 'a' until the message is len bytes long. */
void feed_pad(struct bytes *message, size_t len);

#define FEED(literal, ret) feed_message("" literal, sizeof(literal) - 1, ret)
#define REFUSED(literal, verdict, status)                                      \
    feed_refused("" literal, sizeof(literal) - 1, verdict, status)

#endif
