/* shm_pair.h - both sides of a shm_ring in one process, for its tests.
 *
 * Promise    bytes are told by their position, so that what is read can be
 *            judged without a copy; after each act both sides must agree.
 *            What is wrong fails the cmocka test.
 * Threads    one; shm_pair_byte() any. */
#ifndef TESTS_SUPPORT_SHM_PAIR_H
#define TESTS_SUPPORT_SHM_PAIR_H

#include "buffers/shm_ring.h"

#include <sys/types.h>

#define SHM_PAIR_CAP 4096u

struct shm_pair {
    struct shm_ring writer;
    struct shm_ring reader;
};

/* cmocka's setup and teardown: *state is a struct shm_pair. */
int shm_pair_set_up(void **state);
int shm_pair_tear_down(void **state);

/* Reserves and commits n bytes, or says why not. */
enum flow shm_pair_put(struct shm_pair *p, size_t n);

/* Peeks and consumes n bytes, which must be there in one piece. */
void shm_pair_take(struct shm_pair *p, size_t n);

/* What a peek answers. */
enum flow shm_pair_look(struct shm_pair *p);

/* Asserts that both sides think the same of the ring. */
void shm_pair_whole(const struct shm_pair *p);

unsigned char shm_pair_byte(uint64_t pos);

/* Waits for a child: its exit code, or 128 and the signal that ended it. */
int shm_pair_join(pid_t child);

#endif
