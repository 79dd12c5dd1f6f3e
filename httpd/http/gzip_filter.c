#define ZLIB_CONST
#include "httpd/http/gzip_filter.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW_BITS  (15 + 16) /* 32 KiB of window, gzip around it */
#define GZIP_MEMORY_LEVEL 7

struct gzip_filter {
    z_stream z;
    size_t held_bytes; /* taken by deflate, and by this struct */
    bool pending;      /* pushed since the last flush */
    bool finished;
    bool broken;
};

static void *take(void *self, unsigned n, unsigned each)
{
    struct gzip_filter *f = self;
    size_t bytes = (size_t)n * each;

    if (bytes > GZIP_FILTER_BYTES_MAX - f->held_bytes)
        return NULL;
    void *p = malloc(bytes);
    if (p)
        f->held_bytes += bytes;
    return p;
}

static void give(void *self, void *p)
{
    (void)self;
    free(p);
}

struct gzip_filter *gzip_filter_new(int level)
{
    assert(level >= GZIP_FILTER_LEVEL_MIN);
    assert(level <= GZIP_FILTER_LEVEL_MAX);
    struct gzip_filter *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->held_bytes = sizeof(*f);
    f->z.zalloc = take;
    f->z.zfree = give;
    f->z.opaque = f;
    if (deflateInit2(&f->z, level, Z_DEFLATED, GZIP_WINDOW_BITS,
                     GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(f);
        return NULL;
    }
    return f;
}

void gzip_filter_free(struct gzip_filter *f)
{
    if (!f)
        return;
    (void)deflateEnd(&f->z); /* an unfinished stream is not an error here */
    free(f);
}

/* Runs deflate until it neither has input nor fills a step. */
static enum flow run(struct gzip_filter *f, int mode,
                     enum flow (*emit)(void *arg, struct str out), void *arg)
{
    char step[GZIP_FILTER_STEP_BYTES];
    enum flow flow = FLOW_DONE;

    do {
        f->z.next_out = (unsigned char *)step;
        f->z.avail_out = sizeof(step);
        int said = deflate(&f->z, mode);
        size_t len = sizeof(step) - f->z.avail_out;
        if (said == Z_STREAM_ERROR)
            flow = FLOW_FAILED;
        else if (len > 0)
            flow = emit(arg, (struct str){step, len});
    } while (flow == FLOW_DONE && f->z.avail_out == 0);
    f->broken = flow != FLOW_DONE;
    assert(f->broken || f->z.avail_in == 0);
    return flow;
}

enum flow gzip_filter_push(struct gzip_filter *f, struct str piece,
                           enum flow (*emit)(void *arg, struct str out),
                           void *arg)
{
    assert(!f->finished);
    assert(piece.len <= UINT_MAX);
    if (f->broken)
        return FLOW_FAILED;
    if (piece.len == 0)
        return FLOW_DONE;
    f->z.next_in = (const unsigned char *)piece.at;
    f->z.avail_in = (unsigned)piece.len;
    f->pending = true;
    return run(f, Z_NO_FLUSH, emit, arg);
}

enum flow gzip_filter_flush(struct gzip_filter *f,
                            enum flow (*emit)(void *arg, struct str out),
                            void *arg)
{
    assert(!f->finished);
    if (f->broken)
        return FLOW_FAILED;
    if (!f->pending)
        return FLOW_DONE;
    f->pending = false;
    return run(f, Z_SYNC_FLUSH, emit, arg);
}

enum flow gzip_filter_finish(struct gzip_filter *f,
                             enum flow (*emit)(void *arg, struct str out),
                             void *arg)
{
    assert(!f->finished);
    if (f->broken)
        return FLOW_FAILED;
    f->finished = true;
    return run(f, Z_FINISH, emit, arg);
}
