#include "httpd/files/file_gzip.h"

#include "httpd/files/file_entry.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct reader {
    struct file_entry *entry;
    int fd;
    uint64_t pos;
    uint64_t left;
};

static size_t smallest(size_t a, size_t b, uint64_t c)
{
    size_t least = a < b ? a : b;
    return c < least ? (size_t)c : least;
}

static ssize_t read_at(int fd, char *at, size_t len, uint64_t pos)
{
    ssize_t n;
    do
        n = pread(fd, at, len, (off_t)pos);
    while (n < 0 && errno == EINTR);
    return n;
}

static enum flow pull(void *self, struct exchange *x)
{
    char step[FILE_GZIP_STEP_BYTES];
    struct reader *r = self;
    size_t want = smallest(sizeof(step), exchange_room(x), r->left);
    assert(want > 0);
    ssize_t n = read_at(r->fd, step, want, r->pos);
    if (n <= 0 ||
        exchange_push(x, (struct str){step, (size_t)n}) != FLOW_DONE) {
        x->failure = FAILURE_RESET;
        return FLOW_FAILED;
    }
    r->pos += (uint64_t)n;
    r->left -= (uint64_t)n;
    return r->left == 0 ? FLOW_END : FLOW_DONE;
}

static void stop(void *self)
{
    struct reader *r = self;
    file_entry_unref(r->entry);
    free(r);
}

static const struct source_ops ops = {
    .name = "file-gzip",
    .pull = pull,
    .stop = stop,
};

void file_gzip_send(struct exchange *x, struct file_entry *e)
{
    const struct file_variant *v = &e->variants[CODING_GZIP_MADE];
    assert(v->fd >= 0 && v->size > 0);
    struct reader *r = malloc(sizeof(*r));
    if (r == NULL) {
        response_error(x, 503, "out of memory; try again later");
        return;
    }
    *r = (struct reader){file_entry_ref(e), v->fd, 0, v->size};
    response_begin(x, 200);
    response_header_lines(x, v->lines);
    response_send_gzip(x, &ops, r, (int)x->route->config->gzip_level);
}
