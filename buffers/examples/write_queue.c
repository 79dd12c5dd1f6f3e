#include "buffers/write_queue.h"

#include <unistd.h>

/* A head that is copied and a body that is shared leave in one writev(). */
int main(void)
{
    struct block_pool pool;
    struct write_queue q;
    struct write_view view;
    struct iovec iov[4];
    block_pool_init(&pool, &(struct block_pool_config){.name = "example"});
    write_queue_init(&q, &pool, 64u << 10, 16u << 10);
    struct block *body =
        block_pool_get(&pool, BLOCK_4K, BUDGET_LEAVING, "body");
    if (!body)
        return 1;
    body->len = 5;
    memcpy(body->data, "body\n", 5);
    write_queue_push(&q, "head\n", 5);
    write_queue_push_block(&q, body, 0, body->len);
    while (!write_queue_empty(&q)) {
        write_queue_peek(&q, iov, 4, &view);
        ssize_t n = writev(STDOUT_FILENO, view.iov, view.iov_n);
        if (n <= 0)
            break; /* a loop would wait for EPOLLOUT here */
        write_queue_skip(&q, (uint64_t)n);
    }
    write_queue_fini(&q);
    block_pool_fini(&pool);
    return 0;
}
