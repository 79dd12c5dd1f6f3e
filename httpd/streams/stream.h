/* stream.h - named, append-only bytes with any number of readers.
 *
 *      publishers --append--> [first .......... released ....... tail]
 *                                |                  |              |
 *                             retention      slowest reader      taps are
 *                             drops here     (policy block)      told once
 *
 * An append is checked in one order, under one lock: gone, closed, content
 * type, producer, sequence, size, room. Room is a matter of the policy:
 *
 *      policy        no room                        what is dropped
 *      drop-oldest   never: the oldest yield        the oldest
 *      block         APPEND_FULL: wait for a tap    what all readers have
 *      reject        APPEND_REFUSED: 503            nothing but by age
 *      grow          APPEND_REFUSED by the budget   nothing but by age
 *
 * Promise    readers see a prefix of what was acknowledged; an append that
 *            fails adds nothing and drops at most what it would have dropped.
 *            A reader that asks for what was dropped learns where the stream
 *            begins now.
 * Invariant  first <= released <= tail. first and tail only grow; released goes
 *            back to a reader that begins before it.
 * Limits     bytes, messages and age, per stream; the process's budget above.
 * Owns       its store, texts, producers. Counted: stream_ref() and
 *            stream_unref().
 * Threads    any; one lock. Readers hold it for copies of at most 64 KiB, an
 *            append for its own bytes, and both it and a fork for the index
 *            of messages, where that is laid out anew or shared.
 * Source     Durable Streams protocol: append, closing, producers. */
#ifndef HTTPD_STREAMS_STREAM_H
#define HTTPD_STREAMS_STREAM_H

#include "buffers/block_pool.h"
#include "buffers/str.h"
#include "httpd/streams/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;
struct tap;

#define STREAM_NAME_BYTES_MAX 1024u
#define STREAM_TYPE_BYTES_MAX 256u
#define STREAM_SEQ_BYTES_MAX  256u
#define STREAM_READ_BYTES     (64u << 10) /* of one copy */

enum stream_policy {
    POLICY_DROP_OLDEST,
    POLICY_BLOCK,
    POLICY_REJECT,
    POLICY_GROW,
};

enum slow_reader {
    SLOW_DISCONNECT,
    SLOW_SKIP, /* on to the tail, with a notice of what is missing */
};

/* How its payload is shown in text forms. */
enum stream_kind {
    STREAM_BINARY, /* base64 in SSE, binary frames */
    STREAM_TEXT,
    STREAM_JSON, /* messages; each is stored with a line feed behind it */
};

struct stream_bounds {
    enum stream_policy policy;
    enum slow_reader slow_reader;
    uint64_t bytes_max;    /* of payload */
    uint64_t messages_max; /* 0: not bounded by itself */
    uint64_t age_ms;       /* 0: kept for ever */
    uint64_t lag_hard;     /* bytes behind; 0: only what is dropped */
    uint64_t lag_soft;     /* bytes behind for lag_soft_ms; 0: off */
    uint64_t lag_soft_ms;
    uint64_t slow_after_ms; /* policy block: without progress, evicted */
};

enum life_kind {
    LIFE_ENDLESS,
    LIFE_TTL,        /* seconds since the last read or write */
    LIFE_EXPIRES_AT, /* a moment */
};

struct life_span {
    enum life_kind kind;
    uint64_t ttl_s;
    uint64_t expires_at_ms; /* since 1970 */
    char expires_text[64];  /* as it was given */
};

/* What a stream is made of; texts are copied. */
struct stream_config {
    struct str name;
    struct str content_type;
    struct life_span life;
    struct stream_bounds bounds;
    bool closed;
    struct stream *source; /* of a fork, or NULL */
    uint64_t fork_pos;
};

/* What is known of a stream at one moment. */
struct stream_state {
    uint64_t first;
    uint64_t tail;
    uint64_t messages_n;
    bool closed;
    bool gone;         /* deleted or expired: readers end */
    bool soft_deleted; /* gone, but its forks keep the name */
};

