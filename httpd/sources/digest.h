/* digest.h - SHA-256 of bytes that come in pieces, to compare with sha256sum.
 *
 * Threads    one at a time.
 * Source     FIPS 180-4, done by libcrypto. */
#ifndef HTTPD_SOURCES_DIGEST_H
#define HTTPD_SOURCES_DIGEST_H

#include "buffers/str.h"

#include <stdbool.h>

#define DIGEST_HEX_BYTES 64u

struct digest;

/* NULL when out of memory. */
struct digest *digest_new(void);
void digest_free(struct digest *d);

/* False when libcrypto failed; the result is worthless then. */
bool digest_add(struct digest *d, struct str piece);

/* Writes DIGEST_HEX_BYTES of lower-case hexadecimal, no NUL. Nothing may be
 * added after it. */
bool digest_hex(struct digest *d, char *out);

#endif
