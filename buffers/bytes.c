#include "buffers/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_init(struct bytes *b, size_t bytes_max)
{
    assert(bytes_max > 0);
    *b = (struct bytes){.max = bytes_max};
}

void bytes_fini(struct bytes *b)
{
    free(b->data);
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
}

void bytes_reset(struct bytes *b)
{
    b->len = 0;
}

void bytes_trim(struct bytes *b, size_t keep_bytes)
{
    assert(b->len == 0);
    if (b->cap > keep_bytes)
        bytes_fini(b);
}

static enum flow grow(struct bytes *b, size_t need)
{
    size_t cap = b->cap < BYTES_CAP_MIN ? BYTES_CAP_MIN : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max)
        cap = b->max;
    char *data = realloc(b->data, cap + 1); /* vsnprintf() ends with a NUL */
    if (!data)
        return FLOW_NO_MEMORY;
    b->data = data;
    b->cap = cap;
    return FLOW_DONE;
}

enum flow bytes_reserve(struct bytes *b, size_t n, char **ret_room)
{
    assert(b->len <= b->cap && b->cap <= b->max);
    if (n > b->max - b->len)
        return FLOW_FULL;
    if (n > b->cap - b->len) {
        enum flow r = grow(b, b->len + n);
        if (r != FLOW_DONE)
            return r;
    }
    *ret_room = b->data ? b->data + b->len : NULL;
    return FLOW_DONE;
}

void bytes_commit(struct bytes *b, size_t n)
{
    assert(n <= b->cap - b->len);
    b->len += n;
}

enum flow bytes_append(struct bytes *b, const void *data, size_t len)
{
    char *room;
    enum flow r = bytes_reserve(b, len, &room);
    if (r != FLOW_DONE || len == 0)
        return r;
    assert(room);
    memcpy(room, data, len);
    b->len += len;
    return FLOW_DONE;
}

enum flow bytes_append_str(struct bytes *b, struct str s)
{
    return bytes_append(b, s.at, s.len);
}

enum flow bytes_printf(struct bytes *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(need >= 0);

    char *room;
    enum flow r = bytes_reserve(b, (size_t)need, &room);
    if (r != FLOW_DONE || need == 0)
        return r;
    va_start(args, format);
    vsnprintf(room, (size_t)need + 1, format, args);
    va_end(args);
    b->len += (size_t)need;
    return FLOW_DONE;
}

void bytes_skip(struct bytes *b, size_t n)
{
    assert(n <= b->len);
    b->len -= n;
    if (n > 0 && b->len > 0)
        memmove(b->data, b->data + n, b->len);
}

struct str bytes_view(const struct bytes *b)
{
    return (struct str){b->data, b->len};
}
