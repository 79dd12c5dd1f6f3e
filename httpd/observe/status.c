#include "httpd/observe/status.h"

#include "httpd/http/exchange.h"
#include "httpd/http/own_machine.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/observe/inventory.h"
#include "httpd/observe/log.h"
#include "httpd/observe/status_form.h"
#include "httpd/sources/page.h"
#include "parser/accept.h"
#include "parser/number.h"
#include "parser/query.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define METHODS "GET, HEAD, OPTIONS, PATCH"

#define VALUE_BYTES 32u

bool status_selects(const struct status_view *v, const char *name)
{
    struct str whole = str_from(name);
    struct str wanted = v->name;
    if (wanted.len == 0 || str_equal(whole, wanted))
        return true;
    if (!str_starts(whole, wanted))
        return false;
    return wanted.at[wanted.len - 1] == '/' || name[wanted.len] == '/';
}

uint64_t status_alert_ms(const struct status_view *v, const struct alert *a)
{
    return v->now_ms > a->since_ms ? v->now_ms - a->since_ms : 0;
}

uint64_t status_fill(const struct report *r)
{
    if (r->bound == 0)
        return 0;
    return (uint64_t)((double)r->used * 100 / (double)r->bound);
}

/* The decoded value of a parameter; false when it is not there or too long. */
static bool parameter(const struct exchange *x, struct str name,
                      char ret_text[static VALUE_BYTES])
{
    struct str query = request_str(&x->req, x->req.query);
    struct str raw = query_get(query, name);
    size_t len = 0;
    if (!raw.at || !query_decode(raw, ret_text, VALUE_BYTES - 1, &len))
        return false;
    ret_text[len] = '\0';
    return true;
}

static bool wants_json(const struct exchange *x)
{
    char format[VALUE_BYTES];
    if (parameter(x, STR("format"), format))
        return strcmp(format, "json") == 0;
    struct str accept = request_header(&x->req, HEADER_ACCEPT);
    if (!accept.at)
        return false;
    return accept_type_weight(accept, STR("application/json")) >
           accept_type_weight(accept, STR("text/plain"));
}

static void answer(struct exchange *x, const struct status_view *v)
{
    struct page page;
    bool json = wants_json(x);
    page_init(&page);
    page.text.max = STATUS_BYTES_MAX;
    if (json)
        status_write_json(v, &page);
    else
        status_write_text(v, &page);
    response_begin(x, 200);
    response_header(x, "Content-Type",
                    json ? STR("application/json")
                         : STR("text/plain; charset=utf-8"));
    response_header(x, "Cache-Control", STR("no-store"));
    response_header(x, "Vary", STR("Accept"));
    response_header(x, "X-Content-Type-Options", STR("nosniff"));
    page_send(x, &page);
}

struct search {
    const struct status_view *view;
    bool found;
};

static bool find_entry(void *arg, const struct monitor_entry *e,
                       const struct report *r)
{
    struct search *s = arg;
    (void)r;
    s->found = status_selects(s->view, e->name);
    return !s->found;
}

static bool find_knob(void *arg, const struct knob_view *view)
{
    struct search *s = arg;
    s->found = status_selects(s->view, view->knob->name);
    return !s->found;
}

static bool exists(const struct status_view *v)
{
    struct search s = {.view = v};
    monitor_each(inventory_monitor(v->inventory), v->now_ms, find_entry, &s);
    if (!s.found)
        inventory_each_knob(v->inventory, find_knob, &s);
    return s.found;
}

/* Bytes of the name that an error repeats. */
static int shown(const struct status_view *v)
{
    size_t len = v->name.len;
    return (int)(len < MONITOR_NAME_BYTES ? len : MONITOR_NAME_BYTES);
}

static void refuse_name(struct exchange *x, const struct status_view *v)
{
    struct str prefix = x->route->prefix;
    response_error(x, 404, "nothing is named %.*s; %.*s lists all names",
                   shown(v), v->name.at, (int)prefix.len, prefix.at);
}

static void show(struct exchange *x, const struct status_view *v)
{
    if (exists(v))
        answer(x, v);
    else
        refuse_name(x, v);
}

static void switch_advisor(struct exchange *x, const struct status_view *v)
{
    char text[VALUE_BYTES] = "";
    bool given = parameter(x, STR("enabled"), text);
    bool on = strcmp(text, "true") == 0;
    if (!given || (!on && strcmp(text, "false") != 0)) {
        response_error(x, 400, "say ?enabled=true or ?enabled=false");
        return;
    }
    struct status_view all = *v;
    all.name = (struct str){0};
    inventory_enable_advisor(v->inventory, on);
    answer(x, &all);
}

static void refuse_bound(struct exchange *x, const struct status_view *v,
                         enum flow r)
{
    if (r == FLOW_END && !exists(v))
        refuse_name(x, v);
    else if (r == FLOW_END)
        response_error(x, 409,
                       "%.*s has no bound that can be set while it "
                       "runs",
                       shown(v), v->name.at);
    else
        response_error(x, 409,
                       "%.*s cannot have this bound: it is beyond what "
                       "the configuration or the buffer allows",
                       shown(v), v->name.at);
}

static void set_bound(struct exchange *x, const struct status_view *v)
{
    char text[VALUE_BYTES];
    char name[MONITOR_NAME_BYTES];
    uint64_t bound;
    if (!parameter(x, STR("bound"), text) ||
        !number_read_bytes(str_from(text), &bound)) {
        response_error(x, 400, "say ?bound=NUMBER, like 4096, 64k or 2g");
        return;
    }
    if (v->name.len >= sizeof name) {
        refuse_name(x, v);
        return;
    }
    memcpy(name, v->name.at, v->name.len);
    name[v->name.len] = '\0';
    enum flow r =
        monitor_set_bound(inventory_monitor(v->inventory), name, bound);
    if (r != FLOW_DONE) {
        refuse_bound(x, v, r);
        return;
    }
    log_line(LOG_INFO, "status: the bound of %s is %llu now", name,
             (unsigned long long)bound);
    answer(x, v);
}

static void tune(struct exchange *x, const struct status_view *v)
{
    if (!own_machine(x))
        response_error(x, 403,
                       "only a client on the server's own machine may "
                       "change bounds, " OWN_MACHINE_ADVICE);
    else if (v->name.len == 0)
        response_error(x, 400, "name what to change, like memory?bound=2g");
    else if (str_equal(v->name, STR("advisor")))
        switch_advisor(x, v);
    else
        set_bound(x, v);
}

void status_handle(struct exchange *x)
{
    struct str path = request_str(&x->req, x->req.path);
    struct status_view v = {.inventory = x->worker->inventory,
                            .now_ms = worker_now_ms(x->worker),
                            .name = route_rest(x->route, path)};
    assert(v.inventory);
    switch (x->req.method) {
    case METHOD_GET:
    case METHOD_HEAD:
        show(x, &v);
        break;
    case METHOD_PATCH:
        tune(x, &v);
        break;
    case METHOD_OPTIONS:
        response_options(x, METHODS);
        break;
    default:
        response_not_allowed(x, METHODS);
        break;
    }
}
