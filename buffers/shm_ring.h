/* shm_ring.h - bytes from one process to another through shared memory.
 *
 *      memory:  [ page of positions | ............ cap bytes ............. ]
 *      mapped:  [ positions ][ cap bytes ][ the same cap bytes again ]
 *                                   ^ a view across the end is in one piece
 *
 * One writer process and one reader process, which share three descriptors:
 * the memory and two eventfds (readable, writable). They are inherited over
 * fork() or sent over a UNIX socket. A side that starts again attaches again
 * and goes on where it had published its position.
 *
 * Promise    bytes arrive in order, without a copy in the kernel; a reserve or
 *            peek of up to cap bytes is always in one piece; a side wakes the
 *            other only when that one sleeps or armed its eventfd.
 *            What the other process writes into the shared page is input: a
 *            position that cannot be is FAILED, never a crash. The memory is
 *            sealed against shrinking before it is mapped, so no access can
 *            raise SIGBUS; a memory that is not sealed is refused.
 *            The other side's end is the end (END) however it came to it: by
 *            shm_ring_close(), or by shm_ring_abandon() of whoever saw it die.
 * Trust      a hostile writer can change bytes while they are shown: copy what
 *            is judged and then used. A hostile peer can also keep a side
 *            awake, or stall it by filling an eventfd made to block.
 * Limits     cap a power of two and whole pages, SHM_RING_CAP_MIN to
 *            SHM_RING_CAP_MAX bytes; all of it is taken at create.
 * Owns       its mappings and descriptors.
 * Threads    one thread on each side; shm_ring_abandon() and shm_ring_len()
 *            any.
 * Cost       reserve, commit, peek, consume: no system call unless the other
 *            side sleeps.
 * Source     memfd_create(2), F_ADD_SEALS in fcntl(2), eventfd(2). */
#ifndef BUFFERS_SHM_RING_H
#define BUFFERS_SHM_RING_H

#include "buffers/flow.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_RING_CAP_MIN 4096u
#define SHM_RING_CAP_MAX ((size_t)1 << 30)

enum shm_role {
    SHM_WRITER,
    SHM_READER,
};

enum shm_ring_fd {
    SHM_RING_MEMORY,
    SHM_RING_READABLE,
    SHM_RING_WRITABLE,
    SHM_RING_FDS,
};

struct shm_ring_page; /* shared: positions and flags, atomics */

struct shm_ring {
    struct shm_ring_page *page;
    char *data;
    size_t cap;
    uint64_t pos; /* our own position: never read back from the page */
    size_t shown; /* bytes of the reserve or peek that is out */
    enum shm_role role;
    int fds[SHM_RING_FDS];
};

/* Makes the memory and the eventfds, all close-on-exec, and attaches to them
 * in the given role. False with errno; EINVAL: not a cap of the limits. */
bool shm_ring_create(struct shm_ring *r, const char *name, size_t cap,
                     enum shm_role role);

/* Attaches to what another process made; duplicates fds. False with errno;
 * EPROTO: the memory is not a ring, or not sealed, or a wake-up is not a
 * non-blocking eventfd; EPIPE: the side of this role has been closed. */
bool shm_ring_attach(struct shm_ring *r, const int fds[SHM_RING_FDS],
                     enum shm_role role);

/* Unmaps and closes its own descriptors; says nothing to the other side.
 * Twice is fine, and so is one that could not be made. */
void shm_ring_fini(struct shm_ring *r);

/* Writer: all room there is, at least n bytes, 1 <= n <= cap. DONE; FULL: not
 * now; END: the reader is gone; FAILED: the shared page is nonsense. */
enum flow shm_ring_reserve(struct shm_ring *r, size_t n, char **ret_room,
                           size_t *ret_n);

/* Publishes the next n bytes of what was reserved; in one step or in several,
 * up to the next reserve. */
void shm_ring_commit(struct shm_ring *r, size_t n);

/* Reader: all bytes there are, at least one. DONE; AGAIN: none now; END: the
 * writer has closed and everything was read; FAILED as above. */
enum flow shm_ring_peek(struct shm_ring *r, const char **ret_bytes,
                        size_t *ret_n);

/* Gives back the first n bytes of what is shown; in steps, too. */
void shm_ring_consume(struct shm_ring *r, size_t n);

/* Sleeps until there is room for n bytes, or n bytes to read, or the end.
 * DONE: ask again (also after a signal); AGAIN: timeout_ms are over, -1 is
 * never; FAILED with errno. A reader asks for 1, or for more to be woken less
 * often; 1 <= n <= cap. When both sides' n together are more than cap + 1,
 * both may sleep for good. */
enum flow shm_ring_wait(struct shm_ring *r, size_t n, int timeout_ms);

/* For an event loop: a descriptor that becomes readable when it is worth to
 * ask again. shm_ring_arm() before each wait, FULL or AGAIN having been
 * answered; true: do not wait, ask again. */
int shm_ring_event_fd(const struct shm_ring *r);
bool shm_ring_arm(struct shm_ring *r, size_t n);
void shm_ring_disarm(struct shm_ring *r); /* after it became readable */

/* This side is done: a reader drains first, a writer ends at once. */
void shm_ring_close(struct shm_ring *r);

/* The other side died: as if it had closed. */
void shm_ring_abandon(struct shm_ring *r);

/* Bytes that wait; for the monitor. */
size_t shm_ring_len(const struct shm_ring *r);

#endif
