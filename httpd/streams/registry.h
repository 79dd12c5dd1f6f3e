/* registry.h - every stream by name, shared by all workers.
 *
 *      PUT, first write ---> registry_create() --+      one lock around the
 *      GET, POST, HEAD ----> registry_find() ----+----> table; a stream's own
 *      DELETE, life span --> registry_delete() --+      lock is taken inside it
 *
 * Promise    a name that was deleted is free at once and shows no old data. A
 *            stream whose life span is over is never found. One with forks is
 *            soft-deleted: found as such until its last fork goes, up the whole
 *            chain.
 * Limits     streams_max streams; beyond: REGISTRY_FULL.
 * Owns       one reference to each stream; what it gives out is counted anew.
 * Threads    any.
 * Source     Durable Streams protocol: create, delete, expiry, forks. */
#ifndef HTTPD_STREAMS_REGISTRY_H
#define HTTPD_STREAMS_REGISTRY_H

#include "httpd/streams/stream.h"

struct budget;
struct registry;

enum registry_result {
    REGISTRY_CREATED,
    REGISTRY_EXISTS,       /* *ret is the one that is there */
    REGISTRY_SOFT_DELETED, /* the name is kept by forks: 409 on PUT, else 410 */
    REGISTRY_FOUND,
    REGISTRY_NOT_FOUND,
    REGISTRY_FULL,        /* 503 */
    REGISTRY_NO_MEMORY,   /* 503: also by the budget */
    REGISTRY_SOURCE_GONE, /* the fork's source was deleted meanwhile: 409 */
};

/* NULL when out of memory. */
struct registry *registry_new(struct budget *budget, uint64_t streams_max);

/* Ends every stream and lets go of its memory; readers must be gone. */
void registry_free(struct registry *r);

/* Drops the blocks of all streams, before the pools that they came from go. */
void registry_drop_all(struct registry *r);

/* now_ms is since 1970. Every *ret is a reference of the caller's, or NULL. */
enum registry_result registry_create(struct registry *r,
                                     const struct stream_config *config,
                                     uint64_t now_ms, struct stream **ret);
enum registry_result registry_find(struct registry *r, struct str name,
                                   uint64_t now_ms, struct stream **ret);

/* REGISTRY_FOUND: deleted, or soft-deleted when it has forks. */
enum registry_result registry_delete(struct registry *r, struct str name,
                                     uint64_t now_ms);

/* Expires and ages; about once a second, by one worker; at most
 * REGISTRY_SWEEP_MAX streams a call, going round. */
#define REGISTRY_SWEEP_MAX 4096u
void registry_sweep(struct registry *r, uint64_t now_ms);

uint64_t registry_streams_n(struct registry *r);

/* Calls fn with every stream, at most most of them, each held meanwhile. */
void registry_each(struct registry *r, size_t most,
                   bool (*fn)(void *arg, struct stream *s), void *arg);

#endif
