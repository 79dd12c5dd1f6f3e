/* file_cache.h - open files and what is known of them, one cache per worker.
 *
 * Promise    an entry is looked at again when it is older than the check time,
 *            so a replaced file is seen within that time; a response under way
 *            keeps the file that it began with. A file that nobody asks for
 *            is let go after FILE_CACHE_IDLE_MS, so that a deleted one gives
 *            its disk space back.
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
#include "httpd/files/path_open.h"

#include <stddef.h>
#include <stdint.h>

#define FILE_CACHE_IDLE_MS 20000u

struct file_cache;
struct file_entry;
struct route;

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

/* Finds or opens the file at path, "dir/file", beneath the route's folder.
 * PATH_FILE: *ret_entry has a reference more, for file_entry_unref(). Anything
 * else: it is NULL. now_ms is monotonic. */
enum path_result file_cache_get(struct file_cache *cache,
                                const struct route *route, struct str path,
                                uint64_t now_ms, struct file_entry **ret_entry);

/* Lets idle entries go; to be called now and then, every second or so. */
void file_cache_sweep(struct file_cache *cache, uint64_t now_ms);

struct file_cache_stats file_cache_stats(const struct file_cache *cache);

#endif
