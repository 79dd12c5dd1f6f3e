#include "parser/request.h"

#include "parser/ascii.h"
#include "parser/chunk_reader.h"
#include "parser/head_guard.h"
#include "parser/head_rules.h"
#include "parser/target.h"
#include "parser/trailers.h"

#include <llhttp.h>

#include <assert.h>
#include <stdlib.h>

struct request_parser {
    llhttp_t http;
    struct head_guard guard;
    size_t head_end;       /* length of the head once it is whole, else 0 */
    bool head_done;        /* and everything has been made of it */
    uint16_t fields_agree; /* fields that llhttp found as the guard did */
    union {                /* of a chunked body, one after the other */
        struct chunk_reader chunks;
        struct trailers trailers;
    };
    bool in_trailers;
};

/* llhttp as the second reader
 *
 * It reads the stored head in one go. Every span it reports must be the one
 * that the guard found (-1 says it is not); it stops at the end of the head, so
 * that its ideas of upgrades, bodies and keep-alive never come into play. */

static bool same_place(const struct request *req, struct span s, const char *at,
                       size_t len)
{
    return s.len == len && req->storage.data + s.off == at;
}

static int on_url(llhttp_t *http, const char *at, size_t len)
{
    const struct request *req = http->data;
    return same_place(req, req->target, at, len) ? 0 : -1;
}

static int on_header_field(llhttp_t *http, const char *at, size_t len)
{
    const struct request *req = http->data;
    uint16_t i = ++req->parser->fields_agree;
    return i <= req->headers_n && same_place(req, req->headers[i].name, at, len)
               ? 0
               : -1;
}

/* llhttp leaves white space at the end of a value, and reports an empty one
 * at whatever place it noticed that. */
static int on_header_value(llhttp_t *http, const char *at, size_t len)
{
    const struct request *req = http->data;
    len = ascii_trim_ows_end((struct str){at, len}).len;
    struct span value = req->headers[req->parser->fields_agree].value;
    return (len == 0 && value.len == 0) || same_place(req, value, at, len) ? 0
                                                                           : -1;
}

static int on_headers_complete(llhttp_t *http)
{
    (void)http;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
};

static uint8_t llhttp_method(enum method m)
{
    static const uint8_t methods[] = {
        [METHOD_GET] = HTTP_GET,       [METHOD_HEAD] = HTTP_HEAD,
        [METHOD_POST] = HTTP_POST,     [METHOD_PUT] = HTTP_PUT,
        [METHOD_DELETE] = HTTP_DELETE, [METHOD_OPTIONS] = HTTP_OPTIONS,
        [METHOD_PATCH] = HTTP_PATCH,   [METHOD_CONNECT] = HTTP_CONNECT,
        [METHOD_TRACE] = HTTP_TRACE,
    };
    return methods[m];
}

static bool same_framing(const struct request *req, const llhttp_t *http)
{
    return req->chunked == ((http->flags & F_CHUNKED) != 0) &&
           req->has_length == ((http->flags & F_CONTENT_LENGTH) != 0) &&
           (!req->has_length || req->length == http->content_length);
}

static bool llhttp_agrees(struct request *req)
{
    struct request_parser *p = req->parser;
    llhttp_t *http = &p->http;
    const char *head = req->storage.data + p->guard.begin;
    const char *end = req->storage.data + p->head_end;

    llhttp_reset(http);
    http->data = req;
    p->fields_agree = 0;
    return llhttp_execute(http, head, (size_t)(end - head)) == HPE_PAUSED &&
           llhttp_get_error_pos(http) == end &&
           p->fields_agree == req->headers_n && http->http_major == 1 &&
           http->http_minor == req->minor &&
           http->method == llhttp_method(req->method) &&
           same_framing(req, http);
}

/* Life */

bool request_init(struct request *req, const struct request_limits *limits)
{
    assert(limits->head_bytes_max > 0 && limits->target_bytes_max > 0);
    assert(limits->head_bytes_max <= REQUEST_LIMIT_MAX);
    assert(limits->target_bytes_max <= REQUEST_LIMIT_MAX);
    assert(limits->trailer_bytes_max <= REQUEST_LIMIT_MAX);

    req->limits = *limits;
    /* the head, the decoded path, the trailers and their empty line */
    bytes_init(&req->storage, limits->head_bytes_max +
                                  limits->target_bytes_max +
                                  TRAILERS_ROOM(limits));
    req->parser = malloc(sizeof(*req->parser));
    if (!req->parser)
        return false;
    llhttp_init(&req->parser->http, HTTP_REQUEST, &settings);
    request_reset(req);
    return true;
}

void request_fini(struct request *req)
{
    bytes_fini(&req->storage);
    free(req->parser);
    req->parser = NULL;
}

