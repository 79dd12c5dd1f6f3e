#include "parser/head_guard.h"

#include "parser/field_line.h"
#include "parser/header_name.h"
#include "parser/octet.h"

#include <assert.h>

#define VERSION_BYTES 8u /* "HTTP/1.1" */

void head_guard_init(struct head_guard *guard)
{
    *guard = (struct head_guard){.in_fields = false};
}

static struct span span_in(struct str area, struct str part)
{
    assert(part.at >= area.at && part.at + part.len <= area.at + area.len);
    return span_of((size_t)(part.at - area.at), part.len);
}

static bool method_find(struct str name, enum method *ret)
{
    static const struct {
        struct str name;
        enum method method;
    } known[] = {
        {{"GET", 3}, METHOD_GET},       {{"POST", 4}, METHOD_POST},
        {{"HEAD", 4}, METHOD_HEAD},     {{"PUT", 3}, METHOD_PUT},
        {{"DELETE", 6}, METHOD_DELETE}, {{"OPTIONS", 7}, METHOD_OPTIONS},
        {{"PATCH", 5}, METHOD_PATCH},   {{"CONNECT", 7}, METHOD_CONNECT},
        {{"TRACE", 5}, METHOD_TRACE},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (str_equal(name, known[i].name)) {
            *ret = known[i].method;
            return true;
        }
    return false;
}

static enum verdict_id read_method(struct request *req, struct str name)
{
    size_t n = octet_run(name, OCTET_TOKEN);
    if (n < name.len)
        return field_line_blame(name.at[n], VERDICT_BAD_METHOD);
    return method_find(name, &req->method) ? VERDICT_NONE
                                           : VERDICT_METHOD_UNKNOWN;
}

static bool looks_like_version(struct str s)
{
    return s.len == VERSION_BYTES && octet_is(s.at[5], OCTET_DIGIT) &&
           s.at[6] == '.' && octet_is(s.at[7], OCTET_DIGIT);
}

/* Why a version was refused: the request line may hold a stray space, too. */
static enum verdict_id blame_version(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == '\0' || s.at[i] == '\r')
            return s.at[i] ? VERDICT_BARE_CR : VERDICT_NUL_BYTE;
    if (!str_starts(s, STR("HTTP/")))
        return memchr(s.at, ' ', s.len) ? VERDICT_BAD_REQUEST_LINE
                                        : VERDICT_BAD_PROTOCOL;
    return looks_like_version(s) ? VERDICT_BAD_VERSION
                                 : VERDICT_BAD_REQUEST_LINE;
}

static enum verdict_id read_version(struct request *req, struct str s)
{
    if (s.len != VERSION_BYTES || memcmp(s.at, "HTTP/1.", 7) != 0 ||
        (s.at[7] != '0' && s.at[7] != '1'))
        return blame_version(s);
    req->minor = (uint8_t)(s.at[7] - '0');
    return VERDICT_NONE;
}

static enum verdict_id read_target(struct head_guard *guard,
                                   struct request *req, struct str raw)
{
    size_t n = octet_run(raw, OCTET_TARGET);
    if (n < raw.len)
        return field_line_blame(raw.at[n], VERDICT_BAD_TARGET);
    return target_split(raw, req->method, &guard->target);
}

/* What stands before the first space, which is taken off, too. */
static bool take_word(struct str *rest, struct str *ret)
{
    const char *space = memchr(rest->at, ' ', rest->len);
    if (!space)
        return false;
    *ret = (struct str){rest->at, (size_t)(space - rest->at)};
    *rest = str_skip(*rest, ret->len + 1);
    return true;
}

static enum verdict_id read_request_line(struct head_guard *guard,
                                         struct request *req, struct str area,
                                         struct str line)
{
    struct str method;
    struct str target;
    if (!take_word(&line, &method) || !take_word(&line, &target))
        return VERDICT_BAD_REQUEST_LINE;

