#include "httpd/http/response.h"

#include "httpd/http/follower.h"
#include "httpd/http/gzip_filter.h"
#include "httpd/limits.h"
#include "httpd/loop/worker.h"
#include "parser/number.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_TEXT_BYTES_MAX 512u

/* Everything of a head that depends on the status alone, in one copy. */
static struct str status_line(int status)
{
#define SERVER_AND_DATE "\r\nServer: sluice\r\nDate: "
    switch (status) {
#define STATUS(code, reason)                                                   \
    case code:                                                                 \
        return STR("HTTP/1.1 " #code " " reason SERVER_AND_DATE);
#include "httpd/http/status.def"
#undef STATUS
    default:
        return (struct str){0};
    }
}

const char *status_reason(int status)
{
    switch (status) {
#define STATUS(code, reason)                                                   \
    case code:                                                                 \
        return reason;
#include "httpd/http/status.def"
#undef STATUS
    default:
        return "Unknown";
    }
}

static void put(struct exchange *x, struct str text)
{
    if (bytes_append_str(&x->worker->head, text) != FLOW_DONE)
        x->broken = true;
}

void response_begin(struct exchange *x, int status)
{
    assert(status == 101 || (status >= 200 && status <= 999));
    assert(!x->head_sent);
    struct worker *w = x->worker;
    struct str line = status_line(status);
    bytes_reset(&w->head);
    x->status = status;
    if (line.at)
        put(x, line);
    else if (bytes_printf(&w->head, "HTTP/1.1 %d Unknown" SERVER_AND_DATE,
                          status) != FLOW_DONE)
        x->broken = true;
    put(x, (struct str){w->date, sizeof w->date});
    put(x, STR("\r\n"));
    put(x, x->always);
}

static bool clean(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c == '\r' || c == '\n' || c == '\0')
            return false;
    }
    return true;
}

void response_header(struct exchange *x, const char *name, struct str value)
{
    assert(x->status && !x->head_sent);
    if (!clean(value)) {
        x->broken = true;
        return;
    }
    put(x, str_from(name));
    put(x, STR(": "));
    put(x, value);
    put(x, STR("\r\n"));
}

void response_headerf(struct exchange *x, const char *name, const char *format,
                      ...)
{
    char value[ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof value) {
        x->broken = true;
        return;
    }
    response_header(x, name, (struct str){value, (size_t)n});
}

void response_header_lines(struct exchange *x, struct str lines)
{
    assert(x->status && !x->head_sent);
    put(x, lines);
}

static void put_length(struct exchange *x, uint64_t length)
{
    char line[48] = "Content-Length: ";
    size_t n = sizeof "Content-Length: " - 1;
    n += number_write_u64(line + n, length);
    line[n++] = '\r';
    line[n++] = '\n';
    put(x, (struct str){line, n});
}

/* Which framing the body gets. RFC 9112 section 6. */
static void frame(struct exchange *x)
{
    bool bodiless = x->status == 204 || x->status == 304;
    if (x->length_known && !bodiless)
        put_length(x, x->length);
    x->framing = FRAMING_LENGTH;
    if (!x->length_known && x->req.minor == 0)
        x->framing = FRAMING_UNTIL_CLOSE;
    else if (!x->length_known)
        x->framing = FRAMING_CHUNKED;
    if (x->framing == FRAMING_CHUNKED && !bodiless && !x->length_unsaid)
        put(x, STR("Transfer-Encoding: chunked\r\n"));
    if (bodiless || x->req.method == METHOD_HEAD)
        x->framing = FRAMING_NONE;
    if (x->framing == FRAMING_UNTIL_CLOSE)
        x->keep_alive = false;
}

/* A body that nobody takes is read and thrown away if that is soon done. */
static bool body_in_the_way(const struct exchange *x)
{
    if (x->req.body_done || x->body)
        return false;
    return x->continue_wanted ||
           request_body_left(&x->req) > BODY_DISCARD_BYTES_MAX;
}

