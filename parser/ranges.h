/* ranges.h - the Range field, resolved against a length.
 *
 * Promise    the result is sorted as asked, each range lies inside the length,
 *            none is empty; ranges that overlap or touch are joined.
 * Limits     RANGES_MAX ranges after joining, RANGES_ASKED_MAX before.
 * Source     RFC 9110 section 14. */
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
    size_t n;
    struct byte_range at[RANGES_MAX];
};

/* Resolves the field's value for a representation of length bytes. */
enum ranges_result ranges_read(struct str field, uint64_t length,
                               struct ranges *ret);

#endif
