/* bytes.h - growable bytes with a ceiling.
 *
 *      data                len             cap            max
 *       v                   v               v              v
 *       [###################................]..............|
 *
 * Promise    an append takes all of what is given or nothing.
 * Invariant  len <= cap <= max; data is NULL exactly when cap is 0.
 * Limits     max is given at init and never exceeded.
 * Owns       its storage. bytes_reset() keeps it, bytes_fini() frees it.
 * Threads    one at a time.
 * Cost       amortised one copy; growth doubles.
 * Not for    queues between producer and consumer: skipping moves the rest. */
#ifndef BUFFERS_BYTES_H
#define BUFFERS_BYTES_H

#include "buffers/flow.h"
#include "buffers/str.h"

#include <stddef.h>

#define BYTES_CAP_MIN 256u /* smallest allocation, in bytes */

struct bytes {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
};

/* An empty one that may grow to bytes_max; allocates nothing. */
void bytes_init(struct bytes *b, size_t bytes_max);

/* Frees the storage; the struct may be used again after bytes_init(). */
void bytes_fini(struct bytes *b);

/* Empties it and keeps the storage. */
void bytes_reset(struct bytes *b);

/* Frees the storage if it has grown beyond keep_bytes; it must be empty. */
void bytes_trim(struct bytes *b, size_t keep_bytes);

/* Makes room for n more bytes and points *ret_room at it; bytes_commit()
 * then says how many were written there. DONE, FULL, NO_MEMORY. */
enum flow bytes_reserve(struct bytes *b, size_t n, char **ret_room);
void bytes_commit(struct bytes *b, size_t n);

/* Appends a copy. DONE, FULL (would pass max), NO_MEMORY. */
enum flow bytes_append(struct bytes *b, const void *data, size_t len);
enum flow bytes_append_str(struct bytes *b, struct str s);

/* Appends formatted text. DONE, FULL, NO_MEMORY. */
enum flow bytes_printf(struct bytes *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Drops the first n bytes, n <= len; the rest moves to the front. */
void bytes_skip(struct bytes *b, size_t n);

/* What it holds, good until the next change. */
struct str bytes_view(const struct bytes *b);

#endif
