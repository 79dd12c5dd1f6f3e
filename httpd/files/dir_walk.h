/* dir_walk.h - what a folder holds, in order, without holding it.
 *
 *      [ pass over the folder ]->[ emit a window full ]->[ next pass ]-> ...
 *
 * Promise    every file and folder is yielded once, in strict order. Under the
 *            order by name nothing is yielded twice whatever happens to the
 *            folder meanwhile; by size and time a file that changes during
 *            the walk may be seen where it was and where it went.
 * Leaves out dot-files (.well-known stays), whatever is neither file nor
 *            folder, and symlinks that lead to nothing. A symlink counts as
 *            what it points at; whether it may be opened is not decided here
 *            but by opening it.
 * Limits     one call of next reads one buffer of names (and looks at each of
 *            them when the order needs it) or looks at up to
 *            DIR_WALK_SKIPS_MAX entries that have gone. Memory is that of the
 *            window, whatever the folder holds.
 * Owns       the folder's descriptor.
 * Threads    one at a time.
 * Cost       entries / window passes over the folder, so time grows with the
 *            square of very large folders, in small steps. Calls may wait
 *            for a cold disk. */
#ifndef HTTPD_FILES_DIR_WALK_H
#define HTTPD_FILES_DIR_WALK_H

#include "buffers/flow.h"
#include "httpd/files/dir_window.h"

#include <stdbool.h>
#include <stdint.h>

#define DIR_WALK_READ_BYTES      (32u << 10)
#define DIR_WALK_READ_STAT_BYTES (8u << 10) /* when each entry costs a stat */
#define DIR_WALK_SKIPS_MAX       64u

struct dir_item {
    struct str name; /* good until the next call */
    bool folder;
    uint64_t size_bytes;      /* 0 for folders */
    int64_t modified_seconds; /* since 1970 */
};

struct dir_walk;

/* Takes over folder_fd, which is open for reading and its own, in any case.
 * The window's size as in dir_window.h. NULL when out of memory. */
struct dir_walk *dir_walk_new(int folder_fd, struct dir_order order,
                              size_t entries_max, size_t names_bytes);
void dir_walk_free(struct dir_walk *w);

/* Where the folder lies: symlinks in it may lead anywhere beneath root_fd, and
 * what leads out of it is left out. folder is "" or ends in '/'; both outlive
 * the walk. Without this call, links stay beneath the folder itself. */
void dir_walk_beneath(struct dir_walk *w, int root_fd, struct str folder);

/* DONE: an item. AGAIN: some work was done, nothing to show for it yet; ask
 * again. END: that was all. FAILED: the folder cannot be read, errno is set. */
enum flow dir_walk_next(struct dir_walk *w, struct dir_item *ret_item);

#endif
