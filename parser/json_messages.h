/* json_messages.h - a body of JSON, and the messages it holds.
 *
 *      [ {"a": 1}, [2, 3] , 4]        three messages: an array is opened,
 *        ^^^^^^^^  ^^^^^^   ^          one level and no more
 *      {"a": [1, 2]}                  one message
 *
 * Promise    a message stands as it came: no number, no escape and no space in
 *            it is touched, but CR and LF, which can only be white space there,
 *            have become spaces, so that a message is one line. White space
 *            around it is left out.
 * Refuses    what RFC 8259 does not know (comments, trailing commas, a second
 *            value, a byte order mark), what is not UTF-8, nothing at all.
 *            Escapes of lone surrogates pass: the grammar has them.
 * Limits     JSON_DEPTH_MAX brackets within each other, the outermost array
 *            counted; a number that is the whole body has at most
 *            JSON_NUMBER_BYTES_MAX bytes. How many messages are too many, the
 *            caller says by looking at n.
 * Owns       nothing and allocates nothing: messages are views into the body.
 * Threads    pure. Takes about 8 KiB of the thread's stack.
 * Cost       four passes over the body, one more if it holds many messages.
 * Source     RFC 8259; Durable Streams protocol 1.0, "JSON mode". */
#ifndef PARSER_JSON_MESSAGES_H
#define PARSER_JSON_MESSAGES_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>

#define JSON_DEPTH_MAX        512u
#define JSON_NUMBER_BYTES_MAX 255u

enum json_result {
    JSON_DONE,      /* n messages, one at least */
    JSON_EMPTY,     /* an empty array */
    JSON_MALFORMED, /* not one JSON text */
    JSON_TOO_DEEP,
};

struct json_messages {
    struct str rest; /* what has not been walked yet */
    size_t n;        /* of the whole body */
};

/* Reads the whole body; CR and LF in it are replaced when the answer is DONE or
 * EMPTY. Otherwise *ret_pos says near which byte it went wrong, at most len. */
enum json_result json_messages_open(struct json_messages *m, char *body,
                                    size_t len, size_t *ret_pos);

/* The next message, in the order of the body; false behind the last. Only after
 * DONE or EMPTY. */
bool json_messages_next(struct json_messages *m, struct str *ret_message);

#endif
