/* accept.h - what a client prefers.
 *
 * Promise    weights are thousandths, 0 to 1000; a malformed member is passed
 *            over, the rest of the list counts. Where two members say it
 *            equally well, the first decides. Letter case does not count.
 * Threads    pure.
 * Cost       one walk over the field.
 * Not for    a field that is absent: then everything is acceptable.
 * Source     RFC 9110 section 12. */
#ifndef PARSER_ACCEPT_H
#define PARSER_ACCEPT_H

#include "buffers/str.h"

/* The weight that one Accept-Encoding value gives to a coding such as "gzip",
 * by name or by "*"; -1 when neither stands in it. "x-gzip" means "gzip",
 * "x-compress" means "compress". "identity" stays acceptable at -1, no other
 * coding does. For several fields of the name, join them with ", " first. */
int accept_encoding_weight(struct str field, struct str coding);

/* The weight that an Accept value gives to a media type such as "text/html" or
 * "text/plain;format=flowed"; the most specific range decides. A range with
 * parameters covers only types that have all of them. -1 when no range covers
 * it. */
int accept_type_weight(struct str field, struct str type);

#endif
