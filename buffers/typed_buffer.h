/* typed_buffer.h - a buffer.h buffer of one C type.
 *
 *      TYPED_BUFFER(sample_buffer, struct sample)
 *
 *      struct sample_buffer b;
 *      if (!sample_buffer_init(&b, &(struct buffer_config){
 *              .name = "samples", .kind = BUFFER_RING, .cap = 1024}))
 *          return FLOW_NO_MEMORY;
 *      sample_buffer_add(&b, &sample);      // an int * does not compile
 *      sample_buffer_fini(&b);
 *
 * Promise    every function of buffer.h under the prefix NAME_, with TYPE * in
 *            the place of void *; a pointer to another type is an error of
 *            the compiler, in every file that includes this one. The untyped
 *            buffer is NAME.raw.
 * Limits     TYPE is written before a *: an array or a pointer to a function
 *            needs a typedef or a struct around it.
 * Owns       NAME_init() makes raw, NAME_fini() frees it; false: no memory.
 *            elem_bytes is set by init.
 * Threads    as buffer.h.
 * Cost       none: static inline calls. */
#ifndef BUFFERS_TYPED_BUFFER_H
#define BUFFERS_TYPED_BUFFER_H

#include "buffers/buffer.h"

#include <stdbool.h>

/* The standard asks for no more than a diagnosis. */
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#pragma GCC diagnostic error "-Wint-conversion"
#pragma GCC diagnostic error "-Wpointer-sign"

#define TYPED_BUFFER_FN __attribute__((unused)) static inline

#define TYPED_BUFFER(NAME, TYPE)                                               \
    struct NAME {                                                              \
        struct buffer *raw;                                                    \
    };                                                                         \
    TYPED_BUFFER_LIFE(NAME, TYPE)                                              \
    TYPED_BUFFER_WRITES(NAME, TYPE)                                            \
    TYPED_BUFFER_READS(NAME, TYPE)                                             \
    TYPED_BUFFER_WHOLE(NAME)                                                   \
    struct NAME /* the user's semicolon ends it */

#define TYPED_BUFFER_LIFE(NAME, TYPE)                                          \
    TYPED_BUFFER_FN bool NAME##_init(struct NAME *b,                           \
                                     const struct buffer_config *config)       \
    {                                                                          \
        struct buffer_config c = *config;                                      \
        c.elem_bytes = sizeof(TYPE);                                           \
        b->raw = buffer_new(&c);                                               \
        return b->raw != NULL;                                                 \
    }                                                                          \
    TYPED_BUFFER_FN void NAME##_fini(struct NAME *b)                           \
    {                                                                          \
        buffer_free(b->raw);                                                   \
        b->raw = NULL;                                                         \
    }

