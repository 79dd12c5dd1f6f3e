/* buffer_model.h - what a buffer of buffer.h answers, said as plainly as can
 * be.
 *
 *      elems[0] is the oldest; everything moves when it goes.
 *
 * Promise    every result, count and content that buffer.h promises to one
 *            thread that uses the forms which do not wait. Where buffer.h
 *            leaves a number to the buffer (how much lies in one piece), the
 *            model says the most that may be given and is told what was.
 * Limits     BUFFER_MODEL_CAP_MAX elements.
 * Owns       elems, from buffer_model_init() to buffer_model_fini().
 * Threads    one.
 * Cost       none that matters: it is slow. */
#ifndef TESTS_MODEL_BUFFER_MODEL_H
#define TESTS_MODEL_BUFFER_MODEL_H

#include "buffers/buffer.h"

#include <stdbool.h>

#define BUFFER_MODEL_CAP_MAX ((size_t)64)

struct buffer_model {
    enum buffer_kind kind;
    size_t elem_bytes;
    size_t cap; /* of a growable one the ceiling */
    unsigned char *elems;
    size_t len;
    bool write_closed;
    bool closed;
    int error;
    bool reserved; /* a reserve is out */
    bool peeked;   /* a peek is out */
    uint64_t written;
    uint64_t read;
    uint64_t lost;
    uint64_t dropped;
    uint64_t len_max;
};

/* False: out of memory. */
bool buffer_model_init(struct buffer_model *m,
                       const struct buffer_config *config);
void buffer_model_fini(struct buffer_model *m);

enum flow buffer_model_write(struct buffer_model *m, const void *elems,
                             size_t n, size_t *ret_n);
enum flow buffer_model_read(struct buffer_model *m, void *elems, size_t n,
                            size_t *ret_n);
enum flow buffer_model_discard(struct buffer_model *m, size_t n, size_t *ret_n);

/* What a reserve of n answers, and on DONE the most that it may hand out. */
enum flow buffer_model_may_reserve(const struct buffer_model *m, size_t n,
                                   size_t *ret_most);
/* It handed out n. */
void buffer_model_reserved(struct buffer_model *m, size_t n);
void buffer_model_commit(struct buffer_model *m, const void *elems, size_t n);

/* The same for a peek; what it shows is the first of elems. */
enum flow buffer_model_may_peek(const struct buffer_model *m, size_t n,
                                size_t *ret_most);
void buffer_model_peeked(struct buffer_model *m);
void buffer_model_consume(struct buffer_model *m, size_t n);

enum flow buffer_model_reset(struct buffer_model *m);
enum flow buffer_model_set_cap(struct buffer_model *m, size_t cap);
void buffer_model_close_write(struct buffer_model *m);
void buffer_model_close_with_error(struct buffer_model *m, int error);
void buffer_model_close(struct buffer_model *m);

/* Closed: by whom it may be, and nothing is left. */
bool buffer_model_closed(const struct buffer_model *m);
/* Whether a reader would get an answer, and a writer whatever its form: a
 * full ring that is peeked has no room in place. */
bool buffer_model_readable(const struct buffer_model *m);
bool buffer_model_writable(const struct buffer_model *m);

#endif
