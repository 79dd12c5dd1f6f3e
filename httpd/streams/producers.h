/* producers.h - what a stream remembers of its idempotent producers.
 *
 *      claim (id, epoch, seq) --producers_check()--> new | duplicate | refused
 *      the append went well   --producers_accept()-> remembered
 *
 * Promise    check changes nothing; only accept does, so that an append that
 *            fails moves no state.
 * Limits     PRODUCERS_MAX per stream; when there are so many, the one that was
 *            silent for longest yields, if for PRODUCER_IDLE_MS at least.
 *            PRODUCER_ID_BYTES_MAX an id; numbers up to PRODUCER_NUMBER_MAX.
 * Owns       copies of the ids. They and the table are charged to the budget
 *            as what a stream keeps: about 300 KiB at most.
 * Threads    the stream's lock is held.
 * Cost       a look at each producer's hash, 40 bytes apart.
 * Source     Durable Streams protocol, idempotent producers. */
#ifndef HTTPD_STREAMS_PRODUCERS_H
#define HTTPD_STREAMS_PRODUCERS_H

#include "buffers/budget.h"
#include "httpd/streams/stream_append.h"

#define PRODUCERS_MAX         1024u
#define PRODUCER_IDLE_MS      (7ull * 24 * 3600 * 1000)
#define PRODUCER_ID_BYTES_MAX 256u
#define PRODUCER_NUMBER_MAX   ((UINT64_C(1) << 53) - 1)

struct producer {
    char *id;
    uint32_t id_len;
    uint32_t hash; /* of the id */
    uint64_t epoch;
    uint64_t seq; /* highest accepted */
    uint64_t used_ms;
};

struct producers {
    struct budget *budget; /* that charged is of; set when the first comes */
    size_t charged;        /* bytes */
    struct producer *at;
    size_t n;
    size_t cap;
    char *spare;        /* an id that was prepared and not yet accepted */
    size_t spare_bytes; /* charged for it */
    /* The claim that closed the stream: the same again is a duplicate. */
    bool closed;
    size_t closer; /* in at */
};

void producers_init(struct producers *p);
void producers_fini(struct producers *p);

/* APPEND_DONE (new), APPEND_DUPLICATE, APPEND_FENCED, APPEND_BAD_EPOCH or
 * APPEND_SEQ_GAP. Sets epoch (the producer's current one; the claim's when it
 * is new or unknown), seq (the highest accepted; the claim's when it is new, 0
 * when unknown) and, at a gap, expected_seq. */
enum append_result producers_check(const struct producers *p,
                                   const struct producer_claim *claim,
                                   struct append_outcome *ret);

/* Makes sure that accept cannot fail and remembers nothing yet: APPEND_DONE,
 * APPEND_PRODUCERS (too many, or the id is too long), APPEND_NO_MEMORY (also by
 * the budget, which is always the same one; NULL: none). */
enum append_result producers_prepare(struct producers *p,
                                     const struct producer_claim *claim,
                                     struct budget *budget, uint64_t now_ms);

/* The append was made, for the claim that was prepared last; closing: it closed
 * the stream, after which nothing is accepted any more. */
void producers_accept(struct producers *p, const struct producer_claim *claim,
                      bool closing, uint64_t now_ms);

/* Whether this is the claim that closed the stream. */
bool producers_closed_by(const struct producers *p,
                         const struct producer_claim *claim);

#endif
