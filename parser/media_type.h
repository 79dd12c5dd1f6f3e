/* media_type.h - what kind of content a Content-Type field names.
 *
 *      Text/HTML ; charset=utf-8
 *      essence     parameters
 *
 * Promise    types compare by their essence, letter case and parameters left
 *            aside. A field whose essence is malformed is no type at all: it
 *            is the same as nothing, itself included.
 * Threads    pure.
 * Source     RFC 9110 section 8.3.1. */
#ifndef PARSER_MEDIA_TYPE_H
#define PARSER_MEDIA_TYPE_H

#include "buffers/str.h"

#include <stdbool.h>

/* "type/subtype" as it stands in the field; empty when malformed. */
struct str media_type_essence(struct str field);

bool media_type_same(struct str a, struct str b);

/* Whether the field names that essence: STR("application/json"). */
bool media_type_is(struct str field, struct str essence);

/* Whether its type is text. */
bool media_type_is_text(struct str field);

#endif
