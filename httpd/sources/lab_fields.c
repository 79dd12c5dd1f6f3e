#include "httpd/sources/lab_fields.h"

#include <assert.h>

void lab_fields_json(struct page *p, const struct request *req, size_t behind,
                     size_t n)
{
    assert(behind + n <= REQUEST_HEADERS_MAX);
    page_add(p, "[");
    for (size_t i = 1; i <= n; i++) {
        const struct header *h = &req->headers[behind + i];

        page_add(p, i > 1 ? ",\n  {\"name\":" : "\n  {\"name\":");
        page_json(p, request_str(req, h->name));
        page_add(p, ",\"value\":");
        page_json(p, request_str(req, h->value));
        page_add(p, "}");
    }
    page_add(p, "]");
}

void lab_request_json(struct page *p, const struct request *req)
{
    page_addf(p, "{\"method\":\"%s\",\"target\":", method_name(req->method));
    page_json(p, request_str(req, req->target));
    page_addf(p, ",\"version\":\"HTTP/1.%u\",\"headers\":", req->minor);
    lab_fields_json(p, req, 0, req->headers_n);
    page_add(p, "}\n");
}
