#include "httpd/streams/stream_inner.h"
#include "httpd/streams/tap.h"

#include "parser/media_type.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t ids;

/* Entity tags outlive the process: the first id is of the time it was made, and
 * a later process begins beyond, were there a million streams a millisecond. */
#define ID_CLOCK_SHIFT 20

static uint64_t new_id(uint64_t now_ms)
{
    uint64_t none = 0;
    atomic_compare_exchange_strong(&ids, &none, now_ms << ID_CLOCK_SHIFT | 1);
    return atomic_fetch_add(&ids, 1);
}

static bool copy_text(struct str *to, struct str from)
{
    char *at = malloc(from.len + 1);
    if (!at)
        return false;
    if (from.len > 0)
        memcpy(at, from.at, from.len);
    at[from.len] = '\0';
    to->at = at;
    to->len = from.len;
    return true;
}

static enum stream_kind kind_of(struct str content_type)
{
    if (media_type_is(content_type, STR("application/json")))
        return STREAM_JSON;
    return media_type_is_text(content_type) ? STREAM_TEXT : STREAM_BINARY;
}

struct str stream_suffix(const struct stream *s)
{
    return s->kind == STREAM_JSON ? STR("\n") : (struct str){0};
}

static void stream_free(struct stream *s)
{
    assert(!s->taps);
    if (s->store)
        s->store->ops->free(s->store);
    producers_fini(&s->producers);
    time_marks_fini(&s->marks);
    pthread_mutex_destroy(&s->lock);
    free((char *)s->name.at);
    free((char *)s->content_type.at);
    free(s->seq);
    s->magic = 0;
    free(s);
}

/* A chain of forks is let go of one after the other, however long. */
void stream_unref(struct stream *s)
{
    while (s && atomic_fetch_sub(&s->refs, 1) == 1) {
        struct stream *source = s->source;
        stream_free(s);
        s = source;
    }
}

struct stream *stream_ref(struct stream *s)
{
    assert(s->magic == STREAM_MAGIC);
    atomic_fetch_add(&s->refs, 1);
    return s;
}

/* What the source has before pos, and when it was published. */
static bool take_over(struct stream *s, struct stream *source, uint64_t pos)
{
    bool marked = false;
    pthread_mutex_lock(&source->lock);
    struct store *store = source->store;
    if (store->first <= pos && pos <= store->end)
        s->store = store->ops->fork(store, pos);
    if (s->store)
        marked = time_marks_copy(&s->marks, &source->marks, pos);
    pthread_mutex_unlock(&source->lock);
    return marked;
}

static bool take_store(struct stream *s, const struct stream_config *config)
{
    if (config->source)
        return take_over(s, config->source, config->fork_pos);
    s->store = memory_store_new();
    return s->store != NULL;
}

struct stream *stream_new(const struct stream_config *config, uint64_t now_ms)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->magic = STREAM_MAGIC;
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->lock, NULL);
    producers_init(&s->producers);
    time_marks_init(&s->marks);
    s->id = new_id(now_ms);
    s->kind = kind_of(config->content_type);
    s->life = config->life;
    s->bounds = config->bounds;
    s->closed = config->closed;
    s->touched_ms = now_ms;
    s->fork_pos = config->fork_pos;
    if (!take_store(s, config) || !copy_text(&s->name, config->name) ||
        !copy_text(&s->content_type, config->content_type)) {
        stream_free(s);
        return NULL;
    }
    s->released = s->store->first;
    if (config->source)
        s->source = stream_ref(config->source);
    return s;
}

struct str stream_name(const struct stream *s)
{
    return s->name;
}

struct str stream_content_type(const struct stream *s)
{
    return s->content_type;
}

enum stream_kind stream_kind(const struct stream *s)
{
    return s->kind;
}

const struct life_span *stream_life(const struct stream *s)
{
    return &s->life;
}

const struct stream_bounds *stream_bounds(const struct stream *s)
{
    return &s->bounds;
}

uint64_t stream_id(const struct stream *s)
{
    return s->id;
}

struct stream *stream_source(const struct stream *s)
{
    return s->source;
}

uint64_t stream_fork_pos(const struct stream *s)
{
    return s->fork_pos;
}

void stream_touch(struct stream *s, uint64_t now_ms)
{
    if (s->life.kind != LIFE_TTL)
        return;
    pthread_mutex_lock(&s->lock);
    s->touched_ms = now_ms;
    pthread_mutex_unlock(&s->lock);
}

static size_t count_readers(const struct stream *s)
{
    size_t n = 0;
    for (const struct tap *t = s->taps; t; t = t->next_of_stream)
        n += t->readers_n;
    return n;
}

size_t stream_readers_n(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = count_readers(s);
    pthread_mutex_unlock(&s->lock);
    return n;
}

bool stream_expired(struct stream *s, uint64_t now_ms)
{
    if (s->life.kind == LIFE_ENDLESS)
        return false;
    if (s->life.kind == LIFE_EXPIRES_AT)
        return now_ms >= s->life.expires_at_ms;
    pthread_mutex_lock(&s->lock);
    bool expired =
        count_readers(s) == 0 && now_ms >= s->touched_ms + s->life.ttl_s * 1000;
    pthread_mutex_unlock(&s->lock);
    return expired;
}

void stream_end(struct stream *s, bool soft)
{
    pthread_mutex_lock(&s->lock);
    s->gone = true;
    s->soft_deleted = soft;
    stream_tell(s);
    pthread_mutex_unlock(&s->lock);
}

void stream_drop_all(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->gone = true;
    stream_drop(s, s->store->end);
    pthread_mutex_unlock(&s->lock);
}

void stream_tell(struct stream *s)
{
    for (struct tap *t = s->taps; t; t = t->next_of_stream)
        tap_news(t);
}

void stream_add_tap(struct stream *s, struct tap *t)
{
    pthread_mutex_lock(&s->lock);
    t->floor = UINT64_MAX;
    t->next_of_stream = s->taps;
    s->taps = t;
    pthread_mutex_unlock(&s->lock);
}

/* What nobody needs any more may go, and a publisher that waits come in. */
static void settle_released(struct stream *s)
{
    uint64_t least = UINT64_MAX;
    for (const struct tap *t = s->taps; t; t = t->next_of_stream)
        least = t->floor < least ? t->floor : least;
    if (least == UINT64_MAX)
        return;
    struct store *store = s->store;
    if (least < store->first)
        least = store->first;
    uint64_t before = s->released;
    s->released = store->ops->message_begin(store, least);
    if (s->starved && s->released > before) {
        s->starved = false;
        stream_tell(s);
    }
}

void stream_remove_tap(struct stream *s, struct tap *t)
{
    pthread_mutex_lock(&s->lock);
    struct tap **link = &s->taps;
    while (*link != t)
        link = &(*link)->next_of_stream;
    *link = t->next_of_stream;
    settle_released(s);
    pthread_mutex_unlock(&s->lock);
}

void stream_tap_floor(struct stream *s, struct tap *t, uint64_t pos)
{
    pthread_mutex_lock(&s->lock);
    if (t->floor != pos) {
        t->floor = pos;
        settle_released(s);
    }
    pthread_mutex_unlock(&s->lock);
}
