#include "tests/model/buffer_model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool buffer_model_init(struct buffer_model *m,
                       const struct buffer_config *config)
{
    size_t cap =
        config->kind == BUFFER_GROWABLE ? config->cap_max : config->cap;
    assert(cap >= 1 && cap <= BUFFER_MODEL_CAP_MAX);
    *m = (struct buffer_model){
        .kind = config->kind, .elem_bytes = config->elem_bytes, .cap = cap};
    m->elems = malloc(BUFFER_MODEL_CAP_MAX * m->elem_bytes);
    return m->elems != NULL;
}

void buffer_model_fini(struct buffer_model *m)
{
    free(m->elems);
    m->elems = NULL;
}

bool buffer_model_closed(const struct buffer_model *m)
{
    return m->closed || (m->write_closed && m->len == 0);
}

static enum flow writer_gets(const struct buffer_model *m)
{
    if (m->error)
        return FLOW_FAILED;
    if (m->closed || m->write_closed)
        return FLOW_END;
    return m->reserved ? FLOW_FULL : FLOW_DONE;
}

static enum flow reader_gets(const struct buffer_model *m)
{
    if (m->error)
        return FLOW_FAILED;
    if (buffer_model_closed(m))
        return FLOW_END;
    return m->peeked || m->len == 0 ? FLOW_AGAIN : FLOW_DONE;
}

bool buffer_model_readable(const struct buffer_model *m)
{
    return reader_gets(m) != FLOW_AGAIN;
}

bool buffer_model_writable(const struct buffer_model *m)
{
    size_t most;
    return buffer_model_may_reserve(m, 1, &most) != FLOW_FULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void remove_oldest(struct buffer_model *m, size_t n)
{
    assert(n <= m->len);
    m->len -= n;
    memmove(m->elems, m->elems + n * m->elem_bytes, m->len * m->elem_bytes);
}

static void lose_oldest(struct buffer_model *m, size_t n)
{
    remove_oldest(m, n);
    m->lost += n;
}

static void append(struct buffer_model *m, const void *elem)
{
    assert(m->len < m->cap);
    memcpy(m->elems + m->len * m->elem_bytes, elem, m->elem_bytes);
    m->len++;
    if (m->len > m->len_max)
        m->len_max = m->len;
}

/* False: there is no room, and the element is not taken. */
static bool take(struct buffer_model *m, const void *elem)
{
    bool full = m->len == m->cap;
    if (full && m->kind != BUFFER_RING)
        return false;
    m->written++;
    if (full && m->peeked) {
        m->lost++;
        return true;
    }
    if (full)
        lose_oldest(m, 1);
    append(m, elem);
    return true;
}

enum flow buffer_model_write(struct buffer_model *m, const void *elems,
                             size_t n, size_t *ret_n)
{
    const unsigned char *at = elems;
    *ret_n = 0;
    if (writer_gets(m) != FLOW_DONE)
        return writer_gets(m);
    while (*ret_n < n && take(m, at + *ret_n * m->elem_bytes))
        ++*ret_n;
    return *ret_n == n ? FLOW_DONE : FLOW_FULL;
}

enum flow buffer_model_read(struct buffer_model *m, void *elems, size_t n,
                            size_t *ret_n)
{
    *ret_n = 0;
    if (reader_gets(m) != FLOW_DONE)
        return reader_gets(m);
    *ret_n = least(n, m->len);
    memcpy(elems, m->elems, *ret_n * m->elem_bytes);
    remove_oldest(m, *ret_n);
    m->read += *ret_n;
    return FLOW_DONE;
}

enum flow buffer_model_discard(struct buffer_model *m, size_t n, size_t *ret_n)
{
    *ret_n = 0;
    if (reader_gets(m) != FLOW_DONE)
        return reader_gets(m);
    *ret_n = least(n, m->len);
    remove_oldest(m, *ret_n);
    m->read += *ret_n;
    return FLOW_DONE;
}

enum flow buffer_model_may_reserve(const struct buffer_model *m, size_t n,
                                   size_t *ret_most)
{
    bool overwrites = m->kind == BUFFER_RING && !m->peeked;
    *ret_most = 0;
    if (writer_gets(m) != FLOW_DONE)
        return writer_gets(m);
    *ret_most = least(n, overwrites ? m->cap : m->cap - m->len);
    return *ret_most > 0 ? FLOW_DONE : FLOW_FULL;
}

void buffer_model_reserved(struct buffer_model *m, size_t n)
{
    m->reserved = true;
    if (m->len + n > m->cap)
        lose_oldest(m, m->len + n - m->cap);
}

void buffer_model_commit(struct buffer_model *m, const void *elems, size_t n)
{
    const unsigned char *at = elems;
    m->reserved = false;
    if (writer_gets(m) != FLOW_DONE)
        return;
    for (size_t i = 0; i < n; i++)
        append(m, at + i * m->elem_bytes);
    m->written += n;
}

enum flow buffer_model_may_peek(const struct buffer_model *m, size_t n,
                                size_t *ret_most)
{
    enum flow r = reader_gets(m);
    *ret_most = r == FLOW_DONE ? least(n, m->len) : 0;
    return r;
}

void buffer_model_peeked(struct buffer_model *m)
{
    m->peeked = true;
}

void buffer_model_consume(struct buffer_model *m, size_t n)
{
    m->peeked = false;
    if (reader_gets(m) != FLOW_DONE)
        return;
    remove_oldest(m, n);
    m->read += n;
}

static void drop_all(struct buffer_model *m)
{
    m->dropped += m->len;
    m->len = 0;
}

enum flow buffer_model_reset(struct buffer_model *m)
{
    if (m->reserved || m->peeked)
        return FLOW_AGAIN;
    drop_all(m);
    m->write_closed = false;
    m->closed = false;
    m->error = 0;
    return FLOW_DONE;
}

enum flow buffer_model_set_cap(struct buffer_model *m, size_t cap)
{
    if (m->reserved || m->peeked)
        return FLOW_AGAIN;
    if (cap < m->len)
        return FLOW_FULL;
    m->cap = cap;
    return FLOW_DONE;
}

void buffer_model_close_write(struct buffer_model *m)
{
    if (!buffer_model_closed(m))
        m->write_closed = true;
}

void buffer_model_close_with_error(struct buffer_model *m, int error)
{
    if (buffer_model_closed(m))
        return;
    drop_all(m);
    m->closed = true;
    m->error = error;
}

void buffer_model_close(struct buffer_model *m)
{
    if (buffer_model_closed(m))
        return;
    drop_all(m);
    m->closed = true;
}
