#include "buffers/shm_ring.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The child writes and its parent reads, in the same memory. */
int main(void)
{
    struct shm_ring w, r;
    const char *bytes;
    char *room;
    size_t n;
    enum flow f;
    if (!shm_ring_create(&w, "example", 4096, SHM_WRITER) ||
        !shm_ring_attach(&r, w.fds, SHM_READER))
        return 1;
    if (fork() == 0) {
        if (shm_ring_reserve(&w, 7, &room, &n) == FLOW_DONE) {
            memcpy(room, "a line\n", 7);
            shm_ring_commit(&w, 7);
        }
        shm_ring_close(&w);
        _exit(0);
    }
    shm_ring_wait(&r, 7, 10000);
    printf("%zu bytes wait\n", shm_ring_len(&r));
    while ((f = shm_ring_peek(&r, &bytes, &n)) != FLOW_END) {
        if (f == FLOW_DONE)
            shm_ring_consume(&r, fwrite(bytes, 1, n, stdout));
        else if (f != FLOW_AGAIN || shm_ring_wait(&r, 1, 1000) != FLOW_DONE)
            return 1;
    }
    shm_ring_fini(&w);
    shm_ring_fini(&r);
    return 0;
}
