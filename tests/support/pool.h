/* pool.h - a block pool for tests that have another subject.
 *
 * Promise    every block is tracked; each fault or leak is told at once with
 *            the name of the borrower, and fails the test at the latest when
 *            the pool ends.
 * Threads    as of the pool. */
#ifndef TESTS_SUPPORT_POOL_H
#define TESTS_SUPPORT_POOL_H

#include "buffers/block_pool.h"

/* Keeps up to keep blocks of each class; no other bound, no budget. */
void test_pool_init(struct block_pool *p, uint32_t keep);

/* Checks it first; everything must be back. */
void test_pool_fini(struct block_pool *p);

/* Blocks of all classes that are out. */
uint64_t test_pool_in_use(const struct block_pool *p);

#endif
