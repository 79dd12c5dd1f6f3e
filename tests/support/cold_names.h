/* cold_names.h - a kernel that has forgotten names, or never could tell.
 *
 * Replaces syscall() in a test that refers to it: openat2() with
 * RESOLVE_CACHED fails as that kernel would; all else goes through.
 *
 * Promise    cold_names_asked counts questions with RESOLVE_CACHED, and
 *            cold_names_waited those without.
 * Threads    any. */
#ifndef TESTS_SUPPORT_COLD_NAMES_H
#define TESTS_SUPPORT_COLD_NAMES_H

#include <stdatomic.h>

enum cold_names {
    NAMES_AS_THEY_ARE,
    NAMES_COLD,       /* EAGAIN */
    NAMES_OLD_KERNEL, /* EINVAL: before Linux 5.12 */
};

extern _Atomic enum cold_names cold_names;
extern atomic_uint cold_names_asked;
extern atomic_uint cold_names_waited;

#endif
