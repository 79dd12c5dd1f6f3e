#include "httpd/streams/stream_append.h"
#include "httpd/streams/stream_inner.h"

#include "parser/media_type.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Positions are written with 16 digits, and clients keep them as doubles. */
#define POSITION_MAX ((UINT64_C(1) << 53) - 1)

void stream_drop(struct stream *s, uint64_t pos)
{
    struct store *store = s->store;
    if (pos <= store->first)
        return;
    store->ops->drop(store, pos);
    time_marks_drop(&s->marks, pos);
    if (s->released < pos)
        s->released = pos;
}

/* From where on bytes count against the capacity. */
static uint64_t kept_from(const struct stream *s)
{
    return s->bounds.policy == POLICY_BLOCK ? s->released : s->store->first;
}

static uint64_t capacity_left(const struct stream *s)
{
    uint64_t kept = s->store->end - kept_from(s);
    return kept < s->bounds.bytes_max ? s->bounds.bytes_max - kept : 0;
}

static bool messages_fit(const struct stream *s, uint64_t n)
{
    const struct store *store = s->store;
    if (s->bounds.messages_max == 0 ||
        store->messages_n + n <= s->bounds.messages_max)
        return true;
    /* What was released will be dropped. */
    uint64_t released_n = 0;
    if (s->bounds.policy == POLICY_BLOCK && s->released > store->first) {
        uint64_t behind_n;
        (void)store->ops->skip_messages(s->store, s->released, UINT64_MAX,
                                        &behind_n);
        released_n = store->messages_n - behind_n;
    }
    return store->messages_n - released_n + n <= s->bounds.messages_max;
}

static enum append_result check_room(struct stream *s, uint64_t bytes,
                                     uint64_t messages_n)
{
    const struct stream_bounds *b = &s->bounds;
    bool never = bytes > b->bytes_max ||
                 (b->messages_max > 0 && messages_n > b->messages_max);
    if ((never && b->policy != POLICY_GROW) ||
        bytes > POSITION_MAX - s->store->end)
        return APPEND_TOO_LARGE;
    bool fits = messages_fit(s, messages_n);
    switch (b->policy) {
    case POLICY_DROP_OLDEST:
    case POLICY_GROW: /* the budget alone says no */
        return APPEND_DONE;
    case POLICY_BLOCK:
        if (fits && bytes <= capacity_left(s))
            return APPEND_DONE;
        s->starved = true;
        return APPEND_FULL;
    case POLICY_REJECT:
        return fits && bytes <= capacity_left(s) ? APPEND_DONE : APPEND_REFUSED;
    }
    return APPEND_REFUSED;
}

/* Lets the oldest go until bytes and messages_n more are within the bounds. */
static void make_way(struct stream *s, uint64_t bytes, uint64_t messages_n)
{
    struct store *store = s->store;
    const struct stream_bounds *b = &s->bounds;
    uint64_t pos = store->first;
    if (b->policy != POLICY_DROP_OLDEST && b->policy != POLICY_BLOCK)
        return;
    if (store->end - pos + bytes > b->bytes_max) {
        uint64_t least = store->end + bytes - b->bytes_max;
        pos = least >= store->end ? store->end
                                  : store->ops->message_end(store, least - 1);
    }
    if (b->messages_max > 0 &&
        store->messages_n + messages_n > b->messages_max) {
        uint64_t excess = store->messages_n + messages_n - b->messages_max;
        uint64_t found;
        uint64_t by_count =
            store->ops->skip_messages(store, store->first, excess, &found);
        pos = by_count > pos ? by_count : pos;
    }
    assert(b->policy != POLICY_BLOCK || pos <= s->released);
    stream_drop(s, pos);
}

/* Where memory is short the oldest goes, a block's worth at a time; but not all
 * of it for what others would take. */
#define OWN_DROP_BYTES BLOCK_64K_BYTES
#define OWN_DROPS_MAX  4u

static bool drop_own(struct stream *s, uint64_t bytes)
{
    struct store *store = s->store;
    uint64_t some = bytes > OWN_DROP_BYTES ? bytes : OWN_DROP_BYTES;
    if (s->bounds.policy != POLICY_DROP_OLDEST || store->end == store->first)
        return false;
    stream_drop(s, store->end - store->first <= some
                       ? store->end
                       : store->ops->message_end(store, store->first + some));
    return true;
}

static enum append_result store_messages(struct stream *s,
                                         const struct append *a, uint64_t bytes)
{
    struct store *store = s->store;
    uint64_t begin = store->end;
    struct str suffix = stream_suffix(s);
    enum flow r =
        store->ops->append(store, a->pool, a->messages, a->messages_n, suffix);
    if (r == FLOW_NO_MEMORY) {
        /* What would be dropped behind it anyway may make room for it. */
        make_way(s, bytes, a->messages_n);
        r = store->ops->append(store, a->pool, a->messages, a->messages_n,
                               suffix);
    }
    for (unsigned n = 0;
         r == FLOW_NO_MEMORY && n < OWN_DROPS_MAX && drop_own(s, bytes); n++)
        r = store->ops->append(store, a->pool, a->messages, a->messages_n,
                               suffix);
    if (r != FLOW_DONE)
        return s->bounds.policy == POLICY_GROW ? APPEND_REFUSED
                                               : APPEND_NO_MEMORY;
    make_way(s, 0, 0);
    time_marks_add(&s->marks, a->now_ms, begin);
    return APPEND_DONE;
}

static bool seq_grows(const struct stream *s, struct str seq)
{
    if (!s->seq)
        return true;
    size_t n = seq.len < s->seq_len ? seq.len : s->seq_len;
    int order = memcmp(s->seq, seq.at, n);
    return order < 0 || (order == 0 && s->seq_len < seq.len);
}

