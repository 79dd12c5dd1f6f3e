/* lab_chunks.h - reads the list of chunk sizes.
 *
 * Limits     LAB_CHUNK_SIZES_MAX sizes of 1 to LAB_CHUNK_BYTES_MAX bytes.
 * Threads    pure. */
#ifndef HTTPD_SOURCES_LAB_CHUNKS_H
#define HTTPD_SOURCES_LAB_CHUNKS_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "1,4k,100" into sizes, which has LAB_CHUNK_SIZES_MAX elements. False when a
 * member is wrong (complaint says which) or there are none or too many;
 * complaint as for lab_bound_read(). */
bool lab_chunk_sizes_read(struct str list, uint32_t *sizes, size_t *ret_n,
                          char *complaint);

#endif
