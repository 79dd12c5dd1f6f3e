#include "httpd/streams/stream_inner.h"

#include <assert.h>

static void state_of(const struct stream *s, struct stream_state *ret)
{
    *ret = (struct stream_state){
        .first = s->store->first,
        .tail = s->store->end,
        .messages_n = s->store->messages_n,
        .closed = s->closed,
        .gone = s->gone,
        .soft_deleted = s->soft_deleted,
    };
}

void stream_look(struct stream *s, struct stream_state *ret)
{
    pthread_mutex_lock(&s->lock);
    state_of(s, ret);
    pthread_mutex_unlock(&s->lock);
}

static enum stream_read where(const struct stream *s, uint64_t pos,
                              uint64_t *end)
{
    const struct store *store = s->store;
    if (pos < store->first)
        return READ_LAPPED;
    if (*end > store->end)
        *end = store->end;
    return pos >= *end ? READ_TAIL : READ_DONE;
}

enum stream_read stream_copy(struct stream *s, uint64_t pos, uint64_t end,
                             struct str buffer, struct stream_copy *ret)
{
    ret->got.len = 0;
    ret->got.ends_n = 0;
    pthread_mutex_lock(&s->lock);
    state_of(s, &ret->state);
    enum stream_read r = where(s, pos, &end);
    if (r == READ_DONE)
        s->store->ops->copy(s->store, pos, end, (char *)buffer.at, buffer.len,
                            &ret->got);
    pthread_mutex_unlock(&s->lock);
    return r;
}

enum stream_read stream_stretch(struct stream *s, uint64_t pos, uint64_t end,
                                struct stretch *ret)
{
    pthread_mutex_lock(&s->lock);
    enum stream_read r = where(s, pos, &end);
    if (r == READ_DONE)
        s->store->ops->stretch(s->store, pos, end, ret);
    pthread_mutex_unlock(&s->lock);
    return r;
}

bool stream_at_message(struct stream *s, uint64_t pos)
{
    pthread_mutex_lock(&s->lock);
    struct store *store = s->store;
    bool inside = pos >= store->first && pos <= store->end;
    bool at = inside && store->ops->message_begin(store, pos) == pos;
    pthread_mutex_unlock(&s->lock);
    return at;
}

uint64_t stream_align(struct stream *s, uint64_t pos)
{
    pthread_mutex_lock(&s->lock);
    struct store *store = s->store;
    if (pos < store->first)
        pos = store->first;
    if (pos >= store->end)
        pos = store->end;
    else if (store->ops->message_begin(store, pos) != pos)
        pos = store->ops->message_end(store, pos);
    pthread_mutex_unlock(&s->lock);
    return pos;
}

uint64_t stream_skip_messages(struct stream *s, uint64_t pos, uint64_t n,
                              uint64_t *ret_found)
{
    *ret_found = 0;
    pthread_mutex_lock(&s->lock);
    struct store *store = s->store;
    if (pos >= store->first && pos <= store->end && n > 0)
        pos = store->ops->skip_messages(store, pos, n, ret_found);
    pthread_mutex_unlock(&s->lock);
    return pos;
}

uint64_t stream_pos_at(struct stream *s, uint64_t since_ms)
{
    pthread_mutex_lock(&s->lock);
    uint64_t pos = time_marks_pos(&s->marks, since_ms, s->store->end);
    if (pos < s->store->first)
        pos = s->store->first;
    pthread_mutex_unlock(&s->lock);
    return pos;
}
