#include "httpd/http/websocket_handshake.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "parser/ascii.h"
#include "parser/websocket_key.h"

#include <stdint.h>

#define VERSION "13"

/* Walks the members of all fields of a name. */
struct members {
    const struct request *req;
    enum header_id id;
    uint16_t it;
    struct str list;
};

static bool next_member(struct members *m, struct str *ret)
{
    while (m->list.len == 0)
        if (!request_header_next(m->req, m->id, &m->it, &m->list))
            return false;
    const char *comma = memchr(m->list.at, ',', m->list.len);
    size_t n = comma ? (size_t)(comma - m->list.at) : m->list.len;
    struct str member = {m->list.at, n};
    m->list = str_skip(m->list, comma ? n + 1 : n);
    *ret = ascii_trim_ows_end(ascii_skip_ows(member));
    return true;
}

static bool lists(const struct request *req, enum header_id id, struct str word)
{
    struct members m = {.req = req, .id = id};
    struct str member;
    while (next_member(&m, &member))
        if (ascii_equal(member, word))
            return true;
    return false;
}

bool websocket_wanted(const struct request *req)
{
    return req->method == METHOD_GET && req->minor > 0 &&
           lists(req, HEADER_UPGRADE, STR("websocket")) &&
           lists(req, HEADER_CONNECTION, STR("upgrade"));
}

static void begin_426(struct exchange *x)
{
    response_begin(x, 426);
    response_header(x, "Upgrade", STR("websocket"));
    response_header(x, "Sec-WebSocket-Version", STR(VERSION));
}

void websocket_require(struct exchange *x)
{
    begin_426(x);
    response_send_error(x, "this is a WebSocket; ask by GET of HTTP/1.1 with "
                           "Upgrade: websocket");
}

/* The only value of a field that must be there once. */
static struct str single(const struct request *req, enum header_id id)
{
    struct str value = request_header(req, id);
    struct str second;
    uint16_t it = 0;
    (void)request_header_next(req, id, &it, &second);
    if (request_header_next(req, id, &it, &second))
        return (struct str){0};
    return value;
}

static size_t choose(const struct request *req, const char *const *known,
                     size_t n)
{
    struct members m = {.req = req, .id = HEADER_SEC_WEBSOCKET_PROTOCOL};
    struct str member;
    while (next_member(&m, &member))
        for (size_t i = 0; i < n; i++)
            if (str_equal(member, str_from(known[i])))
                return i;
    return WEBSOCKET_NO_PROTOCOL;
}

bool websocket_accept(struct exchange *x, const char *const *known, size_t n,
                      size_t *ret_protocol)
{
    char accept[WEBSOCKET_ACCEPT_BYTES];
    const struct request *req = &x->req;
    struct str version = single(req, HEADER_SEC_WEBSOCKET_VERSION);
    if (!str_equal(version, STR(VERSION))) {
        begin_426(x);
        response_send_error(x, "this server speaks version " VERSION
                               " of WebSocket (RFC 6455)");
        return false;
    }
    struct str key = single(req, HEADER_SEC_WEBSOCKET_KEY);
    if (!websocket_key_valid(key)) {
        response_error(x, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
        return false;
    }
    if (!req->body_done) {
        response_error(x, 400, "a request for a WebSocket has no body");
        return false;
    }
    if (websocket_key_accept(key, accept) != FLOW_DONE) {
        response_error(x, 503, "short of memory; try again later");
        return false;
    }
    *ret_protocol = choose(req, known, n);
    response_begin(x, 101);
    response_header(x, "Upgrade", STR("websocket"));
    response_header(x, "Sec-WebSocket-Accept",
                    (struct str){accept, sizeof accept});
    if (*ret_protocol != WEBSOCKET_NO_PROTOCOL)
        response_header(x, "Sec-WebSocket-Protocol",
                        str_from(known[*ret_protocol]));
    return true;
}
