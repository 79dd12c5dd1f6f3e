#include "parser/head_rules.h"

#include "parser/ascii.h"
#include "parser/authority.h"
#include "parser/number.h"
#include "parser/octet.h"

static const struct header *first_of(const struct request *req,
                                     enum header_id id)
{
    return req->first[id] ? &req->headers[req->first[id]] : NULL;
}

static enum verdict_id host_rule(struct request *req)
{
    const struct header *host = first_of(req, HEADER_HOST);
    if (!host)
        return req->minor == 0 ? VERDICT_NONE : VERDICT_NO_HOST;
    if (host->next)
        return VERDICT_TWO_HOSTS;
    if (host->value.len > 0 &&
        !authority_is_valid(request_str(req, host->value)))
        return VERDICT_BAD_HOST;
    if (req->form == TARGET_ORIGIN || req->form == TARGET_ASTERISK)
        req->authority = host->value;
    return VERDICT_NONE;
}

static enum verdict_id length_rule(struct request *req)
{
    const struct header *field = first_of(req, HEADER_CONTENT_LENGTH);
    req->has_length = field != NULL;
    req->length = 0;
    if (!field)
        return VERDICT_NONE;
    if (field->next)
        return VERDICT_TWO_LENGTHS;

    struct str value = request_str(req, field->value);
    if (value.len == 0 || octet_run(value, OCTET_DIGIT) < value.len)
        return VERDICT_BAD_LENGTH;
    if (!number_read_u64(value, &req->length) || req->length > INT64_MAX)
        return VERDICT_LENGTH_TOO_LARGE;
    return VERDICT_NONE;
}

static enum verdict_id encoding_rule(struct request *req)
{
    const struct header *field = first_of(req, HEADER_TRANSFER_ENCODING);
    req->chunked = field != NULL;
    if (!field)
        return VERDICT_NONE;
    if (req->minor == 0)
        return VERDICT_ENCODING_ON_1_0;
    if (req->has_length)
        return VERDICT_LENGTH_AND_ENCODING;

    struct str value = request_str(req, field->value);
    if (field->next || value.len == 0)
        return VERDICT_BAD_ENCODING;
    if (ascii_equal(value, STR("chunked")))
        return VERDICT_NONE;
    return octet_run(value, OCTET_TOKEN) == value.len ? VERDICT_ENCODING_UNKNOWN
                                                      : VERDICT_BAD_ENCODING;
}

/* Only HTTP/1.1 knows expectations; RFC 9110 has them ignored on 1.0. */
static enum verdict_id expect_rule(struct request *req)
{
    struct str value;
    uint16_t it = 0;

    req->expect_continue = false;
    while (req->minor > 0 &&
           request_header_next(req, HEADER_EXPECT, &it, &value)) {
        if (!ascii_equal(value, STR("100-continue")))
            return VERDICT_BAD_EXPECT;
        req->expect_continue = true;
    }
    return VERDICT_NONE;
}

/* Takes the first member of a list off, without white space around it. */
static struct str take_member(struct str *list)
{
    const char *comma = memchr(list->at, ',', list->len);
    size_t n = comma ? (size_t)(comma - list->at) : list->len;
    struct str member = {list->at, n};
    *list = str_skip(*list, comma ? n + 1 : n);
    return ascii_trim_ows_end(ascii_skip_ows(member));
}

/* "close" wins over "keep-alive", wherever they stand. */
static void connection_rule(struct request *req)
{
    bool close = false;
    bool keep = req->minor > 0;
    struct str list;
    uint16_t it = 0;

    while (request_header_next(req, HEADER_CONNECTION, &it, &list)) {
        while (list.len > 0) {
            struct str member = take_member(&list);
            close |= ascii_equal(member, STR("close"));
            keep |= ascii_equal(member, STR("keep-alive"));
        }
    }
    req->keep_alive = keep && !close;
}

enum verdict_id head_rules_apply(struct request *req)
{
    enum verdict_id v = host_rule(req);
    if (v == VERDICT_NONE)
        v = length_rule(req);
    if (v == VERDICT_NONE)
        v = encoding_rule(req);
    if (v == VERDICT_NONE)
        v = expect_rule(req);
    connection_rule(req);
    req->body_done = !req->chunked && req->length == 0;
    return v;
}
