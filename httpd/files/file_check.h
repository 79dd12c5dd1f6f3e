/* file_check.h - whether a cached file is current, asked beside the loop.
 *
 * For what cannot be told on the loop without waiting: names that the kernel
 * has forgotten, and file systems that lie elsewhere. The entry is used on
 * meanwhile; file_cache.h says for how long.
 *
 * Limits     one job for each entry at a time.
 * Owns       a reference to the entry while the job is under way.
 * Threads    the loop's; the job's work an I/O thread's. */
#ifndef HTTPD_FILES_FILE_CHECK_H
#define HTTPD_FILES_FILE_CHECK_H

struct file_cache;
struct file_entry;
struct file_want;

/* Begins to look, unless that is under way; the cache, which outlives the job,
 * is told by file_cache_checked(). An I/O pool that takes no more jobs is fine:
 * nothing happens. */
void file_check_start(struct file_cache *cache, struct file_entry *e,
                      const struct file_want *want);

#endif
