/* field_line.h - one line of a head or trailer section, checked and split.
 *
 * Promise    what is accepted is "name: value" with a token as the name, no
 *            white space before the colon and no control byte but tabs in the
 *            value. Folded lines are refused.
 * Threads    pure.
 * Source     RFC 9112 sections 2.2, 5.1 and 5.2. */
#ifndef PARSER_FIELD_LINE_H
#define PARSER_FIELD_LINE_H

#include "buffers/str.h"
#include "parser/verdict.h"

/* Takes the CR off a line that stood before a line feed; BARE_LF if there is
 * none. */
enum verdict_id field_line_close(struct str *line);

/* What to say about a byte that must not be there: NUL and CR have verdicts
 * of their own, for the rest it is the other one. */
enum verdict_id field_line_blame(char c, enum verdict_id other);

/* Splits a closed line. The value is without white space around it. */
enum verdict_id field_line_read(struct str line, struct str *ret_name,
                                struct str *ret_value);

#endif
