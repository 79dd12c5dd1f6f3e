#include "httpd/loop/io_watch.h"

#include "httpd/loop/worker.h"

#include <assert.h>
#include <event2/event.h>

void io_watch_init(struct io_watch *io, struct worker *w, int fd,
                   void (*readable)(int fd, short what, void *arg),
                   void (*writable)(int fd, short what, void *arg), void *arg)
{
    assert(fd >= 0);
    io->reads = false;
    io->writes = false;
    event_assign(&io->read, w->base, fd, EV_READ | EV_PERSIST, readable, arg);
    event_assign(&io->write, w->base, fd, EV_WRITE | EV_PERSIST, writable, arg);
}

static bool set(struct event *event, bool *armed, bool want)
{
    if (*armed == want)
        return true;
    int failed = want ? event_add(event, NULL) : event_del_noblock(event);
    if (failed)
        return false;
    *armed = want;
    return true;
}

bool io_watch_set(struct io_watch *io, bool reads, bool writes)
{
    bool read_ok = set(&io->read, &io->reads, reads);
    bool write_ok = set(&io->write, &io->writes, writes);
    return read_ok && write_ok;
}
