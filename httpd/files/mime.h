/* mime.h - which media type a file name stands for.
 *
 * Promise    every name has a type: by its extension in any letter case, else
 *            application/octet-stream. Of two lines for one extension the
 *            first counts; common web types stand in where no file has them.
 * Limits     MIME_FILE_BYTES_MAX, MIME_TYPES_MAX, MIME_EXTENSIONS_MAX; what
 *            is beyond, or not a media type, is passed over.
 * Owns       one table for the process.
 * Threads    read only between mime_init() and mime_fini().
 * Source     mime.types(5), RFC 6838 section 4.2. */
#ifndef HTTPD_FILES_MIME_H
#define HTTPD_FILES_MIME_H

#include "buffers/str.h"

#include <stdbool.h>

#define MIME_FILE_BYTES_MAX      (1u << 20)
#define MIME_TYPES_MAX           2048u
#define MIME_TYPE_BYTES_MAX      127u
#define MIME_EXTENSIONS_MAX      4096u
#define MIME_EXTENSION_BYTES_MAX 32u

struct mime_type {
    struct str name; /* "text/html" */
    bool utf8;       /* say "; charset=utf-8" behind it */
    bool compressible;
};

/* Loads the table once, before any worker starts: from path, unless that is
 * NULL or empty; else from the system's /etc/mime.types; else from fallback,
 * which may be NULL. False, and the log says why, when path was given and
 * cannot be read, or when out of memory. */
bool mime_init(const char *path, const char *fallback);
void mime_fini(void);

/* The type of a file name or path; never NULL. */
const struct mime_type *mime_find(struct str path);

#endif
