#include "httpd/files/file_cache.h"

#include "httpd/files/file_check.h"
#include "httpd/http/route.h"
#include "httpd/observe/log.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#define FILES_MIN   16u  /* an entry has four at the most */
#define SWEEP_STEPS 256u /* entries let go in one call */
#define COMPLAIN_MS 1000u

struct file_cache {
    struct file_entry **buckets;
    size_t buckets_n; /* a power of two */
    struct file_entry *newest;
    struct file_entry *oldest;
    size_t files_max;
    uint64_t check_ms;
    uint64_t seed; /* so that nobody outside knows which paths collide */
    uint64_t complained_ms;
    struct file_cache_stats stats;
};

struct file_cache *file_cache_new(size_t files_max, uint64_t check_ms)
{
    struct file_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return NULL;
    cache->files_max = files_max < FILES_MIN ? FILES_MIN : files_max;
    cache->check_ms = check_ms;
    cache->buckets_n = FILES_MIN;
    while (cache->buckets_n < cache->files_max)
        cache->buckets_n *= 2;
    cache->buckets = calloc(cache->buckets_n, sizeof(struct file_entry *));
    if (cache->buckets == NULL ||
        getrandom(&cache->seed, sizeof(cache->seed), 0) < 0) {
        file_cache_free(cache);
        return NULL;
    }
    return cache;
}

