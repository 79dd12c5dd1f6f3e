#include "httpd/guard/descriptors.h"

#include <assert.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t at_least_one(size_t n)
{
    return n > 0 ? n : 1;
}

struct descriptor_shares descriptors_share(size_t limit, size_t workers_n,
                                           size_t files_wanted,
                                           size_t refused_wanted)
{
    assert(workers_n > 0);
    limit = least(limit, DESCRIPTORS_MAX);
    size_t left = limit - least(DESCRIPTORS_OWN, limit / 2);
    size_t files = least(files_wanted, left / 2 / workers_n);
    size_t refused = least(refused_wanted, left / 8 / workers_n);
    left -= (files + refused) * workers_n;
    return (struct descriptor_shares){.connections = at_least_one(left),
                                      .files = at_least_one(files),
                                      .refused = refused};
}
