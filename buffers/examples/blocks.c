#include "buffers/block_pool.h"

#include <stdio.h>

/* One block with two holders, out of a budget that has room for one. */
int main(void)
{
    struct budget budget;
    struct block_pool pool;
    struct block_pool_stats stats;
    budget_init(&budget, 100u << 10);
    block_pool_init(&pool,
                    &(struct block_pool_config){.name = "example",
                                                .budget = &budget,
                                                .keep_max = {[BLOCK_64K] = 4}});
    struct block *a = block_pool_get(&pool, BLOCK_64K, BUDGET_LEAVING, "main");
    if (!a)
        return 1;
    a->len = (uint32_t)snprintf(a->data, a->cap, "shared, not copied");
    struct block *b = block_ref(a);
    block_unref(a);
    printf("%s\n", b->data);
    if (!block_pool_get(&pool, BLOCK_64K, BUDGET_LEAVING, "main"))
        printf("the budget has no second one\n");
    block_unref(b);
    block_unref(block_pool_get(&pool, BLOCK_64K, BUDGET_LEAVING, "main"));
    block_pool_stats(&pool, false, &stats);
    printf("%d created, %d hit\n", (int)stats.class[BLOCK_64K].created,
           (int)stats.class[BLOCK_64K].hits);
    block_pool_fini(&pool);
    return 0;
}
