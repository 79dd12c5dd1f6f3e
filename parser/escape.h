/* escape.h - text made safe for the place it goes to.
 *
 * Promise    what is written is at most ESCAPE_*_FACTOR times the input; when
 *            the result is not DONE, out holds what it held before.
 *            Bytes that are not UTF-8 are replaced as the Unicode standard
 *            recommends: one U+FFFD for each broken sequence.
 * Threads    pure.
 * Not for    the name of an attribute, a script, a style: no text is safe
 *            there. */
#ifndef PARSER_ESCAPE_H
#define PARSER_ESCAPE_H

#include "buffers/bytes.h"
#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdbool.h>

#define ESCAPE_HTML_FACTOR 6u /* &quot; */
#define ESCAPE_JSON_FACTOR 6u /* \u001f */
#define ESCAPE_URL_FACTOR  3u /* %2F */

/* & < > " ' as entities. DONE, FULL, NO_MEMORY. */
enum flow escape_html(struct bytes *out, struct str text);

/* Inside a JSON string, without the quotes. DONE, FULL, NO_MEMORY.
 * Source: RFC 8259 section 7. */
enum flow escape_json(struct bytes *out, struct str text);

/* A path segment as it stands in a URL: everything but unreserved characters
 * is percent-encoded, byte by byte; '/' stays when keep_slash. DONE, FULL,
 * NO_MEMORY. Source: RFC 3986 section 2. */
enum flow escape_url(struct bytes *out, struct str text, bool keep_slash);

#endif
