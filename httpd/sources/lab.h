/* lab.h - streams and misbehaviour on request, for people who test clients.
 *
 * Promise    every body is pulled: memory is flat whatever size was asked.
 * Limits     in lab.c; what is beyond them gets a 400 that names the limit.
 * Threads    the loop thread. */
#ifndef HTTPD_SOURCES_LAB_H
#define HTTPD_SOURCES_LAB_H

struct exchange;

void lab_handle(struct exchange *x);

#endif
