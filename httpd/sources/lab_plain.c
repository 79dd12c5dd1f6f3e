#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/sources/generator.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_fields.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"
#include "httpd/sources/page.h"

#include <assert.h>
#include <inttypes.h>

#define GZIP_LEVEL 6u

static const struct lab_bound code_bound = {"CODE", LAB_COUNT, 200, 599};
static const struct lab_bound retry_bound = {"retry", LAB_TIME, 0,
                                             LAB_RETRY_MS_MAX};
static const struct lab_bound bytes_bound = {"bytes", LAB_SIZE, 0,
                                             LAB_BYTES_MAX};
static const struct lab_bound level_bound = {"level", LAB_COUNT, 1, 9};
static const struct lab_bound redirects_bound = {"N", LAB_COUNT, 1,
                                                 LAB_REDIRECTS_MAX};
static const char *const redirect_codes[] = {"302", "301", "303", "307", "308"};
static const int redirect_statuses[] = {302, 301, 303, 307, 308};

/* A Location is a URI reference: visible ASCII only. */
static bool read_location(struct exchange *x, char *out, struct str *ret)
{
    if (!lab_param_text(x, "location", out, ret))
        return false;
    for (size_t i = 0; i < ret->len; i++) {
        if (ret->at[i] <= ' ' || ret->at[i] > '~') {
            response_error(x, 400,
                           "location: not an address; percent-encode what is "
                           "not visible ASCII, twice");
            return false;
        }
    }
    return true;
}

/* Fields without which some answers would be malformed. */
static void add_required_fields(struct exchange *x, uint64_t code)
{
    if (code == 401)
        response_header(x, "WWW-Authenticate", STR("Basic realm=\"lab\""));
    if (code == 405)
        response_header(x, "Allow", STR(""));
    if (code == 407)
        response_header(x, "Proxy-Authenticate", STR("Basic realm=\"lab\""));
    if (code == 426)
        response_header(x, "Upgrade", STR("HTTP/1.1"));
}

static void send_status(struct exchange *x, uint64_t code)
{
    struct page page;

    if (code == 204 || code == 205 || code == 304) {
        response_send_empty(x);
        return;
    }
    page_init(&page);
    page_addf(&page, "%" PRIu64 " %s\n", code, status_reason((int)code));
    page_send(x, &page);
}

void lab_status(struct exchange *x, struct str part)
{
    char value[LAB_VALUE_BYTES_MAX];
    struct str location;
    uint64_t code = 0;
    uint64_t retry_ms = UINT64_MAX;

    if (!lab_part(x, &code_bound, part, &code) ||
        !lab_param(x, &retry_bound, &retry_ms) ||
        !read_location(x, value, &location))
        return;
    lab_begin(x, (int)code, LAB_TYPE_TEXT);
    add_required_fields(x, code);
    if (retry_ms != UINT64_MAX)
        response_headerf(x, "Retry-After", "%" PRIu64,
                         (retry_ms + LAB_SECOND_MS - 1) / LAB_SECOND_MS);
    if (location.len > 0)
        response_header(x, "Location", location);
    send_status(x, code);
}

void lab_headers(struct exchange *x, struct str part)
{
    struct page page;

    assert(part.len == 0);
    page_init(&page);
    lab_request_json(&page, &x->req);
    lab_begin(x, 200, LAB_TYPE_JSON);
    page_send(x, &page);
}

void lab_gzip(struct exchange *x, struct str part)
{
    struct generator_plan plan = {.end = UINT64_MAX, .fill = GENERATOR_TEXT};
    uint64_t level = GZIP_LEVEL;
    struct page page;

    assert(part.len == 0);
    if (!lab_param(x, &bytes_bound, &plan.end) ||
        !lab_param(x, &level_bound, &level))
        return;
    if (plan.end != UINT64_MAX) {
        lab_begin(x, 200, LAB_TYPE_TEXT);
        generator_send_gzip(x, &plan, (int)level);
        return;
    }
    page_init(&page);
    lab_request_json(&page, &x->req);
    lab_begin(x, 200, LAB_TYPE_JSON);
    page_send_gzip(x, &page, (int)level);
}

/* The next address: relative to the server, or absolute by the request's own
 * Host. */
static void build_location(struct page *p, const struct exchange *x,
                           uint64_t left, const char *code)
{
    const struct str authority = request_str(&x->req, x->req.authority);
    const bool absolute = lab_param_flag(x, "absolute");

    if (absolute && authority.len > 0) {
        page_add(p, "http://");
        page_add_str(p, authority);
    }
    page_url(p, x->route->prefix);
    if (left == 0)
        page_add(p, "headers");
    else
        page_addf(p, "redirect/%" PRIu64 "?code=%s%s", left, code,
                  absolute ? "&absolute=1" : "");
}

void lab_redirect(struct exchange *x, struct str part)
{
    const size_t codes =
        sizeof(redirect_statuses) / sizeof(redirect_statuses[0]);
    uint64_t n = 0;
    size_t code = 0;
    struct page location;

    if (!lab_part(x, &redirects_bound, part, &n) ||
        !lab_param_word(x, "code", redirect_codes, codes, &code))
        return;
    page_init(&location);
    build_location(&location, x, n - 1, redirect_codes[code]);
    if (location.built != FLOW_DONE) {
        page_fini(&location);
        lab_out_of_memory(x);
        return;
    }
    lab_begin(x, redirect_statuses[code], LAB_TYPE_TEXT);
    response_header(x, "Location", bytes_view(&location.text));
    page_add(&location, "\n");
    page_send(x, &location);
}
