/* file_find.h - from a request's path to what stands there, without waiting.
 *
 *      file_find(x, path, answer)
 *        cached, or the kernel knows the names ----------> answer() at once
 *        else a job: an I/O thread opens it, x is deferred -> answer() later
 *
 * A path that is empty or ends in '/' names a folder: its first index file is
 * found, else the folder itself.
 *
 * Promise    the loop does not wait for a disk to look up a name, nor at all
 *            for a file system that lies elsewhere (path_root_waits()).
 *            answer() is called once, unless the client leaves before.
 * Limits     a job for each request, also for the same name: the lane bounds
 *            them. When it is full the answer is a 503 with Retry-After, as a
 *            disk that so many wait for is the one not to wait for here.
 * Owns       what was found; answer() may take folder_fd out by setting it -1.
 *            A job outlives its exchange, and puts what it opened in the cache.
 * Threads    the loop's; a job's work an I/O thread's. Without I/O threads
 *            everything waits on the loop.
 * Cost       a hit: that of file_cache.h, nothing more. */
#ifndef HTTPD_FILES_FILE_FIND_H
#define HTTPD_FILES_FILE_FIND_H

#include "buffers/str.h"
#include "httpd/files/path_open.h"

#include <stdbool.h>

struct exchange;
struct file_entry;

struct file_found {
    enum path_result result;  /* never PATH_COLD */
    struct file_entry *entry; /* PATH_FILE; else NULL */
    int folder_fd; /* PATH_FOLDER of a path that names one; else -1 */
};

/* path, beneath the folder of x's route, has less than PATH_BYTES_MAX bytes. */
void file_find(struct exchange *x, struct str path,
               void (*answer)(struct exchange *x, struct str path,
                              struct file_found *found));

bool file_names_folder(struct str path);

#endif
