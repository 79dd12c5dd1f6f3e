#include "buffers/file_residency.h"
#include "buffers/file_residency_ways.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

/* Debian 12's headers do not know it yet; the number is that of every
 * architecture. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* Reads that are under way come in windows of the kernel's read-ahead. */
#define FLIGHT_STEP_BYTES (128u << 10)
#define PAGE_BYTES_MIN    4096u
#define COPY_BYTES        (16u << 10)
#define DEVICE_UNKNOWN    ((dev_t)0)

struct page_range {
    uint64_t off;
    uint64_t len;
};

struct page_counts {
    uint64_t cached;
    uint64_t dirty;
    uint64_t writeback;
    uint64_t evicted;
    uint64_t recently_evicted;
};

static uint64_t page_bytes(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t round_down(uint64_t n, uint64_t to)
{
    return n - n % to;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* 1: every page from first to end is there; 0: some are not; -1: not told. */
static int all_cached(int fd, uint64_t first, uint64_t end, uint64_t page)
{
    struct page_range range = {first, end - first};
    struct page_counts counts = {0};
    if (syscall(SYS_cachestat, fd, &range, &counts, 0u) != 0)
        return -1;
    return counts.cached >= (end - first + page - 1) / page;
}

uint64_t residency_by_cachestat(int fd, uint64_t pos, uint64_t len)
{
    uint64_t page = page_bytes();
    uint64_t first = round_down(pos, page);
    uint64_t whole = first; /* all is there up to here */
    uint64_t part = pos + len;
    int all = all_cached(fd, first, part, page);
    if (all != 0)
        return all > 0 ? len : RESIDENCY_UNKNOWN;
    while (part - whole > page) {
        uint64_t pages = (part - whole + page - 1) / page;
        uint64_t middle = whole + pages / 2 * page;
        if (all_cached(fd, whole, middle, page) > 0)
            whole = middle;
        else
            part = middle;
    }
    return whole > pos ? whole - pos : 0;
}

static bool may_own_any(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &head, data) != 0)
        return false;
    return data[0].effective & 1u << CAP_FOWNER;
}

static bool look(int fd, unsigned mask, struct statx *ret)
{
    return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, ret) == 0;
}

/* Of a file that is neither ours nor open to us as its owner's, mincore() says
 * that all of it is resident. */
static bool tells_truth(int fd)
{
    struct statx st;
    return look(fd, STATX_UID, &st) && st.stx_mask & STATX_UID &&
           (st.stx_uid == geteuid() || may_own_any());
}

uint64_t residency_by_mincore(int fd, uint64_t pos, uint64_t len)
{
    unsigned char pages[RESIDENCY_BYTES_MAX / PAGE_BYTES_MIN + 1];
    uint64_t page = page_bytes();
    uint64_t first = round_down(pos, page);
    size_t bytes = (size_t)(pos + len - first);
    size_t n = (bytes + (size_t)page - 1) / (size_t)page;
    size_t i = 0;
    assert(len <= RESIDENCY_BYTES_MAX && n <= sizeof pages);
    if (!tells_truth(fd))
        return RESIDENCY_UNKNOWN;
    void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, (off_t)first);
    if (at == MAP_FAILED)
        return RESIDENCY_UNKNOWN;
    bool told = mincore(at, bytes, pages) == 0;
    munmap(at, bytes);
    if (!told)
        return RESIDENCY_UNKNOWN;
    while (i < n && pages[i] & 1)
        i++;
    uint64_t end = first + i * page;
    return end > pos ? least(end - pos, len) : 0;
}

static ssize_t read_now(int fd, void *to, size_t len, uint64_t pos)
{
    struct iovec iov = {to, len};
    return preadv2(fd, &iov, 1, (off_t)pos, RWF_NOWAIT);
}

enum byte_state { BYTE_THERE, BYTE_COLD, BYTE_UNTOLD };

static enum byte_state ask_byte(int fd, uint64_t pos)
{
    char byte = 0;
    if (read_now(fd, &byte, 1, pos) >= 0)
        return BYTE_THERE;
    return errno == EAGAIN ? BYTE_COLD : BYTE_UNTOLD;
}

/* The first cold page behind a step whose first byte is there. */
static uint64_t where_it_ends(int fd, uint64_t pos, uint64_t cold)
{
    uint64_t page = page_bytes();
    uint64_t at = round_down(pos, page) + page;
    while (at < cold && ask_byte(fd, at) == BYTE_THERE)
        at += page;
    return least(at, round_down(cold, page));
}

