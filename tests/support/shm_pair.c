#include "tests/support/shm_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/wait.h>

int shm_pair_set_up(void **state)
{
    struct shm_pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_true(shm_ring_create(&p->writer, "test", SHM_PAIR_CAP, SHM_WRITER));
    assert_true(shm_ring_attach(&p->reader, p->writer.fds, SHM_READER));
    *state = p;
    return 0;
}

int shm_pair_tear_down(void **state)
{
    struct shm_pair *p = *state;
    shm_ring_fini(&p->writer);
    shm_ring_fini(&p->reader);
    free(p);
    return 0;
}

void shm_pair_whole(const struct shm_pair *p)
{
    uint64_t len = p->writer.pos - p->reader.pos;
    assert_true(len <= SHM_PAIR_CAP);
    assert_int_equal(shm_ring_len(&p->writer), len);
    assert_int_equal(shm_ring_len(&p->reader), len);
}

unsigned char shm_pair_byte(uint64_t pos)
{
    return (unsigned char)(pos * 31 + pos / 251);
}

enum flow shm_pair_put(struct shm_pair *p, size_t n)
{
    char *room;
    size_t room_n;
    enum flow r = shm_ring_reserve(&p->writer, n, &room, &room_n);
    if (r != FLOW_DONE)
        return r;
    assert_true(room_n >= n);
    for (size_t i = 0; i < n; i++)
        room[i] = (char)shm_pair_byte(p->writer.pos + i);
    shm_ring_commit(&p->writer, n);
    shm_pair_whole(p);
    return r;
}

void shm_pair_take(struct shm_pair *p, size_t n)
{
    const char *bytes;
    size_t bytes_n;
    assert_int_equal(shm_ring_peek(&p->reader, &bytes, &bytes_n), FLOW_DONE);
    assert_true(bytes_n >= n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal((unsigned char)bytes[i],
                         shm_pair_byte(p->reader.pos + i));
    shm_ring_consume(&p->reader, n);
    shm_pair_whole(p);
}

enum flow shm_pair_look(struct shm_pair *p)
{
    const char *bytes;
    size_t n;
    return shm_ring_peek(&p->reader, &bytes, &n);
}

int shm_pair_join(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
