/* What clients write about streams: offsets, from=, dates, media types, and the
 * heads of requests. The first byte says which. Each text is held against what
 * libc makes of it. */
#include "httpd/config/config.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/streams/hub_inner.h"
#include "httpd/streams/producers.h"
#include "httpd/streams/stream_from.h"
#include "httpd/streams/stream_request.h"
#include "parser/media_type.h"
#include "parser/rfc3339.h"
#include "parser/stream_offset.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <regex.h>
#include <strings.h>
#include <time.h>

#define UNREAD 424242

enum form { OFFSET, BACK_BYTES, BACK_TIME, DATE, ESSENCE, FORMS };

#define TOKEN "[!#$%&'*+.^_`|~0-9A-Za-z-]+"

static const char *const patterns[FORMS] = {
    [OFFSET] = "^[0-9]{16}_[0-9]{16}$",
    [BACK_BYTES] = "^-[0-9]+[kKmMgGtT]?$",
    [BACK_TIME] = "^-[0-9]+([.][0-9]{1,3})?(ms|s|h)$",
    [DATE] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
             "([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    [ESSENCE] = "^[ \t]*" TOKEN "/" TOKEN "[ \t]*$",
};

static char *string_of(struct str text)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        abort();
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return copy;
}

/* Whether the whole text is of that form; one with a NUL never is. */
static bool is_form(enum form form, struct str text)
{
    static regex_t regexes[FORMS];
    static bool compiled;
    for (size_t i = 0; i < FORMS && !compiled; i++)
        check(regcomp(&regexes[i], patterns[i], REG_EXTENDED | REG_NOSUB) == 0,
              "a regular expression");
    compiled = true;
    char *copy = string_of(text);
    bool is = strlen(copy) == text.len &&
              regexec(&regexes[form], copy, 0, NULL, 0) == 0;
    free(copy);
    return is;
}

static void try_offset(struct str text)
{
    uint64_t pos = UNREAD;
    char again[STREAM_OFFSET_BYTES];
    enum stream_offset_kind kind = stream_offset_read(text, &pos);
    bool counts = kind == OFFSET_AT || kind == OFFSET_BEYOND;
    check(counts == is_form(OFFSET, text), "form of an offset");
    check((kind == OFFSET_START) == str_equal(text, STR("-1")), "start");
    check((kind == OFFSET_NOW) == str_equal(text, STR("now")), "now");
    if (kind != OFFSET_AT) {
        check(pos == UNREAD, "written for a position only");
        return;
    }
    check(pos < STREAM_OFFSET_END, "a position that could be");
    stream_offset_write(again, pos);
    check(str_equal(text, (struct str){again, sizeof again}), "written again");
}

/* What libc reads of digits with a unit behind them: bytes or milliseconds;
 * false when it is more than 64 bits hold, or not whole. */
static bool amount_of(const char *text, bool time, uint64_t *ret)
{
    static const char units[] = "kmgt";
    char *end;
    errno = 0;
    unsigned __int128 n = strtoull(text, &end, 10);
    if (errno == ERANGE)
        return false;
    if (!time) {
        const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
        n <<= unit ? 10 * (unit - units + 1) : 0;
        *ret = (uint64_t)n;
        return n <= UINT64_MAX;
    }
    unsigned long thousandths = 0;
    if (*end == '.') {
        char digits[4] = "000";
        for (char *to = digits; *++end >= '0' && *end <= '9'; to++)
            *to = *end;
        thousandths = strtoul(digits, NULL, 10);
    }
    unsigned unit = *end == 'm' ? 1 : *end == 's' ? 1000 : 3600000;
    n = n * unit + (unsigned long long)thousandths * unit / 1000;
    *ret = (uint64_t)n;
    return n <= UINT64_MAX && (unit > 1 || thousandths == 0);
}

