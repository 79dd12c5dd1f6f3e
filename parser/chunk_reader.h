/* chunk_reader.h - the chunked coding, decoded in one strict way.
 *
 *      1a;name=value\r\n  <26 bytes>\r\n  0\r\n   trailers
 *      size   ext         payload         last    not read here
 *
 * Promise    a size is 1 to 16 hexadecimal digits, at most 2^63-1, followed
 *            by CRLF or by an extension; every line ends with CRLF; payload is
 *            yielded as views and never touched.
 * Limits     CHUNK_DIGITS_MAX digits a size; extension bytes of all chunks
 *            together up to a limit of the caller (CVE-2024-22019).
 * Not for    the meaning of extensions: their text is passed over, for no
 *            byte that they may hold can move a boundary.
 * Threads    one at a time.
 * Source     RFC 9112 section 7.1. */
#ifndef PARSER_CHUNK_READER_H
#define PARSER_CHUNK_READER_H

#include "buffers/str.h"
#include "parser/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_DIGITS_MAX 16u

enum chunk_state {
    CHUNK_SIZE,
    CHUNK_EXT,     /* behind ';' */
    CHUNK_SIZE_LF, /* behind the CR of the size line */
    CHUNK_PAYLOAD,
    CHUNK_END_CR, /* behind the payload */
    CHUNK_END_LF,
    CHUNK_LAST, /* the size line of the last chunk has been read */
};

struct chunk_reader {
    enum chunk_state state;
    unsigned digits;      /* of the size so far */
    uint64_t left;        /* the size so far, then payload still to come */
    size_t ext_bytes;     /* of all extensions so far */
    size_t ext_bytes_max; /* beyond is CHUNK_EXT_TOO_LARGE */
};

void chunk_reader_init(struct chunk_reader *reader, size_t ext_bytes_max);

/* Reads up to the end of in, of one piece of payload, or of the last chunk's
 * size line, whichever comes first. *ret_used counts what was read, with the
 * piece; *ret_piece is empty if there was no payload. */
enum verdict_id chunk_reader_feed(struct chunk_reader *reader, struct str in,
                                  size_t *ret_used, struct str *ret_piece);

#endif
