#include "httpd/files/files.h"

#include "buffers/bytes.h"
#include "httpd/files/direct_source.h"
#include "httpd/files/file_body.h"
#include "httpd/files/file_entry.h"
#include "httpd/files/file_find.h"
#include "httpd/files/file_gzip.h"
#include "httpd/files/listing.h"
#include "httpd/files/multipart.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "parser/escape.h"
#include "parser/ranges.h"

#include <assert.h>
#include <inttypes.h>
#include <unistd.h>

#define METHODS         "GET, HEAD, OPTIONS"
#define FIELD_BYTES_MAX (64u << 10) /* a whole head */

static bool has_field(const struct exchange *x, enum header_id id)
{
    return x->req.first[id] != 0;
}

/* A list that may stand in several fields, as one. The view is of the request
 * or of store. */
static struct str list_field(const struct exchange *x, enum header_id id,
                             struct bytes *store)
{
    uint16_t it = 0;
    struct str value = request_header(&x->req, id);
    if (!has_field(x, id) || x->req.headers[x->req.first[id]].next == 0)
        return value;
    bytes_reset(store);
    while (request_header_next(&x->req, id, &it, &value))
        if ((store->len > 0 &&
             bytes_append_str(store, STR(", ")) != FLOW_DONE) ||
            bytes_append_str(store, value) != FLOW_DONE)
            break;
    return bytes_view(store);
}

/* There is one Range field or none; several are ignored. RFC 9110 14.2 */
static bool ranged(const struct exchange *x)
{
    uint16_t first = x->req.first[HEADER_RANGE];
    return x->req.method == METHOD_GET && first != 0 &&
           x->req.headers[first].next == 0;
}

/* Codings that this request may be answered with. Several ranges are of the
 * file itself: it could not be told whether a coding was that of the parts or
 * of the whole. */
static unsigned offers(const struct exchange *x, const struct file_entry *e)
{
    if (!ranged(x))
        return e->offered;
    struct str range = request_header(&x->req, HEADER_RANGE);
    if (range.len > 0 && memchr(range.at, ',', range.len) != NULL)
        return CODING_BIT(CODING_IDENTITY);
    return e->offered & ~CODING_BIT(CODING_GZIP_MADE);
}

static const struct file_variant *choose(const struct exchange *x,
                                         const struct file_entry *e)
{
    if (e->offered == CODING_BIT(CODING_IDENTITY) ||
        !has_field(x, HEADER_ACCEPT_ENCODING))
        return &e->variants[CODING_IDENTITY];
    struct bytes store;
    bytes_init(&store, FIELD_BYTES_MAX);
    struct str field = list_field(x, HEADER_ACCEPT_ENCODING, &store);
    enum coding c = encoding_choose(field, offers(x, e));
    bytes_fini(&store);
    assert(e->variants[c].fd >= 0);
    return &e->variants[c];
}

static enum conditional weigh_conditions(const struct exchange *x,
                                         const struct file_variant *v)
{
    if (!has_field(x, HEADER_IF_NONE_MATCH) &&
        !has_field(x, HEADER_IF_MODIFIED_SINCE) &&
        !has_field(x, HEADER_IF_MATCH) &&
        !has_field(x, HEADER_IF_UNMODIFIED_SINCE))
        return CONDITIONAL_SERVE;
    struct bytes match;
    struct bytes none_match;
    bytes_init(&match, FIELD_BYTES_MAX);
    bytes_init(&none_match, FIELD_BYTES_MAX);
    const struct conditions c = {
        list_field(x, HEADER_IF_MATCH, &match),
        request_header(&x->req, HEADER_IF_UNMODIFIED_SINCE),
        list_field(x, HEADER_IF_NONE_MATCH, &none_match),
        request_header(&x->req, HEADER_IF_MODIFIED_SINCE),
    };
    enum conditional result =
        conditional_check(&c, &v->validators, worker_now_seconds(x->worker));
    bytes_fini(&match);
    bytes_fini(&none_match);
    return result;
}

static void send_slice(struct exchange *x, struct file_entry *e,
                       const struct file_variant *v, uint64_t pos, uint64_t len)
{
    if (v->has_body) {
        struct str slice = {v->body.at + pos, (size_t)len};
        response_send_bytes(x, slice);
        return;
    }
    if (len == 0) {
        response_send_empty(x);
        return;
    }
    if (direct_source_send(x, e, v, pos, len))
        return;
    file_body_fetch(e, v, x->worker->io);
    struct file_range range = file_entry_range(e, v, pos, len);
    response_send_file(x, &range);
}

static void send_whole(struct exchange *x, struct file_entry *e,
                       const struct file_variant *v)
{
    if (v == &e->variants[CODING_GZIP_MADE]) {
        file_gzip_send(x, e);
        return;
    }
    response_begin(x, 200);
    response_header_lines(x, v->lines);
    send_slice(x, e, v, 0, v->size);
}

static void send_range(struct exchange *x, struct file_entry *e,
                       const struct file_variant *v, const struct byte_range *r)
{
    response_begin(x, 206);
    response_header_lines(x, v->lines);
    response_headerf(x, "Content-Range",
                     "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, r->pos,
                     r->pos + r->len - 1, v->size);
    send_slice(x, e, v, r->pos, r->len);
}

static void send_unsatisfiable(struct exchange *x, const struct file_variant *v)
{
    response_begin(x, 416);
    response_headerf(x, "Content-Range", "bytes */%" PRIu64, v->size);
    response_send_error(x, "the range lies behind the end of the file; "
                           "Content-Range tells its length");
}

