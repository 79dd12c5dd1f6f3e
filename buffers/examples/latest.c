#include "buffers/typed_buffer.h"

#include <stdio.h>

struct sample {
    int second;
    double celsius;
};

TYPED_BUFFER(samples, struct sample);

/* The latest four samples; older ones are lost, and counted. */
int main(void)
{
    struct samples b;
    struct sample s;
    struct buffer_stats stats;
    if (!samples_init(&b, &(struct buffer_config){
                              .name = "oven", .kind = BUFFER_RING, .cap = 4}))
        return 1;
    for (int i = 0; i < 10; i++)
        samples_add(&b, &(struct sample){i, 20 + i / 2.0});
    while (samples_try_next(&b, &s) == FLOW_DONE)
        printf("second %d: %.1f\n", s.second, s.celsius);
    buffer_stats(b.raw, &stats);
    printf("%d lost\n", (int)stats.lost);
    samples_fini(&b);
    return 0;
}
