/* alloc_trace.c - preloaded, it writes down what a program asks of malloc().
 *
 *      ALLOC_TRACE=file LD_PRELOAD=alloc_trace.so program…
 *
 * For glibc: its allocator is reached by the names it has inside. */
#include "bench/trace/alloc_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *at);

static struct alloc_trace *trace;
static uint64_t begin_ms;

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("ALLOC_TRACE");
    int fd =
        path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    struct alloc_trace *t = MAP_FAILED;
    if (ftruncate(fd, sizeof *t) == 0)
        t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (t == MAP_FAILED)
        return;
    begin_ms = clock_ms();
    t->magic = ALLOC_TRACE_MAGIC;
    trace = t;
}

static void note(const void *at, size_t bytes)
{
    if (!trace || !at)
        return;
    uint64_t i =
        atomic_fetch_add_explicit(&trace->events_n, 1, memory_order_relaxed);
    if (i >= ALLOC_TRACE_EVENTS_MAX)
        return;
    trace->events[i] = (struct alloc_event){
        .address = (uint64_t)(uintptr_t)at,
        .bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
        .ms = (uint32_t)(clock_ms() - begin_ms),
    };
}

static void *noted(void *at, size_t bytes)
{
    note(at, bytes > 0 ? bytes : 1);
    return at;
}

void *malloc(size_t size)
{
    return noted(__libc_malloc(size), size);
}

void *calloc(size_t nmemb, size_t size)
{
    return noted(__libc_calloc(nmemb, size), nmemb * size);
}

void *realloc(void *ptr, size_t size)
{
    note(ptr, 0);
    return noted(__libc_realloc(ptr, size), size);
}

void *memalign(size_t alignment, size_t size)
{
    return noted(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return noted(__libc_memalign(alignment, size), size);
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    void *at = noted(__libc_memalign(alignment, size), size);
    if (!at)
        return ENOMEM;
    *memptr = at;
    return 0;
}

void free(void *ptr)
{
    note(ptr, 0);
    __libc_free(ptr);
}
