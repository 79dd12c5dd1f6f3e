/* budget_purse.h - one thread's advance on the budget, for small frequent sums.
 *
 *      budget --(an advance)--> purse --(each)--> requests
 *
 * The budget's atomics are shared by all threads; a purse is one thread's own,
 * so that what happens with every request costs a subtraction.
 *
 * Promise    what is taken from the purse was taken from the budget before.
 *            A refusal is the budget's: the purse held too little, and the
 *            budget had not even the difference.
 * Limits     an advance is BUDGET_PURSE_BYTES, or a 1024th of the limit when
 *            that is less; at most two BUDGET_PURSE_BYTES lie unused.
 * Owns       the unused bytes, until budget_purse_fini().
 * Threads    one. */
#ifndef BUFFERS_BUDGET_PURSE_H
#define BUFFERS_BUDGET_PURSE_H

#include "buffers/budget.h"

#define BUDGET_PURSE_BYTES ((size_t)256 << 10)

struct budget_purse {
    struct budget *budget; /* or NULL */
    enum budget_class class;
    size_t unused;
};

void budget_purse_init(struct budget_purse *p, struct budget *budget,
                       enum budget_class c);
void budget_purse_fini(struct budget_purse *p);

bool budget_purse_take(struct budget_purse *p, size_t bytes);
void budget_purse_give(struct budget_purse *p, size_t bytes);

/* Gives the unused bytes back; now and then, so that nothing lies idle. */
void budget_purse_settle(struct budget_purse *p);

#endif