static void try_from(struct str text)
{
    struct stream_from from = {FROM_START, UNREAD};
    uint64_t amount = 0;
    bool read = stream_from_read(text, &from);
    bool time = is_form(BACK_TIME, text);
    bool back = false;
    if (time || is_form(BACK_BYTES, text)) {
        char *copy = string_of(text);
        back = amount_of(copy + 1, time, &amount);
        free(copy);
    }
    bool now = str_equal(text, STR("now"));
    check(read == (now || back || str_equal(text, STR("start"))), "from");
    if (!read)
        check(from.kind == FROM_START && from.amount == UNREAD, "unchanged");
    else if (back)
        check(from.kind == (time ? FROM_MS : FROM_BYTES) &&
                  from.amount == amount,
              "so far back");
    else
        check(from.kind == (now ? FROM_NOW : FROM_START), "now or start");
}

/* Digits of which it is known that they are there. */
static int number_at(struct str text, size_t at, size_t n)
{
    int v = 0;
    for (size_t i = at; i < at + n; i++)
        v = v * 10 + text.at[i] - '0';
    return v;
}

/* By libc's calendar; false when there is no such moment. */
static bool moment_of(struct str text, int64_t *ret_ms)
{
    struct tm tm = {.tm_year = number_at(text, 0, 4) - 1900,
                    .tm_mon = number_at(text, 5, 2) - 1,
                    .tm_mday = number_at(text, 8, 2),
                    .tm_hour = number_at(text, 11, 2),
                    .tm_min = number_at(text, 14, 2)};
    int second = number_at(text, 17, 2);
    int ms = 0;
    size_t at = 19;
    if (text.at[at] == '.')
        for (int unit = 100; text.at[++at] >= '0' && text.at[at] <= '9';
             unit /= 10)
            ms += (text.at[at] - '0') * unit;
    struct tm asked = tm;
    int64_t seconds = timegm(&tm);
    bool exists = tm.tm_mon == asked.tm_mon && tm.tm_mday == asked.tm_mday &&
                  tm.tm_hour == asked.tm_hour && tm.tm_min == asked.tm_min;
    if ((text.at[at] | 0x20) != 'z') {
        int hours = number_at(text, at + 1, 2);
        int minutes = number_at(text, at + 4, 2);
        exists = exists && hours < 24 && minutes < 60;
        seconds += (hours * 60 + minutes) * (text.at[at] == '-' ? 60 : -60);
    }
    seconds += second;
    *ret_ms = seconds * 1000 + ms;
    return exists && (second < 60 || (second == 60 && seconds % 86400 == 0));
}

static void try_date(struct str text)
{
    int64_t ms = UNREAD;
    int64_t expected = UNREAD;
    bool is = is_form(DATE, text) && moment_of(text, &expected);
    check(rfc3339_read(text, &ms) == is, "whether it is a date");
    check(ms == (is ? expected : UNREAD), "which moment");
}

/* Two fields, with a line's end between them. */
static void try_types(struct str text)
{
    const char *line = text.len ? memchr(text.at, '\n', text.len) : NULL;
    struct str a = {text.at, line ? (size_t)(line - text.at) : text.len};
    struct str b = str_skip(text, line ? a.len + 1 : a.len);
    struct str essence = media_type_essence(a);
    struct str other = media_type_essence(b);
    const char *semicolon = a.len ? memchr(a.at, ';', a.len) : NULL;
    struct str before = {a.at, semicolon ? (size_t)(semicolon - a.at) : a.len};
    check((essence.len > 0) == is_form(ESSENCE, before), "form of a type");
    check(essence.len == 0 ||
              (essence.at >= a.at && essence.at + essence.len <= a.at + a.len),
          "an essence is a view");
    bool same = essence.len > 0 && essence.len == other.len &&
                strncasecmp(essence.at, other.at, other.len) == 0;
    check(media_type_same(a, b) == same, "same types");
    check(media_type_same(b, a) == same, "the same the other way round");
    check(media_type_is(a, other) == same, "named by its essence");
    check(media_type_is_text(a) ==
              (essence.len > 5 && strncasecmp(essence.at, "text/", 5) == 0),
          "text");
}

