#include "httpd/loop/timer.h"

#include "httpd/loop/worker.h"

#include <event2/event.h>
#include <sys/time.h>

static void fired(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct timer *t = arg;
    worker_tick(t->worker);
    t->fire(t->arg);
}

void timer_init(struct timer *t, struct worker *w, void (*fire)(void *arg),
                void *arg)
{
    t->worker = w;
    t->fire = fire;
    t->arg = arg;
    event_assign(&t->event, w->base, -1, 0, fired, t);
}

void timer_start(struct timer *t, uint64_t ms)
{
    struct timeval after = {.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(&t->event, &after);
}

void timer_fini(struct timer *t)
{
    event_del_noblock(&t->event);
}
