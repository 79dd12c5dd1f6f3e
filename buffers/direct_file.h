/* direct_file.h - reading large files past the page cache.
 *
 *      file   ...|4096|4096|4096|4096|.. end        what the disk hands out
 *                 pos ---- len ---->|
 *      block     [##################|##]            what was asked, rounded up
 *
 * Promise    bytes are those of the file, read by O_DIRECT straight into an
 *            aligned block; the page cache keeps what others put there.
 * Refuses    file systems without O_DIRECT: false with errno (EINVAL), and the
 *            caller reads as usual. Without /proc: false with ENOENT.
 * Limits     pos is a multiple of align_bytes (from statx(2), else
 *            BLOCK_ALIGN_BYTES), which is a power of two up to
 *            DIRECT_ALIGN_BYTES_MAX; only the file's last read is short.
 * Owns       a descriptor of its own: the given one stays as it was.
 * Threads    any; reading waits for the disk and is an I/O thread's work.
 * Cost       opening: three system calls, none of which reads the disk.
 * Not for    small files and ranges: every read is one of the disk.
 * Source     open(2) on O_DIRECT, statx(2) on STATX_DIOALIGN (Linux 6.1). */
#ifndef BUFFERS_DIRECT_FILE_H
#define BUFFERS_DIRECT_FILE_H

#include "buffers/block.h"
#include "buffers/flow.h"

#include <stdbool.h>
#include <stdint.h>

#define DIRECT_ALIGN_BYTES_MAX (64u << 10)

struct direct_file {
    int fd;
    uint32_t align_bytes;
};

/* Opens the file behind fd once more, with O_DIRECT. False with errno; f->fd
 * is -1 then. */
bool direct_file_open(struct direct_file *f, int fd);

/* What was not opened is fine. */
void direct_file_close(struct direct_file *f);

/* The nearest position at or before pos that a read may begin at. */
static inline uint64_t direct_file_align(const struct direct_file *f,
                                         uint64_t pos)
{
    return pos & ~((uint64_t)f->align_bytes - 1);
}

/* Reads len bytes, at least 1, from pos into a BLOCK_1M or BLOCK_4M block and
 * sets its len. The disk is asked for len rounded up to align_bytes, which
 * fits the block, and so much may come. DONE: block->len >= 1, and less than
 * len only where the file ends; END: pos is at or behind the end; FAILED with
 * errno. */
enum flow direct_file_read(const struct direct_file *f, uint64_t pos,
                           uint64_t len, struct block *block);

#endif
