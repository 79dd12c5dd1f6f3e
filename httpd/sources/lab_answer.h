/* lab_answer.h - what the lab's answers have in common.
 *
 * Promise    every answer may be read by any page (CORS), is never cached and
 *            never sniffed into another type.
 * Threads    the loop thread. */
#ifndef HTTPD_SOURCES_LAB_ANSWER_H
#define HTTPD_SOURCES_LAB_ANSWER_H

struct exchange;

#define LAB_TYPE_BYTES "application/octet-stream"
#define LAB_TYPE_TEXT  "text/plain; charset=utf-8"
#define LAB_TYPE_JSON  "application/json"
#define LAB_TYPE_HTML  "text/html; charset=utf-8"

/* response_begin() and the fields that all answers carry; no Content-Type when
 * type is NULL. */
void lab_begin(struct exchange *x, int status, const char *type);

/* 503: an allocation failed. */
void lab_out_of_memory(struct exchange *x);

#endif
