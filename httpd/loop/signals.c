#include "httpd/loop/signals.h"

#include "httpd/loop/worker.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>

static const int watched[SIGNALS_N] = {SIGTERM, SIGINT, SIGHUP};

static void on_signal(int signal, short what, void *arg)
{
    (void)what;
    struct signals *s = arg;
    s->caught(signal, s->arg);
}

bool signals_watch(struct signals *s, struct worker *w,
                   void (*caught)(int signal, void *arg), void *arg)
{
    s->caught = caught;
    s->arg = arg;
    for (int i = 0; i < SIGNALS_N; i++) {
        evsignal_assign(&s->events[i], w->base, watched[i], on_signal, s);
        if (event_add(&s->events[i], NULL) != 0)
            return false;
    }
    return true;
}

void signals_unwatch(struct signals *s)
{
    for (int i = 0; i < SIGNALS_N && s->caught; i++)
        event_del(&s->events[i]);
    s->caught = NULL;
}

static void mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS_N; i++)
        sigaddset(&set, watched[i]);
    pthread_sigmask(how, &set, NULL);
}

void signals_block(void)
{
    mask(SIG_BLOCK);
}

void signals_unblock(void)
{
    mask(SIG_UNBLOCK);
}
