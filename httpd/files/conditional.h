/* conditional.h - whether a request wants a file that it may have already.
 *
 * Promise    the fields are weighed in the RFC's order: If-Match, else
 *            If-Unmodified-Since; If-None-Match, else If-Modified-Since; then
 *            If-Range, by itself. A date that cannot be read is as if absent.
 * Threads    pure.
 * Source     RFC 9110 sections 13.1 and 13.2.2. */
#ifndef HTTPD_FILES_CONDITIONAL_H
#define HTTPD_FILES_CONDITIONAL_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stdint.h>

#define MODIFIED_UNKNOWN (-1)

/* What is known of the representation that would be sent. */
struct validators {
    struct str etag;          /* strong, with its quotes */
    int64_t modified_seconds; /* or MODIFIED_UNKNOWN: no date is obeyed */
};

/* The fields' values; at is NULL for one that is absent. */
struct conditions {
    struct str if_match;
    struct str if_unmodified_since;
    struct str if_none_match;
    struct str if_modified_since;
};

enum conditional {
    CONDITIONAL_SERVE,
    CONDITIONAL_NOT_MODIFIED, /* 304 */
    CONDITIONAL_FAILED,       /* 412 */
};

/* For GET and HEAD of something that exists. */
enum conditional conditional_check(const struct conditions *c,
                                   const struct validators *v,
                                   int64_t now_seconds);

/* Whether a Range field may be obeyed: If-Range is absent, or names exactly
 * this representation. A date counts only once it is a second old, before
 * which the file could change twice within it. */
bool conditional_range_holds(struct str if_range, const struct validators *v,
                             int64_t now_seconds);

#endif
