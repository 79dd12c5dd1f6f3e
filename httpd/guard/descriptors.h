/* descriptors.h - how the process's descriptors are shared out.
 *
 *      limit = own + refused + cached files + connections
 *
 * Promise    every part gets something however low the limit is, and cached
 *            files never more than half, so that connections do not starve.
 * Threads    pure.
 * Source     getrlimit(2), RLIMIT_NOFILE. */
#ifndef HTTPD_GUARD_DESCRIPTORS_H
#define HTTPD_GUARD_DESCRIPTORS_H

#include <stddef.h>

#define DESCRIPTORS_MAX 1000000u /* a higher limit, or none, counts as this */
#define DESCRIPTORS_OWN 64u      /* standard streams, listeners, event bases */

struct descriptor_shares {
    size_t connections; /* in all */
    size_t files;       /* cached per worker */
    size_t refused;     /* connections being turned away, per worker */
};

/* Shares limit out among workers_n workers; files_wanted and refused_wanted
 * are for each of them. */
struct descriptor_shares descriptors_share(size_t limit, size_t workers_n,
                                           size_t files_wanted,
                                           size_t refused_wanted);

#endif
