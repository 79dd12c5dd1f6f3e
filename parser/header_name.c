#include "parser/header_name.h"

#include "parser/ascii.h"

#include <assert.h>

#define SLOTS 64ul

/* No two known names share a slot; the compiler warns when one is set twice. */
#define SLOT(len, first, last) (((len) + 4ul * (first) + (last)) % SLOTS)

struct known {
    struct str name;
    enum header_id id;
};

#define KNOWN(name, first, last, id)                                           \
    [SLOT(sizeof(name) - 1, first, last)] = {{name, sizeof(name) - 1}, id}

static const struct known slots[SLOTS] = {
    KNOWN("accept", 'a', 't', HEADER_ACCEPT),
    KNOWN("accept-encoding", 'a', 'g', HEADER_ACCEPT_ENCODING),
    KNOWN("connection", 'c', 'n', HEADER_CONNECTION),
    KNOWN("content-length", 'c', 'h', HEADER_CONTENT_LENGTH),
    KNOWN("content-type", 'c', 'e', HEADER_CONTENT_TYPE),
    KNOWN("expect", 'e', 't', HEADER_EXPECT),
    KNOWN("host", 'h', 't', HEADER_HOST),
    KNOWN("if-match", 'i', 'h', HEADER_IF_MATCH),
    KNOWN("if-modified-since", 'i', 'e', HEADER_IF_MODIFIED_SINCE),
    KNOWN("if-none-match", 'i', 'h', HEADER_IF_NONE_MATCH),
    KNOWN("if-range", 'i', 'e', HEADER_IF_RANGE),
    KNOWN("if-unmodified-since", 'i', 'e', HEADER_IF_UNMODIFIED_SINCE),
    KNOWN("origin", 'o', 'n', HEADER_ORIGIN),
    KNOWN("range", 'r', 'e', HEADER_RANGE),
    KNOWN("trailer", 't', 'r', HEADER_TRAILER),
    KNOWN("transfer-encoding", 't', 'g', HEADER_TRANSFER_ENCODING),
    KNOWN("upgrade", 'u', 'e', HEADER_UPGRADE),
    KNOWN("user-agent", 'u', 't', HEADER_USER_AGENT),
};

/* Sound for tokens only: no token byte but a letter becomes a letter, and
 * none but '-' becomes '-', when the case bit is set. */
static bool same_token(const char *token, struct str known)
{
    for (size_t i = 0; i < known.len; i++)
        if ((token[i] | 0x20) != known.at[i])
            return false;
    return true;
}

enum header_id header_name_find(struct str name)
{
    assert(name.len > 0);
    size_t first = (unsigned char)(name.at[0] | 0x20);
    size_t last = (unsigned char)(name.at[name.len - 1] | 0x20);
    const struct known *k = &slots[SLOT(name.len, first, last)];
    return k->name.len == name.len && same_token(name.at, k->name)
               ? k->id
               : HEADER_OTHER;
}

#define NAME(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct str forbidden[] = {
    /* framing */
    NAME("content-length"),
    NAME("transfer-encoding"),
    NAME("trailer"),
    NAME("te"),
    NAME("connection"),
    NAME("keep-alive"),
    NAME("proxy-connection"),
    NAME("upgrade"),
    /* routing and control */
    NAME("host"),
    NAME("expect"),
    NAME("max-forwards"),
    NAME("cache-control"),
    NAME("pragma"),
    NAME("range"),
    NAME("if-match"),
    NAME("if-none-match"),
    NAME("if-modified-since"),
    NAME("if-unmodified-since"),
    NAME("if-range"),
    /* who asks */
    NAME("authorization"),
    NAME("proxy-authorization"),
    NAME("cookie"),
    NAME("origin"),
    /* how to read the content */
    NAME("content-encoding"),
    NAME("content-type"),
    NAME("content-range"),
};

bool header_name_forbidden_in_trailer(struct str name)
{
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (ascii_equal(name, forbidden[i]))
            return true;
    return false;
}