static void send_head(struct exchange *x, struct str body)
{
    assert(x->status && !x->head_sent);
    if (x->status == 101)
        x->framing = FRAMING_NONE;
    else
        frame(x);
    /* What was upgraded never becomes HTTP again. */
    if (body_in_the_way(x) || x->worker->draining || x->status == 101)
        x->keep_alive = false;
    if (x->status == 101)
        put(x, STR("Connection: Upgrade\r\n"));
    else if (!x->keep_alive)
        put(x, STR("Connection: close\r\n"));
    else if (x->req.minor == 0)
        put(x, STR("Connection: keep-alive\r\n"));
    put(x, STR("\r\n"));
    if (x->framing == FRAMING_NONE)
        body.len = 0;
    x->sent += body.len;
    struct str pieces[] = {bytes_view(&x->worker->head), body};
    if (x->broken || write_queue_push_all(x->out, pieces, 2) != FLOW_DONE)
        x->broken = true;
    x->head_sent = true;
}

static void set_length(struct exchange *x, uint64_t length)
{
    x->length_known = length != RESPONSE_LENGTH_UNKNOWN;
    x->length = length;
    x->sent = 0;
}

void response_send_bytes(struct exchange *x, struct str body)
{
    set_length(x, body.len);
    send_head(x, body);
    x->finished = true;
}

void response_send_empty(struct exchange *x)
{
    response_send_bytes(x, (struct str){0});
}

void response_send_head(struct exchange *x)
{
    assert(x->req.method == METHOD_HEAD);
    set_length(x, RESPONSE_LENGTH_UNKNOWN);
    x->length_unsaid = true;
    send_head(x, (struct str){0});
    x->finished = true;
}

void response_send_file(struct exchange *x, const struct file_range *range)
{
    set_length(x, range->len);
    send_head(x, (struct str){0});
    exchange_push_file(x, range);
    x->finished = true;
}

void response_send_source(struct exchange *x, const struct source_ops *ops,
                          void *self, uint64_t length)
{
    assert(!x->source);
    set_length(x, length);
    send_head(x, (struct str){0});
    if (x->framing == FRAMING_NONE || x->broken || length == 0) {
        x->finished = true;
        ops->stop(self);
        return;
    }
    x->source = ops;
    x->source_self = self;
}

void response_send_gzip(struct exchange *x, const struct source_ops *ops,
                        void *self, int level)
{
    response_header(x, "Content-Encoding", STR("gzip"));
    if (x->req.method != METHOD_HEAD) {
        if (exchange_charge_more(x, GZIP_FILTER_BYTES_MAX))
            x->gzip = gzip_filter_new(level);
        if (!x->gzip) {
            ops->stop(self);
            response_error(x, 503, "short of memory; try again later");
            return;
        }
    }
    response_send_source(x, ops, self, RESPONSE_LENGTH_UNKNOWN);
}

void response_follow(struct exchange *x, const struct follower_ops *ops,
                     void *self)
{
    assert(!x->source && !x->follower);
    set_length(x, RESPONSE_LENGTH_UNKNOWN);
    send_head(x, (struct str){0});
    x->finished = true;
    if (x->broken || (x->framing == FRAMING_NONE && x->status != 101)) {
        ops->stop(self);
        return;
    }
    x->follower = ops;
    x->follower_self = self;
}

static void send_error_args(struct exchange *x, const char *format,
                            va_list args)
{
    char text[ERROR_TEXT_BYTES_MAX];
    int n = snprintf(text, sizeof text, "%d %s: ", x->status,
                     status_reason(x->status));
    n += vsnprintf(text + n, sizeof text - (size_t)n - 1, format, args);
    if ((size_t)n > sizeof text - 2)
        n = sizeof text - 2;
    text[n++] = '\n';
    response_header(x, "Content-Type", STR("text/plain; charset=utf-8"));
    if (x->always.len == 0)
        response_header(x, "X-Content-Type-Options", STR("nosniff"));
    if (x->status == 503 || x->status == 429)
        response_headerf(x, "Retry-After", "%u", RETRY_AFTER_SECONDS);
    response_send_bytes(x, (struct str){text, (size_t)n});
}

void response_send_error(struct exchange *x, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_error_args(x, format, args);
    va_end(args);
}

void response_error(struct exchange *x, int status, const char *format, ...)
{
    va_list args;
    response_begin(x, status);
    va_start(args, format);
    send_error_args(x, format, args);
    va_end(args);
}

void response_options(struct exchange *x, const char *methods)
{
    response_begin(x, 204);
    response_header(x, "Allow", str_from(methods));
    response_send_empty(x);
}

void response_not_allowed(struct exchange *x, const char *allow)
{
    response_begin(x, 405);
    response_header(x, "Allow", str_from(allow));
    response_send_error(x, "this path takes %s", allow);
}
