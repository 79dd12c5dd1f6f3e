/* file_map.h - a file in memory, that may be truncated meanwhile.
 *
 *      at                                    len     mapped
 *       v                                     v         v
 *      [ page ][ page ][ page ][ page ][ page #.........]
 *                         ^ cut here by another process: zeros up to the end
 *                           of this page, SIGBUS in those behind it
 *
 * Reading a mapped page that lies behind the end of its file raises SIGBUS.
 * Here this becomes an answer: file_map_read() runs a reader over the mapping
 * under a guard, and tells that the file ended.
 *
 * Promise    no truncation, and no error of the disk, ends the process while a
 *            reader runs under the guard. Passing the view to write(2) or
 *            send(2) needs no guard: the kernel answers EFAULT, or takes the
 *            part that is still there.
 * Refuses    what is not a regular file: false with errno. An empty file is a
 *            mapping of no bytes.
 * Limits     the length is that of the file when it was mapped, up to
 *            len_max. A cut within a page shows zeros up to the page's end and
 *            raises nothing: who must know asks fstat(2).
 * Owns       the mapping; the descriptor is not needed after open.
 * Threads    any number of readers of one map; open and close: one. The guard
 *            is per thread. The first open installs a process-wide SIGBUS
 *            handler, which passes on what is not its own; a handler that is
 *            installed later must do likewise.
 * Cost       of a guard: no system call, no lock.
 * Not for    readers that hold locks or memory: a reader that is cut off does
 *            not return. Copy, count, search or hash. What it had noted in
 *            *arg by then is there only if it is volatile.
 * Source     mmap(2) on SIGBUS; POSIX sigsetjmp(3). */
#ifndef BUFFERS_FILE_MAP_H
#define BUFFERS_FILE_MAP_H

#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_map {
    const char *at; /* NULL when len is 0 */
    size_t len;     /* bytes */
    size_t mapped;  /* bytes, whole pages */
};

/* Maps up to len_max bytes from pos, a multiple of the page size, shared and
 * read-only. False with errno. */
bool file_map_open(struct file_map *m, int fd, uint64_t pos, size_t len_max);
void file_map_close(struct file_map *m);

/* Calls reader(arg, view) under the guard. DONE: it returned. END: the file
 * was cut shorter than the view (or cannot be read) and the reader was left
 * where it was. Readers do not nest: that asserts. */
enum flow file_map_read(const struct file_map *m, struct str view,
                        void (*reader)(void *arg, struct str view), void *arg);

/* Copies n bytes from offset, offset + n <= len, under the guard. DONE; END:
 * as above, and some of them may have been copied. */
enum flow file_map_copy(const struct file_map *m, size_t offset, size_t n,
                        void *to);

#endif
