/* query.h - the query of a target, one parameter at a time.
 *
 * Promise    "a=1&b=x%20y" is walked without allocation; names compare raw,
 *            values are decoded on request ('+' is a space). Empty parameters
 *            ("a=1&&b=2") are passed over.
 * Threads    pure.
 * Source     WHATWG URL, application/x-www-form-urlencoded. */
#ifndef PARSER_QUERY_H
#define PARSER_QUERY_H

#include "buffers/str.h"

#include <stdbool.h>
#include <stddef.h>

/* The raw value of the first parameter of that name; at is NULL when there is
 * none, and a view of no bytes for "name" and "name=". */
struct str query_get(struct str query, struct str name);

/* Walks all parameters: *rest begins as the query. False at the end. The value
 * ends at '&' only: "a=b=c" is "b=c". */
bool query_next(struct str *rest, struct str *ret_name, struct str *ret_value);

/* Decodes %XX and '+' into out, which may be where raw stands. False when
 * malformed or longer than cap; out then holds a part of it. */
bool query_decode(struct str raw, char *out, size_t cap, size_t *ret_len);

#endif
