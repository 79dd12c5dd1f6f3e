/* fail_alloc.h - an allocation that fails when a test says so.
 *
 * Promise    until told otherwise, everything is passed on to libc.
 * Limits     sees malloc, calloc and realloc of what is linked with it, not
 *            those inside shared libraries; no link-time optimisation.
 * Threads    any; the counts are for the process.
 * Needs      -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc */
#ifndef TESTS_SUPPORT_FAIL_ALLOC_H
#define TESTS_SUPPORT_FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* n more allocations succeed, the one behind them fails, then all succeed. */
void fail_alloc_after(size_t n);

/* n more allocations succeed, none behind them does. */
void fail_alloc_from(size_t n);

/* Everything succeeds again. Whether any allocation has failed since the last
 * fail_alloc_after() or fail_alloc_from(). */
bool fail_alloc_off(void);

#endif
