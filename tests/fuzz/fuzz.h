/* fuzz.h - what the fuzz programs share: checks, and an input that comes in
 * pieces.
 *
 * Cutting    whole, one byte at a time, or at places that the input itself
 *            decides. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "buffers/bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Ends the program, which is a finding. */
static inline void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* Memory of exactly so many bytes, for the caller to free. */
static inline char *exact_copy(struct str s)
{
    char *copy = malloc(s.len ? s.len : 1);
    if (!copy)
        abort();
    if (s.len > 0)
        memcpy(copy, s.at, s.len);
    return copy;
}

enum cutting { WHOLE, BYTEWISE, RANDOM };

struct cut_input {
    struct str rest;
    enum cutting cutting;
    uint32_t seed;
};

static inline void cut_init(struct cut_input *c, struct str input,
                            enum cutting cutting)
{
    *c = (struct cut_input){.rest = input, .cutting = cutting};
    for (size_t i = 0; i < input.len; i++)
        c->seed = (c->seed ^ (unsigned char)input.at[i]) * 16777619u;
}

/* How long the next piece is. */
static inline size_t cut_len(struct cut_input *c)
{
    if (c->cutting == WHOLE || c->rest.len == 0)
        return c->rest.len;
    if (c->cutting == BYTEWISE)
        return 1;
    c->seed = c->seed * 1664525u + 1013904223u;
    size_t n = (c->seed >> 16) % ((c->seed & 0x100) ? 7 : 97) + 1;
    return n < c->rest.len ? n : c->rest.len;
}

#endif
