/* registry_place.h - a registry, its budget and a pool, for tests of it.
 *
 * Promise    at the end everything that was charged has come back, and every
 *            block is home.
 * Threads    one. */
#ifndef TESTS_SUPPORT_REGISTRY_PLACE_H
#define TESTS_SUPPORT_REGISTRY_PLACE_H

#include "buffers/block_pool.h"
#include "buffers/budget.h"
#include "httpd/streams/registry.h"

struct registry_place {
    struct budget budget;
    struct block_pool pool;
    struct registry *r;
};

struct registry_place *registry_place_open(uint64_t streams_max);
void registry_place_close(struct registry_place *p);

/* Of text, drop-oldest, up to 1 MiB. */
struct stream_config registry_place_config(const char *name);

#endif
