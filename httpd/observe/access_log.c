#include "httpd/observe/access_log.h"

#include "buffers/batch.h"
#include "buffers/bytes.h"
#include "httpd/observe/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIELD_BYTES_MAX 512u

/* The longest line: three fields at four bytes a byte, and the rest. */
#define LINE_BYTES_MAX (3 * 4 * FIELD_BYTES_MAX + 512)

static_assert(LINE_BYTES_MAX < ACCESS_LOG_BYTES, "a line fits into a batch");

struct access_log {
    int fd;
    struct batch lines;
    uint64_t lost;       /* lines since the last report */
    uint64_t lost_bytes; /* the same, of what could not be written */
    int lost_why;        /* errno */
    bool torn;           /* the file ends within a line */
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Bytes that the file took. */
static size_t write_some(struct access_log *log, struct str bytes)
{
    struct str left = bytes;
    while (left.len > 0) {
        ssize_t n = write(log->fd, left.at, left.len);
        if (n > 0)
            left = str_skip(left, (size_t)n);
        else if (n == 0 || errno != EINTR)
            break;
    }
    if (left.len > 0)
        log->lost_why = errno;
    return bytes.len - left.len;
}

static enum flow write_all(void *arg, struct str bytes, uint64_t records_n,
                           size_t *ret_taken)
{
    struct access_log *log = arg;
    size_t n = 0;
    (void)records_n;
    if (log->torn && write_some(log, STR("\n")) == 1)
        log->torn = false;
    if (!log->torn)
        n = write_some(log, bytes);
    if (n > 0)
        log->torn = bytes.at[n - 1] != '\n';
    *ret_taken = n;
    log->lost_bytes += bytes.len - n;
    return n == bytes.len ? FLOW_DONE : FLOW_FAILED;
}

static void start_batch(struct access_log *log)
{
    struct batch_config config = {
        .bytes_max = ACCESS_LOG_BYTES,
        .delay_us_max = ACCESS_LOG_DELAY_MS * UINT64_C(1000),
        .now_us = now_us,
        .flush = write_all,
        .flush_arg = log,
    };
    batch_init(&log->lines, &config);
}

bool access_log_open(struct access_log **ret_log, const char *where)
{
    *ret_log = NULL;
    if (strcmp(where, "off") == 0)
        return true;
    struct access_log *log = calloc(1, sizeof *log);
    if (!log)
        return false;
    if (strcmp(where, "stderr") == 0)
        log->fd = dup(STDERR_FILENO);
    else
        log->fd = open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (log->fd < 0) {
        log_line(LOG_ERROR, "access_log %s: %s", where, strerror(errno));
        free(log);
        return false;
    }
    start_batch(log);
    *ret_log = log;
    return true;
}

void access_log_close(struct access_log *log)
{
    if (!log)
        return;
    access_log_flush(log);
    batch_fini(&log->lines);
    close(log->fd);
    free(log);
}

static void report_lost(struct access_log *log)
{
    if (log->lost_bytes > 0)
        log_line(LOG_ERROR, "access log: %s; %llu bytes of it are lost",
                 strerror(log->lost_why), (unsigned long long)log->lost_bytes);
    if (log->lost > 0)
        log_line(LOG_WARN, "access log: %llu lines lost",
                 (unsigned long long)log->lost);
    log->lost_bytes = 0;
    log->lost = 0;
}

void access_log_tick(struct access_log *log)
{
    (void)batch_tick(&log->lines);
    report_lost(log);
}

void access_log_flush(struct access_log *log)
{
    (void)batch_flush(&log->lines);
    report_lost(log);
}

enum flow access_log_set_bound(struct access_log *log, uint64_t bytes)
{
    if (bytes <= LINE_BYTES_MAX || bytes > ACCESS_LOG_BYTES_MAX)
        return FLOW_FULL;
    batch_set_bounds(&log->lines, (size_t)bytes, 0,
                     ACCESS_LOG_DELAY_MS * UINT64_C(1000));
    return FLOW_DONE;
}

const struct batch *access_log_batch(const struct access_log *log)
{
    return log ? &log->lines : NULL;
}

/* A field as the log shows it: quotes, backslashes and what is not printable
 * ASCII as \xHH, so that no request can forge a line. */
static void put_field(struct bytes *out, struct str field)
{
    static const char digits[] = "0123456789abcdef";
    if (field.len > FIELD_BYTES_MAX)
        field.len = FIELD_BYTES_MAX;
    if (field.len == 0)
        (void)bytes_append(out, "-", 1);
    for (size_t i = 0; i < field.len; i++) {
        unsigned char c = (unsigned char)field.at[i];
        char hex[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        (void)bytes_append(out, plain ? &field.at[i] : hex, plain ? 1 : 4);
    }
}

/* The length of what stands before the value of a token, or of all. */
static size_t before_token(struct str text)
{
    static const char name[] = "access_token=";
    size_t n = sizeof name - 1;
    const char *at = text.len > 0 ? memmem(text.at, text.len, name, n) : NULL;
    return at ? (size_t)(at - text.at) + n : text.len;
}

/* A token in a query is for nobody's eyes. */
static void put_target(struct bytes *out, struct str target)
{
    if (target.len > FIELD_BYTES_MAX)
        target.len = FIELD_BYTES_MAX;
    do {
        size_t n = before_token(target);
        put_field(out, (struct str){target.at, n});
        target = str_skip(target, n);
        const char *end =
            target.len > 0 ? memchr(target.at, '&', target.len) : NULL;
        size_t hidden = end ? (size_t)(end - target.at) : target.len;
        if (hidden > 0)
            (void)bytes_append(out, "*", 1);
        target = str_skip(target, hidden);
    } while (target.len > 0);
}

static void put_line(struct bytes *out, const struct access_entry *e)
{
    char when[32];
    struct tm tm;
    time_t seconds = e->seconds;
    gmtime_r(&seconds, &tm);
    strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    (void)bytes_printf(out, "%s - - [%s] \"%s ", e->peer, when, e->method);
    put_target(out, e->target);
    (void)bytes_printf(out, " HTTP/1.%d\" %d %llu \"", e->minor, e->status,
                       (unsigned long long)e->body_bytes);
    put_target(out, e->referer);
    (void)bytes_append(out, "\" \"", 3);
    put_field(out, e->user_agent);
    (void)bytes_printf(out, "\" %llu.%03llu\n",
                       (unsigned long long)(e->took_ms / 1000),
                       (unsigned long long)(e->took_ms % 1000));
}

void access_log_add(struct access_log *log, const struct access_entry *entry)
{
    char *room; /* one more, for formatting ends with a NUL */
    if (batch_reserve(&log->lines, LINE_BYTES_MAX + 1, &room) != FLOW_DONE) {
        log->lost++;
        return;
    }
    struct bytes line = {
        .data = room, .cap = LINE_BYTES_MAX, .max = LINE_BYTES_MAX};
    put_line(&line, entry);
    (void)batch_commit(&log->lines, line.len);
}
