#include "httpd/sources/pattern.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define WORD_BYTES  sizeof(uint64_t)
#define STEP        UINT64_C(0x9e3779b97f4a7c15)
#define LINE_DIGITS 20u
#define LINE_TEXT   " bytes into a text that is made as you read\n"

_Static_assert(LINE_DIGITS + sizeof(LINE_TEXT) - 1 == PATTERN_LINE_BYTES,
               "a line is as long as it says");

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The seed is mixed first: else seeds that differ by STEP would give the same
 * stream, shifted. */
static uint64_t word_at(uint64_t mixed_seed, uint64_t index)
{
    return htole64(mix(mixed_seed + (index + 1) * STEP));
}

void pattern_fill(uint64_t seed, uint64_t pos, char *out, size_t len)
{
    const uint64_t mixed = mix(seed + STEP);
    uint64_t index = pos / WORD_BYTES;
    size_t skip = (size_t)(pos % WORD_BYTES);

    assert(out != NULL || len == 0);
    while (len > 0) {
        const uint64_t word = word_at(mixed, index++);
        const size_t n = len < WORD_BYTES - skip ? len : WORD_BYTES - skip;

        memcpy(out, (const char *)&word + skip, n);
        out += n;
        len -= n;
        skip = 0;
    }
}

static void write_line(uint64_t pos, char *line)
{
    for (size_t i = LINE_DIGITS; i > 0; i--) {
        line[i - 1] = (char)('0' + pos % 10);
        pos /= 10;
    }
    memcpy(line + LINE_DIGITS, LINE_TEXT, sizeof(LINE_TEXT) - 1);
}

void pattern_text(uint64_t pos, char *out, size_t len)
{
    size_t skip = (size_t)(pos % PATTERN_LINE_BYTES);
    uint64_t start = pos - skip;

    assert(out != NULL || len == 0);
    while (len > 0) {
        char line[PATTERN_LINE_BYTES];
        const size_t left = PATTERN_LINE_BYTES - skip;
        const size_t n = len < left ? len : left;

        write_line(start, line);
        memcpy(out, line + skip, n);
        out += n;
        len -= n;
        start += PATTERN_LINE_BYTES;
        skip = 0;
    }
}
