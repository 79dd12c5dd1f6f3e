/* status_form.h - the inventory written down, as a table or as JSON.
 *
 * Promise    everything that is selected, in the order of the names; a page
 *            that could not be built says so itself.
 * Threads    any; the monitor's lock is held for each list. */
#ifndef HTTPD_OBSERVE_STATUS_FORM_H
#define HTTPD_OBSERVE_STATUS_FORM_H

#include "buffers/monitor.h"
#include "buffers/str.h"

#include <stdbool.h>
#include <stdint.h>

struct inventory;
struct page;

/* What is asked for. */
struct status_view {
    struct inventory *inventory;
    uint64_t now_ms;
    struct str name; /* of an entry, or of what stands below it; "": all */
};

/* Whether the name is asked for. */
bool status_selects(const struct status_view *v, const char *name);

void status_write_text(const struct status_view *v, struct page *out);
void status_write_json(const struct status_view *v, struct page *out);

/* How long it stands. A worker may ask with a time before that of the tick that
 * raised it: then it is new. */
uint64_t status_alert_ms(const struct status_view *v, const struct alert *a);

/* used of bound, in per cent; 0 without a bound. */
uint64_t status_fill(const struct report *r);

#endif
