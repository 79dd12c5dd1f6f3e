#include "httpd/files/direct_source.h"

#include "buffers/direct_file.h"
#include "buffers/file_residency.h"
#include "buffers/file_residency_ways.h"
#include "httpd/config/config.h"
#include "httpd/files/file_entry.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/io_pool.h"
#include "httpd/loop/worker.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define WINDOW_BYTES BLOCK_1M_BYTES
#define FIRST_BYTES  (128u << 10) /* a short wait for the first bytes */
#define PUSH_BYTES   (256u << 10)

#define QUESTION_BYTES_MIN (64u << 10)

/* No kernel that is set up sensibly reads further ahead. */
#define KERNEL_AHEAD_BYTES_MAX (32u << 20)

static_assert(FIRST_BYTES % DIRECT_ALIGN_BYTES_MAX == 0,
              "windows end where reads may begin, so each fits a block");

/* A window on its way from the disk. While it is under way all of it is the
 * job's. */
struct ahead {
    struct block *block; /* NULL: there is none */
    uint64_t pos;        /* wanted are the bytes of the file from here */
    uint64_t end;
    uint64_t begin; /* the block begins here, at or before pos */
    enum flow result;
    bool refused; /* O_DIRECT is not to be had */
    bool under_way;
};

struct direct_source {
    struct io_job job;
    struct exchange *x; /* NULL: stopped, and the job is still under way */
    struct file_entry *entry;
    const struct file_variant *variant;
    uint64_t begin;
    uint64_t pos; /* the next byte to push */
    uint64_t end;
    uint64_t warm_end;   /* from the window asked for last: all is cached */
    struct block *block; /* being pushed, or NULL */
    uint32_t block_at;   /* its next byte */
    bool block_begun;    /* a part of it was pushed */
    bool refused;
    struct ahead ahead;
};

static_assert(offsetof(struct direct_source, job) == 0, "a job is its source");

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Windows end at multiples of their size. */
static uint64_t window_end(const struct direct_source *s, uint64_t pos)
{
    uint64_t grid = pos == s->begin ? FIRST_BYTES : WINDOW_BYTES;
    return least(s->end, (pos / grid + 1) * grid);
}

static void free_source(struct direct_source *s)
{
    block_unref(s->block);
    block_unref(s->ahead.block);
    file_entry_unref(s->entry);
    free(s);
}

/* Of a read it is asked behind it, which tells that it was in time; of what
 * leaves by sendfile() before, which is all that can be known. */
static bool written_over(int fd, const struct file_mark *mark)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size < mark->size)
        return true;
    return (uint64_t)st.st_size == mark->size &&
           (st.st_mtim.tv_sec != mark->modified.tv_sec ||
            st.st_mtim.tv_nsec != mark->modified.tv_nsec);
}

/* The descriptor is opened for each window: that is cheap beside reading one,
 * and only as many are open as there are I/O threads. */
static void work(struct io_job *job)
{
    struct direct_file file;
    struct direct_source *s = (struct direct_source *)job;
    struct ahead *a = &s->ahead;
    if (!direct_file_open(&file, s->variant->fd)) {
        a->refused = true;
        return;
    }
    a->begin = direct_file_align(&file, a->pos);
    a->result = direct_file_read(&file, a->begin, a->end - a->begin, a->block);
    a->refused = a->result == FLOW_FAILED && errno == EINVAL;
    if (written_over(file.fd, &s->variant->mark))
        a->result = FLOW_FAILED;
    direct_file_close(&file);
}

static void done(struct io_job *job)
{
    struct direct_source *s = (struct direct_source *)job;
    assert(s->ahead.under_way);
    s->ahead.under_way = false;
    if (s->x == NULL)
        free_source(s);
    else
        exchange_wake(s->x);
}

/* Not by file_resident(): it may read a byte to learn more, and that is enough
 * for the kernel to begin reading ahead. */
static uint64_t cached(int fd, uint64_t pos, uint64_t len)
{
    uint64_t there = residency_by_cachestat(fd, pos, len);
    return there != RESIDENCY_UNKNOWN ? there
                                      : residency_by_mincore(fd, pos, len);
}

/* Short where the answer is likely no, as the kernel looks at every page. */
static uint64_t next_question(const struct direct_source *s, uint64_t pos)
{
    uint64_t known = s->warm_end - pos;
    if (known < QUESTION_BYTES_MIN)
        return QUESTION_BYTES_MIN;
    return least(known, RESIDENCY_BYTES_MAX);
}

/* Whether pos to end is in the cache, and so much behind it that the kernel,
 * which reads ahead even where all is there, finds nothing to add. Else what
 * it added would make the next window leave by sendfile(), and so on until
 * the whole file were in the cache. */
static bool warm(struct direct_source *s, uint64_t pos, uint64_t end)
{
    uint64_t need = least(s->variant->size, end + KERNEL_AHEAD_BYTES_MAX);
    if (s->warm_end < pos)
        s->warm_end = pos;
    while (s->warm_end < need) {
        uint64_t ask = least(need - s->warm_end, next_question(s, pos));
        uint64_t len = cached(s->variant->fd, s->warm_end, ask);
        if (len == RESIDENCY_UNKNOWN || len < ask)
            return false;
        s->warm_end += ask;
    }
    return true;
}

