#include "httpd/sources/lab_index.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/page.h"
#include "parser/accept.h"

#include <assert.h>

struct entry {
    const char *name;
    const char *part;
    const char *example;
    const char *text;
};

static const struct entry entries[] = {
#define ENDPOINT(function, name, part, methods, example, text)                 \
    {name, part, example, text},
#include "httpd/sources/lab_endpoints.def"
#undef ENDPOINT
};

#define ENTRIES_N (sizeof(entries) / sizeof(entries[0]))

static const char html_head[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>The lab</title>\n<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;"
    "padding:0 1rem;color:#222;background:#fff}\n"
    "dt{margin-top:1.2rem;font-weight:600}dd{margin:0}\n"
    "code{display:block;overflow-x:auto;white-space:pre;padding:.3rem .6rem;"
    "background:#f3f4f6;font-size:.875rem}\n"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}"
    "code{background:#262626}a{color:#8ab4f8}}\n"
    "</style>\n<h1>The lab</h1>\n"
    "<p>Streams and misbehaviour on request, for people who test clients.</p>\n"
    "<dl>\n";

static const char text_head[] =
    "The lab: streams and misbehaviour on request, for people who test "
    "clients.\n";

/* What stands behind the '|' of an example. */
static const char *address_of(const struct entry *e)
{
    const char *bar = strchr(e->example, '|');

    assert(bar != NULL);
    return bar + 1;
}

static void add_url(struct page *p, const struct exchange *x,
                    const struct entry *e)
{
    const struct str authority = request_str(&x->req, x->req.authority);

    page_add(p, "http://");
    page_add_str(p, authority.len > 0 ? authority : STR("localhost"));
    page_url(p, x->route->prefix);
    page_add(p, address_of(e));
}

/* curl's options, then the address, quoted where the shell would split it. */
static void add_curl(struct page *p, const struct exchange *x,
                     const struct entry *e)
{
    const size_t options = (size_t)(address_of(e) - e->example) - 1;
    const char *quote = strchr(e->example, '?') != NULL ? "'" : "";

    page_add(p, "curl ");
    page_add_str(p, (struct str){e->example, options});
    page_add(p, options > 0 ? " " : "");
    page_add(p, quote);
    add_url(p, x, e);
    page_add(p, quote);
}

static void add_title(struct page *p, const struct entry *e)
{
    page_add(p, e->name);
    page_add(p, e->part[0] != '\0' ? "/" : "");
    page_add(p, e->part);
}

static void build_text(struct page *p, const struct exchange *x)
{
    page_add(p, text_head);
    for (size_t i = 0; i < ENTRIES_N; i++) {
        page_add(p, "\n");
        add_title(p, &entries[i]);
        page_add(p, "\n  ");
        page_add(p, entries[i].text);
        page_add(p, "\n  ");
        add_curl(p, x, &entries[i]);
        page_add(p, "\n");
    }
}

/* The curl line holds what the client sent as Host, so all of it is escaped. */
static void add_html_curl(struct page *p, const struct exchange *x,
                          const struct entry *e)
{
    struct page line;

    page_init(&line);
    add_curl(&line, x, e);
    page_html(p, bytes_view(&line.text));
    if (line.built != FLOW_DONE)
        p->built = line.built;
    page_fini(&line);
}

static void build_html(struct page *p, const struct exchange *x)
{
    page_add(p, html_head);
    for (size_t i = 0; i < ENTRIES_N; i++) {
        page_add(p, "<dt><a href=\"");
        page_html(p, str_from(address_of(&entries[i])));
        page_add(p, "\">");
        add_title(p, &entries[i]);
        page_add(p, "</a></dt>\n<dd>");
        page_html(p, str_from(entries[i].text));
        page_add(p, "<code>");
        add_html_curl(p, x, &entries[i]);
        page_add(p, "</code></dd>\n");
    }
    page_add(p, "</dl>\n</html>\n");
}

static bool wants_html(const struct exchange *x)
{
    const struct str accept = request_header(&x->req, HEADER_ACCEPT);

    return accept.at != NULL &&
           accept_type_weight(accept, STR("text/html")) >
               accept_type_weight(accept, STR("text/plain"));
}

void lab_index(struct exchange *x)
{
    const bool html = wants_html(x);
    struct page page;

    page_init(&page);
    if (html)
        build_html(&page, x);
    else
        build_text(&page, x);
    lab_begin(x, 200, html ? LAB_TYPE_HTML : LAB_TYPE_TEXT);
    response_header(x, "Vary", STR("Accept"));
    page_send(x, &page);
}
