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
 * Limits     streams_max streams, soft-deleted ones among them; beyond:
 *            REGISTRY_FULL. Each is charged to the budget with
 *            REGISTRY_STREAM_BYTES and its texts.
 * Owns       one reference to each stream; what it gives out is counted anew.
 * Threads    any. Streams are let go of after the lock.
 * Cost       a keyed hash and one short chain; the table grows by one bucket a
 *            stream, so that no creation pays for all.
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

/* About what a stream takes before its first byte. */
#define REGISTRY_STREAM_BYTES 1024u

/* NULL when out of memory, or of random numbers. */
struct registry *registry_new(struct budget *budget, uint64_t streams_max);

/* Ends every stream and lets go of it; readers must be gone. NULL is fine. */
void registry_free(struct registry *r);

/* Drops the blocks of all streams, before the pools that they came from go. */
void registry_drop_all(struct registry *r);

/* now_ms is since 1970. Every *ret is a reference of the caller's, or NULL.
 * None of them restarts a time to live. */
enum registry_result registry_create(struct registry *r,
                                     const struct stream_config *config,
                                     uint64_t now_ms, struct stream **ret);
/* As registry_create(), of a stream that was made, and filled, beforehand:
 * nobody sees it half-made. *ret is s, or the one that is there. */
enum registry_result registry_add(struct registry *r, struct stream *s,
                                  uint64_t now_ms, struct stream **ret);

enum registry_result registry_find(struct registry *r, struct str name,
                                   uint64_t now_ms, struct stream **ret);

/* REGISTRY_FOUND: deleted, or soft-deleted when it has forks;
 * REGISTRY_SOFT_DELETED: it was already; REGISTRY_NOT_FOUND. */
enum registry_result registry_delete(struct registry *r, struct str name,
                                     uint64_t now_ms);

/* Expires and ages; about once a second, by one worker. At most
 * REGISTRY_SWEEP_MAX streams a call, going round; the lock is let go of every
 * REGISTRY_SWEEP_STEP. */
#define REGISTRY_SWEEP_MAX  4096u
#define REGISTRY_SWEEP_STEP 256u
void registry_sweep(struct registry *r, uint64_t now_ms);

uint64_t registry_streams_n(struct registry *r);

/* Calls fn with at most most streams, soft-deleted ones among them, each held
 * meanwhile and none locked, until it says false. One that is created or
 * deleted meanwhile may be missed, and with creations one may come twice. */
void registry_each(struct registry *r, size_t most,
                   bool (*fn)(void *arg, struct stream *s), void *arg);

#endif
