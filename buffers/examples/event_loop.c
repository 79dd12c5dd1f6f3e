#include "buffers/buffer.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>

static int fd;

/* Once for each time that the loop has found the buffer empty. */
static void wake(void *arg, unsigned events)
{
    (void)arg;
    if (events & (BUFFER_READABLE | BUFFER_CLOSED))
        eventfd_write(fd, 1);
}

static void *produce(void *arg)
{
    for (int i = 0; i < 1000; i++)
        buffer_add(arg, &i);
    buffer_close_write(arg);
    return NULL;
}

/* A loop sleeps in poll() and never in the buffer. */
int main(void)
{
    struct buffer_config config = {.name = "to loop",
                                   .kind = BUFFER_BLOCK,
                                   .elem_bytes = sizeof(int),
                                   .cap = 16,
                                   .notify = wake};
    struct buffer *b = buffer_new(&config);
    struct pollfd p = {.events = POLLIN};
    pthread_t thread;
    int elem, seen = 0;
    enum flow r;
    p.fd = fd = eventfd(0, EFD_NONBLOCK);
    if (!b || pthread_create(&thread, NULL, produce, b) != 0)
        return 1;
    while ((r = buffer_try_next(b, &elem)) != FLOW_END) {
        seen += r == FLOW_DONE;
        if (r == FLOW_AGAIN && poll(&p, 1, 1000) == 1)
            eventfd_read(fd, &(eventfd_t){0});
    }
    printf("%d elements, then the end\n", seen);
    pthread_join(thread, NULL);
    buffer_free(b);
    return 0;
}
