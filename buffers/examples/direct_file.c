#include "buffers/direct_file.h"
#include "buffers/block_pool.h"

#include <stdio.h>
#include <unistd.h>

/* Reads a file past the page cache, or as usual where that cannot be. */
int main(void)
{
    struct block_pool pool;
    struct direct_file direct;
    FILE *file = tmpfile();
    if (!file || fprintf(file, "%100000s", "") != 100000 || fflush(file) != 0)
        return 1;
    block_pool_init(&pool, &(struct block_pool_config){.name = "direct"});
    struct block *b = block_pool_get(&pool, BLOCK_1M, BUDGET_LEAVING, "main");
    if (!b)
        return 1;
    if (!direct_file_open(&direct, fileno(file)))
        b->len = (uint32_t)pread(fileno(file), b->data, b->cap, 0);
    else if (direct_file_read(&direct, 0, b->cap, b) != FLOW_DONE)
        return 1;
    printf("%d bytes\n", (int)b->len);
    direct_file_close(&direct);
    block_unref(b);
    block_pool_fini(&pool);
    fclose(file);
    return 0;
}