/* The table of headers is left as it is: headers_n says what counts. */
void request_reset(struct request *req)
{
    struct request_parser *p = req->parser;

    bytes_reset(&req->storage);
    head_guard_init(&p->guard);
    p->head_end = 0;
    p->head_done = false;
    p->in_trailers = false;
    req->verdict = verdict_of(VERDICT_NONE);
    req->method = METHOD_GET;
    req->form = TARGET_ORIGIN;
    req->minor = 0;
    req->keep_alive = false;
    req->expect_continue = false;
    req->chunked = false;
    req->has_length = false;
    req->body_done = false;
    req->length = 0;
    req->body_bytes = 0;
    req->target = req->path = req->query = req->authority = span_of(0, 0);
    req->headers_n = 0;
    req->trailers_n = 0;
    memset(req->first, 0, sizeof(req->first));
}

/* Head */

static enum flow refuse(struct request *req, enum verdict_id id)
{
    assert(id != VERDICT_NONE);
    req->verdict = verdict_of(id);
    return FLOW_FAILED;
}

static struct span moved(struct span s, uint32_t off)
{
    s.off += off;
    return s;
}

/* Writes the decoded path behind the head, and keeps it only if it differs
 * from the raw one. The absolute form may have no path: it means "/". */
static enum flow decode_path(struct request *req, struct span span)
{
    struct bytes *storage = &req->storage;
    char *room;
    enum flow r = bytes_reserve(storage, span.len ? span.len : 1, &room);
    if (r != FLOW_DONE)
        return r;

    struct str raw = span.len ? request_str(req, span) : STR("/");
    size_t len;
    enum verdict_id v = target_decode_path(raw, room, &len);
    if (v != VERDICT_NONE)
        return refuse(req, v);
    if (span.len > 0 && str_equal(raw, (struct str){room, len})) {
        req->path = span;
        return FLOW_DONE;
    }
    req->path = span_of(storage->len, len);
    bytes_commit(storage, len);
    return FLOW_DONE;
}

static enum flow finish_target(struct request *req)
{
    const struct target *t = &req->parser->guard.target;
    uint32_t off = req->target.off;

    req->form = t->form;
    req->authority = moved(t->authority, off);
    req->query = moved(t->query, off);
    if (t->form == TARGET_AUTHORITY || t->form == TARGET_ASTERISK)
        return FLOW_DONE;

    struct span raw = moved(t->path, off);
    if (raw.len == 0 || !target_path_is_plain(request_str(req, raw)))
        return decode_path(req, raw);
    req->path = raw;
    return FLOW_DONE;
}

/* Room for the trailers, and for the path before them, is made now: what was
 * taken from the storage must not move when they come. */
static enum flow make_room(struct request *req)
{
    char *room;
    if (req->first[HEADER_TRANSFER_ENCODING] == 0)
        return FLOW_DONE;
    return bytes_reserve(&req->storage,
                         req->target.len + TRAILERS_ROOM(&req->limits), &room);
}

/* What is made of a whole head. Only memory can be missing; then it is done
 * again from the start. */
static enum flow finish_head(struct request *req)
{
    enum flow r = make_room(req);
    if (r == FLOW_DONE)
        r = finish_target(req);
    if (r != FLOW_DONE)
        return r;
    enum verdict_id v = head_rules_apply(req);
    if (v == VERDICT_NONE && !llhttp_agrees(req))
        v = VERDICT_READINGS_DIFFER;
    if (v != VERDICT_NONE)
        return refuse(req, v);
    if (req->chunked)
        chunk_reader_init(&req->parser->chunks,
                          req->limits.chunk_ext_bytes_max);
    req->parser->head_done = true;
    return FLOW_DONE;
}

/* A head that comes in one piece is read where it lies and copied once. */
static enum flow scan_in_place(struct request *req, struct str in,
                               size_t *ret_used)
{
    struct request_parser *p = req->parser;
    enum verdict_id v = head_guard_scan(&p->guard, req, in, &p->head_end);
    size_t n = p->head_end ? p->head_end : in.len;
    enum flow r = bytes_append(&req->storage, in.at, n);
    if (r != FLOW_DONE) {
        request_reset(req); /* nothing was held before */
        return r;
    }
    *ret_used = n;
    return v == VERDICT_NONE ? FLOW_DONE : refuse(req, v);
}

/* Otherwise the new bytes go behind the old ones first; what turns out to
 * stand behind the head is given back. */
static enum flow scan_stored(struct request *req, struct str in,
                             size_t *ret_used)
{
    struct request_parser *p = req->parser;
    size_t held = req->storage.len;
    char *room;
    enum flow r = bytes_reserve(&req->storage, in.len, &room);
    if (r != FLOW_DONE)
        return r;
    memcpy(room, in.at, in.len);

    struct str area = {req->storage.data, held + in.len};
    enum verdict_id v = head_guard_scan(&p->guard, req, area, &p->head_end);
    *ret_used = p->head_end ? p->head_end - held : in.len;
    bytes_commit(&req->storage, *ret_used);
    return v == VERDICT_NONE ? FLOW_DONE : refuse(req, v);
}

