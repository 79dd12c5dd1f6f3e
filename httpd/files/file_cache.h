/* file_cache.h - open files and what is known of them, one cache per worker.
 *
 * Promise    an entry is looked at again when it is older than the check time,
 *            so a replaced file is seen within that time; a response under way
 *            keeps the file that it began with.
 * Limits     entries_max; the least recently used entry leaves first.
 * Owns       descriptors and texts; entries are reference-counted.
 * Threads    one: its worker's. */
#ifndef HTTPD_FILES_FILE_CACHE_H
#define HTTPD_FILES_FILE_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct file_cache;

/* NULL when out of memory. */
struct file_cache *file_cache_new(size_t entries_max, uint64_t check_ms);
void file_cache_free(struct file_cache *cache);

#endif
