/* trailers.h - the lines behind the last chunk.
 *
 * Promise    the same rules as for header lines, and a list of names that are
 *            refused; accepted fields stand behind the headers, and nothing
 *            finds them by name: who wants trailers walks them.
 * Limits     limits.trailer_bytes_max bytes of field lines, the empty line
 *            left aside; REQUEST_HEADERS_MAX fields together with the headers.
 * Owns       nothing: lines are copied into req->storage, which has room for
 *            TRAILERS_ROOM() bytes, so that it never moves here.
 * Threads    one at a time.
 * Source     RFC 9112 section 7.1.2, RFC 9110 section 6.5. */
#ifndef PARSER_TRAILERS_H
#define PARSER_TRAILERS_H

#include "parser/request.h"
#include "parser/verdict.h"

#include <stdbool.h>
#include <stddef.h>

/* The lines and the empty line. */
#define TRAILERS_ROOM(limits) ((limits)->trailer_bytes_max + 2)

struct trailers {
    size_t line;  /* offset in storage where the current line begins */
    size_t bytes; /* of the lines that are whole */
    bool done;    /* the empty line has come */
};

/* The section begins at the end of what storage holds now. */
void trailers_init(struct trailers *trailers, const struct request *req);

/* Reads up to the end of in or of the section: see trailers->done. */
enum verdict_id trailers_feed(struct trailers *trailers, struct request *req,
                              struct str in, size_t *ret_used);

#endif