static enum flow collect_head(struct request *req, struct str in,
                              size_t *ret_used)
{
    size_t room = req->limits.head_bytes_max - req->storage.len;
    size_t given = in.len;
    if (given == 0)
        return FLOW_AGAIN;
    if (in.len > room)
        in.len = room;

    enum flow r = FLOW_DONE;
    if (in.len > 0)
        r = req->storage.len ? scan_stored(req, in, ret_used)
                             : scan_in_place(req, in, ret_used);
    if (r != FLOW_DONE || req->parser->head_end > 0)
        return r;
    return given > room ? refuse(req, VERDICT_HEAD_TOO_LARGE) : FLOW_AGAIN;
}

enum flow request_feed_head(struct request *req, const char *data, size_t len,
                            size_t *ret_used)
{
    *ret_used = 0;
    if (req->verdict.status != 0)
        return FLOW_FAILED;
    assert(!req->parser->head_done);
    if (req->parser->head_end == 0) {
        enum flow r = collect_head(req, (struct str){data, len}, ret_used);
        if (r != FLOW_DONE)
            return r;
    }
    return finish_head(req);
}

bool request_begun(const struct request *req)
{
    return req->storage.len > req->parser->guard.begin;
}

/* Body */

static enum flow feed_plain(struct request *req, struct str in,
                            size_t *ret_used, struct str *ret_piece)
{
    uint64_t left = req->length - req->body_bytes;
    if (in.len == 0)
        return FLOW_AGAIN;
    if (in.len > left)
        in.len = (size_t)left;
    *ret_used = in.len;
    *ret_piece = in;
    req->body_bytes += in.len;
    req->body_done = req->body_bytes == req->length;
    return FLOW_DONE;
}

static enum flow feed_trailers(struct request *req, struct str in,
                               size_t *ret_used)
{
    struct trailers *trailers = &req->parser->trailers;
    enum verdict_id v = trailers_feed(trailers, req, in, ret_used);
    if (v != VERDICT_NONE)
        return refuse(req, v);
    req->body_done = trailers->done;
    return trailers->done ? FLOW_END : FLOW_AGAIN;
}

static enum flow feed_chunked(struct request *req, struct str in,
                              size_t *ret_used, struct str *ret_piece)
{
    struct request_parser *p = req->parser;
    if (p->in_trailers)
        return feed_trailers(req, in, ret_used);

    enum verdict_id v = chunk_reader_feed(&p->chunks, in, ret_used, ret_piece);
    if (v != VERDICT_NONE)
        return refuse(req, v);
    if (ret_piece->len > 0) {
        req->body_bytes += ret_piece->len;
        return FLOW_DONE;
    }
    if (p->chunks.state != CHUNK_LAST)
        return FLOW_AGAIN;

    trailers_init(&p->trailers, req);
    p->in_trailers = true;
    size_t n;
    enum flow r = feed_trailers(req, str_skip(in, *ret_used), &n);
    *ret_used += n;
    return r;
}

enum flow request_feed_body(struct request *req, const char *data, size_t len,
                            size_t *ret_used, struct str *ret_piece)
{
    *ret_used = 0;
    *ret_piece = (struct str){NULL, 0};
    if (req->verdict.status != 0)
        return FLOW_FAILED;
    assert(req->parser->head_done);
    if (req->body_done)
        return FLOW_END;
    struct str in = {data, len};
    return req->chunked ? feed_chunked(req, in, ret_used, ret_piece)
                        : feed_plain(req, in, ret_used, ret_piece);
}

uint64_t request_body_left(const struct request *req)
{
    if (req->body_done)
        return 0;
    return req->chunked ? UINT64_MAX : req->length - req->body_bytes;
}

/* Questions */

struct str request_str(const struct request *req, struct span s)
{
    assert((size_t)s.off + s.len <= req->storage.len);
    if (s.len == 0)
        return STR("");
    return (struct str){req->storage.data + s.off, s.len};
}

struct str request_header(const struct request *req, enum header_id id)
{
    uint16_t it = 0;
    struct str value = {NULL, 0};
    request_header_next(req, id, &it, &value);
    return value;
}

bool request_header_next(const struct request *req, enum header_id id,
                         uint16_t *it, struct str *ret_value)
{
    assert(id > HEADER_OTHER && id < HEADER_IDS);
    uint16_t i = *it ? req->headers[*it].next : req->first[id];
    if (i == 0)
        return false;
    assert(i <= req->headers_n);
    *it = i;
    *ret_value = request_str(req, req->headers[i].value);
    return true;
}

struct str request_header_named(const struct request *req, struct str name)
{
    for (uint16_t i = 1; i <= req->headers_n; i++) {
        const struct header *h = &req->headers[i];
        if (h->name.len == name.len &&
            ascii_equal(request_str(req, h->name), name))
            return request_str(req, h->value);
    }
    return (struct str){NULL, 0};
}

const char *method_name(enum method m)
{
    static const char *const names[] = {
        [METHOD_GET] = "GET",       [METHOD_HEAD] = "HEAD",
        [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
        [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
        [METHOD_PATCH] = "PATCH",   [METHOD_CONNECT] = "CONNECT",
        [METHOD_TRACE] = "TRACE",
    };
    assert((size_t)m < sizeof names / sizeof names[0]);
    return names[m];
}
