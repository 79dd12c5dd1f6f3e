#include "httpd/streams/answers.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "parser/number.h"
#include "parser/stream_offset.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define METHODS "GET, HEAD, POST, PUT, DELETE, OPTIONS"

/* Every field may be seen, as nothing here depends on credentials that a
 * browser adds by itself. Short: it stands in the answer to each append. */
#define COMMON                                                                 \
    "X-Content-Type-Options: nosniff\r\n"                                      \
    "Cross-Origin-Resource-Policy: cross-origin\r\n"                           \
    "Access-Control-Allow-Origin: *\r\n"                                       \
    "Access-Control-Expose-Headers: *\r\n"

#define REQUEST_HEADERS                                                        \
    "Content-Type, Authorization, If-None-Match, Range, Last-Event-ID, "       \
    "Stream-TTL, Stream-Expires-At, Stream-Closed, Stream-Seq, "               \
    "Stream-Forked-From, Stream-Fork-Offset, Stream-Fork-Sub-Offset, "         \
    "Stream-Policy, Stream-Capacity, Stream-Max-Age, Stream-Max-Messages, "    \
    "Stream-Slow-Reader, Stream-Lag-Hard, Stream-Lag-Soft, "                   \
    "Stream-Lag-Soft-Time, Producer-Id, Producer-Epoch, Producer-Seq"

void answers_begin(struct exchange *x)
{
    x->always = STR(COMMON);
}

void answer_options(struct exchange *x)
{
    response_begin(x, 204);
    response_header(x, "Allow", STR(METHODS));
    response_header(x, "Access-Control-Allow-Methods", STR(METHODS));
    response_header(x, "Access-Control-Allow-Headers", STR(REQUEST_HEADERS));
    response_header(x, "Access-Control-Max-Age", STR("86400"));
    response_send_empty(x);
}

void answer_registry(struct exchange *x, enum registry_result r, bool creating)
{
    switch (r) {
    case REGISTRY_SOFT_DELETED:
        if (creating)
            response_error(x, 409,
                           "this name belongs to a deleted stream that "
                           "has forks; delete them first");
        else
            response_error(x, 410, "this stream was deleted; its forks go on");
        return;
    case REGISTRY_FULL:
        response_error(x, 503,
                       "there are too many streams; delete some, or "
                       "try again later");
        return;
    case REGISTRY_SOURCE_GONE:
        response_error(x, 409, "the stream to fork from was deleted");
        return;
    case REGISTRY_NO_MEMORY:
        response_error(x, 503, "short of memory; try again later");
        return;
    case REGISTRY_EXISTS:
        response_error(x, 409,
                       "this stream is there already, and is another "
                       "one than was asked for");
        return;
    default:
        response_error(x, 404, "there is no such stream");
        return;
    }
}

void put_offset(struct exchange *x, const char *name, uint64_t pos)
{
    char at[STREAM_OFFSET_BYTES];
    stream_offset_write(at, pos);
    response_header(x, name, (struct str){at, sizeof at});
}

void put_next_offset(struct exchange *x, uint64_t pos)
{
    char line[] = "Stream-Next-Offset: "
                  "0000000000000000_0000000000000000\r\n";
    stream_offset_write(line + sizeof "Stream-Next-Offset: " - 1, pos);
    response_header_lines(x, (struct str){line, sizeof line - 1});
}

void put_number(struct exchange *x, const char *name, uint64_t n)
{
    char at[NUMBER_DIGITS_MAX];
    response_header(x, name, (struct str){at, number_write_u64(at, n)});
}

void put_closed(struct exchange *x)
{
    response_header_lines(x, STR("Stream-Closed: true\r\n"));
}

void put_life(struct exchange *x, const struct stream *s)
{
    const struct life_span *life = stream_life(s);
    if (life->kind == LIFE_TTL)
        put_number(x, "Stream-TTL", life->ttl_s);
    if (life->kind == LIFE_EXPIRES_AT)
        response_header(x, "Stream-Expires-At", str_from(life->expires_text));
}

