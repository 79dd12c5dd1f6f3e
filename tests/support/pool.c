#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Perhaps on another thread, where a test cannot be ended. */
static void tell(void *arg, const struct block_fault_report *r)
{
    (void)arg;
    fprintf(stderr, "pool %s: a block of %s, last lent to %s: %s\n", r->pool,
            block_class_name(r->class), r->borrower,
            block_fault_text(r->fault));
}

void test_pool_init(struct block_pool *p, uint32_t keep)
{
    struct block_pool_config config = {
        .name = "test", .track_all = true, .on_fault = tell};
    for (int c = 0; c < BLOCK_CLASSES; c++)
        config.keep_max[c] = keep;
    block_pool_init(p, &config);
}

void test_pool_fini(struct block_pool *p)
{
    block_pool_check(p);
    block_pool_fini(p);
    if (p->faults > 0)
        fail_msg("%u faults of blocks", (unsigned)p->faults);
}

uint64_t test_pool_in_use(const struct block_pool *p)
{
    uint64_t n = 0;
    for (int c = 0; c < BLOCK_CLASSES; c++)
        n += p->class[c].in_use;
    return n;
}
