/* head_rules.h - what the fields of a whole head mean for the message.
 *
 * Promise    one framing, one host, or a refusal: nothing is guessed.
 * Sets       req->has_length, length, chunked, keep_alive, expect_continue,
 *            body_done, and authority unless the target named one.
 * Threads    one at a time; may be applied twice.
 * Source     RFC 9112 sections 3.2, 6 and 9.3; RFC 9110 sections 8.6, 10.1.1.
 *
 * Host may be empty (the client's URI has no authority, RFC 9112 section
 * 3.2), but may not be a port alone. A tab behind Content-Length's or
 * Transfer-Encoding's value is white space here and part of the value for
 * llhttp: such a head is refused later, as READINGS_DIFFER. */
#ifndef PARSER_HEAD_RULES_H
#define PARSER_HEAD_RULES_H

#include "parser/request.h"
#include "parser/verdict.h"

enum verdict_id head_rules_apply(struct request *req);

#endif
