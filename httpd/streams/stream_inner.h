/* stream_inner.h - what the files of a stream share; for nobody else.
 *
 *      stream.c          its life, what is known of it, taps
 *      stream_append.c   the checks of an append, room, what is dropped
 *      stream_read.c     copies, stretches, positions
 *
 * Promise    everything below the lock is touched by its holder alone; what
 *            stands above it never changes.
 * Threads    any, by the lock. */
#ifndef HTTPD_STREAMS_STREAM_INNER_H
#define HTTPD_STREAMS_STREAM_INNER_H

#include "httpd/streams/producers.h"
#include "httpd/streams/stream.h"
#include "httpd/streams/stream_append.h"
#include "httpd/streams/time_marks.h"

#include <pthread.h>
#include <stdatomic.h>

#define STREAM_MAGIC 0x5c115731u

struct stream {
    uint32_t magic;
    atomic_uint refs;
    uint64_t id;
    struct str name;
    struct str content_type;
    enum stream_kind kind;
    struct life_span life;
    struct stream_bounds bounds;
    struct stream *source;
    uint64_t fork_pos;

    pthread_mutex_t lock;
    struct store *store;
    struct producers producers;
    struct time_marks marks;
    struct tap *taps;
    uint64_t released; /* policy block: every reader has what is before */
    uint64_t touched_ms;
    char *seq; /* the last Stream-Seq */
    size_t seq_len;
    bool closed;
    bool gone;
    bool soft_deleted;
    bool starved;          /* an append found no room */
    atomic_uint waiting_n; /* publishers that wait for it */
};

/* Tells every tap; the lock is held. */
void stream_tell(struct stream *s);

/* Drops up to pos, which is a message's begin; the lock is held. */
void stream_drop(struct stream *s, uint64_t pos);

/* The suffix that each message is stored with. */
struct str stream_suffix(const struct stream *s);

#endif
