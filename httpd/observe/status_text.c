#include "httpd/observe/status_form.h"

#include "buffers/budget.h"
#include "httpd/observe/inventory.h"
#include "httpd/sources/page.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CELL_BYTES     24u
#define NAME_WIDTH_MIN 24

struct writer {
    const struct status_view *view;
    struct page *out;
    int name_width;
    size_t n; /* rows written */
};

struct cell {
    char text[CELL_BYTES];
};

static struct cell number(uint64_t v)
{
    struct cell c;
    snprintf(c.text, sizeof c.text, "%" PRIu64, v);
    return c;
}

/* "64k", "1.5m": three digits or so; a curl user reads, a program asks for
 * JSON. */
static struct cell size(uint64_t bytes)
{
    static const char units[] = "kmgtpe";
    struct cell c;
    double v = (double)bytes;
    int unit = -1;
    while (v >= 1024 && unit + 1 < (int)sizeof units - 1) {
        v /= 1024;
        unit++;
    }
    if (unit < 0)
        return number(bytes);
    int digits = v < 10 && v != (double)(uint64_t)v ? 1 : 0;
    snprintf(c.text, sizeof c.text, "%.*f%c", digits, v, units[unit]);
    return c;
}

static struct cell amount(uint64_t v, const char *unit)
{
    return unit && strcmp(unit, "bytes") == 0 ? size(v) : number(v);
}

static struct cell duration(uint64_t us)
{
    struct cell c;
    double v = (double)us;
    if (us < 1000)
        snprintf(c.text, sizeof c.text, "%" PRIu64 "us", us);
    else if (us < 1000000)
        snprintf(c.text, sizeof c.text, "%.1fms", v / 1e3);
    else
        snprintf(c.text, sizeof c.text, "%.1fs", v / 1e6);
    return us ? c : (struct cell){"-"};
}

static struct cell per_cent(const struct report *r)
{
    struct cell c = {"-"};
    if (r->bound > 0)
        snprintf(c.text, sizeof c.text, "%" PRIu64 "%%", status_fill(r));
    return c;
}

static struct cell hit_rate(const struct report *r)
{
    struct cell c = {"-"};
    uint64_t gets = r->hits + r->misses;
    if (gets > 0)
        snprintf(c.text, sizeof c.text, "%.0f%%",
                 100 * (double)r->hits / (double)gets);
    return c;
}

static struct cell bound_of(const struct report *r)
{
    return r->bound ? amount(r->bound, r->unit) : (struct cell){"-"};
}

static bool measure_name(void *arg, const struct monitor_entry *e,
                         const struct report *r)
{
    struct writer *w = arg;
    (void)r;
    int len = (int)strlen(e->name);
    if (len > w->name_width && status_selects(w->view, e->name))
        w->name_width = len;
    return true;
}

static bool put_alerts(void *arg, const struct monitor_entry *e,
                       const struct report *r)
{
    struct writer *w = arg;
    (void)r;
    for (unsigned rule = 0; rule < ALERT_RULES; rule++) {
        const struct alert *a = &e->alerts[rule];
        if (!e->raised[rule] || !status_selects(w->view, e->name))
            continue;
        struct cell since = duration(status_alert_ms(w->view, a) * 1000);
        page_addf(w->out, "%-8s %s of %s at %" PRIu64 " %s, for %s\n",
                  alert_severity_name(a->severity), a->rule_name, a->entry,
                  a->value, alert_unit(a->rule), since.text);
        page_addf(w->out, "         %s\n", a->means);
        page_addf(w->out, "         %s%s%s\n", a->cure,
                  a->suspect ? "; borrowed by " : "",
                  a->suspect ? a->suspect : "");
        w->n++;
    }
    return w->out->built == FLOW_DONE;
}

static bool is_pool(const struct report *r)
{
    return r->kind == REPORT_POOL;
}

/* The line above a table stands there once there is a row. */
static void put_head(struct writer *w, const char *title, const char *columns)
{
    if (w->n++ == 0)
        page_addf(w->out, "\n%-*s %s\n", w->name_width, title, columns);
}

#define BUFFER_COLUMNS                                                         \
    "policy               unit        used    bound  fill      max    drops  " \
    "refused   blocked     flush    oldest tunable"

