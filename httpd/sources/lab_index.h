/* lab_index.h - the lab's table of contents, for people and for terminals.
 *
 * Promise    HTML when the client prefers it, plain text else; every curl line
 *            works as it stands, with the address that the client used.
 * Threads    the loop thread. */
#ifndef HTTPD_SOURCES_LAB_INDEX_H
#define HTTPD_SOURCES_LAB_INDEX_H

struct exchange;

void lab_index(struct exchange *x);

#endif
