/* stream_offset.h - the offsets by which readers say where they are.
 *
 *      0000000000000000_0000000000001234
 *      always zeros     the position in bytes, so byte-wise order is order
 *
 * Promise    what is written is read back, and nothing else is taken for a
 *            position: no sign, no white space, no other length.
 * Limits     positions below STREAM_OFFSET_END.
 * Threads    pure.
 * Cost       writing: two copies and eight divisions by a constant.
 * Source     Durable Streams protocol 1.0, "Offsets". */
#ifndef PARSER_STREAM_OFFSET_H
#define PARSER_STREAM_OFFSET_H

#include "buffers/str.h"

#include <stdint.h>

#define STREAM_OFFSET_BYTES 33u
#define STREAM_OFFSET_END   UINT64_C(10000000000000000) /* 10^16 bytes */

enum stream_offset_kind {
    OFFSET_MALFORMED,
    OFFSET_AT,     /* a position, which the stream may not have reached */
    OFFSET_START,  /* "-1": the oldest byte there is */
    OFFSET_NOW,    /* "now": the tail */
    OFFSET_BEYOND, /* well-formed, but no position that we could have written */
};

/* Writes STREAM_OFFSET_BYTES bytes, no NUL; pos < STREAM_OFFSET_END. */
void stream_offset_write(char *at, uint64_t pos);

/* text is decoded already. *ret_pos is written only for OFFSET_AT. */
enum stream_offset_kind stream_offset_read(struct str text, uint64_t *ret_pos);

#endif
