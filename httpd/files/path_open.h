/* path_open.h - from a path a client sent to an open file, safely.
 *
 * Promise    what is opened lies beneath the root, through symlinks too, and
 *            is a regular file or a folder; opening never waits for a writer.
 * Refuses    any segment that begins with '.', except ".well-known"; a slash
 *            behind a file; pipes, sockets and devices: all of them are
 *            missing, as is what is too long or leads out of the root.
 * Limits     PATH_BYTES_MAX bytes with the NUL.
 * Owns       nothing: the descriptor is the caller's.
 * Threads    any; blocks on a cold disk.
 * Source     openat2(2), Linux 5.6. */
#ifndef HTTPD_FILES_PATH_OPEN_H
#define HTTPD_FILES_PATH_OPEN_H

#include "buffers/str.h"

#include <stdbool.h>
#include <sys/stat.h>

#define PATH_BYTES_MAX 4096u

enum path_result {
    PATH_FILE,
    PATH_FOLDER,
    PATH_MISSING,   /* 404 */
    PATH_FORBIDDEN, /* 403: the system's permissions say so */
    PATH_EXHAUSTED, /* 503: no descriptor or memory free */
    PATH_FAILED,    /* 500: logged here */
};

enum path_use {
    PATH_READ, /* a descriptor to read from */
    PATH_LOOK, /* O_PATH: for fstat() and openat() only */
};

/* Opens path beneath root_fd; "" is the root itself. *ret_fd is -1 unless the
 * result is PATH_FILE or PATH_FOLDER, and *ret_stat is set only then. */
enum path_result path_open(int root_fd, struct str path, enum path_use use,
                           int *ret_fd, struct stat *ret_stat);

/* Whether a segment of the path begins with '.' and is not ".well-known". */
bool path_hidden(struct str path);

#endif
