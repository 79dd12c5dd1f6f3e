#include "tests/support/fail_alloc.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What the linker makes of malloc and its kin: the caller's go to __wrap_…,
 * libc's own are __real_…. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

enum mode {
    MODE_OFF,
    MODE_ONE,
    MODE_ALL,
};

static atomic_int mode;
static atomic_size_t seen; /* since the mode was set */
static atomic_size_t spared;
static atomic_bool failed;

static void start(enum mode m, size_t n)
{
    atomic_store(&mode, MODE_OFF);
    atomic_store(&seen, 0);
    atomic_store(&spared, n);
    atomic_store(&failed, false);
    atomic_store(&mode, m);
}

void fail_alloc_after(size_t n)
{
    start(MODE_ONE, n);
}

void fail_alloc_from(size_t n)
{
    start(MODE_ALL, n);
}

bool fail_alloc_off(void)
{
    atomic_store(&mode, MODE_OFF);
    return atomic_load(&failed);
}

static bool must_fail(void)
{
    int m = atomic_load(&mode);
    if (m == MODE_OFF)
        return false;
    size_t number = atomic_fetch_add(&seen, 1);
    size_t n = atomic_load(&spared);
    bool fail = m == MODE_ALL ? number >= n : number == n;
    if (fail)
        atomic_store(&failed, true);
    return fail;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : __real_realloc(old, size);
}
