/* file_body.h - the content of a small file, fetched beside the loop.
 *
 *      request 1: not in memory, perhaps cold --> leaves by its descriptor
 *                 file_body_fetch() --> I/O thread reads it --> entry
 *      request 2: leaves from memory, behind its head
 *
 * Where the kernel tells what is cached, file_entry.h takes a body in by
 * itself as soon as it is; this is for files of others on file systems that
 * cannot tell (overlays, NFS, FUSE), which would never get one.
 *
 * Promise    the loop does not wait; a body is taken whole or not at all.
 * Limits     one job for each variant at a time, FILE_BODY_COPY_MAX bytes.
 * Owns       a reference to the entry while the job is under way.
 * Threads    the loop's; the job's work() an I/O thread. */
#ifndef HTTPD_FILES_FILE_BODY_H
#define HTTPD_FILES_FILE_BODY_H

struct file_entry;
struct file_variant;
struct io_done;

/* Begins to fetch v's body, unless it is there, not to be, or on its way. An io
 * of NULL, and one that takes no more jobs, are fine: nothing happens. */
void file_body_fetch(struct file_entry *e, const struct file_variant *v,
                     struct io_done *io);

#endif
