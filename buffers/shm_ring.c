#include "buffers/shm_ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of Linux 6.3; older ones answer EINVAL. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define MAGIC      UINT64_C(0x31676e6972686d73) /* "smhring1" */
#define CACHE_LINE 64
#define SEALS      (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* What one side tells the other. Its own copy of pos is in struct shm_ring. */
struct side {
    _Alignas(CACHE_LINE) _Atomic uint64_t pos; /* bytes moved so far */
    _Atomic uint32_t closed;
    _Alignas(CACHE_LINE) _Atomic uint64_t wants; /* asleep until so many */
};

struct shm_ring_page {
    _Atomic uint64_t magic;
    struct side sides[2]; /* by enum shm_role */
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "a lock would not be shared between processes");
_Static_assert(sizeof(uint64_t) == sizeof(long long), "as was just asked");
_Static_assert(sizeof(struct shm_ring_page) <= SHM_RING_CAP_MIN,
               "the positions fit in the smallest page");

static struct side *own(const struct shm_ring *r)
{
    return &r->page->sides[r->role];
}

static struct side *other(const struct shm_ring *r)
{
    return &r->page->sides[r->role == SHM_WRITER ? SHM_READER : SHM_WRITER];
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool cap_good(size_t cap)
{
    return cap >= SHM_RING_CAP_MIN && cap <= SHM_RING_CAP_MAX &&
           cap >= page_bytes() && (cap & (cap - 1)) == 0;
}

/* Making and mapping. */

/* The same pages twice, side by side, in a place that was reserved whole. */
static bool map(struct shm_ring *r)
{
    const int rw = PROT_READ | PROT_WRITE;
    const int fixed = MAP_SHARED | MAP_FIXED;
    size_t page = page_bytes();
    int fd = r->fds[SHM_RING_MEMORY];
    char *base = mmap(NULL, page + 2 * r->cap, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    r->page = (struct shm_ring_page *)(void *)base;
    r->data = base + page;
    return mmap(base, page + r->cap, rw, fixed, fd, 0) != MAP_FAILED &&
           mmap(r->data + r->cap, r->cap, rw, fixed, fd, (off_t)page) !=
               MAP_FAILED;
}

static int memory_new(const char *name, size_t bytes)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, flags);
    if (fd < 0)
        return -1;
    /* Taken now, memory cannot be missing when a page is first touched. */
    if (ftruncate(fd, (off_t)bytes) == 0 &&
        fallocate(fd, 0, 0, (off_t)bytes) == 0 &&
        fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool fail(struct shm_ring *r, int error)
{
    shm_ring_fini(r);
    errno = error;
    return false;
}

static void blank(struct shm_ring *r, enum shm_role role)
{
    assert(role == SHM_WRITER || role == SHM_READER);
    *r = (struct shm_ring){.role = role};
    for (int i = 0; i < SHM_RING_FDS; i++)
        r->fds[i] = -1;
}

bool shm_ring_create(struct shm_ring *r, const char *name, size_t cap,
                     enum shm_role role)
{
    const int flags = EFD_CLOEXEC | EFD_NONBLOCK;
    assert(name != NULL);
    blank(r, role);
    if (!cap_good(cap))
        return fail(r, EINVAL);
    r->cap = cap;
    r->fds[SHM_RING_MEMORY] = memory_new(name, page_bytes() + cap);
    if (r->fds[SHM_RING_MEMORY] < 0)
        return fail(r, errno);
    r->fds[SHM_RING_READABLE] = eventfd(0, flags);
    r->fds[SHM_RING_WRITABLE] = eventfd(0, flags);
    if (r->fds[SHM_RING_READABLE] < 0 || r->fds[SHM_RING_WRITABLE] < 0 ||
        !map(r))
        return fail(r, errno);
    atomic_store(&r->page->magic, MAGIC);
    return true;
}

/* Sealed memory of a size that a ring has, and huge pages never have: those
 * raise SIGBUS when they run out. */
static bool memory_good(int fd, size_t *ret_cap)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0)
        return false;
    uint64_t bytes = (uint64_t)st.st_size;
    if (bytes <= page_bytes() || bytes > SHM_RING_CAP_MAX + page_bytes())
        return false;
    *ret_cap = (size_t)bytes - page_bytes();
    return cap_good(*ret_cap);
}

/* An eventfd has no file type. A pipe or a socket in its place would end us
 * with SIGPIPE, one without O_NONBLOCK could stop us. */
static bool wake_up_good(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) && fstat(fd, &st) == 0 &&
           (st.st_mode & S_IFMT) == 0;
}

/* Takes up where this side's predecessor was. */
static int resume(struct shm_ring *r)
{
    struct side *sides = r->page->sides;
    uint64_t tail = atomic_load(&sides[SHM_WRITER].pos);
    uint64_t head = atomic_load(&sides[SHM_READER].pos);
    if (atomic_load(&r->page->magic) != MAGIC || tail - head > r->cap)
        return EPROTO;
    if (atomic_load(&own(r)->closed))
        return EPIPE;
    r->pos = r->role == SHM_WRITER ? tail : head;
    return 0;
}

bool shm_ring_attach(struct shm_ring *r, const int fds[SHM_RING_FDS],
                     enum shm_role role)
{
    blank(r, role);
    for (int i = 0; i < SHM_RING_FDS; i++) {
        r->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (r->fds[i] < 0)
            return fail(r, errno);
    }
    if (!memory_good(r->fds[SHM_RING_MEMORY], &r->cap) ||
        !wake_up_good(r->fds[SHM_RING_READABLE]) ||
        !wake_up_good(r->fds[SHM_RING_WRITABLE]))
        return fail(r, EPROTO);
    if (!map(r))
        return fail(r, errno);
    int error = resume(r);
    return error == 0 || fail(r, error);
}

