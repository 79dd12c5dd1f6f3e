/* path_open.h - from a path a client sent to an open file, safely.
 *
 * Promise    what is opened lies beneath the root, through symlinks too, and
 *            is a regular file or a folder; opening never waits for a writer.
 * Refuses    any segment that begins with '.', except ".well-known"; a slash
 *            behind a file; pipes, sockets and devices: all of them are
 *            missing, as is what is too long or leads out of the root.
 * Waiting    with PATH_CACHED it never waits for a disk or another machine:
 *            what the kernel would have to look up, and what lies on another
 *            mount than the root, is PATH_COLD. Before Linux 5.12, which cannot
 *            do so, PATH_CACHED is without effect. Of file systems that ask
 *            somebody at every open() it cannot be used: path_root_waits().
 * Limits     PATH_BYTES_MAX bytes with the NUL.
 * Owns       nothing: the descriptor is the caller's.
 * Threads    any; blocks on a cold disk, but for PATH_CACHED.
 * Source     openat2(2), Linux 5.6. */
#ifndef HTTPD_FILES_PATH_OPEN_H
#define HTTPD_FILES_PATH_OPEN_H

#include "buffers/str.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#define PATH_BYTES_MAX  4096u
#define PATH_LEVELS_MAX 32u /* that path_device() looks at */

enum path_result {
    PATH_FILE,
    PATH_FOLDER,
    PATH_MISSING,   /* 404 */
    PATH_FORBIDDEN, /* 403: the system's permissions say so */
    PATH_EXHAUSTED, /* 503: no descriptor or memory free */
    PATH_FAILED,    /* 500: logged here */
    PATH_COLD,      /* cannot be told without waiting; with PATH_CACHED only */
};

/* One of the first two, and perhaps PATH_CACHED. */
enum path_use {
    PATH_READ = 0,   /* a descriptor to read from */
    PATH_LOOK = 1,   /* O_PATH: for fstat() and openat() only */
    PATH_CACHED = 2, /* PATH_COLD instead of waiting */
};

/* Opens path beneath root_fd; "" is the root itself. *ret_fd is -1 unless the
 * result is PATH_FILE or PATH_FOLDER, and *ret_stat is set only then. */
enum path_result path_open(int root_fd, struct str path, unsigned use,
                           int *ret_fd, struct stat *ret_stat);

/* Whether names beneath root_fd may be answered by another machine or process
 * (NFS, CIFS, FUSE, ...), so that even PATH_CACHED may wait. Asks the file
 * system, and so may wait itself: for the start. */
bool path_root_waits(int root_fd);

/* The device that path lies on, as far as can be told without waiting: that of
 * the deepest folder on the way to it that the kernel knows. */
dev_t path_device(int root_fd, struct str path);

/* Whether a segment of the path begins with '.' and is not ".well-known". */
bool path_hidden(struct str path);

#endif
