/* authority.h - host and port, as Host and the request target name them.
 *
 * Promise    host [":" port] with a registered name, an IPv4 address or an
 *            IPv6 address in brackets; the port is empty or 0 to 65535.
 * Refuses    an empty host, user information, IPv6 zones, IPvFuture.
 * Threads    pure.
 * Source     RFC 3986 section 3.2, RFC 9110 sections 4.2 and 7.2. */
#ifndef PARSER_AUTHORITY_H
#define PARSER_AUTHORITY_H

#include "buffers/str.h"

#include <stdbool.h>

bool authority_is_valid(struct str authority);

/* The same, and the port is there: what CONNECT asks for. */
bool authority_is_valid_with_port(struct str authority);

/* Whether it names this machine: localhost or a name below it, an address of
 * 127.0.0.0/8, [::1]. RFC 6761 section 6.3 */
bool authority_is_loopback(struct str authority);

#endif