static void answer_closed(struct exchange *x,
                          const struct append_outcome *outcome)
{
    response_begin(x, 409);
    put_closed(x);
    put_next_offset(x, outcome->tail);
    response_send_error(x, "the stream is closed; nothing was appended");
}

static void answer_fenced(struct exchange *x,
                          const struct append_outcome *outcome)
{
    response_begin(x, 403);
    put_number(x, "Producer-Epoch", outcome->epoch);
    response_send_error(x, "a producer with a higher epoch has taken over");
}

static void answer_seq_gap(struct exchange *x, const struct append *a,
                           const struct append_outcome *outcome)
{
    response_begin(x, 409);
    put_number(x, "Producer-Expected-Seq", outcome->expected_seq);
    put_number(x, "Producer-Received-Seq", a->producer.seq);
    response_send_error(x, "the producer's sequence has a gap; send the "
                           "expected one first");
}

/* 200 for what a producer appended, else 204. */
static void answer_appended(struct exchange *x, const struct append *a,
                            enum append_result r,
                            const struct append_outcome *outcome)
{
    bool producer = a->producer.id.at != NULL;
    bool fresh = r == APPEND_DONE && a->messages_n > 0;
    response_begin(x, producer && fresh ? 200 : 204);
    put_next_offset(x, outcome->tail);
    if (outcome->closed)
        put_closed(x);
    if (producer) {
        put_number(x, "Producer-Epoch", outcome->epoch);
        put_number(x, "Producer-Seq", outcome->seq);
    }
    response_send_empty(x);
}

/* Says in a line what is wrong with an append that tells nothing else. */
static void answer_refused(struct exchange *x, enum append_result r)
{
    static const struct {
        int status;
        const char *why; /* NULL: not in this table */
    } refusals[] = {
        [APPEND_GONE] = {404, "the stream was deleted"},
        [APPEND_BAD_EPOCH] = {400, "a new Producer-Epoch begins with "
                                   "Producer-Seq 0"},
        [APPEND_SEQ_ORDER] = {409, "Stream-Seq must be greater, byte by byte, "
                                   "than that of the last append"},
        [APPEND_FULL] = {503, "the stream is full and its readers do not get "
                              "on; this append was not made"},
        [APPEND_REFUSED] = {503,
                            "the stream is full; this append was not made"},
        [APPEND_NO_MEMORY] = {503, "short of memory; this append was not made"},
        [APPEND_PRODUCERS] = {503, "the stream has too many producers; nothing "
                                   "was appended"},
    };
    assert((size_t)r < sizeof refusals / sizeof refusals[0]);
    assert(refusals[r].why);
    response_error(x, refusals[r].status, "%s", refusals[r].why);
}

void answer_append(struct exchange *x, struct stream *s, const struct append *a,
                   enum append_result r, const struct append_outcome *outcome)
{
    struct str type = stream_content_type(s);
    switch (r) {
    case APPEND_DONE:
    case APPEND_DUPLICATE:
        answer_appended(x, a, r, outcome);
        return;
    case APPEND_CLOSED:
        answer_closed(x, outcome);
        return;
    case APPEND_FENCED:
        answer_fenced(x, outcome);
        return;
    case APPEND_SEQ_GAP:
        answer_seq_gap(x, a, outcome);
        return;
    case APPEND_TYPE:
        response_error(x, 409, "the stream is of type %.*s; append that",
                       (int)type.len, type.at);
        return;
    case APPEND_TOO_LARGE:
        response_error(x, 413,
                       "the append is larger than the stream may be "
                       "(%" PRIu64 " bytes); nothing was appended",
                       stream_bounds(s)->bytes_max);
        return;
    case APPEND_GONE:
    case APPEND_BAD_EPOCH:
    case APPEND_SEQ_ORDER:
    case APPEND_FULL:
    case APPEND_REFUSED:
    case APPEND_NO_MEMORY:
    case APPEND_PRODUCERS:
        answer_refused(x, r);
        return;
    }
}
