#include "httpd/files/multipart.h"

#include "httpd/files/direct_source.h"
#include "httpd/files/file_entry.h"
#include "httpd/files/mime.h"
#include "httpd/http/response.h"
#include "parser/ranges.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define BOUNDARY_RANDOM_BYTES 12u
#define BOUNDARY_BYTES        (2u * BOUNDARY_RANDOM_BYTES)
#define PART_HEAD_BYTES_MAX   (256u + MIME_TYPE_BYTES_MAX)

struct multipart {
    struct file_entry *entry;
    const struct file_variant *variant;
    struct ranges ranges;
    size_t next;                  /* the part to push */
    struct direct_source *direct; /* the rest of its bytes, or NULL */
    char boundary[BOUNDARY_BYTES + 1];
};

/* Writes what stands before part i, or behind the last, and returns its
 * length. */
static size_t write_head(const struct multipart *m, size_t i, char *at)
{
    const struct byte_range *r = &m->ranges.at[i];
    const char *before = i == 0 ? "" : "\r\n";
    struct str type = m->variant->content_type;
    int n;
    if (i == m->ranges.n)
        n = snprintf(at, PART_HEAD_BYTES_MAX, "\r\n--%s--\r\n", m->boundary);
    else
        n = snprintf(at, PART_HEAD_BYTES_MAX,
                     "%s--%s\r\nContent-Type: %.*s\r\nContent-Range: bytes "
                     "%" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
                     before, m->boundary, (int)type.len, type.at, r->pos,
                     r->pos + r->len - 1, m->variant->size);
    assert(n > 0 && (unsigned)n < PART_HEAD_BYTES_MAX);
    return (size_t)n;
}

static uint64_t length_of(const struct multipart *m)
{
    char head[PART_HEAD_BYTES_MAX];
    uint64_t length = write_head(m, m->ranges.n, head);
    for (size_t i = 0; i < m->ranges.n; i++)
        length += write_head(m, i, head) + m->ranges.at[i].len;
    return length;
}

static enum flow push_part(struct multipart *m, struct exchange *x)
{
    char head[PART_HEAD_BYTES_MAX];
    size_t i = m->next;
    size_t len = write_head(m, i, head);
    enum flow result = exchange_push(x, (struct str){head, len});
    if (result != FLOW_DONE || i == m->ranges.n)
        return result;
    const struct byte_range *r = &m->ranges.at[i];
    m->direct = direct_source_new(x, m->entry, m->variant, r->pos, r->len);
    if (m->direct != NULL)
        return FLOW_DONE;
    struct file_range range =
        file_entry_range(m->entry, m->variant, r->pos, r->len);
    return exchange_push_file(x, &range);
}

static enum flow pull_direct(struct multipart *m, struct exchange *x)
{
    enum flow result = direct_source_pull(m->direct, x);
    if (result != FLOW_END)
        return result;
    direct_source_stop(m->direct);
    m->direct = NULL;
    return FLOW_DONE;
}

/* One part, or some of its bytes, or the end behind them, each time. */
static enum flow pull(void *self, struct exchange *x)
{
    struct multipart *m = self;
    assert(m->next <= m->ranges.n);
    if (m->direct != NULL)
        return pull_direct(m, x);
    if (push_part(m, x) != FLOW_DONE) {
        x->failure = FAILURE_RESET;
        return FLOW_FAILED;
    }
    return m->next++ == m->ranges.n ? FLOW_END : FLOW_DONE;
}

static void stop(void *self)
{
    struct multipart *m = self;
    direct_source_stop(m->direct);
    file_entry_unref(m->entry);
    free(m);
}

static const struct source_ops ops = {
    .name = "multipart",
    .file_backed = true,
    .pull = pull,
    .stop = stop,
};

static bool random_boundary(char *at)
{
    unsigned char random[BOUNDARY_RANDOM_BYTES];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(at + 2 * i, 3, "%02x", random[i]);
    return true;
}

void multipart_send(struct exchange *x, struct file_entry *e,
                    const struct file_variant *v, const struct ranges *ranges)
{
    assert(ranges->n >= 1 && ranges->n <= RANGES_MAX);
    struct multipart *m = calloc(1, sizeof(*m));
    if (m == NULL || !random_boundary(m->boundary)) {
        free(m);
        response_error(x, 503, "out of memory; try again later");
        return;
    }
    m->entry = file_entry_ref(e);
    m->variant = v;
    m->ranges = *ranges;
    response_begin(x, 206);
    response_headerf(x, "Content-Type", "multipart/byteranges; boundary=%s",
                     m->boundary);
    response_header_lines(x, v->lines_parts);
    response_send_source(x, &ops, m, length_of(m));
}
