/* escape.h - text made safe for the place it goes to.
 *
 * Promise    what is written is at most ESCAPE_*_FACTOR times the input.
 * Threads    pure. */
#ifndef PARSER_ESCAPE_H
#define PARSER_ESCAPE_H

#include "buffers/bytes.h"
#include "buffers/str.h"

/* & < > " ' as entities; bytes that are not UTF-8 become U+FFFD. */
enum flow escape_html(struct bytes *out, struct str text);

/* Inside a JSON string, without the quotes; bytes that are not UTF-8 become
 * U+FFFD. Source: RFC 8259 section 7. */
enum flow escape_json(struct bytes *out, struct str text);

/* A path segment as it stands in a URL: everything but unreserved characters
 * is percent-encoded; '/' stays when keep_slash. Source: RFC 3986 section 2. */
enum flow escape_url(struct bytes *out, struct str text, bool keep_slash);

#endif