#define TYPED_BUFFER_WRITES(NAME, TYPE)                                        \
    TYPED_BUFFER_FN enum flow NAME##_write(struct NAME *b, TYPE const *elems,  \
                                           size_t n, size_t *ret_n)            \
    {                                                                          \
        return buffer_write(b->raw, elems, n, ret_n);                          \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_try_write(                                \
        struct NAME *b, TYPE const *elems, size_t n, size_t *ret_n)            \
    {                                                                          \
        return buffer_try_write(b->raw, elems, n, ret_n);                      \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_write_until(                              \
        struct NAME *b, TYPE const *elems, size_t n, uint64_t deadline_ns,     \
        size_t *ret_n)                                                         \
    {                                                                          \
        return buffer_write_until(b->raw, elems, n, deadline_ns, ret_n);       \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_add(struct NAME *b, TYPE const *elem)     \
    {                                                                          \
        return buffer_add(b->raw, elem);                                       \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_try_add(struct NAME *b, TYPE const *elem) \
    {                                                                          \
        return buffer_try_add(b->raw, elem);                                   \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_add_until(                                \
        struct NAME *b, TYPE const *elem, uint64_t deadline_ns)                \
    {                                                                          \
        return buffer_add_until(b->raw, elem, deadline_ns);                    \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_reserve_until(                            \
        struct NAME *b, size_t n, uint64_t deadline_ns, TYPE **ret_room,       \
        size_t *ret_n)                                                         \
    {                                                                          \
        void *room;                                                            \
        enum flow r =                                                          \
            buffer_reserve_until(b->raw, n, deadline_ns, &room, ret_n);        \
        *ret_room = room;                                                      \
        return r;                                                              \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_reserve(struct NAME *b, size_t n,         \
                                             TYPE **ret_room, size_t *ret_n)   \
    {                                                                          \
        return NAME##_reserve_until(b, n, BUFFER_NO_DEADLINE, ret_room,        \
                                    ret_n);                                    \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_try_reserve(                              \
        struct NAME *b, size_t n, TYPE **ret_room, size_t *ret_n)              \
    {                                                                          \
        void *room;                                                            \
        enum flow r = buffer_try_reserve(b->raw, n, &room, ret_n);             \
        *ret_room = room;                                                      \
        return r;                                                              \
    }                                                                          \
    TYPED_BUFFER_FN void NAME##_commit(struct NAME *b, size_t n)               \
    {                                                                          \
        buffer_commit(b->raw, n);                                              \
    }

#define TYPED_BUFFER_READS(NAME, TYPE)                                         \
    TYPED_BUFFER_FN enum flow NAME##_read(struct NAME *b, TYPE *elems,         \
                                          size_t n, size_t *ret_n)             \
    {                                                                          \
        return buffer_read(b->raw, elems, n, ret_n);                           \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_try_read(struct NAME *b, TYPE *elems,     \
                                              size_t n, size_t *ret_n)         \
    {                                                                          \
        return buffer_try_read(b->raw, elems, n, ret_n);                       \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_read_until(                               \
        struct NAME *b, TYPE *elems, size_t n, uint64_t deadline_ns,           \
        size_t *ret_n)                                                         \
    {                                                                          \
        return buffer_read_until(b->raw, elems, n, deadline_ns, ret_n);        \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_next(struct NAME *b, TYPE *ret_elem)      \
    {                                                                          \
        return buffer_next(b->raw, ret_elem);                                  \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_try_next(struct NAME *b, TYPE *ret_elem)  \
    {                                                                          \
        return buffer_try_next(b->raw, ret_elem);                              \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_next_until(                               \
        struct NAME *b, TYPE *ret_elem, uint64_t deadline_ns)                  \
    {                                                                          \
        return buffer_next_until(b->raw, ret_elem, deadline_ns);               \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_discard(struct NAME *b, size_t n,         \
                                             size_t *ret_n)                    \
    {                                                                          \
        return buffer_discard(b->raw, n, ret_n);                               \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_peek_until(                               \
        struct NAME *b, size_t n, uint64_t deadline_ns,                        \
        TYPE const **ret_elems, size_t *ret_n)                                 \
    {                                                                          \
        const void *elems;                                                     \
        enum flow r =                                                          \
            buffer_peek_until(b->raw, n, deadline_ns, &elems, ret_n);          \
        *ret_elems = elems;                                                    \
        return r;                                                              \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_peek(                                     \
        struct NAME *b, size_t n, TYPE const **ret_elems, size_t *ret_n)       \
    {                                                                          \
        return NAME##_peek_until(b, n, BUFFER_NO_DEADLINE, ret_elems, ret_n);  \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_try_peek(                                 \
        struct NAME *b, size_t n, TYPE const **ret_elems, size_t *ret_n)       \
    {                                                                          \
        const void *elems;                                                     \
        enum flow r = buffer_try_peek(b->raw, n, &elems, ret_n);               \
        *ret_elems = elems;                                                    \
        return r;                                                              \
    }                                                                          \
    TYPED_BUFFER_FN void NAME##_consume(struct NAME *b, size_t n)              \
    {                                                                          \
        buffer_consume(b->raw, n);                                             \
    }

#define TYPED_BUFFER_WHOLE(NAME)                                               \
    TYPED_BUFFER_FN size_t NAME##_len(const struct NAME *b)                    \
    {                                                                          \
        return buffer_len(b->raw);                                             \
    }                                                                          \
    TYPED_BUFFER_FN size_t NAME##_cap(const struct NAME *b)                    \
    {                                                                          \
        return buffer_cap(b->raw);                                             \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_reset(struct NAME *b)                     \
    {                                                                          \
        return buffer_reset(b->raw);                                           \
    }                                                                          \
    TYPED_BUFFER_FN void NAME##_close_write(struct NAME *b)                    \
    {                                                                          \
        buffer_close_write(b->raw);                                            \
    }                                                                          \
    TYPED_BUFFER_FN void NAME##_close_with_error(struct NAME *b, int error)    \
    {                                                                          \
        buffer_close_with_error(b->raw, error);                                \
    }                                                                          \
    TYPED_BUFFER_FN void NAME##_close(struct NAME *b)                          \
    {                                                                          \
        buffer_close(b->raw);                                                  \
    }                                                                          \
    TYPED_BUFFER_FN int NAME##_error(const struct NAME *b)                     \
    {                                                                          \
        return buffer_error(b->raw);                                           \
    }                                                                          \
    TYPED_BUFFER_FN enum flow NAME##_set_cap(struct NAME *b, size_t cap)       \
    {                                                                          \
        return buffer_set_cap(b->raw, cap);                                    \
    }                                                                          \
    TYPED_BUFFER_FN const char *NAME##_name(const struct NAME *b)              \
    {                                                                          \
        return buffer_name(b->raw);                                            \
    }                                                                          \
    TYPED_BUFFER_FN enum buffer_kind NAME##_kind(const struct NAME *b)         \
    {                                                                          \
        return buffer_kind(b->raw);                                            \
    }                                                                          \
    TYPED_BUFFER_FN void NAME##_stats(const struct NAME *b,                    \
                                      struct buffer_stats *ret_stats)          \
    {                                                                          \
        buffer_stats(b->raw, ret_stats);                                       \
    }                                                                          \
    TYPED_BUFFER_FN uint64_t NAME##_sample_age(struct NAME *b,                 \
                                               uint64_t now_ms)                \
    {                                                                          \
        return buffer_sample_age(b->raw, now_ms);                              \
    }                                                                          \
    TYPED_BUFFER_FN void NAME##_check(struct NAME *b)                          \
    {                                                                          \
        buffer_check(b->raw);                                                  \
    }

#endif