uint64_t residency_by_reads(int fd, uint64_t pos, uint64_t len,
                            uint64_t step_bytes)
{
    uint64_t last = pos + len - 1;
    uint64_t there = pos; /* asked last, and there */
    uint64_t at = pos;
    assert(len > 0 && len <= RESIDENCY_BYTES_MAX);
    for (;;) {
        enum byte_state state = ask_byte(fd, at);
        if (state == BYTE_UNTOLD)
            return RESIDENCY_UNKNOWN;
        if (state == BYTE_COLD) {
            uint64_t end = at == pos ? pos : where_it_ends(fd, there, at);
            return end > pos ? end - pos : 0;
        }
        if (at == last)
            return len;
        there = at;
        at = least(round_down(at, step_bytes) + step_bytes, last);
    }
}

/* Whether all of it is there, and no read of it hangs. */
static bool whole(int fd, uint64_t pos, uint64_t len)
{
    return residency_by_reads(fd, pos, len, FLIGHT_STEP_BYTES) == len;
}

uint64_t file_resident(int fd, uint64_t pos, uint64_t len)
{
    assert(fd >= 0);
    assert(len > 0 && len <= RESIDENCY_BYTES_MAX);
    uint64_t page = page_bytes();
    int cached = all_cached(fd, round_down(pos, page), pos + len, page);
    if (cached > 0 && whole(fd, pos, len))
        return len;
    uint64_t exact = residency_by_mincore(fd, pos, len);
    if (exact != RESIDENCY_UNKNOWN)
        return exact;
    uint64_t there = cached < 0 ? len : residency_by_cachestat(fd, pos, len);
    if (there == 0 || there == RESIDENCY_UNKNOWN)
        return there;
    return residency_by_reads(fd, pos, there, RESIDENCY_STEP_BYTES);
}

/* Through a pipe, which takes pages as they are: a plain read could ask a
 * file system like FUSE how long the file is now, and wait for that. */
static ssize_t read_by_pipe(int fd, void *to, size_t len, uint64_t pos)
{
    int ends[2];
    loff_t at = (loff_t)pos;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    ssize_t n = splice(fd, &at, ends[1], NULL, len, SPLICE_F_NONBLOCK);
    if (n > 0)
        n = read(ends[0], to, (size_t)n);
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return n;
}

ssize_t file_read_resident(int fd, void *to, size_t len, uint64_t pos)
{
    ssize_t n = read_now(fd, to, len, pos);
    if (n >= 0 || errno != EOPNOTSUPP || len == 0)
        return n;
    uint64_t asked = least(len, RESIDENCY_BYTES_MAX);
    uint64_t there = residency_by_mincore(fd, pos, asked);
    if (there != RESIDENCY_UNKNOWN && there > 0)
        return read_by_pipe(fd, to, (size_t)there, pos);
    errno = there == 0 ? EAGAIN : EOPNOTSUPP;
    return -1;
}

static bool read_away(int fd, uint64_t pos, uint64_t end)
{
    char bytes[COPY_BYTES];
    while (pos < end) {
        size_t want = (size_t)least(sizeof bytes, end - pos);
        ssize_t n = pread(fd, bytes, want, (off_t)pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        pos += (uint64_t)n;
    }
    return true;
}

/* Moves the pages to nowhere: what sendfile() to a socket would wait for has
 * been waited for, and nothing is copied. */
static bool send_away(int nowhere, int fd, uint64_t *pos, uint64_t end)
{
    while (*pos < end) {
        off_t at = (off_t)*pos;
        ssize_t n = sendfile(nowhere, fd, &at, (size_t)(end - *pos));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        *pos += (uint64_t)n;
    }
    return true;
}

bool file_fetch(int fd, uint64_t pos, uint64_t len, uint64_t ahead)
{
    uint64_t from = round_down(pos, RESIDENCY_STEP_BYTES);
    uint64_t end = pos + len;
    uint64_t rounded =
        round_down(end + RESIDENCY_STEP_BYTES - 1, RESIDENCY_STEP_BYTES);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    posix_fadvise(fd, (off_t)from, (off_t)(rounded - from + ahead),
                  POSIX_FADV_WILLNEED);
    bool ok = nowhere >= 0 && send_away(nowhere, fd, &from, rounded);
    if (nowhere >= 0)
        close(nowhere);
    return ok || from >= end || read_away(fd, from, end);
}

dev_t file_device(int fd)
{
    struct statx st;
    if (!look(fd, 0, &st))
        return DEVICE_UNKNOWN;
    return makedev(st.stx_dev_major, st.stx_dev_minor);
}
