/* own_machine.h - whether a request is from this machine, and not by a detour.
 *
 * Promise    true when the peer's address is a loopback one, Host names this
 *            machine, and the page that asks, where a browser names one, is of
 *            this machine, too. A browser that was led here by a page from
 *            elsewhere fails by Origin or Sec-Fetch-Site, one that took another
 *            name's address for this machine's (DNS rebinding) by Host.
 * Not for    machines with a proxy on them: all that it passes on is from here.
 * Threads    the worker's.
 * Source     RFC 6454 section 7; RFC 9110 section 7.2; WHATWG Fetch section
 *            3.2, Origin; W3C Fetch Metadata. */
#ifndef HTTPD_HTTP_OWN_MACHINE_H
#define HTTPD_HTTP_OWN_MACHINE_H

#include <stdbool.h>

struct exchange;

bool own_machine(const struct exchange *x);

/* For what is refused otherwise: what a request must be like. */
#define OWN_MACHINE_ADVICE                                                     \
    "by a name like localhost or 127.0.0.1, and from no page of elsewhere"

#endif
