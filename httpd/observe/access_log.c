#include "httpd/observe/access_log.h"

#include "buffers/bytes.h"
#include "httpd/observe/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIELD_BYTES_MAX 512u

struct access_log {
    int fd;
    struct bytes lines;
    uint64_t lost; /* lines since the last report */
};

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
    bytes_init(&log->lines, ACCESS_LOG_BYTES);
    *ret_log = log;
    return true;
}

void access_log_close(struct access_log *log)
{
    if (!log)
        return;
    access_log_flush(log);
    close(log->fd);
    bytes_fini(&log->lines);
    free(log);
}

void access_log_flush(struct access_log *log)
{
    struct str left = bytes_view(&log->lines);
    while (left.len > 0) {
        ssize_t n = write(log->fd, left.at, left.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            log_line(LOG_ERROR, "access log: %s; %zu bytes of it are lost",
                     strerror(errno), left.len);
            break;
        }
        left = str_skip(left, (size_t)n);
    }
    bytes_reset(&log->lines);
    if (log->lost > 0) {
        log_line(LOG_WARN, "access log: %llu lines lost",
                 (unsigned long long)log->lost);
        log->lost = 0;
    }
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

static void put_line(struct bytes *out, const struct access_entry *e)
{
    char when[32];
    struct tm tm;
    time_t seconds = e->seconds;
    gmtime_r(&seconds, &tm);
    strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    (void)bytes_printf(out, "%s - - [%s] \"%s ", e->peer, when, e->method);
    put_field(out, e->target);
    (void)bytes_printf(out, " HTTP/1.%d\" %d %llu \"", e->minor, e->status,
                       (unsigned long long)e->body_bytes);
    put_field(out, e->referer);
    (void)bytes_append(out, "\" \"", 3);
    put_field(out, e->user_agent);
    (void)bytes_printf(out, "\" %llu.%03llu\n",
                       (unsigned long long)(e->took_ms / 1000),
                       (unsigned long long)(e->took_ms % 1000));
}

/* The longest line: three fields at four bytes a byte, and the rest. */
#define LINE_BYTES_MAX (3 * 4 * FIELD_BYTES_MAX + 512)

void access_log_add(struct access_log *log, const struct access_entry *entry)
{
    char *room;
    if (ACCESS_LOG_BYTES - log->lines.len < LINE_BYTES_MAX)
        access_log_flush(log);
    if (bytes_reserve(&log->lines, LINE_BYTES_MAX, &room) != FLOW_DONE) {
        log->lost++;
        return;
    }
    put_line(&log->lines, entry);
}
