#include "httpd/streams/stream_request.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "parser/number.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static enum stream_policy route_policy(const struct route_config *c)
{
    enum stream_policy policy = POLICY_DROP_OLDEST;
    if (strcmp(c->streams, "strict") == 0)
        policy = POLICY_GROW;
    (void)stream_policy_read(str_from(c->policy), &policy);
    return policy;
}

static void route_bounds(const struct route_config *c,
                         struct stream_bounds *ret)
{
    *ret = (struct stream_bounds){
        .policy = route_policy(c),
        .slow_reader = SLOW_DISCONNECT,
        .bytes_max = c->stream_bytes,
        .messages_max = c->stream_messages,
        .age_ms = c->stream_age_ms,
        .lag_hard = c->lag_hard,
        .lag_soft = c->lag_soft,
        .lag_soft_ms = c->lag_soft_time_ms,
        .slow_after_ms = c->slow_after_ms,
    };
    (void)slow_reader_read(str_from(c->slow_reader), &ret->slow_reader);
}

/* As for stream_bytes: a smaller stream holds no usual message. */
#define STREAM_CAPACITY_MIN 4096u
#define POLICY_WORDS_BYTES  64u

/* "block or reject": what the operator allows. */
static void refuse_policy(struct exchange *x, const struct route_config *c)
{
    struct bytes words;
    bytes_init(&words, POLICY_WORDS_BYTES);
    for (size_t i = 0; i < c->policies.n; i++)
        (void)bytes_printf(&words, "%s%s", i > 0 ? " or " : "",
                           c->policies.at[i]);
    response_error(x, 400, "Stream-Policy is %.*s here", (int)words.len,
                   words.data);
    bytes_fini(&words);
}

static bool operator_allows(const struct route_config *c, struct str policy)
{
    for (size_t i = 0; i < c->policies.n; i++)
        if (str_equal(str_from(c->policies.at[i]), policy))
            return true;
    return c->policies.n == 0;
}

static bool ask_policy(struct exchange *x, struct stream_bounds *ret)
{
    struct str text = request_header_named(&x->req, STR("Stream-Policy"));
    if (!text.at)
        return true;
    if (!stream_policy_read(text, &ret->policy)) {
        response_error(x, 400,
                       "Stream-Policy is drop-oldest, block, reject or "
                       "grow");
        return false;
    }
    if (operator_allows(x->route->config, text))
        return true;
    refuse_policy(x, x->route->config);
    return false;
}

static bool ask_slow_reader(struct exchange *x, struct stream_bounds *ret)
{
    struct str text = request_header_named(&x->req, STR("Stream-Slow-Reader"));
    if (!text.at || slow_reader_read(text, &ret->slow_reader))
        return true;
    response_error(x, 400, "Stream-Slow-Reader is disconnect or skip");
    return false;
}

static bool ask_capacity(struct exchange *x, struct stream_bounds *ret)
{
    uint64_t most = x->route->config->stream_bytes_max;
    uint64_t bytes = 0;
    struct str text = request_header_named(&x->req, STR("Stream-Capacity"));
    if (!text.at)
        return true;
    if (!number_read_bytes(text, &bytes) || bytes < STREAM_CAPACITY_MIN ||
        bytes > most) {
        response_error(x, 400,
                       "Stream-Capacity is bytes, such as 64k or 16m, from %u "
                       "to %" PRIu64 " here",
                       STREAM_CAPACITY_MIN, most);
        return false;
    }
    ret->bytes_max = bytes;
    return true;
}

/* Bounds of which a creator may ask for less than the operator allows, not
 * more; 0 of his is no bound. */
static const struct {
    const char *name;
    enum bound_unit unit;
    size_t at; /* in struct stream_bounds */
} lesser[] = {
    {"Stream-Max-Age", BOUND_MS, offsetof(struct stream_bounds, age_ms)},
    {"Stream-Max-Messages", BOUND_COUNT,
     offsetof(struct stream_bounds, messages_max)},
    {"Stream-Lag-Hard", BOUND_BYTES, offsetof(struct stream_bounds, lag_hard)},
    {"Stream-Lag-Soft", BOUND_BYTES, offsetof(struct stream_bounds, lag_soft)},
    {"Stream-Lag-Soft-Time", BOUND_MS,
     offsetof(struct stream_bounds, lag_soft_ms)},
};

#define LESSER_N (sizeof lesser / sizeof lesser[0])

static uint64_t lesser_of(const struct stream_bounds *b, size_t i)
{
    uint64_t value;
    memcpy(&value, (const char *)b + lesser[i].at, sizeof value);
    return value;
}

static bool ask_lesser(struct exchange *x, size_t i, struct stream_bounds *ret)
{
    uint64_t value = lesser_of(ret, i);
    struct str text = request_header_named(&x->req, str_from(lesser[i].name));
    if (!text.at)
        return true;
    if (!request_less(x, lesser[i].name, text, lesser[i].unit, &value))
        return false;
    memcpy((char *)ret + lesser[i].at, &value, sizeof value);
    return true;
}

bool request_less(struct exchange *x, const char *name, struct str text,
                  enum bound_unit unit, uint64_t *value)
{
    static const char *const examples[] = {
        [BOUND_COUNT] = "a number, such as 1000",
        [BOUND_MS] = "a time, such as 10m",
        [BOUND_BYTES] = "bytes, such as 64k",
    };
    uint64_t asked = 0;
    bool read = unit == BOUND_MS      ? number_read_ms(text, &asked)
                : unit == BOUND_BYTES ? number_read_bytes(text, &asked)
                                      : number_read_u64(text, &asked);
    if (!read || asked == 0 || (*value > 0 && asked > *value)) {
        response_error(x, 400,
                       "%s is %s: above 0, and not more than is allowed here",
                       name, examples[unit]);
        return false;
    }
    *value = asked;
    return true;
}

bool request_bounds(struct exchange *x, struct stream_bounds *ret)
{
    route_bounds(x->route->config, ret);
    if (!ask_policy(x, ret) || !ask_slow_reader(x, ret) ||
        !ask_capacity(x, ret))
        return false;
    for (size_t i = 0; i < LESSER_N; i++)
        if (!ask_lesser(x, i, ret))
            return false;
    return true;
}

/* Whether a word that was said names what is so. */
static bool is_asked(struct exchange *x, const char *name, bool same)
{
    return same || !request_header_named(&x->req, str_from(name)).at;
}

bool request_bounds_hold(struct exchange *x, const struct stream_bounds *asked,
                         const struct stream_bounds *b)
{
    for (size_t i = 0; i < LESSER_N; i++)
        if (!is_asked(x, lesser[i].name,
                      lesser_of(asked, i) == lesser_of(b, i)))
            return false;
    return is_asked(x, "Stream-Policy", asked->policy == b->policy) &&
           is_asked(x, "Stream-Slow-Reader",
                    asked->slow_reader == b->slow_reader) &&
           is_asked(x, "Stream-Capacity", asked->bytes_max == b->bytes_max);
}