/* Eight bytes a step: FNV-1a's idea, with a better mix. */
static uint64_t hash_of(const struct file_cache *cache, unsigned route_id,
                        struct str path)
{
    uint64_t h = cache->seed ^ route_id;
    uint64_t word;
    for (; path.len >= sizeof(word); path = str_skip(path, sizeof(word))) {
        memcpy(&word, path.at, sizeof(word));
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    word = path.len;
    for (size_t i = 0; i < path.len; i++)
        word = word << 8 | (unsigned char)path.at[i];
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static struct file_entry **bucket_of(const struct file_cache *cache,
                                     uint64_t hash)
{
    return &cache->buckets[hash & (cache->buckets_n - 1)];
}

static struct file_entry *find(const struct file_cache *cache, uint64_t hash,
                               unsigned route_id, struct str path)
{
    struct file_entry *e = *bucket_of(cache, hash);
    for (; e != NULL; e = e->chain)
        if (e->hash == hash && e->route_id == route_id &&
            str_equal((struct str){e->path, e->path_len}, path))
            return e;
    return NULL;
}

static void unlink_used(struct file_cache *cache, struct file_entry *e)
{
    *(e->newer ? &e->newer->older : &cache->newest) = e->older;
    *(e->older ? &e->older->newer : &cache->oldest) = e->newer;
}

static void link_used(struct file_cache *cache, struct file_entry *e)
{
    e->newer = NULL;
    e->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = e;
    cache->newest = e;
}

static void touch(struct file_cache *cache, struct file_entry *e,
                  uint64_t now_ms)
{
    e->used_ms = now_ms;
    if (cache->newest == e)
        return;
    unlink_used(cache, e);
    link_used(cache, e);
}

static void drop(struct file_cache *cache, struct file_entry *e)
{
    struct file_entry **at = bucket_of(cache, e->hash);
    while (*at != e) {
        assert(*at != NULL);
        at = &(*at)->chain;
    }
    *at = e->chain;
    unlink_used(cache, e);
    assert(cache->stats.files >= e->files);
    cache->stats.files -= e->files;
    cache->stats.entries--;
    e->cached = false;
    file_entry_unref(e);
}

/* Takes over the caller's reference. */
static void insert(struct file_cache *cache, struct file_entry *e,
                   uint64_t hash, uint64_t now_ms)
{
    assert(!e->cached);
    assert(e->files > 0 && e->files <= FILES_MIN);
    while (cache->stats.files + e->files > cache->files_max) {
        drop(cache, cache->oldest);
        cache->stats.dropped++;
    }
    struct file_entry **bucket = bucket_of(cache, hash);
    e->cached = true;
    e->hash = hash;
    e->chain = *bucket;
    *bucket = e;
    e->checked_ms = now_ms;
    e->used_ms = now_ms;
    link_used(cache, e);
    cache->stats.files += e->files;
    cache->stats.entries++;
}

/* Says once a second at most that descriptors or memory ran out. */
static void complain(struct file_cache *cache, uint64_t now_ms)
{
    if (cache->complained_ms != 0 &&
        now_ms - cache->complained_ms < COMPLAIN_MS)
        return;
    cache->complained_ms = now_ms;
    log_line(LOG_ERROR, "files: no descriptor or memory free to open a file; "
                        "raise the descriptor limit (ulimit -n) or lower "
                        "connections_max");
}

void file_cache_loaded(struct file_cache *cache, enum path_result result,
                       struct file_entry *e, uint64_t asked_ms)
{
    cache->stats.misses++;
    assert((result == PATH_FILE) == (e != NULL));
    if (result == PATH_EXHAUSTED)
        complain(cache, asked_ms);
    if (e == NULL)
        return;
    struct str path = {e->path, e->path_len};
    uint64_t hash = hash_of(cache, e->route_id, path);
    struct file_entry *old = find(cache, hash, e->route_id, path);
    if (old != NULL) {
        cache->stats.replaced++;
        drop(cache, old);
    }
    insert(cache, file_entry_ref(e), hash, asked_ms);
}

void file_cache_checked(struct file_cache *cache, struct file_entry *e,
                        enum file_standing standing, uint64_t asked_ms)
{
    if (!e->cached)
        return;
    if (standing == FILE_CURRENT)
        e->checked_ms = asked_ms;
    if (standing != FILE_CHANGED)
        return;
    cache->stats.replaced++;
    drop(cache, e);
}

static bool must_not_wait(const struct file_want *want)
{
    return want->io != NULL;
}

/* Whether even cached names may wait. */
static bool always_waits(const struct file_want *want)
{
    return must_not_wait(want) && want->route->waits;
}

static unsigned how(const struct file_want *want)
{
    return must_not_wait(want) ? PATH_CACHED : 0;
}

/* Of what may be used the answer is FILE_CURRENT; of what is FILE_CHANGED,
 * the entry is gone. */
static enum file_standing standing_of(struct file_cache *cache,
                                      struct file_entry *e,
                                      const struct file_want *want)
{
    uint64_t age_ms = want->now_ms - e->checked_ms;
    if (age_ms < cache->check_ms)
        return FILE_CURRENT;
    enum file_standing standing = FILE_COLD;
    cache->stats.checks++;
    if (!e->checking && !always_waits(want))
        standing = file_entry_standing(e, want->route, how(want));
    if (standing != FILE_COLD) {
        file_cache_checked(cache, e, standing, want->now_ms);
        return standing;
    }
    if (age_ms - cache->check_ms >= FILE_CACHE_STALE_MS)
        return FILE_COLD;
    file_check_start(cache, e, want);
    return FILE_CURRENT;
}

/* The caller has a reference of what is loaded. */
static enum path_result load(struct file_cache *cache,
                             const struct file_want *want,
                             struct file_entry **ret_entry)
{
    if (always_waits(want))
        return PATH_COLD;
    enum path_result result = file_entry_load(
        want->route, want->path, want->budget, how(want), ret_entry);
    if (result != PATH_COLD)
        file_cache_loaded(cache, result, *ret_entry, want->now_ms);
    return result;
}

enum path_result file_cache_get(struct file_cache *cache,
                                const struct file_want *want,
                                struct file_entry **ret_entry)
{
    unsigned route_id = want->route->id;
    uint64_t hash = hash_of(cache, route_id, want->path);
    struct file_entry *e = find(cache, hash, route_id, want->path);
    *ret_entry = NULL;
    enum file_standing standing =
        e != NULL ? standing_of(cache, e, want) : FILE_CHANGED;
    if (standing == FILE_COLD)
        return PATH_COLD;
    if (standing == FILE_CHANGED)
        return load(cache, want, ret_entry);
    cache->stats.hits++;
    touch(cache, e, want->now_ms);
    *ret_entry = file_entry_ref(e);
    return PATH_FILE;
}

void file_cache_sweep(struct file_cache *cache, uint64_t now_ms)
{
    for (unsigned i = 0; i < SWEEP_STEPS && cache->oldest != NULL; i++) {
        if (now_ms - cache->oldest->used_ms < FILE_CACHE_IDLE_MS)
            return;
        drop(cache, cache->oldest);
        cache->stats.dropped++;
    }
}

struct file_cache_stats file_cache_stats(const struct file_cache *cache)
{
    return cache->stats;
}

void file_cache_free(struct file_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->oldest != NULL)
        drop(cache, cache->oldest);
    free(cache->buckets);
    free(cache);
}