void shm_ring_fini(struct shm_ring *r)
{
    if (r->page)
        munmap(r->page, page_bytes() + 2 * r->cap);
    for (int i = 0; i < SHM_RING_FDS; i++) {
        if (r->fds[i] >= 0)
            close(r->fds[i]);
    }
    blank(r, r->role);
}

/* Moving bytes. */

/* Bytes that this side may touch: room for a writer, bytes for a reader; more
 * than cap when the other side tells what cannot be. */
static uint64_t mine(const struct shm_ring *r)
{
    uint64_t theirs = atomic_load(&other(r)->pos);
    return r->role == SHM_WRITER ? r->cap - (r->pos - theirs) : theirs - r->pos;
}

/* The other side closes after its last move: asked in this order, nothing
 * comes behind the end. */
static uint64_t look(struct shm_ring *r, bool *ret_closed)
{
    *ret_closed = atomic_load(&other(r)->closed) != 0;
    r->shown = 0;
    return mine(r);
}

enum flow shm_ring_reserve(struct shm_ring *r, size_t n, char **ret_room,
                           size_t *ret_n)
{
    bool closed;
    assert(r->role == SHM_WRITER);
    assert(n >= 1 && n <= r->cap);
    uint64_t room = look(r, &closed);
    *ret_room = r->data + (r->pos & (r->cap - 1));
    *ret_n = 0;
    if (closed)
        return FLOW_END;
    if (room > r->cap)
        return FLOW_FAILED;
    if (room < n)
        return FLOW_FULL;
    *ret_n = r->shown = (size_t)room;
    return FLOW_DONE;
}

enum flow shm_ring_peek(struct shm_ring *r, const char **ret_bytes,
                        size_t *ret_n)
{
    bool closed;
    assert(r->role == SHM_READER);
    uint64_t len = look(r, &closed);
    *ret_bytes = r->data + (r->pos & (r->cap - 1));
    *ret_n = 0;
    if (len > r->cap)
        return FLOW_FAILED;
    if (len == 0)
        return closed ? FLOW_END : FLOW_AGAIN;
    *ret_n = r->shown = (size_t)len;
    return FLOW_DONE;
}

static int event_fd(const struct shm_ring *r, enum shm_role role)
{
    return r->fds[role == SHM_READER ? SHM_RING_READABLE : SHM_RING_WRITABLE];
}

/* One wake-up for each time that a side went to sleep. An eventfd that is full
 * (EAGAIN) is readable as it is. */
static void wake(const struct shm_ring *r, struct side *side)
{
    const uint64_t one = 1;
    if (atomic_exchange(&side->wants, 0) == 0)
        return;
    ssize_t n = write(event_fd(r, (enum shm_role)(side - r->page->sides)), &one,
                      sizeof one);
    (void)n;
}

/* Publishes, then asks who sleeps; arm() says that it sleeps, then asks what
 * was published. All four are sequentially consistent, so at least one of the
 * two sides sees the other's. */
static void move(struct shm_ring *r, size_t n)
{
    assert(n <= r->shown);
    if (n == 0)
        return;
    r->shown -= n;
    r->pos += n;
    atomic_store(&own(r)->pos, r->pos);
    uint64_t wants = atomic_load(&other(r)->wants);
    if (wants != 0 && r->cap - mine(r) >= wants)
        wake(r, other(r));
}

void shm_ring_commit(struct shm_ring *r, size_t n)
{
    assert(r->role == SHM_WRITER);
    move(r, n);
}

void shm_ring_consume(struct shm_ring *r, size_t n)
{
    assert(r->role == SHM_READER);
    move(r, n);
}

/* Waiting. */

/* What cannot be is more than n, too. */
static bool worth_asking(const struct shm_ring *r, size_t n)
{
    return atomic_load(&other(r)->closed) || mine(r) >= n;
}

bool shm_ring_arm(struct shm_ring *r, size_t n)
{
    assert(n >= 1 && n <= r->cap);
    atomic_store(&own(r)->wants, n);
    if (!worth_asking(r, n))
        return false;
    atomic_store(&own(r)->wants, 0);
    return true;
}

void shm_ring_disarm(struct shm_ring *r)
{
    uint64_t count;
    atomic_store(&own(r)->wants, 0);
    ssize_t n = read(shm_ring_event_fd(r), &count, sizeof count);
    (void)n; /* none: somebody else's wake-up, or only a time-out */
}

enum flow shm_ring_wait(struct shm_ring *r, size_t n, int timeout_ms)
{
    struct pollfd p = {.fd = shm_ring_event_fd(r), .events = POLLIN};
    if (shm_ring_arm(r, n))
        return FLOW_DONE;
    int ready = poll(&p, 1, timeout_ms);
    int error = errno;
    shm_ring_disarm(r);
    if (ready == 0)
        return FLOW_AGAIN;
    errno = error;
    return ready > 0 || error == EINTR ? FLOW_DONE : FLOW_FAILED;
}

int shm_ring_event_fd(const struct shm_ring *r)
{
    return event_fd(r, r->role);
}

/* The end. */

void shm_ring_close(struct shm_ring *r)
{
    r->shown = 0;
    atomic_store(&own(r)->closed, 1);
    wake(r, other(r));
}

void shm_ring_abandon(struct shm_ring *r)
{
    atomic_store(&other(r)->closed, 1);
    wake(r, own(r));
}

size_t shm_ring_len(const struct shm_ring *r)
{
    uint64_t head = atomic_load(&r->page->sides[SHM_READER].pos);
    uint64_t tail = atomic_load(&r->page->sides[SHM_WRITER].pos);
    return tail - head > r->cap ? r->cap : (size_t)(tail - head);
}