static bool put_buffer(void *arg, const struct monitor_entry *e,
                       const struct report *r)
{
    struct writer *w = arg;
    if (is_pool(r) || !status_selects(w->view, e->name))
        return true;
    put_head(w, "BUFFERS", BUFFER_COLUMNS);
    page_addf(w->out,
              "%-*s %-20s %-7s %8s %8s %5s %8s %8s %8s %9s %9s %9s %s\n",
              w->name_width, e->name, r->policy, r->unit,
              amount(r->used, r->unit).text, bound_of(r).text, per_cent(r).text,
              amount(r->used_max, r->unit).text, number(r->drops).text,
              number(r->refused).text, duration(r->blocked_us).text,
              duration(r->flush_us).text, duration(r->oldest_ms * 1000).text,
              e->set_bound ? "yes" : "no");
    return w->out->built == FLOW_DONE;
}

#define POOL_COLUMNS                                                           \
    " in use    kept   bound    peak   created retrieved  returned destroyed " \
    " hits refused  faults    bytes suspect"

static bool put_pool(void *arg, const struct monitor_entry *e,
                     const struct report *r)
{
    struct writer *w = arg;
    if (!is_pool(r) || !status_selects(w->view, e->name))
        return true;
    put_head(w, "POOLS", POOL_COLUMNS);
    page_addf(
        w->out, "%-*s %7s %7s %7s %7s %9s %9s %9s %9s %5s %7s %7s %8s %s\n",
        w->name_width, e->name, number(r->used).text, number(r->kept).text,
        number(r->bound).text, number(r->used_max).text,
        number(r->created).text, number(r->retrieved).text,
        number(r->returned).text, number(r->destroyed).text, hit_rate(r).text,
        number(r->refused).text, number(r->faults).text, size(r->bytes).text,
        r->suspect ? r->suspect : "-");
    return w->out->built == FLOW_DONE;
}

static bool put_knob(void *arg, const struct knob_view *view)
{
    struct writer *w = arg;
    const struct knob *k = view->knob;
    if (!status_selects(w->view, k->name))
        return true;
    put_head(w, "KNOBS", "   value      min      max why");
    page_addf(w->out, "%-*s %8s %8s %8s %s\n", w->name_width, k->name,
              amount(knob_value(k), k->unit).text, amount(k->min, k->unit).text,
              amount(k->max, k->unit).text,
              view->reason[0] ? view->reason : "not turned yet");
    return w->out->built == FLOW_DONE;
}

static void put_budget(struct writer *w, const struct budget *b)
{
    page_add(w->out, "\nBUDGET   used      granted up to  refused\n");
    for (unsigned n = 0; n < BUDGET_CLASSES; n++) {
        enum budget_class c = (enum budget_class)n;
        page_addf(w->out, "%-8s %-9s %-14s %s\n", budget_class_name(c),
                  size(atomic_load(&b->used_by[n])).text,
                  size(budget_limit_of(b, c)).text,
                  number(atomic_load(&b->refused[n])).text);
    }
}

static void put_tables(struct writer *w)
{
    struct inventory *i = w->view->inventory;
    struct monitor *m = inventory_monitor(i);
    uint64_t now_ms = w->view->now_ms;
    w->n = 0;
    monitor_each(m, now_ms, put_buffer, w);
    w->n = 0;
    monitor_each(m, now_ms, put_pool, w);
    w->n = 0;
    inventory_each_knob(i, put_knob, w);
}

void status_write_text(const struct status_view *v, struct page *out)
{
    struct inventory *i = v->inventory;
    struct monitor *m = inventory_monitor(i);
    struct writer w = {.view = v, .out = out, .name_width = NAME_WIDTH_MIN};
    assert(v->now_ms > 0);
    monitor_each(m, v->now_ms, measure_name, &w);
    page_add(out, "ALERTS\n");
    monitor_each(m, v->now_ms, put_alerts, &w);
    page_add(out, w.n > 0 ? "" : "none\n");
    if (v->name.len == 0)
        put_budget(&w, inventory_budget(i));
    put_tables(&w);
    page_addf(out, "\nThe advisor is %s; it has made %" PRIu64 " changes.\n",
              inventory_advisor_enabled(i) ? "on" : "off",
              inventory_advisor_changes(i));
}
