/* generator.h - the lab's body: made as it is read, paced, and ended as asked.
 *
 *      plan.pos                                   plan.end
 *         v                                          v
 *         [ pattern, stars or text, at plan's pace … ] hold_ms, then ending
 *
 * Promise    memory is the struct, whatever the size; one pull makes at most
 *            LAB_PULL_BYTES_MAX bytes.
 * Limits     lab_limits.h.
 * Owns       a copy of its plan, the chunk sizes included, and one timer.
 * Threads    its worker's loop thread. */
#ifndef HTTPD_SOURCES_GENERATOR_H
#define HTTPD_SOURCES_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

struct exchange;

enum generator_fill {
    GENERATOR_PATTERN, /* pattern_fill() with plan.seed */
    GENERATOR_TEXT,    /* pattern_text() */
    GENERATOR_STARS,   /* '*' */
};

enum generator_ending {
    GENERATOR_ENDS,
    GENERATOR_IS_CUT,   /* FIN in mid-body */
    GENERATOR_IS_RESET, /* RST, once what came before has left */
};

struct generator_plan {
    uint64_t pos; /* first byte of the pattern */
    uint64_t end; /* and the first that is not sent */
    uint64_t seed;
    enum generator_fill fill;
    uint64_t duration_ms; /* spread over this time; 0: as fast as it is read */
    uint64_t step_bytes;  /* of the pace; 0 is 1 */
    const uint32_t *chunk_sizes; /* exact sizes on the wire, repeated in turn */
    size_t chunk_sizes_n;        /* 0: framed as it is pushed */
    enum generator_ending ending;
    uint64_t hold_ms; /* silence between the last byte and a cut or reset */
};

/* Answers with the plan as the body, behind what response_begin() started;
 * length as for response_send_source(). 503 when out of memory. */
void generator_send(struct exchange *x, const struct generator_plan *plan,
                    uint64_t length);

/* The same through gzip, its length unknown. */
void generator_send_gzip(struct exchange *x, const struct generator_plan *plan,
                         int level);

#endif
