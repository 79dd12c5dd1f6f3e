#include "buffers/buffer.h"

#include <stdio.h>

/* Grows while it must, but not beyond its ceiling. */
int main(void)
{
    struct buffer_stats stats;
    struct buffer *b =
        buffer_new(&(struct buffer_config){.name = "jobs",
                                           .kind = BUFFER_GROWABLE,
                                           .elem_bytes = sizeof(int),
                                           .cap = 4,
                                           .cap_max = 1000});
    if (!b)
        return 1;
    int job = 0;
    while (buffer_try_add(b, &job) == FLOW_DONE)
        job++;
    buffer_stats(b, &stats);
    printf("%d jobs fit, laid out anew %s\n", job,
           stats.grown > 3 ? "several times" : "hardly ever");
    buffer_close_write(b);
    while (buffer_next(b, &job) == FLOW_DONE)
        ;
    printf("the last one was %d, then the end\n", job);
    buffer_free(b);
    return 0;
}
