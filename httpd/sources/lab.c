#include "httpd/sources/lab.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_index.h"

#include <assert.h>

enum methods {
    READ, /* GET, HEAD */
    ANY,  /* all that may carry or ask for a body */
};

static const char *const allow_lines[] = {
    [READ] = "GET, HEAD, OPTIONS",
    [ANY] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
};

struct endpoint {
    const char *name;
    const char *part;
    enum methods methods;
    void (*answer)(struct exchange *x, struct str part);
};

static const struct endpoint endpoints[] = {
#define ENDPOINT(function, name, part, methods, example, text)                 \
    {name, part, methods, lab_##function},
#include "httpd/sources/lab_endpoints.def"
#undef ENDPOINT
};

#define ENDPOINTS_N (sizeof(endpoints) / sizeof(endpoints[0]))

static const struct endpoint *find(struct str name)
{
    for (size_t i = 0; i < ENDPOINTS_N; i++)
        if (str_equal(name, str_from(endpoints[i].name)))
            return &endpoints[i];
    return NULL;
}

static bool allowed(enum method method, enum methods methods)
{
    switch (method) {
    case METHOD_GET:
    case METHOD_HEAD:
        return true;
    case METHOD_POST:
    case METHOD_PUT:
    case METHOD_PATCH:
    case METHOD_DELETE:
        return methods == ANY;
    case METHOD_OPTIONS:
    case METHOD_CONNECT:
    case METHOD_TRACE:
        break;
    }
    return false;
}

/* Also the answer to a page that asks whether it may (CORS). */
static void send_options(struct exchange *x, const char *allow)
{
    lab_begin(x, 204, NULL);
    response_header(x, "Allow", str_from(allow));
    response_header(x, "Access-Control-Allow-Methods", str_from(allow));
    response_header(x, "Access-Control-Allow-Headers", STR("*"));
    response_send_empty(x);
}

/* False when the method was answered here. */
static bool check_method(struct exchange *x, enum methods methods)
{
    if (x->req.method == METHOD_OPTIONS)
        send_options(x, allow_lines[methods]);
    else if (!allowed(x->req.method, methods))
        response_not_allowed(x, allow_lines[methods]);
    else
        return true;
    return false;
}

static void send_unknown(struct exchange *x)
{
    const struct str prefix = x->route->prefix;

    response_error(x, 404, "the lab has no such page; %.*s lists what it has",
                   (int)prefix.len, prefix.at);
}

/* Splits "bytes/10k" at its first slash. */
static struct str split(struct str rest, struct str *ret_part)
{
    const char *slash = rest.len > 0 ? memchr(rest.at, '/', rest.len) : NULL;
    struct str name = rest;

    *ret_part = (struct str){NULL, 0};
    if (slash != NULL) {
        name.len = (size_t)(slash - rest.at);
        *ret_part = str_skip(rest, name.len + 1);
    }
    return name;
}

void lab_handle(struct exchange *x)
{
    const struct str path = request_str(&x->req, x->req.path);
    const struct str rest = route_rest(x->route, path);
    struct str part;
    const struct endpoint *e = find(split(rest, &part));

    assert(!x->head_sent);
    if (rest.len == 0) {
        if (check_method(x, READ))
            lab_index(x);
    } else if (e == NULL || (e->part[0] == '\0' && part.at != NULL)) {
        send_unknown(x);
    } else if (check_method(x, e->methods)) {
        e->answer(x, part);
    }
}
