/* name_hash.h - a keyed hash, for tables whose keys strangers choose.
 *
 * Promise    without the key nobody can find names that share a bucket.
 * Threads    pure.
 * Cost       about 2 ns a byte.
 * Not for    telling contents apart: it is no digest.
 * Source     SipHash-2-4 (Aumasson, Bernstein, 2012). */
#ifndef HTTPD_STREAMS_NAME_HASH_H
#define HTTPD_STREAMS_NAME_HASH_H

#include "buffers/str.h"

#include <stdint.h>

struct name_key {
    uint64_t k0;
    uint64_t k1;
};

uint64_t name_hash(const struct name_key *key, struct str name);

#endif
