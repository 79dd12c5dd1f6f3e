#include "httpd/streams/registry.h"

#include "buffers/budget.h"
#include "httpd/streams/name_hash.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#define EACH_BATCH 64u /* streams that are held at once */

/* Buckets that a step of the sweep passes at most: they may be empty. */
#define SWEEP_BUCKETS 4096u

struct entry {
    struct entry *next;
    struct stream *stream;
    struct entry *source; /* kept in the table by its forks_n */
    size_t forks_n;
    uint64_t hash;
    size_t bytes_charged;
    bool soft_deleted;
};

/* Linear hashing: buckets [0, buckets_n) are in use, one more with every
 * stream; the array has room for all from the start, but memory is taken only
 * where it was touched. */
struct registry {
    pthread_mutex_t lock;
    struct name_key key;
    struct budget *budget;
    uint64_t streams_max;
    struct entry **buckets;
    size_t buckets_n;
    size_t buckets_max;
    size_t half; /* the largest power of two up to buckets_n */
    uint64_t streams_n;
    size_t swept; /* the bucket that the sweep begins with */
};

struct registry *registry_new(struct budget *budget, uint64_t streams_max)
{
    assert(streams_max > 0);
    struct registry *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->budget = budget;
    r->streams_max = streams_max;
    r->buckets_max = streams_max;
    r->buckets_n = 1;
    r->half = 1;
    r->buckets = calloc(r->buckets_max, sizeof(struct entry *));
    if (!r->buckets ||
        getrandom(&r->key, sizeof r->key, 0) != (ssize_t)sizeof r->key) {
        free(r->buckets);
        free(r);
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static size_t bucket_of(const struct registry *r, uint64_t hash)
{
    size_t i = hash & (2 * r->half - 1);
    return i < r->buckets_n ? i : i - r->half;
}

/* The link to the entry of that name, or to the NULL where it is not. */
static struct entry **link_of(struct registry *r, uint64_t hash,
                              struct str name)
{
    struct entry **link = &r->buckets[bucket_of(r, hash)];
    while (*link && ((*link)->hash != hash ||
                     !str_equal(stream_name((*link)->stream), name)))
        link = &(*link)->next;
    return link;
}

/* One bucket more: it takes its share of one other. */
static void grow(struct registry *r)
{
    if (r->streams_n <= r->buckets_n || r->buckets_n == r->buckets_max)
        return;
    struct entry **from = &r->buckets[r->buckets_n - r->half];
    struct entry **to = &r->buckets[r->buckets_n];
    while (*from) {
        struct entry *e = *from;
        if ((e->hash & (2 * r->half - 1)) != r->buckets_n) {
            from = &e->next;
            continue;
        }
        *from = e->next;
        e->next = *to;
        *to = e;
    }
    r->buckets_n++;
    if (r->buckets_n == 2 * r->half)
        r->half = r->buckets_n;
}

static void take_out(struct registry *r, struct entry *e, struct entry **dead)
{
    struct entry **link = &r->buckets[bucket_of(r, e->hash)];
    while (*link != e)
        link = &(*link)->next;
    *link = e->next;
    e->next = *dead;
    *dead = e;
    r->streams_n--;
}

/* Deleted or expired. Without forks it goes, and with it whatever stayed up the
 * chain for its sake alone. */
static void end(struct registry *r, struct entry *e, struct entry **dead)
{
    assert(!e->soft_deleted);
    if (e->forks_n > 0) {
        e->soft_deleted = true;
        stream_end(e->stream, true);
        return;
    }
    while (e) {
        struct entry *source = e->source;
        stream_end(e->stream, false);
        take_out(r, e, dead);
        assert(!source || source->forks_n > 0);
        bool last = source && --source->forks_n == 0;
        e = last && source->soft_deleted ? source : NULL;
    }
}

/* Without the lock: a stream may have much to let go of. */
static void bury(struct registry *r, struct entry *dead)
{
    while (dead) {
        struct entry *e = dead;
        dead = e->next;
        stream_unref(e->stream);
        budget_give(r->budget, BUDGET_NEW, e->bytes_charged);
        free(e);
    }
}

/* The entry of that name; NULL when there is none, or it has just expired. */
static struct entry *look_up(struct registry *r, uint64_t hash, struct str name,
                             uint64_t now_ms, struct entry **dead)
{
    struct entry *e = *link_of(r, hash, name);
    if (!e || e->soft_deleted || !stream_expired(e->stream, now_ms))
        return e;
    end(r, e, dead);
    return e->soft_deleted ? e : NULL;
}

static struct entry *look_up_source(struct registry *r, struct stream *source,
                                    uint64_t now_ms, struct entry **dead)
{
    struct str name = stream_name(source);
    struct entry *e = look_up(r, name_hash(&r->key, name), name, now_ms, dead);
    return e && e->stream == source && !e->soft_deleted ? e : NULL;
}

/* What comes into the table: a stream that was made, or is made of config. */
struct newcomer {
    struct stream *made; /* or NULL: made of config */
    const struct stream_config *config;
    struct str name;
    struct str content_type;
    struct stream *source; /* of a fork, or NULL */
    uint64_t now_ms;
};

/* NULL when out of memory. */
static struct entry *entry_new(struct registry *r, const struct newcomer *n)
{
    size_t bytes = REGISTRY_STREAM_BYTES + n->name.len + n->content_type.len;
    if (!budget_take(r->budget, BUDGET_NEW, bytes))
        return NULL;
    struct entry *e = calloc(1, sizeof *e);
    if (e)
        e->stream =
            n->made ? stream_ref(n->made) : stream_new(n->config, n->now_ms);
    if (!e || !e->stream) {
        free(e);
        budget_give(r->budget, BUDGET_NEW, bytes);
        return NULL;
    }
    e->bytes_charged = bytes;
    return e;
}

static enum registry_result take_in(struct registry *r,
                                    const struct newcomer *n,
                                    struct entry **dead, struct entry **ret)
{
    uint64_t hash = name_hash(&r->key, n->name);
    *ret = look_up(r, hash, n->name, n->now_ms, dead);
    if (*ret)
        return (*ret)->soft_deleted ? REGISTRY_SOFT_DELETED : REGISTRY_EXISTS;
    struct entry *source = NULL;
    if (n->source) {
        source = look_up_source(r, n->source, n->now_ms, dead);
        if (!source)
            return REGISTRY_SOURCE_GONE;
    }
    if (r->streams_n >= r->streams_max)
        return REGISTRY_FULL;
    struct entry *e = entry_new(r, n);
    if (!e)
        return REGISTRY_NO_MEMORY;
    e->hash = hash;
    e->source = source;
    if (source)
        source->forks_n++;
    struct entry **bucket = &r->buckets[bucket_of(r, hash)];
    e->next = *bucket;
    *bucket = e;
    r->streams_n++;
    grow(r);
    *ret = e;
    return REGISTRY_CREATED;
}

static enum registry_result create(struct registry *r, const struct newcomer *n,
                                   struct stream **ret)
{
    struct entry *dead = NULL;
    struct entry *e;
    pthread_mutex_lock(&r->lock);
    enum registry_result result = take_in(r, n, &dead, &e);
    *ret = e && !e->soft_deleted ? stream_ref(e->stream) : NULL;
    pthread_mutex_unlock(&r->lock);
    bury(r, dead);
    return result;
}

enum registry_result registry_create(struct registry *r,
                                     const struct stream_config *config,
                                     uint64_t now_ms, struct stream **ret)
{
    struct newcomer n = {.config = config,
                         .name = config->name,
                         .content_type = config->content_type,
                         .source = config->source,
                         .now_ms = now_ms};
    return create(r, &n, ret);
}

enum registry_result registry_add(struct registry *r, struct stream *s,
                                  uint64_t now_ms, struct stream **ret)
{
    struct newcomer n = {.made = s,
                         .name = stream_name(s),
                         .content_type = stream_content_type(s),
                         .source = stream_source(s),
                         .now_ms = now_ms};
    return create(r, &n, ret);
}

enum registry_result registry_find(struct registry *r, struct str name,
                                   uint64_t now_ms, struct stream **ret)
{
    struct entry *dead = NULL;
    enum registry_result result = REGISTRY_NOT_FOUND;
    uint64_t hash = name_hash(&r->key, name);
    *ret = NULL;
    pthread_mutex_lock(&r->lock);
    struct entry *e = look_up(r, hash, name, now_ms, &dead);
    if (e && e->soft_deleted) {
        result = REGISTRY_SOFT_DELETED;
    } else if (e) {
        result = REGISTRY_FOUND;
        *ret = stream_ref(e->stream);
    }
    pthread_mutex_unlock(&r->lock);
    bury(r, dead);
    return result;
}

enum registry_result registry_delete(struct registry *r, struct str name,
                                     uint64_t now_ms)
{
    struct entry *dead = NULL;
    enum registry_result result = REGISTRY_NOT_FOUND;
    uint64_t hash = name_hash(&r->key, name);
    pthread_mutex_lock(&r->lock);
    struct entry *e = look_up(r, hash, name, now_ms, &dead);
    if (e && e->soft_deleted) {
        result = REGISTRY_SOFT_DELETED;
    } else if (e) {
        result = REGISTRY_FOUND;
        end(r, e, &dead);
    }
    pthread_mutex_unlock(&r->lock);
    bury(r, dead);
    return result;
}

static struct entry *find_expired(struct entry *e, uint64_t now_ms)
{
    while (e && (e->soft_deleted || !stream_expired(e->stream, now_ms)))
        e = e->next;
    return e;
}

/* Returns how many were looked at. An end may take others out of the bucket, so
 * that each search begins anew. */
static size_t sweep_bucket(struct registry *r, size_t bucket, uint64_t now_ms,
                           struct entry **dead)
{
    struct entry *e;
    size_t n = 0;
    while ((e = find_expired(r->buckets[bucket], now_ms)) != NULL) {
        end(r, e, dead);
        n++;
    }
    for (e = r->buckets[bucket]; e; e = e->next) {
        if (!e->soft_deleted)
            stream_drop_aged(e->stream, now_ms);
        n++;
    }
    return n;
}

/* One hold of the lock. Returns how many buckets were passed, most at most. */
static size_t sweep_step(struct registry *r, size_t most, uint64_t now_ms)
{
    struct entry *dead = NULL;
    size_t buckets = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t n = 0; n < REGISTRY_SWEEP_STEP && buckets < most; buckets++) {
        n += sweep_bucket(r, r->swept, now_ms, &dead);
        r->swept = (r->swept + 1) % r->buckets_n;
    }
    pthread_mutex_unlock(&r->lock);
    bury(r, dead);
    return buckets;
}

void registry_sweep(struct registry *r, uint64_t now_ms)
{
    pthread_mutex_lock(&r->lock);
    size_t left = r->buckets_n;
    pthread_mutex_unlock(&r->lock);
    for (size_t n = 0; n < REGISTRY_SWEEP_MAX && left > 0;
         n += REGISTRY_SWEEP_STEP)
        left -=
            sweep_step(r, left < SWEEP_BUCKETS ? left : SWEEP_BUCKETS, now_ms);
}

uint64_t registry_streams_n(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
    uint64_t n = r->streams_n;
    pthread_mutex_unlock(&r->lock);
    return n;
}

/* Where a walk stands: behind skip entries of a bucket. */
struct walk {
    size_t bucket;
    size_t skip;
    size_t n;
    struct stream *at[EACH_BATCH];
};

static void collect(struct registry *r, struct walk *w, size_t most)
{
    w->n = 0;
    pthread_mutex_lock(&r->lock);
    while (w->bucket < r->buckets_n && w->n < most) {
        struct entry *e = r->buckets[w->bucket];
        for (size_t i = 0; e && i < w->skip; i++)
            e = e->next;
        for (; e && w->n < most; e = e->next, w->skip++)
            w->at[w->n++] = stream_ref(e->stream);
        if (!e) {
            w->bucket++;
            w->skip = 0;
        }
    }
    pthread_mutex_unlock(&r->lock);
}

void registry_each(struct registry *r, size_t most,
                   bool (*fn)(void *arg, struct stream *s), void *arg)
{
    struct walk w = {0};
    bool more = true;
    do {
        collect(r, &w, most < EACH_BATCH ? most : EACH_BATCH);
        for (size_t i = 0; i < w.n; i++) {
            more = more && fn(arg, w.at[i]);
            stream_unref(w.at[i]);
        }
        most -= w.n;
    } while (more && w.n > 0);
}

void registry_drop_all(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->buckets_n; i++) {
        for (struct entry *e = r->buckets[i]; e; e = e->next)
            stream_drop_all(e->stream);
    }
    pthread_mutex_unlock(&r->lock);
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->buckets_n; i++) {
        for (struct entry *e = r->buckets[i]; e; e = e->next)
            stream_end(e->stream, false);
        bury(r, r->buckets[i]);
    }
    pthread_mutex_destroy(&r->lock);
    free(r->buckets);
    free(r);
}
