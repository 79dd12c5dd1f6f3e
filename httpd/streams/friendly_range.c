#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/catch_up.h"
#include "httpd/streams/friendly.h"
#include "httpd/streams/hub.h"
#include "httpd/streams/live.h"
#include "httpd/streams/strict.h"
#include "parser/ascii.h"
#include "parser/number.h"
#include "parser/query.h"

#include <inttypes.h>
#include <string.h>

/* What a client asks for that means "and what is still to come": RFC 8673
 * section 2.1. */
#define VERY_LARGE ((UINT64_C(1) << 53) - 1)

struct asked_range {
    uint64_t first;
    uint64_t last; /* UINT64_MAX: not said */
};

static bool take_number(struct str *rest, uint64_t *ret)
{
    struct str digits = {rest->at, 0};
    while (digits.len < rest->len && ascii_is_digit(rest->at[digits.len]))
        digits.len++;
    *rest = str_skip(*rest, digits.len);
    return digits.len > 0 && number_read_u64(digits, ret);
}

/* One range with a begin; a suffix and several are for what has an end. */
static bool read_range(struct str field, struct asked_range *ret)
{
    if (!str_starts(field, STR("bytes=")))
        return false;
    struct str rest = str_skip(field, sizeof "bytes=" - 1);
    ret->last = UINT64_MAX;
    if (!take_number(&rest, &ret->first) || !ascii_take(&rest, '-'))
        return false;
    if (rest.len > 0 && !take_number(&rest, &ret->last))
        return false;
    return rest.len == 0 && ret->last >= ret->first;
}

static void put_range(struct exchange *x, uint64_t first, uint64_t last,
                      const struct stream_state *now)
{
    if (now->closed)
        response_headerf(x, "Content-Range",
                         "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, last,
                         now->tail);
    else
        response_headerf(x, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/*",
                         first, last);
    response_header(x, "Accept-Ranges", STR("bytes"));
}

/* With the fields that GET of all has: RFC 9110 section 15.3.7. */
static void begin(struct exchange *x, struct stream *s,
                  const struct stream_state *now)
{
    char tag[STREAM_TAG_BYTES];
    response_begin(x, 206);
    response_header(x, "Content-Type", stream_content_type(s));
    response_header(x, "Cache-Control", STR("no-cache"));
    response_header(x, "Vary", STR("Accept"));
    if (now->first > 0)
        return;
    size_t len = stream_tag(tag, s, 0, now->tail, now->closed);
    response_header(x, "ETag", (struct str){tag, len});
}

static void answer_live(struct exchange *x, struct stream *s, uint64_t first,
                        const struct stream_state *now)
{
    struct live_request live;
    live_begin(&live, s);
    live.style.form = RENDER_RAW;
    live.pos = first;
    begin(x, s, now);
    put_range(x, first, VERY_LARGE, now);
    response_header(x, "X-Accel-Buffering", STR("no"));
    live_follow(x, s, &live);
}

static void answer_part(struct exchange *x, struct stream *s,
                        const struct asked_range *asked,
                        const struct stream_state *now)
{
    uint64_t last = asked->last < now->tail ? asked->last : now->tail - 1;
    begin(x, s, now);
    put_range(x, asked->first, last, now);
    catch_up_send(x, s, asked->first, last + 1, false);
    stream_unref(s);
}

static void answer_outside(struct exchange *x, struct stream *s,
                           const struct stream_state *now)
{
    stream_unref(s);
    response_begin(x, 416);
    if (now->closed)
        response_headerf(x, "Content-Range", "bytes */%" PRIu64, now->tail);
    put_offset(x, "Stream-Earliest-Offset", now->first);
    put_next_offset(x, now->tail);
    response_send_error(x, "the stream has nothing there; it has what lies "
                           "between the two offsets");
}

/* Of bytes from the first on, which never change: what came before stands. */
static bool is_same_stream(struct exchange *x, struct stream *s)
{
    char tag[STREAM_TAG_BYTES];
    struct str if_range = request_header(&x->req, HEADER_IF_RANGE);
    size_t len = stream_tag(tag, s, 0, 0, false) - strlen("0\"");
    return !if_range.at || str_starts(if_range, (struct str){tag, len});
}

/* A range is one of all bytes that were ever appended; an array of JSON, and
 * what begins elsewhere, is another representation. */
static bool takes_range(struct exchange *x, struct stream *s)
{
    struct str query = request_str(&x->req, x->req.query);
    return stream_kind(s) != STREAM_JSON &&
           !query_get(query, STR("offset")).at &&
           !query_get(query, STR("from")).at && is_same_stream(x, s);
}

bool friendly_range(struct exchange *x, struct stream *s)
{
    struct asked_range asked;
    struct stream_state now;
    struct str field = request_header(&x->req, HEADER_RANGE);
    if (!field.at || !read_range(field, &asked) || !takes_range(x, s))
        return false;
    stream_touch(s, hub_now_ms(x->worker->hub));
    stream_look(s, &now);
    bool live = asked.last >= VERY_LARGE && asked.last != UINT64_MAX &&
                !now.closed && asked.first <= now.tail;
    if (asked.first < now.first || (asked.first >= now.tail && !live))
        answer_outside(x, s, &now);
    else if (live)
        answer_live(x, s, asked.first, &now);
    else
        answer_part(x, s, &asked, &now);
    return true;
}