static void send_ranges(struct exchange *x, struct file_entry *e,
                        const struct file_variant *v)
{
    struct ranges ranges;
    struct str if_range = request_header(&x->req, HEADER_IF_RANGE);
    if (!conditional_range_holds(if_range, &v->validators,
                                 worker_now_seconds(x->worker))) {
        send_whole(x, e, v);
        return;
    }
    switch (
        ranges_read(request_header(&x->req, HEADER_RANGE), v->size, &ranges)) {
    case RANGES_NONE:
        send_whole(x, e, v);
        break;
    case RANGES_UNSATISFIABLE:
        send_unsatisfiable(x, v);
        break;
    case RANGES_SOME:
        if (ranges.n == 1)
            send_range(x, e, v, &ranges.at[0]);
        else
            multipart_send(x, e, v, &ranges);
        break;
    }
}

static void answer(struct exchange *x, struct file_entry *e)
{
    const struct file_variant *v = choose(x, e);
    switch (weigh_conditions(x, v)) {
    case CONDITIONAL_NOT_MODIFIED:
        response_begin(x, 304);
        response_header_lines(x, v->lines_304);
        response_send_empty(x);
        break;
    case CONDITIONAL_FAILED:
        response_error(x, 412,
                       "the file is not the one that If-Match or "
                       "If-Unmodified-Since asks for; ask without them");
        break;
    case CONDITIONAL_SERVE:
        if (ranged(x))
            send_ranges(x, e, v);
        else
            send_whole(x, e, v);
        break;
    }
}

static void refuse(struct exchange *x, enum path_result result)
{
    switch (result) {
    case PATH_FORBIDDEN:
        response_error(x, 403,
                       "this file may not be read by the server; "
                       "its permissions forbid it");
        break;
    case PATH_EXHAUSTED:
        response_error(x, 503, "too many files are open; try again later");
        break;
    case PATH_MISSING:
        response_error(x, 404,
                       "there is no such file here; look at the path, "
                       "letter case counts");
        break;
    default:
        response_error(x, 500,
                       "the file cannot be read; the server's log "
                       "says why");
        break;
    }
}

/* "dir" becomes "/prefix/dir/". The prefix begins and the path does not begin
 * with one slash, so the target can never name another host. */
static bool write_location(const struct exchange *x, struct str path,
                           struct bytes *out)
{
    struct str query = request_str(&x->req, x->req.query);
    if (escape_url(out, x->route->prefix, true) != FLOW_DONE ||
        escape_url(out, path, true) != FLOW_DONE ||
        bytes_append_str(out, STR("/")) != FLOW_DONE)
        return false;
    return query.len == 0 || (bytes_append_str(out, STR("?")) == FLOW_DONE &&
                              bytes_append_str(out, query) == FLOW_DONE);
}

static void redirect_to_folder(struct exchange *x, struct str path)
{
    struct bytes location;
    assert(path.len > 0 && path.at[0] != '/');
    bytes_init(&location, FILES_LOCATION_BYTES_MAX);
    if (write_location(x, path, &location)) {
        response_begin(x, 301);
        response_header(x, "Location", bytes_view(&location));
        response_send_empty(x);
    } else {
        response_error(x, 414,
                       "a folder's path ends in '/', and this target is too "
                       "long to redirect; ask with the slash");
    }
    bytes_fini(&location);
}

/* A folder without an index file. */
static void answer_folder(struct exchange *x, struct file_found *found)
{
    if (!x->route->config->browse) {
        response_error(x, 403,
                       "this folder has no index file, and listing "
                       "is off; ask for a file in it");
        return;
    }
    int fd = found->folder_fd;
    found->folder_fd = -1;
    listing_serve(x, fd, request_str(&x->req, x->req.path));
}

static void answer_found(struct exchange *x, struct str path,
                         struct file_found *found)
{
    if (found->result == PATH_FILE)
        answer(x, found->entry);
    else if (found->result != PATH_FOLDER)
        refuse(x, found->result);
    else if (file_names_folder(path))
        answer_folder(x, found);
    else
        redirect_to_folder(x, path);
}

/* Writes path without leading and doubled slashes to at. */
static struct str join_slashes(struct str path, char *at)
{
    size_t len = 0;
    for (size_t i = 0; i < path.len; i++)
        if (path.at[i] != '/' || (len > 0 && at[len - 1] != '/'))
            at[len++] = path.at[i];
    return (struct str){at, len};
}

static bool has_double_slash(struct str path)
{
    return path.len > 0 &&
           (path.at[0] == '/' || memmem(path.at, path.len, "//", 2) != NULL);
}

static void serve(struct exchange *x)
{
    char joined[PATH_BYTES_MAX];
    struct str path = route_rest(x->route, request_str(&x->req, x->req.path));
    if (path.len >= sizeof(joined)) {
        refuse(x, PATH_MISSING);
        return;
    }
    if (has_double_slash(path))
        path = join_slashes(path, joined);
    file_find(x, path, answer_found);
}

void files_handle(struct exchange *x)
{
    assert(x->route->root_fd >= 0);
    switch (x->req.method) {
    case METHOD_GET:
    case METHOD_HEAD:
        serve(x);
        break;
    case METHOD_OPTIONS:
        response_options(x, METHODS);
        break;
    default:
        response_not_allowed(x, METHODS);
        break;
    }
}
