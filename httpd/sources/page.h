/* page.h - a text that is made in steps and sent whole.
 *
 * Promise    a step that fails is remembered, later ones do nothing, and
 *            page_send() answers 503: nobody checks in between.
 * Limits     LAB_TEXT_BYTES_MAX.
 * Owns       its text, until page_send() takes it.
 * Threads    the loop thread.
 * Not for    bodies of any length: those are sources. */
#ifndef HTTPD_SOURCES_PAGE_H
#define HTTPD_SOURCES_PAGE_H

#include "buffers/bytes.h"
#include "buffers/flow.h"
#include "buffers/str.h"

struct exchange;

struct page {
    struct bytes text;
    enum flow built; /* DONE while all is well */
};

void page_init(struct page *p);

void page_add(struct page *p, const char *text);
void page_add_str(struct page *p, struct str text);

/* At most LAB_LINE_BYTES_MAX at once: numbers and words of our own. */
void page_addf(struct page *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The text made safe for HTML. */
void page_html(struct page *p, struct str text);

/* The text as a JSON string, quotes included. */
void page_json(struct page *p, struct str text);

/* The text made safe as a part of a URL's path. */
void page_url(struct page *p, struct str text);

/* Sends it behind what response_begin() started, and frees it. Small texts
 * are copied behind the head; larger ones are pulled. */
void page_send(struct exchange *x, struct page *p);

/* The same through gzip at that level. */
void page_send_gzip(struct exchange *x, struct page *p, int level);

/* Frees a page that is not sent. */
void page_fini(struct page *p);

#endif
