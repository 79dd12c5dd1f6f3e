/* budget.h - one bound for the memory of the whole process, with precedence.
 *
 *      0 ..... cache ..... stream ..... new ..... accepted ..... limit
 *             12/16      13/16       14/16      15/16          all
 *
 * When memory grows short, caches stop growing first, then streams, then new
 * connections are refused, then accepted requests; what lets data leave is
 * granted to the last byte, because only that frees memory. To say no takes
 * memory, too, and so does the operator's look at what is wrong: vital grants
 * go on up to BUDGET_VITAL_BYTES when nothing is left.
 *
 * Promise    no grant but those takes used beyond limit; a grant is all or
 *            nothing.
 * Owns       nothing: it counts.
 * Threads    any; one atomic decides. used_by is for people to read: a pool
 *            tells of blocks that were kept or lent again up to a sweep late.
 * Cost       a compare-and-swap each; pools take whole blocks. */
#ifndef BUFFERS_BUDGET_H
#define BUFFERS_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_VITAL_BYTES ((uint64_t)512 << 10)

enum budget_class {
    BUDGET_VITAL,    /* refusals, and what an operator asks */
    BUDGET_LEAVING,  /* write queues, and what is read to fill them */
    BUDGET_ACCEPTED, /* a request that has begun */
    BUDGET_NEW,      /* a connection that is about to be accepted */
    BUDGET_STREAM,   /* what is kept for readers to come */
    BUDGET_CACHE,    /* what could be made again */
    BUDGET_CLASSES,
};

struct budget {
    _Atomic uint64_t limit; /* bytes */
    _Atomic uint64_t used;
    _Atomic uint64_t used_max;
    _Atomic uint64_t used_by[BUDGET_CLASSES];
    _Atomic uint64_t refused[BUDGET_CLASSES]; /* grants */
};

void budget_init(struct budget *b, uint64_t limit_bytes);

/* NULL grants everything: a library user without a budget. */
bool budget_take(struct budget *b, enum budget_class c, size_t bytes);
void budget_give(struct budget *b, enum budget_class c, size_t bytes);

/* Bytes that were granted serve another class now; used stays as it is. */
void budget_move(struct budget *b, enum budget_class from, enum budget_class to,
                 size_t bytes);

/* Bytes up to which a class is granted. */
uint64_t budget_limit_of(const struct budget *b, enum budget_class c);

/* Bytes that must come back before a class is granted so many; NULL: none. */
uint64_t budget_lacking(const struct budget *b, enum budget_class c,
                        size_t bytes);

/* Whether more is used than the class may fill: what it has should go. NULL
 * never is short. */
bool budget_short(const struct budget *b, enum budget_class c);

/* Another limit while it runs; below what is used it refuses until enough
 * came back. */
void budget_set_limit(struct budget *b, uint64_t limit_bytes);

const char *budget_class_name(enum budget_class c); /* "leaving" */

#endif