/* Room for the new one, taken before anything is changed. */
static bool reserve_seq(struct stream *s, struct str seq)
{
    assert(seq.len <= STREAM_SEQ_BYTES_MAX);
    if (!seq.at || s->seq)
        return true;
    s->seq = malloc(STREAM_SEQ_BYTES_MAX);
    s->seq_len = 0;
    return s->seq != NULL;
}

static void keep_seq(struct stream *s, struct str seq)
{
    if (!seq.at)
        return;
    if (seq.len > 0)
        memcpy(s->seq, seq.at, seq.len);
    s->seq_len = seq.len;
}

static enum append_result check_closed(struct stream *s, const struct append *a,
                                       struct append_outcome *ret)
{
    bool producer = a->producer.id.at != NULL;
    if (producer && producers_closed_by(&s->producers, &a->producer)) {
        ret->epoch = a->producer.epoch;
        ret->seq = a->producer.seq;
        return APPEND_DUPLICATE;
    }
    if (!producer && a->close && a->messages_n == 0)
        return APPEND_DUPLICATE;
    return APPEND_CLOSED;
}

/* Everything that does not change the stream. */
static enum append_result check(struct stream *s, const struct append *a,
                                struct append_outcome *ret)
{
    if (s->gone)
        return APPEND_GONE;
    if (s->closed)
        return check_closed(s, a, ret);
    if (a->content_type.at &&
        !media_type_same(a->content_type, s->content_type))
        return APPEND_TYPE;
    if (a->producer.id.at) {
        enum append_result r =
            producers_check(&s->producers, &a->producer, ret);
        if (r != APPEND_DONE)
            return r;
    }
    if (a->seq.at && !seq_grows(s, a->seq))
        return APPEND_SEQ_ORDER;
    return APPEND_DONE;
}

static enum append_result reserve(struct stream *s, const struct append *a)
{
    if (!reserve_seq(s, a->seq))
        return APPEND_NO_MEMORY;
    if (!a->producer.id.at)
        return APPEND_DONE;
    return producers_prepare(&s->producers, &a->producer,
                             a->pool ? a->pool->budget : NULL, a->now_ms);
}

static enum append_result append_locked(struct stream *s,
                                        const struct append *a,
                                        struct append_outcome *ret)
{
    uint64_t bytes = a->messages_n * stream_suffix(s).len;
    for (size_t i = 0; i < a->messages_n; i++) {
        assert(a->messages[i].len > 0);
        bytes += a->messages[i].len;
    }
    enum append_result r = check(s, a, ret);
    ret->need = (struct stream_need){bytes, a->messages_n};
    if (r == APPEND_DONE && a->messages_n > 0)
        r = check_room(s, bytes, a->messages_n);
    if (r == APPEND_DONE)
        r = reserve(s, a);
    if (r == APPEND_DONE && a->messages_n > 0)
        r = store_messages(s, a, bytes);
    if (r == APPEND_DUPLICATE)
        s->touched_ms = a->now_ms;
    if (r != APPEND_DONE)
        return r;
    if (a->producer.id.at) {
        producers_accept(&s->producers, &a->producer, a->close, a->now_ms);
        ret->epoch = a->producer.epoch;
        ret->seq = a->producer.seq;
    }
    keep_seq(s, a->seq);
    s->closed = a->close;
    s->touched_ms = a->now_ms;
    stream_tell(s);
    return APPEND_DONE;
}

enum append_result stream_append(struct stream *s, const struct append *a,
                                 struct append_outcome *ret)
{
    assert(s->magic == STREAM_MAGIC);
    *ret = (struct append_outcome){0};
    pthread_mutex_lock(&s->lock);
    enum append_result r = append_locked(s, a, ret);
    ret->tail = s->store->end;
    ret->closed = s->closed;
    pthread_mutex_unlock(&s->lock);
    return r;
}

uint64_t stream_room(struct stream *s)
{
    if (s->bounds.policy != POLICY_BLOCK)
        return UINT64_MAX;
    pthread_mutex_lock(&s->lock);
    uint64_t room = UINT64_MAX;
    if (!s->gone && !s->closed) {
        room = messages_fit(s, 1) ? capacity_left(s) : 0;
        s->starved = s->starved || room == 0;
    }
    pthread_mutex_unlock(&s->lock);
    return room;
}

bool stream_fits(struct stream *s, const struct stream_need *need)
{
    pthread_mutex_lock(&s->lock);
    bool fits =
        s->gone || s->closed || s->bounds.policy != POLICY_BLOCK ||
        (messages_fit(s, need->messages_n) && need->bytes <= capacity_left(s));
    s->starved = s->starved || !fits;
    pthread_mutex_unlock(&s->lock);
    return fits;
}

void stream_count_waiting(struct stream *s, bool begins)
{
    if (begins) {
        atomic_fetch_add(&s->waiting_n, 1);
        return;
    }
    unsigned before = atomic_fetch_sub(&s->waiting_n, 1);
    assert(before > 0);
    (void)before;
}

bool stream_holds_publishers(struct stream *s)
{
    return atomic_load(&s->waiting_n) > 0;
}

void stream_drop_aged(struct stream *s, uint64_t now_ms)
{
    if (s->bounds.age_ms == 0 || now_ms < s->bounds.age_ms)
        return;
    pthread_mutex_lock(&s->lock);
    stream_drop(
        s, time_marks_pos(&s->marks, now_ms - s->bounds.age_ms, s->store->end));
    if (s->starved) {
        s->starved = false;
        stream_tell(s);
    }
    pthread_mutex_unlock(&s->lock);
}
