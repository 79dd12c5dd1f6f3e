/* file_entry.h - one file: open, stat'ed, and its answers' heads written.
 *
 *      entry "app.js"
 *        variants[CODING_IDENTITY]   app.js       fd, size, tag, lines, body
 *        variants[CODING_GZIP_MADE]  app.js       the same fd, other lines
 *        variants[CODING_BR]         app.js.br    fd, size, tag, lines, body
 *
 *      lines:  Content-Type | Content-Encoding … nosniff | ETag … Vary
 *              ^ lines        ^ lines_parts                ^ lines_304
 *
 * Promise    nothing in it changes once it is loaded, so whoever holds a
 *            reference keeps the file that it began with; only the body of a
 *            small file is taken in later when it was not in the page cache,
 *            and no view moves thereby. A file beside FILE
 *            (FILE.br) that is older than FILE, by the second, is stale and
 *            counts as absent. The tag is "HASH-SIZE", in hex: HASH is of
 *            device, inode, size, modification and change time, so a file
 *            that was replaced has another one, whatever its date. A file
 *            from the future has no date.
 * Limits     FILE_LINES_BYTES_MAX of head lines; files up to
 *            FILE_BODY_COPY_MAX bytes are kept in memory as well, as long as
 *            the budget has room for caches.
 * Owns       its descriptors and texts, and their bytes of the budget, until
 *            the last reference goes.
 * Threads    file_entry_load() and file_entry_standing(): any. All else, and
 *            the references: its worker's. Both may wait for the disk where
 *            they look names up, unless told not to, and never for content.
 * Source     RFC 9110 sections 8.8, 12.5.5, 15.4.5. */
#ifndef HTTPD_FILES_FILE_ENTRY_H
#define HTTPD_FILES_FILE_ENTRY_H

#include "buffers/bytes.h"
#include "buffers/write_queue.h"
#include "httpd/files/conditional.h"
#include "httpd/files/encoding.h"
#include "httpd/files/path_open.h"

#include <stdint.h>
#include <time.h>

/* Bodies up to about this size leave cheaper copied behind the head. */
#define FILE_BODY_COPY_MAX   (8u << 10)
#define FILE_LINES_BYTES_MAX (8u << 10)

struct budget;
struct route;

/* What tells that a path still means the same content. */
struct file_mark {
    dev_t dev;
    ino_t ino;
    uint64_t size;
    struct timespec modified;
    struct timespec changed;
};

struct file_variant {
    int fd;        /* -1: this variant does not exist */
    uint64_t size; /* bytes on disk */
    struct file_mark mark;
    struct validators validators;
    struct str content_type; /* the value, charset and all */
    struct str lines;        /* of a 200 or 206 */
    struct str lines_parts;  /* of a multipart 206: no Content-Type */
    struct str lines_304;
    struct str body; /* the whole content, when has_body */
    bool has_body;
    bool may_hold;     /* room for the body is reserved, and charged */
    bool body_asked;   /* an I/O thread is fetching it: file_body.h */
    struct bytes text; /* what the views above point into */
};

struct file_entry {
    struct file_variant variants[CODINGS];
    unsigned offered; /* CODING_BIT() of each variant that exists */
    unsigned files;   /* descriptors held */
    unsigned refs;
    bool young; /* it changed so lately that its time may not show the next */
    struct budget *budget;
    size_t charged; /* bytes of it */

    /* The cache's. */
    bool cached;
    bool checking; /* an I/O thread looks at it: file_check.h */
    struct file_entry *chain;
    struct file_entry *newer;
    struct file_entry *older;
    uint64_t hash;
    uint64_t checked_ms;
    uint64_t used_ms;
    unsigned route_id;
    size_t path_len;
    char path[]; /* behind the route's prefix */
};

enum file_standing {
    FILE_CURRENT,
    FILE_CHANGED,
    FILE_COLD, /* cannot be told without waiting */
};

/* Opens and reads what stands at path beneath the route's folder. PATH_FILE:
 * *ret_entry has one reference, the caller's. Anything else: it is NULL. how:
 * PATH_CACHED or 0. The budget, which may be NULL, outlives the entry. */
enum path_result file_entry_load(const struct route *route, struct str path,
                                 struct budget *budget, unsigned how,
                                 struct file_entry **ret_entry);

/* Whether its path, and the files beside it, still are what was loaded. They
 * count as current when no descriptor is free to look. */
enum file_standing file_entry_standing(const struct file_entry *e,
                                       const struct route *route, unsigned how);

struct file_entry *file_entry_ref(struct file_entry *e);
void file_entry_unref(struct file_entry *e);

/* Takes the content of a small file, unless it is there; what is not all of
 * it is left out. */
void file_entry_take_body(struct file_variant *v, struct str content);

/* Bytes of a variant for the write queue, holding a reference. len >= 1. Of a
 * small file whose body is not in memory yet it is read, without waiting, for
 * those who ask next. */
struct file_range file_entry_range(struct file_entry *e,
                                   const struct file_variant *v, uint64_t pos,
                                   uint64_t len);

#endif
