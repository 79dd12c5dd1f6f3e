#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/sources/generator.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"
#include "parser/entity_tag.h"
#include "parser/ranges.h"

#include <inttypes.h>
#include <stdio.h>

#define TAG_BYTES 40u

static const struct lab_bound size_bound = {"N", LAB_SIZE, 0, LAB_BYTES_MAX};
static const struct lab_bound seed_bound = {"seed", LAB_COUNT, 0, UINT64_MAX};
static const struct lab_bound chunk_bound = {"chunk", LAB_SIZE, 1,
                                             LAB_CHUNK_BYTES_MAX};
static const struct lab_bound duration_bound = {"duration", LAB_TIME, 0,
                                                LAB_DURATION_MS_MAX};

void lab_bytes(struct exchange *x, struct str part)
{
    struct generator_plan plan = {.fill = GENERATOR_PATTERN};

    if (!lab_part(x, &size_bound, part, &plan.end) ||
        !lab_param(x, &seed_bound, &plan.seed))
        return;
    lab_begin(x, 200, LAB_TYPE_BYTES);
    generator_send(x, &plan, plan.end);
}

/* A representation of its own: other bytes under the same address would need
 * another length or seed. */
struct rendition {
    uint64_t length;
    uint64_t seed;
    uint64_t step_bytes;
    uint64_t duration_ms;
    char tag[TAG_BYTES];
};

static bool read_rendition(struct exchange *x, struct str part,
                           struct rendition *r)
{
    *r = (struct rendition){.step_bytes = LAB_CHUNK_BYTES};
    if (!lab_part(x, &size_bound, part, &r->length) ||
        !lab_param(x, &seed_bound, &r->seed) ||
        !lab_param(x, &chunk_bound, &r->step_bytes) ||
        !lab_param(x, &duration_bound, &r->duration_ms))
        return false;
    (void)snprintf(r->tag, sizeof(r->tag), "\"%" PRIx64 "-%" PRIx64 "\"",
                   r->length, r->seed);
    return true;
}

static bool unchanged(const struct exchange *x, const struct rendition *r)
{
    struct str list;
    uint16_t it = 0;

    while (request_header_next(&x->req, HEADER_IF_NONE_MATCH, &it, &list))
        if (entity_tag_list_has(list, str_from(r->tag), false))
            return true;
    return false;
}

/* Whether If-Range, when there is one, still names these bytes. */
static bool range_applies(const struct exchange *x, const struct rendition *r)
{
    const struct str tag = request_header(&x->req, HEADER_IF_RANGE);

    return x->req.method == METHOD_GET &&
           (tag.at == NULL || entity_tag_equal_strong(tag, str_from(r->tag)));
}

/* A Range that stands there twice counts for nothing (RFC 9110, 14.2). */
static struct str range_of(const struct request *req)
{
    const uint16_t first = req->first[HEADER_RANGE];

    if (first != 0 && req->headers[first].next != 0)
        return (struct str){NULL, 0};
    return request_header(req, HEADER_RANGE);
}

static void begin_rendition(struct exchange *x, int status,
                            const struct rendition *r)
{
    lab_begin(x, status, status == 304 ? NULL : LAB_TYPE_BYTES);
    response_header(x, "ETag", str_from(r->tag));
    response_header(x, "Accept-Ranges", STR("bytes"));
}

static void send_part(struct exchange *x, const struct rendition *r,
                      uint64_t pos, uint64_t len)
{
    const struct generator_plan plan = {
        .pos = pos,
        .end = pos + len,
        .seed = r->seed,
        .fill = GENERATOR_PATTERN,
        .duration_ms = r->duration_ms,
        .step_bytes = r->step_bytes,
    };

    generator_send(x, &plan, len);
}

static void send_unsatisfiable(struct exchange *x, const struct rendition *r)
{
    lab_begin(x, 416, LAB_TYPE_TEXT);
    response_headerf(x, "Content-Range", "bytes */%" PRIu64, r->length);
    response_send_bytes(x, STR("the range lies behind the end\n"));
}

void lab_range(struct exchange *x, struct str part)
{
    struct rendition r;
    struct ranges ranges = {.n = 0};
    enum ranges_result asked = RANGES_NONE;

    if (!read_rendition(x, part, &r))
        return;
    if (unchanged(x, &r)) {
        begin_rendition(x, 304, &r);
        response_send_empty(x);
        return;
    }
    if (range_applies(x, &r))
        asked = ranges_read(range_of(&x->req), r.length, &ranges);
    if (asked == RANGES_UNSATISFIABLE) {
        send_unsatisfiable(x, &r);
    } else if (asked == RANGES_SOME && ranges.n == 1) {
        const struct byte_range one = ranges.at[0];

        begin_rendition(x, 206, &r);
        response_headerf(x, "Content-Range",
                         "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, one.pos,
                         one.pos + one.len - 1, r.length);
        send_part(x, &r, one.pos, one.len);
    } else {
        /* Several ranges at once: the whole is allowed, and enough here. */
        begin_rendition(x, 200, &r);
        send_part(x, &r, 0, r.length);
    }
}
