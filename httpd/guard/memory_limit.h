/* memory_limit.h - how much memory this process may have at all.
 *
 * Promise    the least of the machine's memory and of the limits of every
 *            control group that the process is in, outer ones among them; what
 *            cannot be read counts as no limit.
 * Threads    any; reads files.
 * Source     cgroups(7); kernel documentation, cgroup-v2 (memory.max) and
 *            cgroup-v1 (memory.limit_in_bytes). */
#ifndef HTTPD_GUARD_MEMORY_LIMIT_H
#define HTTPD_GUARD_MEMORY_LIMIT_H

#include <stdint.h>

/* Bytes; never 0. */
uint64_t memory_limit(void);

/* The least limit of the groups that the file membership names
 * (/proc/self/cgroup), beneath root (/sys/fs/cgroup); UINT64_MAX: none. */
uint64_t memory_limit_of_groups(const char *membership, const char *root);

#endif
