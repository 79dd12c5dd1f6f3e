/* lab.h - streams and misbehaviour on request, for people who test clients.
 *
 * Promise    every body is pulled: memory is flat whatever size was asked.
 * Limits     lab_limits.h; what is beyond gets a 400 that names the bound.
 * Threads    the loop thread. */
#ifndef HTTPD_SOURCES_LAB_H
#define HTTPD_SOURCES_LAB_H

struct exchange;

void lab_handle(struct exchange *x);

#endif
