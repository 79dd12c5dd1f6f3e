/* file_residency.h - how much of a file can be read without waiting.
 *
 *      pos                              pos + len
 *       [#### in the page cache ####|???????]
 *        <------ answer ----------->
 *
 * Three ways to ask the kernel, each good for something else:
 *
 *      cachestat(2)   quick; which pages are there, but not whether their
 *                     reads have ended (Linux 6.5; of files of ours)
 *      mincore(2)     exact for every page, slower (of files of ours: of
 *                     others it calls every page resident)
 *      preadv2(2)     with RWF_NOWAIT, one byte in every so many: of any
 *                     file, where the file system can say so
 *
 * A range that is whole by cachestat is asked a few bytes of, for reads that
 * hang; else mincore decides; else the bytes. The bytes are asked of at
 * multiples of RESIDENCY_STEP_BYTES, and page by page where they end: holes
 * between two steps are not seen by that way. file_fetch() leaves none.
 *
 * Promise    never waits for the disk, but for file_fetch(). What is called
 *            resident was so a moment ago; the kernel may drop it any time.
 * Unknown    a file of others on a file system that cannot tell (FUSE, NFS):
 *            RESIDENCY_UNKNOWN.
 * Not for    bytes behind the end of the file: they may count as either.
 * Threads    any; no state.
 * Cost       a resident MiB: one cachestat and nine reads of a byte, 3 to 10
 *            microseconds; by mincore 20.
 * Source     cachestat(2), mincore(2), preadv2(2), statx(2). */
#ifndef BUFFERS_FILE_RESIDENCY_H
#define BUFFERS_FILE_RESIDENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RESIDENCY_STEP_BYTES (64u << 10)
#define RESIDENCY_BYTES_MAX  (4u << 20) /* of one question */
#define RESIDENCY_UNKNOWN    UINT64_MAX

/* Leading bytes of pos..pos+len that are in the page cache, 0 to len.
 * 1 <= len <= RESIDENCY_BYTES_MAX. */
uint64_t file_resident(int fd, uint64_t pos, uint64_t len);

/* Reads what is resident: as pread(2), but -1 with EAGAIN instead of waiting,
 * and perhaps less than is there. -1 with EOPNOTSUPP: it cannot be told. */
ssize_t file_read_resident(int fd, void *to, size_t len, uint64_t pos);

/* Has the kernel read pos..pos+len, rounded out to whole steps, into the page
 * cache, and begin with the ahead bytes that follow. Waits for the disk: for
 * I/O threads. False: the disk failed, or the file ended. */
bool file_fetch(int fd, uint64_t pos, uint64_t len, uint64_t ahead);

/* The device that a file lies on, without asking the file system. */
dev_t file_device(int fd);

#endif
