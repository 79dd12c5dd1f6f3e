#include "buffers/buffer.h"

#include <pthread.h>
#include <stdio.h>

static void *produce(void *arg)
{
    for (int i = 1; i <= 100000; i++)
        buffer_add(arg, &i);
    buffer_close_write(arg);
    return NULL;
}

/* Room for eight elements between two threads: the faster one waits. */
int main(void)
{
    struct buffer_config config = {.name = "numbers",
                                   .kind = BUFFER_BLOCK,
                                   .elem_bytes = sizeof(int),
                                   .cap = 8};
    struct buffer *b = buffer_new(&config);
    pthread_t thread;
    int elems[8];
    size_t n;
    long long sum = 0;
    if (!b || pthread_create(&thread, NULL, produce, b) != 0)
        return 1;
    while (buffer_read(b, elems, 8, &n) == FLOW_DONE) {
        while (n > 0)
            sum += elems[--n];
    }
    printf("%lld\n", sum);
    pthread_join(thread, NULL);
    buffer_free(b);
    return 0;
}