    enum verdict_id v = read_method(req, method);
    if (v == VERDICT_NONE)
        v = read_version(req, line);
    if (v == VERDICT_NONE)
        v = read_target(guard, req, target);
    req->target = span_in(area, target);
    return v;
}

/* What can be said of a request line before its end has come. */
static enum verdict_id judge_early(const struct request *req, struct str line)
{
    if (line.len == 0)
        return VERDICT_NONE;
    if (line.at[0] != '\r' && !octet_is(line.at[0], OCTET_TOKEN))
        return field_line_blame(line.at[0], VERDICT_BAD_METHOD);

    struct str method;
    if (line.len <= req->limits.target_bytes_max || !take_word(&line, &method))
        return VERDICT_NONE;
    const char *space = memchr(line.at, ' ', line.len);
    size_t n = space ? (size_t)(space - line.at) : line.len;
    return n > req->limits.target_bytes_max ? VERDICT_TARGET_TOO_LONG
                                            : VERDICT_NONE;
}

static enum verdict_id start_line(struct head_guard *guard, struct request *req,
                                  struct str area, struct str line)
{
    enum verdict_id v = judge_early(req, line);
    if (v == VERDICT_NONE)
        v = field_line_close(&line);
    if (v != VERDICT_NONE)
        return v;
    if (line.len == 0) {
        guard->begin += 2;
        return ++guard->empty_lines > REQUEST_EMPTY_LINES_MAX
                   ? VERDICT_EMPTY_LINES
                   : VERDICT_NONE;
    }
    guard->in_fields = true;
    return read_request_line(guard, req, area, line);
}

/* Makes headers[i] the last of its id. */
static void link_field(struct request *req, uint16_t i)
{
    uint16_t *link = &req->first[req->headers[i].id];
    while (*link != 0)
        link = &req->headers[*link].next;
    *link = i;
}

static void add_field(struct request *req, struct str area, struct str name,
                      struct str value)
{
    assert(req->headers_n < REQUEST_HEADERS_MAX);
    uint16_t i = ++req->headers_n;
    req->headers[i] = (struct header){
        .name = span_in(area, name),
        .value = span_in(area, value),
        .id = (uint8_t)header_name_find(name),
    };
    if (req->headers[i].id != HEADER_OTHER)
        link_field(req, i);
}

static enum verdict_id field_line(struct request *req, struct str area,
                                  struct str line, bool *ret_last)
{
    enum verdict_id v = field_line_close(&line);
    *ret_last = v == VERDICT_NONE && line.len == 0;
    if (v != VERDICT_NONE || *ret_last)
        return v;

    struct str name;
    struct str value;
    v = field_line_read(line, &name, &value);
    if (v != VERDICT_NONE)
        return v;
    if (req->headers_n == REQUEST_HEADERS_MAX)
        return VERDICT_TOO_MANY_HEADERS;
    add_field(req, area, name, value);
    return VERDICT_NONE;
}

enum verdict_id head_guard_scan(struct head_guard *guard, struct request *req,
                                struct str area, size_t *ret_end)
{
    enum verdict_id v = VERDICT_NONE;
    bool last = false;

    assert(guard->line <= guard->scanned && guard->scanned <= area.len);
    *ret_end = 0;
    while (v == VERDICT_NONE && !last) {
        struct str line = str_skip(area, guard->line);
        const char *lf =
            memchr(area.at + guard->scanned, '\n', area.len - guard->scanned);
        if (!lf) {
            guard->scanned = area.len;
            return guard->in_fields ? v : judge_early(req, line);
        }
        line.len = (size_t)(lf - line.at);
        guard->line = guard->scanned = (size_t)(lf - area.at) + 1;
        v = guard->in_fields ? field_line(req, area, line, &last)
                             : start_line(guard, req, area, line);
    }
    if (last)
        *ret_end = guard->line;
    return v;
}
