#include "buffers/direct_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FD_PATH_BYTES 32u

static bool power_of_two(uint32_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

/* False: it takes no O_DIRECT, or asks for more than blocks are aligned to. A
 * kernel or file system that does not tell gets what suits all known ones. */
static bool ask_alignment(struct direct_file *f)
{
    f->align_bytes = BLOCK_ALIGN_BYTES;
#ifdef STATX_DIOALIGN
    struct statx st = {0};
    if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) != 0 ||
        !(st.stx_mask & STATX_DIOALIGN))
        return true;
    f->align_bytes = st.stx_dio_offset_align;
    return st.stx_dio_mem_align <= BLOCK_ALIGN_BYTES &&
           power_of_two(f->align_bytes) &&
           f->align_bytes <= DIRECT_ALIGN_BYTES_MAX;
#else
    return true;
#endif
}

/* Through /proc it is opened anew: O_DIRECT set on a duplicate would hold for
 * the given descriptor as well. */
bool direct_file_open(struct direct_file *f, int fd)
{
    char path[FD_PATH_BYTES];
    assert(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    f->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (f->fd < 0)
        return false;
    if (ask_alignment(f))
        return true;
    direct_file_close(f);
    errno = EINVAL;
    return false;
}

void direct_file_close(struct direct_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

static ssize_t read_at(int fd, char *to, size_t len, uint64_t pos)
{
    ssize_t n;
    do
        n = pread(fd, to, len, (off_t)pos);
    while (n < 0 && errno == EINTR);
    return n;
}

enum flow direct_file_read(const struct direct_file *f, uint64_t pos,
                           uint64_t len, struct block *block)
{
    uint64_t rest = f->align_bytes - 1;
    uint64_t want = (len + rest) & ~rest;
    assert(len > 0 && want <= block->cap);
    assert((pos & rest) == 0 && pos <= INT64_MAX - want);
    assert((uintptr_t)block->data % BLOCK_ALIGN_BYTES == 0);
    block->len = 0;
    while (block->len < want) {
        ssize_t n = read_at(f->fd, block->data + block->len, want - block->len,
                            pos + block->len);
        if (n < 0)
            return FLOW_FAILED;
        block->len += (uint32_t)n;
        if (n == 0 || (block->len & rest) != 0)
            break;
    }
    return block->len > 0 ? FLOW_DONE : FLOW_END;
}
