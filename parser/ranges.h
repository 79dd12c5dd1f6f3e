/* ranges.h - the Range field, resolved against a length.
 *
 * Promise    each range lies inside the length, none is empty; ranges that
 *            overlap or touch are joined, in the place of the first of them,
 *            and apart from that they stand as asked.
 *            A whole field that breaks the grammar, or asks for a range that
 *            ends before it begins, is ignored. Numbers of any size are
 *            understood.
 * Limits     RANGES_MAX ranges after joining, RANGES_ASKED_MAX before; a field
 *            beyond them is ignored.
 * Threads    pure.
 * Not for    several Range fields: RFC 9110 allows one; ignore them all.
 * Source     RFC 9110 sections 14.1, 14.2 and 15.3.7.2. */
#ifndef PARSER_RANGES_H
#define PARSER_RANGES_H

#include "buffers/str.h"

#include <stddef.h>
#include <stdint.h>

#define RANGES_MAX       16u
#define RANGES_ASKED_MAX 64u

enum ranges_result {
    RANGES_NONE, /* not bytes, malformed, or too many: serve it whole */
    RANGES_SOME, /* at least one is satisfiable */
    RANGES_UNSATISFIABLE, /* well-formed, none is satisfiable: 416 */
};

struct byte_range {
    uint64_t pos;
    uint64_t len; /* at least 1 */
};

struct ranges {
    size_t n; /* 0 unless the result is RANGES_SOME */
    struct byte_range at[RANGES_MAX];
};

/* Resolves the field's value for a representation of length bytes. Of nothing
 * (length 0) a suffix "-5" is satisfiable, but no Content-Range can say so:
 * RANGES_NONE. */
enum ranges_result ranges_read(struct str field, uint64_t length,
                               struct ranges *ret);

#endif