/* A route of streams and a stream "a" on it, made once and kept. */

#define PREFIX       "/v1/stream/"
#define STREAM_BYTES 100u

struct place {
    struct worker worker;
    struct config config;
    struct route_config route_config;
    struct route route;
    struct route_table routes;
    struct hub hub;
    struct write_queue out;
    struct exchange *x;
};

static bool from_loopback(const struct exchange *x)
{
    (void)x;
    return true;
}

static const struct carrier_ops carrier = {.from_loopback = from_loopback};

static void make_stream(struct place *p)
{
    static const char data[STREAM_BYTES];
    struct stream_config c = {
        .name = STR("a"),
        .content_type = STR("text/plain"),
        .bounds = {.policy = POLICY_GROW, .bytes_max = 1 << 20}};
    struct str message = {data, sizeof data};
    struct append a = {.content_type = c.content_type,
                       .messages = &message,
                       .messages_n = 1,
                       .pool = &p->worker.pool,
                       .now_ms = 1};
    struct append_outcome outcome;
    struct stream *s;
    check(registry_create(p->hub.registry, &c, 1, &s) == REGISTRY_CREATED,
          "a stream");
    check(stream_append(s, &a, &outcome) == APPEND_DONE, "an append");
    stream_unref(s);
}

static void make_place(struct place *p)
{
    static char streams[] = "strict";
    static char unsaid[] = "";
    static char skip[] = "skip";
    const struct block_pool_config pool = {.name = "fuzz"};
    p->config = (struct config){.head_bytes_max = 16384,
                                .target_bytes_max = 8192,
                                .chunk_ext_bytes_max = 4096,
                                .trailer_bytes_max = 8192};
    p->route_config = (struct route_config){.streams = streams,
                                            .policy = unsaid,
                                            .slow_reader = skip,
                                            .stream_bytes = 1 << 20,
                                            .stream_bytes_max = 4 << 20,
                                            .stream_messages = 1000};
    p->route =
        (struct route){.prefix = STR(PREFIX), .config = &p->route_config};
    p->routes = (struct route_table){&p->route, 1};
    p->worker.config = &p->config;
    p->worker.routes = &p->routes;
    p->worker.hub = &p->hub;
    memset(p->worker.date, 'D', sizeof p->worker.date);
    bytes_init(&p->worker.head, RESPONSE_HEAD_BYTES_MAX);
    block_pool_init(&p->worker.pool, &pool);
    p->hub.wake_fd = -1;
    p->hub.registry = registry_new(NULL, 10);
    p->x = exchange_new(&p->worker);
    check(p->hub.registry && p->x, "memory");
    make_stream(p);
    write_queue_init(&p->out, &p->worker.pool, 64u << 10, 16u << 10);
}

/* Reads a head anew; what was answered before is forgotten. */
static bool ask(struct place *p, struct str head)
{
    struct exchange *x = p->x;
    size_t used;
    exchange_reset(x);
    write_queue_fini(&p->out);
    write_queue_init(&p->out, &p->worker.pool, 64u << 10, 16u << 10);
    if (request_feed_head(&x->req, head.at, head.len, &used) != FLOW_DONE)
        return false;
    x->carrier = p;
    x->carrier_ops = &carrier;
    x->out = &p->out;
    x->route = &p->route;
    return str_starts(request_str(&x->req, x->req.path), p->route.prefix);
}

/* What was accepted was not answered; what was refused was, once. */
static bool accepted(const struct exchange *x, bool is)
{
    check(x->finished == !is, "answered when it was refused");
    check(is ? x->status == 0 : x->status >= 400 && x->status < 500, "status");
    return is;
}

static void try_read(struct exchange *x)
{
    struct read_request r;
    if (!accepted(x, request_read(x, &r)))
        return;
    check(r.from <= READ_FROM_BEYOND && r.live <= LIVE_NDJSON, "words");
    check(r.pos < STREAM_OFFSET_END, "a position");
    check(r.pos == 0 || r.from == READ_FROM_POS, "of which it is one");
}

