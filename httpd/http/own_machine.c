#include "httpd/http/own_machine.h"

#include "httpd/http/exchange.h"
#include "parser/authority.h"

/* A page without an origin, as "null" says, may be anybody's. */
static bool is_own_origin(struct str origin)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++)
        if (str_starts(origin, schemes[i]))
            return authority_is_loopback(str_skip(origin, schemes[i].len));
    return false;
}

/* Scripts, pictures and sounds are fetched without an Origin. Who follows a
 * link sees what it leads to himself. */
static bool is_own_page(const struct exchange *x)
{
    struct str origin = request_header_named(&x->req, STR("Origin"));
    struct str site = request_header_named(&x->req, STR("Sec-Fetch-Site"));
    struct str mode = request_header_named(&x->req, STR("Sec-Fetch-Mode"));
    if (origin.at)
        return is_own_origin(origin);
    return !str_equal(site, STR("cross-site")) ||
           str_equal(mode, STR("navigate"));
}

bool own_machine(const struct exchange *x)
{
    struct str host = request_str(&x->req, x->req.authority);
    return x->carrier_ops->from_loopback && x->carrier_ops->from_loopback(x) &&
           (host.len == 0 || authority_is_loopback(host)) && is_own_page(x);
}
