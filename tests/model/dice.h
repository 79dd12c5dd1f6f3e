/* dice.h - random choices that a seed repeats.
 *
 * Promise    the same seed gives the same choices on every machine; TEST_SEED
 *            in the environment picks another program.
 * Threads    one each.
 * Source     the splitmix64 step.
 * Not for    secrets. */
#ifndef TESTS_MODEL_DICE_H
#define TESTS_MODEL_DICE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define DICE_DEFAULT_SEED 20240615u

struct dice {
    uint64_t state;
};

static inline uint64_t dice_seed(void)
{
    const char *text = getenv("TEST_SEED");
    return text ? strtoull(text, NULL, 10) : DICE_DEFAULT_SEED;
}

static inline uint64_t dice_roll(struct dice *d)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to below - 1. */
static inline size_t dice_below(struct dice *d, size_t below)
{
    assert(below > 0);
    return (size_t)(dice_roll(d) % below);
}

/* low to high, both possible. */
static inline size_t dice_between(struct dice *d, size_t low, size_t high)
{
    return low + dice_below(d, high - low + 1);
}

static inline bool dice_one_in(struct dice *d, size_t n)
{
    return dice_below(d, n) == 0;
}

#endif
