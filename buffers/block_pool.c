#include "buffers/block_pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const size_t class_bytes[BLOCK_CLASSES] = {
    [BLOCK_4K] = BLOCK_4K_BYTES,
    [BLOCK_64K] = BLOCK_64K_BYTES,
};

void block_pool_init(struct block_pool *p, size_t keep_bytes)
{
    *p = (struct block_pool){.keep_bytes = keep_bytes};
}

void block_pool_fini(struct block_pool *p)
{
    for (int c = 0; c < BLOCK_CLASSES; c++) {
        assert(p->stats[c].in_use == 0);
        while (p->kept[c]) {
            void *block = p->kept[c];
            memcpy(&p->kept[c], block, sizeof p->kept[c]);
            free(block);
            p->stats[c].destroyed++;
        }
    }
    p->kept_bytes = 0;
}

size_t block_class_bytes(enum block_class c)
{
    assert(c < BLOCK_CLASSES);
    return class_bytes[c];
}

void *block_pool_get(struct block_pool *p, enum block_class c)
{
    assert(c < BLOCK_CLASSES);
    struct block_pool_stats *stats = &p->stats[c];
    void *block = p->kept[c];
    if (block) {
        memcpy(&p->kept[c], block, sizeof p->kept[c]);
        p->kept_bytes -= class_bytes[c];
    } else {
        block = malloc(class_bytes[c]);
        if (!block)
            return NULL;
        stats->created++;
    }
    stats->retrieved++;
    stats->in_use++;
    if (stats->in_use > stats->peak)
        stats->peak = stats->in_use;
    return block;
}

void block_pool_put(struct block_pool *p, enum block_class c, void *block)
{
    assert(c < BLOCK_CLASSES && block);
    struct block_pool_stats *stats = &p->stats[c];
    assert(stats->in_use > 0);
    stats->in_use--;
    stats->returned++;
    if (class_bytes[c] > p->keep_bytes - p->kept_bytes) {
        free(block);
        stats->destroyed++;
        return;
    }
    memcpy(block, &p->kept[c], sizeof p->kept[c]);
    p->kept[c] = block;
    p->kept_bytes += class_bytes[c];
}
