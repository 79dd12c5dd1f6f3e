/* lab_params.h - numbers that a client puts into a lab address.
 *
 * Promise    a value is read whole and lies within its bound, or the answer is
 *            a 400 in one line: the parameter, what was given, what would be
 *            right. After false the request has been answered.
 * Limits     LAB_VALUE_BYTES_MAX a value.
 * Threads    the loop thread; lab_bound_read() is pure. */
#ifndef HTTPD_SOURCES_LAB_PARAMS_H
#define HTTPD_SOURCES_LAB_PARAMS_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_COMPLAINT_BYTES 256u

struct exchange;

enum lab_unit {
    LAB_COUNT, /* "12" */
    LAB_SIZE,  /* "64k", in bytes */
    LAB_TIME,  /* "250ms", "1.5s", in milliseconds */
};

struct lab_bound {
    const char *name; /* as it stands in the address */
    enum lab_unit unit;
    uint64_t min;
    uint64_t max;
};

/* Reads text by its bound; when it is no such number, writes a sentence of at
 * most LAB_COMPLAINT_BYTES with its NUL to complaint. */
bool lab_bound_read(const struct lab_bound *bound, struct str text,
                    uint64_t *ret, char *complaint);

/* Reads text, a part of the path. */
bool lab_part(struct exchange *x, const struct lab_bound *bound,
              struct str text, uint64_t *ret);

/* Reads the query's parameter of the bound's name; *ret stays as it is when
 * there is none. */
bool lab_param(struct exchange *x, const struct lab_bound *bound,
               uint64_t *ret);

/* Reads a parameter that names one of n words; *ret_index stays as it is when
 * there is none. */
bool lab_param_word(struct exchange *x, const char *name,
                    const char *const *words, size_t n, size_t *ret_index);

/* The decoded text of a parameter, copied to out of LAB_VALUE_BYTES_MAX bytes;
 * at is NULL when there is none. */
bool lab_param_text(struct exchange *x, const char *name, char *out,
                    struct str *ret);

/* Whether the query names the parameter, and not as "0" or "false". */
bool lab_param_flag(const struct exchange *x, const char *name);

#endif