/* Has the window at pos read. False: it is to leave by sendfile(). */
static bool read_window(struct direct_source *s, uint64_t pos)
{
    uint64_t end = window_end(s, pos);
    struct worker *w = s->x->worker;
    assert(s->ahead.block == NULL && pos < end);
    if (s->refused || warm(s, pos, end))
        return false;
    struct block *block =
        block_pool_get(&w->pool, BLOCK_1M, BUDGET_CACHE, "directio");
    if (block == NULL)
        return false;
    s->ahead = (struct ahead){
        .block = block, .pos = pos, .end = end, .result = FLOW_FAILED};
    s->ahead.under_way =
        io_submit(w->io, s->variant->mark.dev, &s->job) == FLOW_DONE;
    if (s->ahead.under_way)
        return true;
    s->ahead.block = NULL;
    block_unref(block);
    return false;
}

static enum flow give_up(struct exchange *x)
{
    x->failure = FAILURE_RESET;
    return FLOW_FAILED;
}

static enum flow pushed(struct direct_source *s, uint64_t len)
{
    s->pos += len;
    assert(s->pos <= s->end);
    return s->pos == s->end ? FLOW_END : FLOW_DONE;
}

static enum flow push_file(struct direct_source *s, struct exchange *x)
{
    uint64_t end = s->refused ? s->end : window_end(s, s->pos);
    if (written_over(s->variant->fd, &s->variant->mark))
        return give_up(x);
    struct file_range range =
        file_entry_range(s->entry, s->variant, s->pos, end - s->pos);
    if (exchange_push_file(x, &range) != FLOW_DONE)
        return give_up(x);
    return pushed(s, end - s->pos);
}

/* An empty queue takes more than its marks say; else they hold. */
static enum flow push_block(struct direct_source *s, struct exchange *x)
{
    uint64_t room = x->out->len == 0 ? PUSH_BYTES : exchange_room(x);
    uint64_t n = least(s->block->len - s->block_at, room);
    uint64_t next = s->pos + s->block->len - s->block_at;
    if (s->block_begun && s->ahead.block == NULL && next < s->end)
        (void)read_window(s, next);
    s->block_begun = true;
    if (exchange_push_block(x, block_ref(s->block), s->block_at, n) !=
        FLOW_DONE)
        return give_up(x);
    s->block_at += (uint32_t)n;
    if (s->block_at == s->block->len) {
        block_unref(s->block);
        s->block = NULL;
    }
    return pushed(s, n);
}

/* Makes what was read the block to push. False: it cannot be pushed. */
static bool take_ahead(struct direct_source *s)
{
    struct ahead *a = &s->ahead;
    struct block *block = a->block;
    assert(!a->under_way && a->pos == s->pos);
    a->block = NULL;
    if (a->result != FLOW_DONE || block->len < a->end - a->begin) {
        block_unref(block);
        return false;
    }
    block->len = (uint32_t)(a->end - a->begin);
    s->block = block;
    s->block_at = (uint32_t)(a->pos - a->begin);
    s->block_begun = false;
    return true;
}

/* File ranges have no marks, so it is not pulled for more than a turn can
 * send: until then every turn pulls before it sends, and none is missed. */
static bool enough_files(const struct exchange *x)
{
    return x->out->file_len > x->worker->config->sendfile_chunk_max;
}

static enum flow next_window(struct direct_source *s, struct exchange *x)
{
    if (enough_files(x) || read_window(s, s->pos))
        return FLOW_AGAIN;
    return push_file(s, x);
}

enum flow direct_source_pull(struct direct_source *s, struct exchange *x)
{
    assert(s->x == x && s->pos < s->end);
    if (s->block != NULL)
        return push_block(s, x);
    if (s->ahead.under_way)
        return FLOW_AGAIN;
    if (s->ahead.block == NULL)
        return next_window(s, x);
    s->refused = s->ahead.refused;
    if (take_ahead(s))
        return push_block(s, x);
    return s->refused ? push_file(s, x) : give_up(x);
}

void direct_source_stop(struct direct_source *s)
{
    if (s == NULL)
        return;
    s->x = NULL;
    if (!s->ahead.under_way)
        free_source(s);
}

static bool wanted(const struct exchange *x, const struct file_variant *v,
                   uint64_t len)
{
    uint64_t bytes_min = x->route->config->directio;
    return bytes_min > 0 && v->size >= bytes_min && len > 0 &&
           x->req.method == METHOD_GET;
}

struct direct_source *direct_source_new(struct exchange *x,
                                        struct file_entry *e,
                                        const struct file_variant *v,
                                        uint64_t pos, uint64_t len)
{
    if (!wanted(x, v, len))
        return NULL;
    assert(v->fd >= 0 && pos < v->size && len <= v->size - pos);
    struct direct_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->job = (struct io_job){.work = work, .done = done};
    s->x = x;
    s->entry = file_entry_ref(e);
    s->variant = v;
    s->begin = pos;
    s->pos = pos;
    s->end = pos + len;
    return s;
}

static enum flow pull(void *self, struct exchange *x)
{
    return direct_source_pull(self, x);
}

static void stop(void *self)
{
    direct_source_stop(self);
}

static const struct source_ops ops = {
    .name = "direct-file",
    .file_backed = true,
    .pull = pull,
    .stop = stop,
};

bool direct_source_send(struct exchange *x, struct file_entry *e,
                        const struct file_variant *v, uint64_t pos,
                        uint64_t len)
{
    struct direct_source *s = direct_source_new(x, e, v, pos, len);
    if (s == NULL)
        return false;
    response_send_source(x, &ops, s, len);
    return true;
}
