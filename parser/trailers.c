#include "parser/trailers.h"

#include "parser/field_line.h"
#include "parser/header_name.h"

#include <assert.h>

void trailers_init(struct trailers *trailers, const struct request *req)
{
    *trailers = (struct trailers){.line = req->storage.len};
}

static struct str line_so_far(const struct trailers *trailers,
                              const struct request *req)
{
    return str_skip(bytes_view(&req->storage), trailers->line);
}

/* A line that is not whole is too long as soon as it cannot be the empty line
 * and passes the limit; a whole line is asked the same, so that the answer
 * does not depend on when it came. */
static bool too_large(const struct trailers *trailers,
                      const struct request *req, struct str line)
{
    bool may_be_empty = line.len <= 2 && str_starts(STR("\r\n"), line);
    return !may_be_empty &&
           trailers->bytes + line.len > req->limits.trailer_bytes_max;
}

static enum verdict_id add_field(const struct trailers *trailers,
                                 struct request *req, struct str line)
{
    struct str name;
    struct str value;
    enum verdict_id v = field_line_read(line, &name, &value);
    if (v != VERDICT_NONE)
        return v;
    if (header_name_forbidden_in_trailer(name))
        return VERDICT_TRAILER_FORBIDDEN;
    if (req->headers_n + req->trailers_n == REQUEST_HEADERS_MAX)
        return VERDICT_TOO_MANY_TRAILERS;

    size_t off = trailers->line + (size_t)(value.at - line.at);
    req->trailers_n++;
    req->headers[req->headers_n + req->trailers_n] = (struct header){
        .name = span_of(trailers->line, name.len),
        .value = span_of(off, value.len),
        .id = (uint8_t)header_name_find(name),
    };
    return VERDICT_NONE;
}

static enum verdict_id whole_line(struct trailers *trailers,
                                  struct request *req)
{
    struct str line = line_so_far(trailers, req);
    size_t bytes = line.len;
    if (too_large(trailers, req, line))
        return VERDICT_TRAILER_TOO_LARGE;

    line.len--;
    enum verdict_id v = field_line_close(&line);
    trailers->done = v == VERDICT_NONE && line.len == 0;
    if (v != VERDICT_NONE || trailers->done)
        return v;
    v = add_field(trailers, req, line);
    trailers->line += bytes;
    trailers->bytes += bytes;
    return v;
}

/* Appends what belongs to the current line, but never more than one byte
 * beyond the limit: that one is enough to refuse it. */
static size_t append_line(const struct trailers *trailers, struct request *req,
                          struct str in)
{
    size_t held = trailers->bytes + req->storage.len - trailers->line;
    size_t room = TRAILERS_ROOM(&req->limits) - held;
    const char *lf = memchr(in.at, '\n', in.len);
    size_t n = lf ? (size_t)(lf - in.at) + 1 : in.len;
    if (n > room)
        n = room;
    assert(n > 0 && n <= req->storage.cap - req->storage.len);
    memcpy(req->storage.data + req->storage.len, in.at, n);
    bytes_commit(&req->storage, n);
    return n;
}

enum verdict_id trailers_feed(struct trailers *trailers, struct request *req,
                              struct str in, size_t *ret_used)
{
    enum verdict_id v = VERDICT_NONE;

    *ret_used = 0;
    while (v == VERDICT_NONE && *ret_used < in.len && !trailers->done) {
        *ret_used += append_line(trailers, req, str_skip(in, *ret_used));
        struct str line = line_so_far(trailers, req);
        if (line.at[line.len - 1] == '\n')
            v = whole_line(trailers, req);
        else if (too_large(trailers, req, line))
            v = VERDICT_TRAILER_TOO_LARGE;
    }
    return v;
}
