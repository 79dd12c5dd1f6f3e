#include "httpd/streams/stream_request.h"

#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "parser/number.h"

#include <inttypes.h>
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

/* Keeps less than the operator does, not more; 0 of his is no bound. */
static bool ask_less(struct exchange *x, const char *name, bool is_time,
                     uint64_t *value)
{
    uint64_t asked = 0;
    struct str text = request_header_named(&x->req, str_from(name));
    if (!text.at)
        return true;
    bool read =
        is_time ? number_read_ms(text, &asked) : number_read_u64(text, &asked);
    if (!read || asked == 0 || (*value > 0 && asked > *value)) {
        response_error(x, 400,
                       "%s is %s above 0, and not more than the route "
                       "keeps",
                       name, is_time ? "a time, such as 10m," : "a number");
        return false;
    }
    *value = asked;
    return true;
}

bool request_bounds(struct exchange *x, struct stream_bounds *ret)
{
    route_bounds(x->route->config, ret);
    return ask_policy(x, ret) && ask_slow_reader(x, ret) &&
           ask_capacity(x, ret) &&
           ask_less(x, "Stream-Max-Age", true, &ret->age_ms) &&
           ask_less(x, "Stream-Max-Messages", false, &ret->messages_max);
}

/* Whether a word that was said names what is so. */
static bool is_asked(struct exchange *x, const char *name, bool same)
{
    return same || !request_header_named(&x->req, str_from(name)).at;
}

bool request_bounds_hold(struct exchange *x, const struct stream_bounds *asked,
                         const struct stream_bounds *b)
{
    return is_asked(x, "Stream-Policy", asked->policy == b->policy) &&
           is_asked(x, "Stream-Slow-Reader",
                    asked->slow_reader == b->slow_reader) &&
           is_asked(x, "Stream-Capacity", asked->bytes_max == b->bytes_max) &&
           is_asked(x, "Stream-Max-Age", asked->age_ms == b->age_ms) &&
           is_asked(x, "Stream-Max-Messages",
                    asked->messages_max == b->messages_max);
}
