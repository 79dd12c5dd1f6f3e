#include "httpd/loop/io_watch.h"

#include "httpd/loop/worker.h"

#include <assert.h>
#include <event2/event.h>

static void on_event(int fd, short what, void *arg)
{
    (void)fd;
    struct io_watch *io = arg;
    unsigned edges = 0;
    edges |= what & EV_READ ? IO_READABLE : 0;
    edges |= what & EV_WRITE ? IO_WRITABLE : 0;
    edges |= what & EV_CLOSED ? IO_CLOSED : 0;
    io->changed(edges, io->arg);
}

bool io_watch_start(struct io_watch *io, struct worker *w, int fd,
                    void (*changed)(unsigned edges, void *arg), void *arg)
{
    assert(fd >= 0);
    assert(changed);
    io->changed = changed;
    io->arg = arg;
    short what = EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST;
    event_assign(&io->event, w->base, fd, what, on_event, io);
    return event_add(&io->event, NULL) == 0;
}

void io_watch_stop(struct io_watch *io)
{
    if (io->changed)
        event_del_noblock(&io->event);
    io->changed = NULL;
}
