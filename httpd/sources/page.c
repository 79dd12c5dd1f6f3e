#include "httpd/sources/page.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_limits.h"
#include "parser/escape.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void page_init(struct page *p)
{
    bytes_init(&p->text, LAB_TEXT_BYTES_MAX);
    p->built = FLOW_DONE;
}

void page_fini(struct page *p)
{
    bytes_fini(&p->text);
}

void page_add_str(struct page *p, struct str text)
{
    if (p->built == FLOW_DONE)
        p->built = bytes_append_str(&p->text, text);
}

void page_add(struct page *p, const char *text)
{
    page_add_str(p, str_from(text));
}

void page_addf(struct page *p, const char *format, ...)
{
    char line[LAB_LINE_BYTES_MAX];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof(line));
    page_add(p, line);
}

void page_html(struct page *p, struct str text)
{
    if (p->built == FLOW_DONE)
        p->built = escape_html(&p->text, text);
}

void page_json(struct page *p, struct str text)
{
    page_add(p, "\"");
    if (p->built == FLOW_DONE)
        p->built = escape_json(&p->text, text);
    page_add(p, "\"");
}

void page_url(struct page *p, struct str text)
{
    if (p->built == FLOW_DONE)
        p->built = escape_url(&p->text, text, true);
}

struct held {
    struct bytes text;
    size_t pos;
};

static enum flow pull(void *self, struct exchange *x)
{
    struct held *h = self;
    struct str rest = str_skip(bytes_view(&h->text), h->pos);
    const size_t room = exchange_room(x);

    assert(h->pos <= h->text.len);
    if (rest.len > room)
        rest.len = room;
    if (rest.len > LAB_PULL_BYTES_MAX)
        rest.len = LAB_PULL_BYTES_MAX;
    if (rest.len > 0 && exchange_push(x, rest) != FLOW_DONE)
        return FLOW_FAILED;
    h->pos += rest.len;
    return h->pos == h->text.len ? FLOW_END : FLOW_DONE;
}

static void stop(void *self)
{
    struct held *h = self;

    bytes_fini(&h->text);
    free(h);
}

static const struct source_ops page_ops = {
    .name = "page", .pull = pull, .stop = stop};

/* Takes the text over. NULL when it could not be built or held. */
static struct held *held_new(struct page *p)
{
    struct held *h = p->built == FLOW_DONE ? calloc(1, sizeof(*h)) : NULL;

    if (h == NULL)
        return NULL;
    h->text = p->text;
    page_init(p);
    return h;
}

void page_send(struct exchange *x, struct page *p)
{
    const size_t len = p->text.len;

    if (p->built == FLOW_DONE && len <= LAB_INLINE_BYTES_MAX) {
        response_send_bytes(x, bytes_view(&p->text));
    } else {
        struct held *h = held_new(p);

        if (h == NULL)
            lab_out_of_memory(x);
        else
            response_send_source(x, &page_ops, h, len);
    }
    page_fini(p);
}

void page_send_gzip(struct exchange *x, struct page *p, int level)
{
    struct held *h = held_new(p);

    if (h == NULL)
        lab_out_of_memory(x);
    else
        response_send_gzip(x, &page_ops, h, level);
    page_fini(p);
}
