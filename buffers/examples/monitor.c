#include "buffers/monitor.h"

#include <stdio.h>

static void tell(void *arg, const struct alert *a)
{
    (void)arg;
    printf("%s: %s of %s at %d %%\n", a->ended ? "over" : "alert", a->rule_name,
           a->entry, (int)a->value);
}

static void report(void *self, uint64_t now_ms, struct report *r)
{
    (void)now_ms;
    *r =
        (struct report){.kind = REPORT_BUFFER, .policy = "block", .bound = 100};
    r->unit = "elements";
    r->used = *(uint64_t *)self;
}

/* A queue of 100 that is nearly full for ten seconds, and then is not. */
int main(void)
{
    uint64_t len = 97;
    struct monitor m;
    struct monitor_entry e = {.name = "jobs", .self = &len, .report = report};
    monitor_init(&m, tell, NULL);
    if (monitor_add(&m, &e) != FLOW_DONE)
        return 1;
    for (uint64_t now_ms = 1000; now_ms < 20000; now_ms += 1000) {
        monitor_tick(&m, now_ms);
        len = now_ms < 10000 ? 97 : 50;
    }
    monitor_remove(&m, &e);
    monitor_fini(&m);
    return 0;
}