/* One reference, for the caller. NULL when out of memory. A fork takes a
 * reference to its source and shares its bytes before fork_pos. */
struct stream *stream_new(const struct stream_config *config, uint64_t now_ms);
struct stream *stream_ref(struct stream *s);
void stream_unref(struct stream *s);

/* Constant while it lives. */
struct str stream_name(const struct stream *s);
struct str stream_content_type(const struct stream *s);
enum stream_kind stream_kind(const struct stream *s);
const struct life_span *stream_life(const struct stream *s);
const struct stream_bounds *stream_bounds(const struct stream *s);
/* Never the same twice, by another process neither, unless the clock goes
 * back. */
uint64_t stream_id(const struct stream *s);
struct stream *stream_source(const struct stream *s);
uint64_t stream_fork_pos(const struct stream *s);

void stream_look(struct stream *s, struct stream_state *ret);

/* Live readers of all workers. */
size_t stream_readers_n(struct stream *s);

/* Bytes that an append may have now: what the policy leaves; 0: wait. */
uint64_t stream_room(struct stream *s);

/* Room that an append takes. */
struct stream_need {
    uint64_t bytes;
    uint64_t messages_n;
};

/* Whether so much finds room now; if not, the taps are told when some comes. */
bool stream_fits(struct stream *s, const struct stream_need *need);

/* A publisher begins or ends to wait for room, and whether any does. */
void stream_count_waiting(struct stream *s, bool begins);
bool stream_holds_publishers(struct stream *s);

enum stream_read {
    READ_DONE,
    READ_TAIL,   /* pos is the tail: nothing there yet */
    READ_LAPPED, /* pos lies before first */
};

struct stream_copy {
    struct store_copy got; /* from pos on */
    struct stream_state state;
};

/* Copies from pos up to end or the tail, cap bytes at most. The state is of
 * the same moment. */
enum stream_read stream_copy(struct stream *s, uint64_t pos, uint64_t end,
                             struct str buffer, struct stream_copy *ret);

/* Lends a stretch from pos up to end. */
enum stream_read stream_stretch(struct stream *s, uint64_t pos, uint64_t end,
                                struct stretch *ret);

/* Whether a message begins or ends at pos; first <= pos <= tail. */
bool stream_at_message(struct stream *s, uint64_t pos);

/* The first message end at or behind pos; clamped to [first, tail]. */
uint64_t stream_align(struct stream *s, uint64_t pos);

/* The end of the n-th message from pos on; *ret_found may be less than n. */
uint64_t stream_skip_messages(struct stream *s, uint64_t pos, uint64_t n,
                              uint64_t *ret_found);

/* Where to begin for what was published since that moment, to about
 * TIME_MARK_MS. */
uint64_t stream_pos_at(struct stream *s, uint64_t since_ms);

/* Life. */

/* A read or write that restarts the time to live. */
void stream_touch(struct stream *s, uint64_t now_ms);
bool stream_expired(struct stream *s, uint64_t now_ms);

/* Drops what is older than age_ms. */
void stream_drop_aged(struct stream *s, uint64_t now_ms);

/* Deleted or expired: appends fail and readers end. soft: its forks keep the
 * name. */
void stream_end(struct stream *s, bool soft);

/* Lets go of all blocks, at the end of the program: their pools go next. */
void stream_drop_all(struct stream *s);

/* Taps: who is told of news. tap_news() is called under the lock, from any
 * thread. A stream with live readers does not expire. */
void stream_add_tap(struct stream *s, struct tap *t);
void stream_remove_tap(struct stream *s, struct tap *t);

/* A tap says up to where all its readers have got everything (UINT64_MAX: it
 * has none), which makes room under policy block. */
void stream_tap_floor(struct stream *s, struct tap *t, uint64_t pos);

const char *stream_policy_name(enum stream_policy p);
bool stream_policy_read(struct str text, enum stream_policy *ret);
bool slow_reader_read(struct str text, enum slow_reader *ret);

#endif
