/* header_name.h - from a field's name to its enum header_id.
 *
 * Promise    any letter case; HEADER_OTHER for names the server does not read.
 * Threads    pure.
 * Cost       one table slot, one comparison. */
#ifndef PARSER_HEADER_NAME_H
#define PARSER_HEADER_NAME_H

#include "buffers/str.h"
#include "parser/request.h"

/* name is a token of at least one byte. */
enum header_id header_name_find(struct str name);

/* Whether a field of that name must not stand in a trailer: it says where the
 * message ends or goes, who asks, or how to read it (RFC 9110 section 6.5). */
bool header_name_forbidden_in_trailer(struct str name);

#endif
