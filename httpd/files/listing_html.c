/* The listing for people. Links are relative, so the page does not care where
 * its route is mounted. */
#include "httpd/files/listing_form.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>

#define CRUMBS_MAX 16u /* folders in the path line; those before become "…" */

static const char top[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<style>\n"
    ":root{--text:#1d2733;--soft:#5b6875;--line:#dfe4ea;--page:#fff;"
    "--row:#f4f7fa;--link:#0b63b8}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#dde4eb;--soft:#93a0ad;"
    "--line:#2b343e;--page:#12171d;--row:#1a2129;--link:#72b7ff}}\n"
    "body{margin:2rem auto;padding:0 1rem;max-width:60rem;color:var(--text);"
    "background:var(--page);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.2rem;font-weight:600;overflow-wrap:anywhere}\n"
    "a{color:var(--link);text-decoration:none}a:hover{text-decoration:"
    "underline}\n"
    "table{width:100%;border-collapse:collapse}\n"
    "th,td{padding:.35rem .5rem;text-align:left;border-bottom:1px solid "
    "var(--line)}\n"
    "th{font-size:.85rem;font-weight:600;white-space:nowrap}\n"
    "td:first-child{width:100%;overflow-wrap:anywhere}\n"
    "th+th,td+td{text-align:right;white-space:nowrap;color:var(--soft);"
    "font-variant-numeric:tabular-nums}\n"
    "tbody tr:hover{background:var(--row)}\n"
    ".folder a{font-weight:600}\n"
    "footer{margin-top:1rem;font-size:.85rem;color:var(--soft)}\n"
    "@media(max-width:36rem){th:last-child,td:last-child{display:none}}\n"
    "</style>\n";

/* Takes the last folder, without slashes, off a path that ends in '/'. */
static struct str take_last(struct str *path)
{
    assert(path->len > 1 && path->at[path->len - 1] == '/');
    size_t end = path->len - 1;
    size_t begin = end;

    while (begin > 0 && path->at[begin - 1] != '/')
        begin--;
    path->len = begin;
    return (struct str){path->at + begin, end - begin};
}

/* The last folders of a path, the innermost first; returns how many. */
static unsigned split(struct str path, struct str crumbs[CRUMBS_MAX],
                      struct str *ret_before)
{
    unsigned n = 0;

    while (path.len > 1 && n < CRUMBS_MAX)
        crumbs[n++] = take_last(&path);
    *ret_before = path;
    return n;
}

/* A link so many folders up. */
static void up_link(struct listing_out *o, unsigned levels, struct str text)
{
    listing_out_text(o, STR("<a href=\"./"));
    for (unsigned i = 0; i < levels; i++)
        listing_out_text(o, STR("../"));
    listing_out_text(o, STR("\">"));
    listing_out_html(o, text);
    listing_out_text(o, STR("</a>/"));
}

static void crumb_line(struct listing_out *o, struct str path)
{
    struct str crumbs[CRUMBS_MAX];
    struct str before;
    unsigned n = split(path, crumbs, &before);

    listing_out_text(o, STR("<h1>"));
    up_link(o, n, before.len > 1 ? STR("\xe2\x80\xa6") : STR("~"));
    while (n-- > 0)
        up_link(o, n, crumbs[n]);
    listing_out_text(o, STR("</h1>\n"));
}

/* A column's head: a click sorts by it, a second one turns the order. */
static void column(struct listing_out *o, const struct listing_view *v,
                   enum dir_sort sort, const char *title)
{
    static const char *const keys[] = {"name", "size", "time"};
    bool descending = sort != DIR_BY_NAME;
    const char *state = "";
    const char *arrow = "";

    if (v->order.sort == sort) {
        descending = !v->order.descending;
        state = descending ? " aria-sort=ascending" : " aria-sort=descending";
        arrow = descending ? " \xe2\x96\xb4" : " \xe2\x96\xbe";
    }
    listing_out_printf(o, "<th%s><a href=\"?sort=%s&amp;order=%s\">%s</a>%s",
                       state, keys[sort], descending ? "desc" : "asc", title,
                       arrow);
}

static void page_title(struct listing_out *o, struct str path)
{
    listing_out_text(o, STR("<title>"));
    if (path.len > 1)
        listing_out_html(o, take_last(&path));
    listing_out_text(o, STR("/</title>\n"));
}

static void html_head(struct listing_out *o, const struct listing_view *v)
{
    listing_out_text(o, (struct str){top, sizeof(top) - 1});
    page_title(o, v->path);
    crumb_line(o, v->path);
    listing_out_text(o, STR("<table>\n<thead><tr>"));
    column(o, v, DIR_BY_NAME, "Name");
    column(o, v, DIR_BY_SIZE, "Size");
    column(o, v, DIR_BY_TIME, "Modified (UTC)");
    listing_out_text(o, STR("\n<tbody>\n"));
    if (v->path.len > 1)
        listing_out_text(o, STR("<tr class=\"folder\"><td><a href=\"../\">../"
                                "</a><td><td>\n"));
}

static void name_cell(struct listing_out *o, const struct dir_item *item)
{
    struct str slash = item->folder ? STR("/") : STR("");

    listing_out_text(o, item->folder ? STR("<tr class=\"folder\"><td>")
                                     : STR("<tr><td>"));
    listing_out_text(o, STR("<a href=\""));
    listing_out_url(o, item->name);
    listing_out_text(o, slash);
    listing_out_text(o, STR("\">"));
    listing_out_html(o, item->name);
    listing_out_text(o, slash);
    listing_out_text(o, STR("</a>"));
}

/* For people, and the exact number as a title of the element. */
static void size(struct listing_out *o, const char *element, uint64_t bytes)
{
    listing_out_printf(o, "<%s title=\"%" PRIu64 " %s\">", element, bytes,
                       bytes == 1 ? "byte" : "bytes");
    listing_out_size(o, bytes);
}

static void html_item(struct listing_out *o, const struct listing_view *v,
                      const struct dir_item *item)
{
    (void)v;
    name_cell(o, item);
    if (item->folder)
        listing_out_text(o, STR("<td>"));
    else
        size(o, "td", item->size_bytes);
    listing_out_text(o, STR("<td><time>"));
    listing_out_time(o, item->modified_seconds);
    listing_out_text(o, STR("</time>\n"));
}

static void html_tail(struct listing_out *o, const struct listing_view *v)
{
    listing_out_printf(o, "</table>\n<footer>%" PRIu64 " %s, ", v->items,
                       v->items == 1 ? "entry" : "entries");
    size(o, "span", v->bytes);
    listing_out_text(o, STR("</span> &middot; as "
                            "<a href=\"?format=json\">JSON</a>, "
                            "<a href=\"?format=text\">text</a></footer>\n"));
}

const struct listing_form listing_html = {
    .media_type = "text/html",
    .content_type = "text/html; charset=utf-8",
    .head = html_head,
    .item = html_item,
    .tail = html_tail,
};
