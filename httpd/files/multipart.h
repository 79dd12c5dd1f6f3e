/* multipart.h - several ranges of one file in one response.
 *
 *      --B CRLF  Content-Type: T CRLF  Content-Range: bytes 0-4/9 CRLF CRLF
 *      01234 CRLF
 *      --B …
 *      --B-- CRLF
 *
 * Promise    the length is known beforehand; the boundary is random, so that
 *            nobody can put it into a file.
 * Limits     RANGES_MAX parts; their bytes leave by sendfile(), or as
 *            direct_source.h has it.
 * Threads    the loop thread.
 * Source     RFC 9110 section 14.6, RFC 2046 section 5.1. */
#ifndef HTTPD_FILES_MULTIPART_H
#define HTTPD_FILES_MULTIPART_H

struct exchange;
struct file_entry;
struct file_variant;
struct ranges;

/* Answers 206 with all of the ranges; takes a reference of its own. */
void multipart_send(struct exchange *x, struct file_entry *e,
                    const struct file_variant *v, const struct ranges *ranges);

#endif
