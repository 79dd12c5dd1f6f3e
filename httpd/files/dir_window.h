/* dir_window.h - the first few of many names, in order, in fixed memory.
 *
 *      all entries in order, seen in any order during a pass:
 *
 *      [ emitted already ][ the window: the smallest seen ][ for later passes ]
 *                        ^ mark                            ^ limit
 *
 * Promise    after a pass that offered every entry, next() yields the smallest
 *            ones beyond the mark in strict order and moves the mark along, so
 *            passes that follow one another yield every entry once, however
 *            many there are. Equal entries are yielded once.
 * Invariant  mark < every held entry < limit.
 * Limits     entries_max entries and names_bytes of names, both given at the
 *            start; dir_window_bytes() is all that it ever allocates.
 *            Names are 1 to DIR_NAME_BYTES_MAX bytes.
 * Owns       copies of the names; a yielded one is good until the next call
 *            of begin or offer.
 * Threads    one at a time. No I/O: dir_walk.h reads the folder.
 * Cost       offer: one or two comparisons when out of range, else O(log
 *            entries_max) and, spread over the offers, one move of the name. */
#ifndef HTTPD_FILES_DIR_WINDOW_H
#define HTTPD_FILES_DIR_WINDOW_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIR_NAME_BYTES_MAX         768u /* 255 characters of three bytes */
#define DIR_WINDOW_ENTRIES_MAX     32768u
#define DIR_WINDOW_NAMES_BYTES_MIN 2048u
#define DIR_WINDOW_NAMES_BYTES_MAX (16u << 20)

/* Names compare byte by byte. Equal values are ordered by ascending name. */
enum dir_sort {
    DIR_BY_NAME, /* values are not looked at */
    DIR_BY_SIZE,
    DIR_BY_TIME,
};

struct dir_order {
    enum dir_sort sort;
    bool descending;
};

struct dir_key {
    int64_t value; /* bytes, or nanoseconds since 1970 */
    struct str name;
};

struct dir_window;

/* NULL when out of memory. */
struct dir_window *dir_window_new(struct dir_order order, size_t entries_max,
                                  size_t names_bytes);
void dir_window_free(struct dir_window *w);

/* What a window of that size allocates. */
size_t dir_window_bytes(size_t entries_max, size_t names_bytes);

/* Below 0 when a comes before b. */
int dir_order_compare(struct dir_order order, struct dir_key a,
                      struct dir_key b);

/* Empties it for the next pass; the mark stays. */
void dir_window_begin(struct dir_window *w);

/* Shows it one entry of the folder. */
void dir_window_offer(struct dir_window *w, struct dir_key key);

/* The smallest held entry, which becomes the mark. False when none is left. */
bool dir_window_next(struct dir_window *w, struct dir_key *ret_key);

/* Whether this pass saw entries that had to be left for another one. */
bool dir_window_left_some(const struct dir_window *w);

#endif
