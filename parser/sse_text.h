/* sse_text.h - a payload as the data lines of a server-sent event.
 *
 *      one CR LF two        data:one LF data:two LF
 *
 * Promise    a reader gets the payload back with every CR, LF or CRLF in it as
 *            LF: no payload can end its event or begin another. The parser of
 *            the other side drops one space behind "data:", so that the tight
 *            form writes one where a line begins with a space.
 *            Every line ends with LF; the empty line that ends the event is
 *            the caller's. When the result is not DONE, out holds what it held.
 * Limits     sse_text_bytes_max() and sse_text_base64_bytes_max().
 * Threads    pure.
 * Source     WHATWG HTML, "Server-sent events"; RFC 4648 section 4; Durable
 *            Streams protocol 1.0, "SSE". */
#ifndef PARSER_SSE_TEXT_H
#define PARSER_SSE_TEXT_H

#include "buffers/bytes.h"
#include "buffers/flow.h"
#include "buffers/str.h"

#include <stddef.h>

enum sse_form {
    SSE_TIGHT,  /* "data:text", as the strict mount writes it */
    SSE_SPACED, /* "data: text", as people write it */
};

/* Line by line. A payload of nothing is one empty line. DONE, FULL,
 * NO_MEMORY. */
enum flow sse_text_write(struct bytes *out, struct str payload,
                         enum sse_form form);

/* The most that a payload of len bytes becomes, in either form: each byte a
 * line of its own. len < SIZE_MAX / 8. */
size_t sse_text_bytes_max(size_t len);

/* As base64 in one line. DONE, FULL, NO_MEMORY. */
enum flow sse_text_write_base64(struct bytes *out, struct str payload,
                                enum sse_form form);

/* The same for base64; len < SIZE_MAX / 2. */
size_t sse_text_base64_bytes_max(size_t len);

#endif
