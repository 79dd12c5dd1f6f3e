#include "bench/queues/queue.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* Elements of at most PIPE_BUF bytes are written whole, and as all have one
 * size, every read finds whole ones. */
struct pipe_queue {
    int fds[2];
    size_t elem_bytes;
};

static void *make(const struct queue_shape *shape)
{
    struct pipe_queue *q = malloc(sizeof *q);
    assert(q && shape->elem_bytes <= PIPE_BUF);
    int failed = pipe2(q->fds, O_CLOEXEC);
    assert(!failed);
    q->elem_bytes = shape->elem_bytes;
    /* The kernel may allow less; then it holds fewer. */
    fcntl(q->fds[1], F_SETPIPE_SZ, (int)(shape->cap * shape->elem_bytes));
    return q;
}

static void close_queue(void *arg)
{
    struct pipe_queue *q = arg;
    if (q->fds[1] >= 0)
        close(q->fds[1]);
    q->fds[1] = -1;
}

static void drop(void *arg)
{
    struct pipe_queue *q = arg;
    close_queue(q);
    close(q->fds[0]);
    free(q);
}

static void put(void *arg, unsigned who, const void *elem, size_t n)
{
    struct pipe_queue *q = arg;
    ssize_t written = write(q->fds[1], elem, q->elem_bytes);
    (void)who;
    assert(n == 1 && written == (ssize_t)q->elem_bytes);
}

static size_t get(void *arg, void *elem, size_t n)
{
    struct pipe_queue *q = arg;
    ssize_t got = read(q->fds[0], elem, q->elem_bytes);
    assert(n == 1 && (got == 0 || got == (ssize_t)q->elem_bytes));
    return got > 0;
}

const struct queue_ops queue_pipe = {
    .name = "pipe",
    .batch = 1,
    .make = make,
    .drop = drop,
    .put = put,
    .get = get,
    .close = close_queue,
};
