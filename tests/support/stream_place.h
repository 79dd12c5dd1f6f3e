/* stream_place.h - one stream, its pool and two taps, for tests of streams.
 *
 * Promise    what is told to a tap is remembered until was_told() asks; taps
 * are taken off and everything must be back at the end. Threads    one each. */
#ifndef TESTS_SUPPORT_STREAM_PLACE_H
#define TESTS_SUPPORT_STREAM_PLACE_H

#include "httpd/streams/hub_inner.h"
#include "httpd/streams/stream_append.h"

/* The clock at first, in ms since 1970. */
#define PLACE_NOW UINT64_C(1700000000000)

struct place {
    struct budget budget;
    struct block_pool pool;
    struct hub hub;
    struct tap taps[2];
    bool joined[2];
    struct stream *s;
    struct append_outcome outcome;
    uint64_t now_ms;
};

int place_set_up(void **state);
int place_tear_down(void **state);

struct stream_config config_of(enum stream_policy policy, uint64_t bytes);
void make(struct place *p, const struct stream_config *c);
void make_of(struct place *p, enum stream_policy policy, uint64_t bytes);

/* With the pool and the time of the place. */
enum append_result append_as(struct place *p, struct stream *s,
                             struct append *a);
enum append_result append_to(struct place *p, struct stream *s,
                             const char *text);
enum append_result append(struct place *p, const char *text);

struct stream_state look(struct place *p);
void assert_span(struct place *p, uint64_t first, uint64_t tail);
void assert_reads(struct stream *s, uint64_t pos, const char *text);

/* Taps. */
void join(struct place *p, size_t i, uint64_t floor);
void leave(struct place *p, size_t i);

/* Whether the tap was told since it was asked last. */
bool was_told(struct place *p, size_t i);

#endif
