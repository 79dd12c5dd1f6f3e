#include "tests/support/cold_names.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGUMENTS_N 6

_Atomic enum cold_names cold_names;
atomic_uint cold_names_asked;
atomic_uint cold_names_waited;

static int refusal(const struct open_how *how)
{
    if (!(how->resolve & RESOLVE_CACHED)) {
        atomic_fetch_add(&cold_names_waited, 1);
        return 0;
    }
    atomic_fetch_add(&cold_names_asked, 1);
    switch (atomic_load(&cold_names)) {
    case NAMES_COLD:
        return EAGAIN;
    case NAMES_OLD_KERNEL:
        return EINVAL;
    default:
        return 0;
    }
}

long syscall(long sysno, ...)
{
    union {
        void *found;
        long (*call)(long, ...);
    } next = {.found = dlsym(RTLD_NEXT, "syscall")};
    long a[ARGUMENTS_N];
    va_list list;
    va_start(list, sysno);
    for (int i = 0; i < ARGUMENTS_N; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (sysno == SYS_openat2) {
        errno = refusal((const struct open_how *)a[2]);
        if (errno != 0)
            return -1;
    }
    return next.call(sysno, a[0], a[1], a[2], a[3], a[4], a[5]);
}
