#include "httpd/streams/stream_request.h"

#include "httpd/config/config.h"
#include "httpd/guard/tokens.h"
#include "httpd/http/exchange.h"
#include "httpd/http/own_machine.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/streams/producers.h"
#include "parser/accept.h"
#include "parser/ascii.h"
#include "parser/number.h"
#include "parser/query.h"
#include "parser/rfc3339.h"
#include "parser/stream_offset.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define PARAM_BYTES_MAX 512u

bool request_stream_name(struct exchange *x, struct str *ret_name)
{
    struct str path = request_str(&x->req, x->req.path);
    struct str name = route_rest(x->route, path);
    if (name.len == 0 || str_starts(name, STR("__ds/"))) {
        response_error(x, 404,
                       "no stream has this name; one stands behind "
                       "%.*s",
                       (int)x->route->prefix.len, x->route->prefix.at);
        return false;
    }
    if (name.len > STREAM_NAME_BYTES_MAX) {
        response_error(x, 414, "a stream's name has at most %u bytes",
                       STREAM_NAME_BYTES_MAX);
        return false;
    }
    *ret_name = name;
    return true;
}

static bool refuse_token(struct exchange *x, enum token_verdict v)
{
    const char *challenge = token_challenge(v);
    response_begin(x, (int)token_status(v));
    if (challenge)
        response_header(x, "WWW-Authenticate", str_from(challenge));
    response_send_error(x, "%s", token_advice(v));
    return false;
}

bool request_allowed_at(struct exchange *x, const struct route *route,
                        enum stream_action action, struct str name)
{
    char token[TOKEN_BYTES_MAX];
    struct token_offer offer = {
        .authorization = request_header(&x->req, HEADER_AUTHORIZATION)};
    if (!route->tokens) {
        if (own_machine(x))
            return true;
        response_error(x, 403,
                       "streams are for this machine only, " OWN_MACHINE_ADVICE
                       ", until the route has tokens = \"FILE\"");
        return false;
    }
    if (!request_param(x, STR("access_token"), token, sizeof token,
                       &offer.access_token))
        return false;
    enum token_verdict v =
        tokens_check(route->tokens, &offer,
                     action == STREAM_READS ? TOKEN_READ : TOKEN_PUBLISH, name);
    return v == TOKEN_OK || refuse_token(x, v);
}

bool request_allowed(struct exchange *x, enum stream_action action,
                     struct str name)
{
    return request_allowed_at(x, x->route, action, name);
}

bool request_param(struct exchange *x, struct str name, char *out, size_t cap,
                   struct str *ret_value)
{
    struct str rest = request_str(&x->req, x->req.query);
    struct str found;
    struct str value;
    bool seen = false;
    *ret_value = (struct str){0};
    while (query_next(&rest, &found, &value)) {
        if (!str_equal(found, name))
            continue;
        size_t len;
        if (seen || !query_decode(value, out, cap, &len)) {
            response_error(x, 400, "%.*s is %s", (int)name.len, name.at,
                           seen ? "given twice" : "malformed or too long");
            return false;
        }
        *ret_value = (struct str){out, len};
        seen = true;
    }
    return true;
}

static bool read_offset(struct exchange *x, struct read_request *ret)
{
    char text[PARAM_BYTES_MAX];
    struct str offset;
    if (!request_param(x, STR("offset"), text, sizeof text, &offset))
        return false;
    ret->from = READ_FROM_UNSAID;
    if (!offset.at)
        return true;
    switch (stream_offset_read(offset, &ret->pos)) {
    case OFFSET_AT:
        ret->from = READ_FROM_POS;
        return true;
    case OFFSET_START:
        ret->from = READ_FROM_START;
        return true;
    case OFFSET_NOW:
        ret->from = READ_FROM_NOW;
        return true;
    case OFFSET_BEYOND:
        ret->from = READ_FROM_BEYOND;
        return true;
    case OFFSET_MALFORMED:
        break;
    }
    response_error(x, 400,
                   "offset is malformed; send -1, now, or what "
                   "Stream-Next-Offset said");
    return false;
}

static bool read_live(struct exchange *x, struct read_request *ret)
{
    static const struct {
        const char *word;
        enum live_mode mode;
    } modes[] = {
        {"long-poll", LIVE_LONG_POLL},
        {"sse", LIVE_SSE},
        {"raw", LIVE_RAW},
        {"ndjson", LIVE_NDJSON},
    };
    char text[PARAM_BYTES_MAX];
    struct str live;
    if (!request_param(x, STR("live"), text, sizeof text, &live))
        return false;
    ret->live = LIVE_NONE;
    if (!live.at)
        return true;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (str_equal(live, str_from(modes[i].word))) {
            ret->live = modes[i].mode;
            return true;
        }
    }
    response_error(x, 400, "live is one of long-poll, sse, raw and ndjson");
    return false;
}

