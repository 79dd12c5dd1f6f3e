/* audience.h - readers of streams on sockets that a test holds in its hand: a
 * real hub, views and readers; a stand-in for the worker and connections.
 *
 *      stream -> hub -> views, readers -> outlet -> fake socket -> got
 *                                                     takes N bytes more
 *
 * Promise    an outlet acts as a connection's does: it is pulled when it was
 *            woken, when its queue was emptied, when its socket takes bytes
 *            again; drop() ends it at the end of its turn.
 *            Whenever all is at rest, audience_check() has looked at every view
 *            and reader.
 * Limits     audience_run() fails the test when things do not come to rest in
 *            AUDIENCE_TURNS_MAX turns.
 * Threads    one. */
#ifndef TESTS_SUPPORT_AUDIENCE_H
#define TESTS_SUPPORT_AUDIENCE_H

#include "httpd/config/config.h"
#include "httpd/conn/sink.h"
#include "httpd/streams/hub_inner.h"
#include "httpd/streams/reader.h"
#include "httpd/streams/stream_append.h"

#define AUDIENCE_TURNS_MAX 100000u
#define PEER_TEXT_BYTES    512u

struct audience {
    struct worker worker;
    struct config config;
    struct budget budget;
    struct stream *s; /* that peers follow */
    struct peer *peers;
    size_t turns_n; /* of ready things, since it began */
};

enum peer_fate {
    PEER_FOLLOWS,
    PEER_ENDED,   /* all was said */
    PEER_CUT,     /* ended without the last chunk */
    PEER_DROPPED, /* reset */
    PEER_LEFT,
};

struct peer {
    struct peer *next;
    struct audience *a;
    struct outlet outlet;
    struct sink sink;
    struct write_queue out;
    struct ready ready;
    struct reader reader;
    bool follows; /* the reader is there */
    bool pull_again;
    bool pull_when_empty;
    bool above_high;
    bool closing;
    enum peer_fate fate;
    size_t takes; /* bytes that its socket has room for */
    bool broken;  /* sends fail */
    bool wronged; /* a send to a full socket, of nothing, or that was lost; told
                     by the check, as a test cannot end within the engine */
    size_t sends_n;
    struct bytes got;
    char text[PEER_TEXT_BYTES]; /* of the last note, or why it was dropped */
};

void audience_init(struct audience *a, uint64_t view_bytes);

/* All peers leave; everything must have come back. */
void audience_fini(struct audience *a);

/* The stream that is followed from now on. */
void audience_stream(struct audience *a, enum stream_policy policy,
                     const char *type, uint64_t bytes_max);

enum append_result audience_publish(struct audience *a, struct str message);
void audience_close(struct audience *a);

/* A request of this form for the stream from pos on, with nothing else set. */
struct live_request audience_want(const struct audience *a,
                                  enum render_form form, uint64_t pos);

/* A peer whose socket takes so many bytes; SIZE_MAX: all that come. Belongs to
 * the audience. */
struct peer *peer_new(struct audience *a, const struct live_request *want,
                      size_t takes);
void peer_free(struct peer *p);

/* Its socket takes so many bytes more, and says so if it was full. */
void peer_drain(struct peer *p, size_t bytes);

/* It goes away: the next send fails. */
void peer_break(struct peer *p);

/* Runs what is ready until nothing is. */
void audience_run(struct audience *a);

/* One turn of what is ready; whether there is more. */
bool audience_step(struct audience *a);

/* So much later: sweeps the hub and ticks every peer, then runs. */
void audience_wait(struct audience *a, uint64_t ms);

/* Asserts what must hold of each view, slot and reader. */
void audience_check(const struct audience *a);

/* The peer's only view, or NULL. */
struct view *audience_view(struct audience *a);

#endif