static void try_append(struct exchange *x)
{
    struct append a = {0};
    if (!accepted(x, request_append(x, &a)))
        return;
    check(a.seq.len <= STREAM_SEQ_BYTES_MAX, "Stream-Seq");
    check(a.producer.id.len <= PRODUCER_ID_BYTES_MAX, "Producer-Id");
    check(!a.producer.id.at || a.producer.id.len > 0, "an id has bytes");
    check(a.producer.epoch <= PRODUCER_NUMBER_MAX &&
              a.producer.seq <= PRODUCER_NUMBER_MAX,
          "a producer's numbers");
}

static void try_life(struct exchange *x)
{
    struct life_span life;
    bool given;
    int64_t ms = 0;
    if (!accepted(x, request_life(x, &life, &given)))
        return;
    check(given == (life.kind != LIFE_ENDLESS), "given");
    if (life.kind != LIFE_EXPIRES_AT)
        return;
    check(memchr(life.expires_text, '\0', sizeof life.expires_text) &&
              rfc3339_read(str_from(life.expires_text), &ms),
          "the text of a date");
    check(life.expires_at_ms == (ms > 0 ? (uint64_t)ms : 0), "a moment");
}

static void try_bounds(struct exchange *x)
{
    struct stream_bounds b;
    if (!accepted(x, request_bounds(x, &b)))
        return;
    check(b.policy <= POLICY_GROW && b.slow_reader <= SLOW_SKIP, "words");
    check(b.bytes_max >= 4096 && b.bytes_max <= 4 << 20, "a capacity");
    check(b.messages_max >= 1 && b.messages_max <= 1000, "messages");
    check(request_bounds_hold(x, &b, &b), "as was asked");
}

static void try_fork(struct exchange *x)
{
    struct fork_request f;
    if (!accepted(x, request_fork(x, &f)))
        return;
    check(f.source || f.pos == 0, "no place without a source");
    check(f.pos <= STREAM_BYTES, "a place in the source");
    stream_unref(f.source);
}

static void try_name(struct exchange *x)
{
    struct str name = {NULL, 0};
    char token[64];
    if (!accepted(x, request_stream_name(x, &name)))
        return;
    check(name.len > 0 && name.len <= STREAM_NAME_BYTES_MAX, "a name");
    bool is = request_param(x, STR("access_token"), token, sizeof token, &name);
    if (accepted(x, is))
        check(!name.at || name.len <= sizeof token, "a parameter");
}

/* The first line stands behind the route's prefix: a name and a query. Those
 * behind it are fields. */
static void put_head(struct bytes *head, struct str text)
{
    bool first = true;
    bytes_append_str(head, STR("GET " PREFIX));
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != '\n') {
            bytes_append_str(head, (struct str){text.at + i, 1});
            continue;
        }
        if (first)
            bytes_append_str(head, STR(" HTTP/1.1\r\nHost: localhost"));
        first = false;
        bytes_append_str(head, STR("\r\n"));
    }
    bytes_append_str(head, first ? STR(" HTTP/1.1\r\nHost: localhost\r\n\r\n")
                                 : STR("\r\n\r\n"));
}

static void try_request(struct str text)
{
    static void (*const tries[])(struct exchange * x) = {
        try_name, try_read, try_append, try_life, try_bounds, try_fork};
    static struct place place;
    struct bytes head;
    if (!place.x)
        make_place(&place);
    bytes_init(&head, 1 << 20);
    put_head(&head, text);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
        if (ask(&place, bytes_view(&head)))
            tries[i](place.x);
    bytes_fini(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const tries[])(struct str text) = {
        try_offset, try_from, try_date, try_types, try_request};
    if (len == 0)
        return 0;
    char *copy = exact_copy((struct str){(const char *)data + 1, len - 1});
    tries[data[0] % (sizeof tries / sizeof tries[0])](
        (struct str){copy, len - 1});
    free(copy);
    return 0;
}
