/* follow_log.h - whether what a reader got is what was published, from where it
 * began, in order, with each gap told exactly.
 *
 *      got -> chunks -> events or frames -> lines of a log -> positions
 *
 * Limits     text and JSON payload holds no line ends and no brackets of JSON,
 *            so that it is shown as it is; events are not of binary streams.
 * Threads    one each. */
#ifndef TESTS_MODEL_FOLLOW_LOG_H
#define TESTS_MODEL_FOLLOW_LOG_H

#include "buffers/bytes.h"
#include "httpd/streams/render.h"

/* All that was ever appended, from position 0. */
struct published {
    char *at;
    uint64_t len;
    uint64_t *ends;
    size_t n;
};

/* What was understood of it. */
struct followed {
    uint64_t pos;      /* behind what it has */
    bool whole;        /* the last chunk, or close frame, was there */
    bool told_closed;  /* that there is no more */
    bool within;       /* what it has ends with a part of a message */
    bool ended_by_gap; /* the last that it was told */
    uint64_t gaps_n;
    uint64_t gap_from; /* of the last one */
    uint64_t gap_to;
    const char *complaint; /* NULL: all is right */
};

/* What was got by a reader that began at from. cut: it may end anywhere. */
void follow_log(const struct published *all, const struct render_style *style,
                uint64_t from, struct str got, bool cut, struct followed *ret);

#endif
