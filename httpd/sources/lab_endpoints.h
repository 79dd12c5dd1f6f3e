/* lab_endpoints.h - the functions behind lab_endpoints.def.
 *
 * Promise    each is called once a request, with a method its entry allows;
 *            part is what follows its name in the path, and empty exactly when
 *            its entry has none. It has answered, or deferred the answer,
 *            when it returns.
 * Threads    the loop thread. */
#ifndef HTTPD_SOURCES_LAB_ENDPOINTS_H
#define HTTPD_SOURCES_LAB_ENDPOINTS_H

#include "buffers/str.h"

struct exchange;

#define ENDPOINT(function, name, part, methods, example, text)                 \
    void lab_##function(struct exchange *x, struct str path_part);
#include "httpd/sources/lab_endpoints.def"
#undef ENDPOINT

#endif
