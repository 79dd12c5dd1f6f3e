/* file_cache.h - open files and what is known of them, one cache per worker.
 *
 * Promise    an entry is looked at again when it is older than the check time,
 *            so a replaced file is seen within that time; a response under way
 *            keeps the file that it began with. A file that nobody asks for
 *            is let go after FILE_CACHE_IDLE_MS, so that a deleted one gives
 *            its disk space back.
 * Waiting    with I/O threads the loop does not look up what the kernel does
 *            not know: a file is PATH_COLD and an entry is used on while an
 *            I/O thread looks at it, but for FILE_CACHE_STALE_MS at most, so
 *            a replacement is always seen within the check time and that.
 *            Afterwards it is PATH_COLD, too.
 * Limits     files_max descriptors; the least recently used entry leaves
 *            first. Folders and missing files are not cached.
 * Owns       descriptors and texts; entries are reference-counted.
 * Threads    one: its worker's.
 * Cost       a hit: one hash of the path, no system call, no allocation. A
 *            check: one openat2(), fstat() and close(), and with the route's
 *            `precompressed` three times an openat2() more. */
#ifndef HTTPD_FILES_FILE_CACHE_H
#define HTTPD_FILES_FILE_CACHE_H

#include "buffers/str.h"
#include "httpd/files/file_entry.h"

#include <stddef.h>
#include <stdint.h>

#define FILE_CACHE_IDLE_MS  20000u
#define FILE_CACHE_STALE_MS 400u /* beyond the check time */

struct budget;
struct file_cache;
struct io_done;
struct route;

struct file_want {
    const struct route *route;
    struct str path;       /* "dir/file", beneath the route's folder */
    struct budget *budget; /* for bodies; NULL: without bound */
    struct io_done *io;    /* NULL: there are no I/O threads, so it may wait */
    uint64_t now_ms;       /* monotonic */
};

struct file_cache_stats {
    uint64_t hits;
    uint64_t misses;
    uint64_t checks;
    uint64_t replaced; /* a check found something else */
    uint64_t dropped;  /* to stay below the limit, or idle */
    size_t entries;
    size_t files; /* descriptors */
};

/* files_max is at least 16. NULL when out of memory. */
struct file_cache *file_cache_new(size_t files_max, uint64_t check_ms);

/* Entries under way live on until their last reference goes. */
void file_cache_free(struct file_cache *cache);

/* Finds or opens a file. PATH_FILE: *ret_entry has a reference more, for
 * file_entry_unref(). Anything else: it is NULL. PATH_COLD, never without io:
 * an I/O thread should load it; then file_cache_loaded(). */
enum path_result file_cache_get(struct file_cache *cache,
                                const struct file_want *want,
                                struct file_entry **ret_entry);

/* Takes in what was loaded for it elsewhere, as file_entry_load() gave it, and
 * a reference of its own. asked_ms: when that began. */
void file_cache_loaded(struct file_cache *cache, enum path_result result,
                       struct file_entry *e, uint64_t asked_ms);

/* What was seen of an entry since asked_ms; it need not be cached any more. */
void file_cache_checked(struct file_cache *cache, struct file_entry *e,
                        enum file_standing standing, uint64_t asked_ms);

/* Lets idle entries go; to be called now and then, every second or so. */
void file_cache_sweep(struct file_cache *cache, uint64_t now_ms);

struct file_cache_stats file_cache_stats(const struct file_cache *cache);

#endif
