/* producers.h - what a stream remembers of its idempotent producers.
 *
 *      claim (id, epoch, seq) --producers_check()--> new | duplicate | refused
 *      the append went well   --producers_accept()-> remembered
 *
 * Promise    check changes nothing; only accept does, so that an append that
 *            fails moves no state.
 * Limits     PRODUCERS_MAX per stream, the one that was silent for longest
 *            yields after PRODUCER_IDLE_MS; PRODUCER_ID_BYTES_MAX an id;
 *            numbers up to PRODUCER_NUMBER_MAX.
 * Owns       copies of the ids.
 * Threads    the stream's lock is held.
 * Source     Durable Streams protocol, idempotent producers. */
#ifndef HTTPD_STREAMS_PRODUCERS_H
#define HTTPD_STREAMS_PRODUCERS_H

#include "httpd/streams/stream.h"

#define PRODUCERS_MAX         1024u
#define PRODUCER_IDLE_MS      (7ull * 24 * 3600 * 1000)
#define PRODUCER_ID_BYTES_MAX 256u
#define PRODUCER_NUMBER_MAX   ((UINT64_C(1) << 53) - 1)

struct producer;

struct producers {
    struct producer *first; /* latest used first */
    size_t n;
    /* The claim that closed the stream: the same again is a duplicate. */
    struct producer *closer;
    uint64_t closer_epoch;
    uint64_t closer_seq;
};

void producers_init(struct producers *p);
void producers_fini(struct producers *p);

/* APPEND_DONE (new), APPEND_DUPLICATE, APPEND_FENCED, APPEND_BAD_EPOCH or
 * APPEND_SEQ_GAP, with epoch, seq and expected_seq set. */
enum append_result producers_check(const struct producers *p,
                                   const struct producer_claim *claim,
                                   struct append_outcome *ret);

/* Makes sure that accept cannot fail: APPEND_DONE, APPEND_PRODUCERS,
 * APPEND_NO_MEMORY. */
enum append_result producers_prepare(struct producers *p,
                                     const struct producer_claim *claim,
                                     uint64_t now_ms);

/* The append was made; closing: it closed the stream. */
void producers_accept(struct producers *p, const struct producer_claim *claim,
                      bool closing, uint64_t now_ms);

/* Whether this is the claim that closed the stream. */
bool producers_closed_by(const struct producers *p,
                         const struct producer_claim *claim);

#endif
