/* fail_nth.c - linked into a unit test, it has the test's Nth allocation fail.
 *
 * FAIL_NTH=N in the environment arms it; the exit code is FAIL_NTH_UNUSED when
 * the test passed and made fewer allocations than that. */
#include "tests/support/fail_alloc.h"

#include <stdlib.h>
#include <unistd.h>

#define FAIL_NTH_UNUSED 90

static bool armed;

__attribute__((constructor)) static void arm(void)
{
    const char *n = getenv("FAIL_NTH");
    unsigned long nth = n ? strtoul(n, NULL, 10) : 0;
    armed = nth > 0;
    if (armed)
        fail_alloc_after(nth - 1);
}

__attribute__((destructor)) static void tell(void)
{
    if (armed && !fail_alloc_off())
        _exit(FAIL_NTH_UNUSED);
}
