#include "buffers/batch.h"

#include <stdio.h>

static uint64_t clock_us;

static uint64_t now_us(void)
{
    return clock_us;
}

static enum flow flush(void *arg, struct str bytes, uint64_t records_n,
                       size_t *ret_taken)
{
    (void)arg;
    printf("%d records: %.*s", (int)records_n, (int)bytes.len, bytes.at);
    *ret_taken = bytes.len;
    return FLOW_DONE;
}

/* Three records at a time, or what is there after a tenth of a second. */
int main(void)
{
    struct batch b;
    batch_init(&b, &(struct batch_config){.bytes_max = 4096,
                                          .count_max = 3,
                                          .delay_us_max = 100000,
                                          .now_us = now_us,
                                          .flush = flush});
    for (int i = 0; i < 4; i++)
        batch_add(&b, STR("a line\n"));
    clock_us += 100000;
    batch_tick(&b);
    batch_fini(&b);
    return 0;
}
