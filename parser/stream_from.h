/* stream_from.h - where a reader wants to begin, as people write it.
 *
 *      start  -1          the oldest byte there is
 *      now                the tail
 *      0000000000000000_0000000000001234      an offset
 *      -512k  -1g         so many bytes before the tail, powers of 1024
 *      -10s  -250ms       what arrived in that time
 *
 * Promise    the whole text is one of these or it is refused. m is minutes, M
 *            mebibytes. A number needs its unit: "-1" is the protocol's word
 *            for the start.
 * Threads    pure. */
#ifndef PARSER_STREAM_FROM_H
#define PARSER_STREAM_FROM_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stdint.h>

enum stream_from_kind {
    FROM_START,
    FROM_NOW,
    FROM_AT,     /* value is a position */
    FROM_BEYOND, /* an offset that no stream reaches */
    FROM_BYTES,  /* value is bytes back from the tail */
    FROM_MS,     /* value is milliseconds back from now */
};

struct stream_from {
    enum stream_from_kind kind;
    uint64_t value; /* 0 where the kind has none */
};

/* text is decoded already. *ret is written only when the answer is true. */
bool stream_from_read(struct str text, struct stream_from *ret);

#endif
