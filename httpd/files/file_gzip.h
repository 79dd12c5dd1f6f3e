/* file_gzip.h - a file as the body of a response that gzip makes smaller.
 *
 * Promise    the file is read in steps of FILE_GZIP_STEP_BYTES, only when the
 *            queue has room; what it has grown by since it was opened is left
 *            out. If it got shorter, the connection is reset: the client must
 *            not take half of it for all.
 * Threads    the loop thread; a cold disk holds it up.
 * Not for    ranges: the compressed bytes are not the same every time. */
#ifndef HTTPD_FILES_FILE_GZIP_H
#define HTTPD_FILES_FILE_GZIP_H

#define FILE_GZIP_STEP_BYTES (16u << 10)

struct exchange;
struct file_entry;

/* Answers with the entry's CODING_GZIP_MADE at the route's level; takes a
 * reference of its own. */
void file_gzip_send(struct exchange *x, struct file_entry *e);

#endif
