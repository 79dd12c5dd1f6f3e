/* direct_source.h - a range of a large file, past the page cache.
 *
 *      range  |first| window  | window  | window  |..   1 MiB of the file each
 *              sent   being     read
 *                     pushed    ahead, by an I/O thread
 *
 * A cold window is read by O_DIRECT into a block, which is pushed 256 KiB at a
 * time; the page cache learns nothing of it. What is in the cache, with a good
 * stretch behind it, leaves by sendfile(): that costs least and does not hurt
 * the cache. A window leaves so, and is cached, also when no block is granted
 * or the I/O threads have too much to do: it needs no memory then, and a
 * download never waits for what other downloads hold. Blocks are asked for as
 * a cache would, and refused before anything else is.
 *
 * Promise    bytes read past the cache are those of the file that the head was
 *            made for: one that got shorter, or was written over, ends the
 *            response as failed. By sendfile() that is noticed a window late.
 *            A file that grew is taken for one that was appended to. The head
 *            never waits for the disk.
 * Limits     two blocks of 1 MiB a download; the second is taken when the
 *            reader has had part of the first, so one that is stuck from the
 *            start holds one. One job under way, and a descriptor only while
 *            it runs.
 * Refused    a file system that takes no O_DIRECT: the rest of the range leaves
 *            by sendfile().
 * Unknown    of files that the server neither owns nor may write the kernel
 *            does not tell what is in the cache: they count as cold.
 * Owns       a reference to the entry, until the last job has ended: the
 *            source outlives its exchange when the client goes meanwhile.
 * Threads    the loop's; the job's work() an I/O thread's.
 * Not for    many downloads of one cold file at a time: they share nothing, so
 *            each reads the disk by itself. */
#ifndef HTTPD_FILES_DIRECT_SOURCE_H
#define HTTPD_FILES_DIRECT_SOURCE_H

#include "buffers/flow.h"

#include <stdbool.h>
#include <stdint.h>

struct direct_source;
struct exchange;
struct file_entry;
struct file_variant;

/* Answers, after response_begin() and the fields, with len bytes of v from pos
 * as the body. False: the route has no directio, the file is smaller, nobody
 * waits for bytes, or there is no memory; nothing was done. */
bool direct_source_send(struct exchange *x, struct file_entry *e,
                        const struct file_variant *v, uint64_t pos,
                        uint64_t len);

/* The same as part of another source, which passes pull() on until it gives
 * END and then calls stop(). NULL where direct_source_send() is false. */
struct direct_source *direct_source_new(struct exchange *x,
                                        struct file_entry *e,
                                        const struct file_variant *v,
                                        uint64_t pos, uint64_t len);
enum flow direct_source_pull(struct direct_source *s, struct exchange *x);

/* Frees s, at once or when its job has ended. NULL is fine. */
void direct_source_stop(struct direct_source *s);

#endif
