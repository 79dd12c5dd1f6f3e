/* file_residency_ways.h - the single ways of file_residency.c, for its tests.
 *
 * Promise    each answers as file_resident() does, from what its own system
 *            call says; RESIDENCY_UNKNOWN where that is missing or may not be
 *            believed for this file.
 * Threads    any. */
#ifndef BUFFERS_FILE_RESIDENCY_WAYS_H
#define BUFFERS_FILE_RESIDENCY_WAYS_H

#include <stdint.h>

/* Pages that are there, also those whose read has not ended. */
uint64_t residency_by_cachestat(int fd, uint64_t pos, uint64_t len);

uint64_t residency_by_mincore(int fd, uint64_t pos, uint64_t len);

/* By one byte at pos, at each multiple of step_bytes, and at the end. */
uint64_t residency_by_reads(int fd, uint64_t pos, uint64_t len,
                            uint64_t step_bytes);

#endif
