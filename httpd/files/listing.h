/* listing.h - a folder as a page, as JSON, or as lines of text.
 *
 *      Accept, ?format= --> form     ?sort=&order= --> dir_walk
 *                             \                        /
 *                              head, item, item, ... tail --> exchange_push
 *
 * Form       ?format=html, json or text decides; else the one with the highest
 *            weight in Accept. Of equals the one that Accept names wins, html
 *            before json before text; when wildcards alone cover them it is
 *            text, as it is when none is acceptable. So browsers get a page,
 *            and curl, which sends any type, gets lines.
 * Order      ?sort=name, size or time, ?order=asc or desc; by name, ascending,
 *            unless asked otherwise. What is none of these gets a 400 that
 *            says what would be right.
 * Promise    memory does not grow with the folder, see dir_walk.h, which also
 *            says what is left out. Every name is escaped for where it stands.
 * Limits     LISTING_BYTES of memory for a listing under way by name,
 *            LISTING_STAT_BYTES by size or time, and up to
 *            LISTING_OUT_BYTES_MAX for what is rendered and not yet queued; one
 *            pull reads one buffer of names or renders one fill.
 * Owns       the folder's descriptor, from the call on.
 * Threads    the loop thread; a cold disk makes it wait. */
#ifndef HTTPD_FILES_LISTING_H
#define HTTPD_FILES_LISTING_H

#include "buffers/str.h"

struct exchange;

/* Entries of one pass over the folder, and bytes of their names. By size and by
 * time each pass looks at every entry, so there are fewer and larger ones. */
#define LISTING_WINDOW           2048u
#define LISTING_NAMES_BYTES      (64u << 10)
#define LISTING_BYTES            (108u << 10)
#define LISTING_STAT_WINDOW      16384u
#define LISTING_STAT_NAMES_BYTES (512u << 10)
#define LISTING_STAT_BYTES       (864u << 10)
#define LISTING_OUT_FILL         (8u << 10) /* rendered ahead, plus one item */
#define LISTING_OUT_BYTES_MAX    (64u << 10)

/* Answers GET or HEAD with what the folder holds. dir_fd may be an O_PATH
 * descriptor; url_path is decoded, ends in '/', and is good as long as the
 * request. */
void listing_serve(struct exchange *x, int dir_fd, struct str url_path);

#endif
