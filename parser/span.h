/* span.h - a piece of a growing store, by offset, so that growth may move it.
 *
 * Limits     offsets and lengths below 4 GiB.
 * Threads    pure.
 * Not for    bytes that stay where they are: str.h is shorter. */
#ifndef PARSER_SPAN_H
#define PARSER_SPAN_H

#include <stddef.h>
#include <stdint.h>

struct span {
    uint32_t off;
    uint32_t len;
};

static inline struct span span_of(size_t off, size_t len)
{
    return (struct span){(uint32_t)off, (uint32_t)len};
}

#endif
