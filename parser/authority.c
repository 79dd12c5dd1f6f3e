#include "parser/authority.h"

#include "parser/ascii.h"
#include "parser/number.h"
#include "parser/octet.h"

#include <arpa/inet.h>

#define PORT_MAX        65535u
#define PORT_DIGITS_MAX 5u

/* Length of "[…]" at the front, 0 when it holds no IPv6 address. */
static size_t bracketed_len(struct str s)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];

    const char *end = memchr(s.at, ']', s.len);
    size_t n = end ? (size_t)(end - s.at) - 1 : 0;
    if (n == 0 || n >= sizeof(text))
        return 0;
    memcpy(text, s.at + 1, n);
    text[n] = '\0';
    if (strlen(text) != n || inet_pton(AF_INET6, text, address) != 1)
        return 0;
    return n + 2;
}

static bool is_escape(struct str s)
{
    return s.len >= 3 && s.at[0] == '%' && octet_is(s.at[1], OCTET_HEX) &&
           octet_is(s.at[2], OCTET_HEX);
}

/* Length of the registered name or IPv4 address at the front. */
static size_t name_len(struct str s)
{
    size_t n = 0;
    for (;;) {
        n += octet_run(str_skip(s, n), OCTET_HOST);
        if (!is_escape(str_skip(s, n)))
            return n;
        n += 3;
    }
}

static size_t host_len(struct str s)
{
    return ascii_at(s, '[') ? bracketed_len(s) : name_len(s);
}

static bool is_port(struct str s)
{
    uint64_t port;
    return s.len <= PORT_DIGITS_MAX && number_read_u64(s, &port) &&
           port <= PORT_MAX;
}

bool authority_is_valid(struct str authority)
{
    size_t n = host_len(authority);
    struct str rest = str_skip(authority, n);
    if (n == 0)
        return false;
    if (rest.len == 0)
        return true;
    return ascii_take(&rest, ':') && (rest.len == 0 || is_port(rest));
}

bool authority_is_valid_with_port(struct str authority)
{
    size_t n = host_len(authority);
    struct str rest = str_skip(authority, n);
    return n > 0 && ascii_take(&rest, ':') && is_port(rest);
}

static bool is_localhost(struct str host)
{
    struct str name = STR("localhost");
    if (host.len < name.len)
        return false;
    struct str end = str_skip(host, host.len - name.len);
    return ascii_equal(end, name) && (end.at == host.at || end.at[-1] == '.');
}

bool authority_is_loopback(struct str authority)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr address;
    if (!authority_is_valid(authority))
        return false;
    struct str host = {authority.at, host_len(authority)};
    if (str_equal(host, STR("[::1]")) || is_localhost(host))
        return true;
    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.at, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 &&
           ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
}
