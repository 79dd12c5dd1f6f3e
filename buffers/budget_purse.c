#include "buffers/budget_purse.h"

#include <assert.h>

void budget_purse_init(struct budget_purse *p, struct budget *budget,
                       enum budget_class c)
{
    assert(c < BUDGET_CLASSES);
    *p = (struct budget_purse){.budget = budget, .class = c};
}

static void give_back(struct budget_purse *p, size_t bytes)
{
    assert(bytes <= p->unused);
    p->unused -= bytes;
    budget_give(p->budget, p->class, bytes);
}

void budget_purse_fini(struct budget_purse *p)
{
    budget_purse_settle(p);
}

/* Many purses must not eat up a small budget. */
static size_t advance_bytes(const struct budget *b)
{
    uint64_t share = b ? budget_limit_of(b, BUDGET_LEAVING) / 1024 : UINT64_MAX;
    return share < BUDGET_PURSE_BYTES ? (size_t)share : BUDGET_PURSE_BYTES;
}

bool budget_purse_take(struct budget_purse *p, size_t bytes)
{
    if (p->unused < bytes) {
        size_t lacking = bytes - p->unused;
        size_t advance = lacking + advance_bytes(p->budget);
        if (budget_take(p->budget, p->class, advance))
            p->unused += advance;
        else if (budget_take(p->budget, p->class, lacking))
            p->unused += lacking;
        else
            return false;
    }
    p->unused -= bytes;
    return true;
}

void budget_purse_give(struct budget_purse *p, size_t bytes)
{
    p->unused += bytes;
    if (p->unused > 2 * BUDGET_PURSE_BYTES)
        give_back(p, p->unused - BUDGET_PURSE_BYTES);
}

void budget_purse_settle(struct budget_purse *p)
{
    if (p->unused > 0)
        give_back(p, p->unused);
}
