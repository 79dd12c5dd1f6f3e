#include "parser/header_name.h"

#include "parser/ascii.h"

#include <assert.h>

#define SLOTS 128ul

/* No two known names share a slot; the compiler warns when one is set twice. */
#define SLOT(len, first, last) (((len) + 4ul * (first) + 24ul * (last)) % SLOTS)

struct known {
    struct str name;
    enum header_id id;
};

#define KNOWN(name, first, last, id)                                           \
    [SLOT(sizeof(name) - 1, first, last)] = {{name, sizeof(name) - 1}, id}

static const struct known slots[SLOTS] = {
    KNOWN("accept", 'a', 't', HEADER_ACCEPT),
    KNOWN("accept-encoding", 'a', 'g', HEADER_ACCEPT_ENCODING),
    KNOWN("authorization", 'a', 'n', HEADER_AUTHORIZATION),
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
    KNOWN("last-event-id", 'l', 'd', HEADER_LAST_EVENT_ID),
    KNOWN("origin", 'o', 'n', HEADER_ORIGIN),
    KNOWN("producer-epoch", 'p', 'h', HEADER_PRODUCER_EPOCH),
    KNOWN("producer-id", 'p', 'd', HEADER_PRODUCER_ID),
    KNOWN("producer-seq", 'p', 'q', HEADER_PRODUCER_SEQ),
    KNOWN("range", 'r', 'e', HEADER_RANGE),
    KNOWN("sec-websocket-key", 's', 'y', HEADER_SEC_WEBSOCKET_KEY),
    KNOWN("sec-websocket-protocol", 's', 'l', HEADER_SEC_WEBSOCKET_PROTOCOL),
    KNOWN("sec-websocket-version", 's', 'n', HEADER_SEC_WEBSOCKET_VERSION),
    KNOWN("stream-closed", 's', 'd', HEADER_STREAM_CLOSED),
    KNOWN("stream-expires-at", 's', 't', HEADER_STREAM_EXPIRES_AT),
    KNOWN("stream-seq", 's', 'q', HEADER_STREAM_SEQ),
    KNOWN("stream-ttl", 's', 'l', HEADER_STREAM_TTL),
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
