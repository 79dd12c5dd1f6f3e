/* lab_fields.h - a request's fields as JSON.
 *
 * Promise    in the order they came, each by itself, the letter case kept.
 * Threads    pure. */
#ifndef HTTPD_SOURCES_LAB_FIELDS_H
#define HTTPD_SOURCES_LAB_FIELDS_H

#include "httpd/sources/page.h"
#include "parser/request.h"

#include <stddef.h>

/* [{"name":"Host","value":"x"},…] of the n fields behind the first `behind`
 * ones: 0 for the header, headers_n for the trailers. */
void lab_fields_json(struct page *p, const struct request *req, size_t behind,
                     size_t n);

/* The whole request head as one object. */
void lab_request_json(struct page *p, const struct request *req);

#endif