bool request_read(struct exchange *x, struct read_request *ret)
{
    char text[PARAM_BYTES_MAX];
    struct str cursor;
    *ret = (struct read_request){0};
    if (x->req.query.len == 0)
        return true;
    if (!read_offset(x, ret) || !read_live(x, ret) ||
        !request_param(x, STR("cursor"), text, sizeof text, &cursor))
        return false;
    /* One that is not ours says nothing. */
    (void)number_read_u64(cursor, &ret->cursor);
    return true;
}

bool request_asks_events(const struct exchange *x)
{
    struct str accept = request_header(&x->req, HEADER_ACCEPT);
    return accept.at &&
           accept_type_weight(accept, STR("text/event-stream")) > 0 &&
           accept_type_weight(accept, STR("text/html")) <= 0;
}

bool request_closes(const struct exchange *x)
{
    return ascii_equal(request_header(&x->req, HEADER_STREAM_CLOSED),
                       STR("true"));
}

static bool claim_number(struct exchange *x, enum header_id id,
                         const char *name, uint64_t *ret)
{
    struct str text = request_header(&x->req, id);
    if (text.len > 0 && number_read_u64(text, ret) &&
        *ret <= PRODUCER_NUMBER_MAX)
        return true;
    response_error(x, 400, "%s is a whole number from 0 to %" PRIu64, name,
                   (uint64_t)PRODUCER_NUMBER_MAX);
    return false;
}

static bool read_claim(struct exchange *x, struct producer_claim *ret)
{
    struct str id = request_header(&x->req, HEADER_PRODUCER_ID);
    bool epoch = request_header(&x->req, HEADER_PRODUCER_EPOCH).at != NULL;
    bool seq = request_header(&x->req, HEADER_PRODUCER_SEQ).at != NULL;
    *ret = (struct producer_claim){0};
    if (!id.at && !epoch && !seq)
        return true;
    if (!id.at || !epoch || !seq) {
        response_error(x, 400,
                       "Producer-Id, Producer-Epoch and Producer-Seq "
                       "go together");
        return false;
    }
    if (id.len == 0 || id.len > PRODUCER_ID_BYTES_MAX) {
        response_error(x, 400, "Producer-Id has 1 to %u bytes",
                       PRODUCER_ID_BYTES_MAX);
        return false;
    }
    ret->id = id;
    return claim_number(x, HEADER_PRODUCER_EPOCH, "Producer-Epoch",
                        &ret->epoch) &&
           claim_number(x, HEADER_PRODUCER_SEQ, "Producer-Seq", &ret->seq);
}

bool request_append(struct exchange *x, struct append *ret)
{
    ret->seq = request_header(&x->req, HEADER_STREAM_SEQ);
    ret->close = request_closes(x);
    if (ret->seq.len > STREAM_SEQ_BYTES_MAX) {
        response_error(x, 400, "Stream-Seq has at most %u bytes",
                       STREAM_SEQ_BYTES_MAX);
        return false;
    }
    return read_claim(x, &ret->producer);
}

/* "0" or digits that do not begin with one. */
static bool strict_number(struct str text, uint64_t *ret)
{
    bool padded = text.len > 1 && text.at[0] == '0';
    return text.len > 0 && !padded && number_read_u64(text, ret);
}

static bool read_expires(struct exchange *x, struct str text,
                         struct life_span *ret)
{
    int64_t ms;
    if (text.len >= sizeof ret->expires_text || !rfc3339_read(text, &ms)) {
        response_error(x, 400,
                       "Stream-Expires-At is a date-time such as "
                       "2030-01-31T12:00:00Z");
        return false;
    }
    ret->kind = LIFE_EXPIRES_AT;
    ret->expires_at_ms = ms > 0 ? (uint64_t)ms : 0;
    memcpy(ret->expires_text, text.at, text.len);
    return true;
}

#define TTL_SECONDS_MAX UINT64_C(100000000000)

bool request_life(struct exchange *x, struct life_span *ret, bool *ret_given)
{
    struct str ttl = request_header(&x->req, HEADER_STREAM_TTL);
    struct str expires = request_header(&x->req, HEADER_STREAM_EXPIRES_AT);
    *ret = (struct life_span){.kind = LIFE_ENDLESS};
    *ret_given = ttl.at || expires.at;
    if (ttl.at && expires.at) {
        response_error(x, 400,
                       "give Stream-TTL or Stream-Expires-At, not "
                       "both");
        return false;
    }
    if (expires.at)
        return read_expires(x, expires, ret);
    if (!ttl.at)
        return true;
    ret->kind = LIFE_TTL;
    if (strict_number(ttl, &ret->ttl_s) && ret->ttl_s <= TTL_SECONDS_MAX)
        return true;
    response_error(x, 400, "Stream-TTL is a whole number of seconds");
    return false;
}
