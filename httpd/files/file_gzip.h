/* file_gzip.h - a file as the body of a response that gzip makes smaller.
 *
 *      in the page cache ----> read on the loop, FILE_GZIP_STEP_BYTES
 *      not, or not known ----> job: an I/O thread reads FILE_GZIP_JOB_BYTES
 *                              into its own memory; done() wakes the exchange
 *
 * Promise    the loop reads only what needs no disk, and only when the queue
 *            has room; what the file has grown by since it was opened is left
 *            out. If it got shorter, the connection is reset: the client must
 *            not take half of it for all.
 * Limits     one job a response; when none can be started it is tried again
 *            after SWEEP_MS.
 * Threads    the loop thread; a job's work() an I/O thread.
 * Not for    ranges: the compressed bytes are not the same every time. */
#ifndef HTTPD_FILES_FILE_GZIP_H
#define HTTPD_FILES_FILE_GZIP_H

#define FILE_GZIP_STEP_BYTES (16u << 10)
#define FILE_GZIP_JOB_BYTES  (64u << 10)

struct exchange;
struct file_entry;

/* Answers with the entry's CODING_GZIP_MADE at the route's level; takes a
 * reference of its own. */
void file_gzip_send(struct exchange *x, struct file_entry *e);

#endif
