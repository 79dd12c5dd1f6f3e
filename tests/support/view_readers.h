/* view_readers.h - readers of a view, as its tests want them.
 *
 * Promise    each is set up before a test and gone behind it; what they got
 *            can be compared with what was published.
 * Threads    one. */
#ifndef TESTS_SUPPORT_VIEW_READERS_H
#define TESTS_SUPPORT_VIEW_READERS_H

#include "httpd/streams/stream_append.h"
#include "tests/support/audience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_BYTES 4096u
#define MANY       700u /* more than a turn sends to */

static inline int set_up(void **state)
{
    struct audience *a = calloc(1, sizeof *a);
    assert_non_null(a);
    audience_init(a, RING_BYTES);
    audience_stream(a, POLICY_DROP_OLDEST, "text/plain", 1u << 20);
    *state = a;
    return 0;
}

static inline int tear_down(void **state)
{
    audience_fini(*state);
    free(*state);
    return 0;
}

static inline void publish(struct audience *a, const char *text)
{
    assert_int_equal(audience_publish(a, str_from(text)), APPEND_DONE);
}

/* Messages of n bytes, each of a letter of its own, from 'a' on. */
static inline void publish_letters(struct audience *a, size_t messages_n,
                                   size_t n)
{
    char *text = malloc(n);
    assert_non_null(text);
    for (size_t i = 0; i < messages_n; i++) {
        memset(text, (int)('a' + i % 26), n);
        assert_int_equal(audience_publish(a, (struct str){text, n}),
                         APPEND_DONE);
    }
    free(text);
}

/* Bare bytes that end with the connection: what was got is what was sent. */
static inline struct live_request want_bare(struct audience *a, uint64_t pos)
{
    struct live_request want = audience_want(a, RENDER_RAW, pos);
    want.style.chunked = false;
    return want;
}

static inline struct live_request want_events(struct audience *a, uint64_t pos)
{
    struct live_request want = audience_want(a, RENDER_SSE, pos);
    want.style.chunked = false;
    return want;
}

static inline struct peer *bare(struct audience *a, size_t takes)
{
    struct live_request want = want_bare(a, 0);
    return peer_new(a, &want, takes);
}

static inline struct peer *events(struct audience *a, size_t takes)
{
    struct live_request want = want_events(a, 0);
    return peer_new(a, &want, takes);
}

static inline void assert_got(const struct peer *p, const char *text)
{
    assert_int_equal(p->got.len, strlen(text));
    if (p->got.len > 0)
        assert_memory_equal(p->got.data, text, p->got.len);
}

static inline bool got_holds(const struct peer *p, const char *text)
{
    return p->got.len > 0 &&
           memmem(p->got.data, p->got.len, text, strlen(text)) != NULL;
}

static inline void assert_same_got(const struct peer *a, const struct peer *b)
{
    assert_int_equal(a->got.len, b->got.len);
    assert_memory_equal(a->got.data, b->got.data, a->got.len);
}

/* At the tail. */

#endif
