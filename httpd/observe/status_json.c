#include "httpd/observe/status_form.h"

#include "buffers/budget.h"
#include "httpd/observe/inventory.h"
#include "httpd/sources/page.h"

#include <assert.h>
#include <inttypes.h>

struct writer {
    const struct status_view *view;
    struct page *out;
    bool first; /* nothing stands before in this list or object */
};

static void separate(struct writer *w)
{
    page_add(w->out, w->first ? "" : ",");
    w->first = false;
}

static void put_key(struct writer *w, const char *key)
{
    separate(w);
    page_addf(w->out, "\"%s\":", key);
}

static void put_number(struct writer *w, const char *key, uint64_t v)
{
    put_key(w, key);
    page_addf(w->out, "%" PRIu64, v);
}

static void put_bool(struct writer *w, const char *key, bool v)
{
    put_key(w, key);
    page_add(w->out, v ? "true" : "false");
}

/* NULL is null. */
static void put_text(struct writer *w, const char *key, const char *text)
{
    put_key(w, key);
    if (text)
        page_json(w->out, str_from(text));
    else
        page_add(w->out, "null");
}

static void open_list(struct writer *w, const char *key)
{
    put_key(w, key);
    page_add(w->out, "[");
    w->first = true;
}

/* An object in a list. */
static void open_object(struct writer *w)
{
    separate(w);
    page_add(w->out, "\n{");
    w->first = true;
}

static void close_with(struct writer *w, const char *bracket)
{
    page_add(w->out, bracket);
    w->first = false;
}

static void put_alert(struct writer *w, const struct alert *a)
{
    open_object(w);
    put_text(w, "severity", alert_severity_name(a->severity));
    put_text(w, "rule", a->rule_name);
    put_text(w, "entry", a->entry);
    put_number(w, "value", a->value);
    put_text(w, "unit", alert_unit(a->rule));
    put_number(w, "age_ms", status_alert_ms(w->view, a));
    put_text(w, "suspect", a->suspect);
    put_text(w, "means", a->means);
    put_text(w, "cure", a->cure);
    close_with(w, "}");
}

static bool put_alerts(void *arg, const struct monitor_entry *e,
                       const struct report *r)
{
    struct writer *w = arg;
    (void)r;
    for (unsigned rule = 0; rule < ALERT_RULES; rule++) {
        if (e->raised[rule] && status_selects(w->view, e->name))
            put_alert(w, &e->alerts[rule]);
    }
    return w->out->built == FLOW_DONE;
}

static void put_pool(struct writer *w, const struct report *r)
{
    put_number(w, "created", r->created);
    put_number(w, "retrieved", r->retrieved);
    put_number(w, "returned", r->returned);
    put_number(w, "destroyed", r->destroyed);
    put_number(w, "hits", r->hits);
    put_number(w, "misses", r->misses);
    put_number(w, "kept", r->kept);
    put_number(w, "bytes", r->bytes);
    put_number(w, "suspects", r->suspects);
    put_number(w, "faults", r->faults);
    put_text(w, "suspect", r->suspect);
}

static bool put_entry(void *arg, const struct monitor_entry *e,
                      const struct report *r)
{
    struct writer *w = arg;
    if (!status_selects(w->view, e->name))
        return true;
    open_object(w);
    put_text(w, "name", e->name);
    put_text(w, "kind", report_kind_name(r->kind));
    put_text(w, "policy", r->policy);
    put_text(w, "unit", r->unit);
    put_number(w, "used", r->used);
    put_number(w, "bound", r->bound);
    put_number(w, "fill_percent", status_fill(r));
    put_number(w, "used_max", r->used_max);
    put_number(w, "drops", r->drops);
    put_number(w, "refused", r->refused);
    put_number(w, "blocked_us", r->blocked_us);
    put_number(w, "flush_us", r->flush_us);
    put_number(w, "flush_us_max", r->flush_us_max);
    put_number(w, "oldest_ms", r->oldest_ms);
    if (r->kind == REPORT_POOL || r->retrieved > 0)
        put_pool(w, r);
    put_bool(w, "tunable", e->set_bound != NULL);
    close_with(w, "}");
    return w->out->built == FLOW_DONE;
}

static bool put_knob(void *arg, const struct knob_view *view)
{
    struct writer *w = arg;
    const struct knob *k = view->knob;
    if (!status_selects(w->view, k->name))
        return true;
    open_object(w);
    put_text(w, "name", k->name);
    put_text(w, "unit", k->unit);
    put_number(w, "value", knob_value(k));
    put_number(w, "min", k->min);
    put_number(w, "max", k->max);
    put_text(w, "reason", view->reason[0] ? view->reason : NULL);
    close_with(w, "}");
    return w->out->built == FLOW_DONE;
}

/* Which class of memory has what. */
static void put_budget(struct writer *w, const struct budget *b)
{
    open_list(w, "budget");
    for (unsigned n = 0; n < BUDGET_CLASSES; n++) {
        enum budget_class c = (enum budget_class)n;
        open_object(w);
        put_text(w, "class", budget_class_name(c));
        put_number(w, "used", atomic_load(&b->used_by[n]));
        put_number(w, "granted_up_to", budget_limit_of(b, c));
        put_number(w, "refused", atomic_load(&b->refused[n]));
        close_with(w, "}");
    }
    close_with(w, "]");
}

void status_write_json(const struct status_view *v, struct page *out)
{
    struct inventory *i = v->inventory;
    struct monitor *m = inventory_monitor(i);
    struct writer w = {.view = v, .out = out, .first = true};
    page_add(out, "{");
    put_bool(&w, "advisor", inventory_advisor_enabled(i));
    put_number(&w, "advisor_changes", inventory_advisor_changes(i));
    put_budget(&w, inventory_budget(i));
    open_list(&w, "alerts");
    monitor_each(m, v->now_ms, put_alerts, &w);
    close_with(&w, "]");
    open_list(&w, "entries");
    monitor_each(m, v->now_ms, put_entry, &w);
    close_with(&w, "]");
    open_list(&w, "knobs");
    inventory_each_knob(i, put_knob, &w);
    close_with(&w, "]}\n");
}
