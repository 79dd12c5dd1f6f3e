/* listing_out.h - text of a listing on its way to the queue.
 *
 * Promise    after a failure nothing more is appended and flow says what it
 *            was, so that a page is written without a check on every line.
 * Limits     the ceiling of its bytes.
 * Owns       the bytes.
 * Threads    one at a time. */
#ifndef HTTPD_FILES_LISTING_OUT_H
#define HTTPD_FILES_LISTING_OUT_H

#include "buffers/bytes.h"

#include <stdint.h>

struct listing_out {
    struct bytes bytes;
    enum flow flow; /* DONE, or the first failure */
};

void listing_out_init(struct listing_out *o, size_t bytes_max);
void listing_out_fini(struct listing_out *o);

/* As it is, and escaped as in parser/escape.h; a URL segment loses '/'. */
void listing_out_text(struct listing_out *o, struct str text);
void listing_out_html(struct listing_out *o, struct str text);
void listing_out_json(struct listing_out *o, struct str text);
void listing_out_url(struct listing_out *o, struct str segment);

void listing_out_printf(struct listing_out *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "2026-02-03T04:05:06Z". Source: RFC 3339. */
void listing_out_time(struct listing_out *o, int64_t seconds);

/* "812 B", "1.5 KiB", "20.0 GiB". */
void listing_out_size(struct listing_out *o, uint64_t size_bytes);

#endif
