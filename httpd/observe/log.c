#include "httpd/observe/log.h"

#include "parser/rfc3339.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn ",
    [LOG_INFO] = "info ",
};

/* "2026-01-31T12:00:00.123Z warn  " */
static size_t write_head(enum log_level level, char *line, size_t cap)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    rfc3339_write(line, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    int more = snprintf(line + RFC3339_BYTES, cap - RFC3339_BYTES, " %s ",
                        names[level]);
    assert(more > 0);
    return RFC3339_BYTES + (size_t)more;
}

/* Only the bytes that a terminal would obey: UTF-8 passes. */
static void tame(char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)at[i];
        if (c < 0x20 || c == 0x7f)
            at[i] = '?';
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_BYTES_MAX];
    assert(level <= LOG_INFO);
    assert(format);
    size_t head = write_head(level, line, sizeof(line));
    size_t room = sizeof(line) - head;
    va_list args;
    va_start(args, format);
    int said = vsnprintf(line + head, room, format, args);
    va_end(args);
    size_t len = said < 0 ? 0 : (size_t)said;
    if (len > room - 1)
        len = room - 1;
    tame(line + head, len);
    line[head + len] = '\n';
    /* There is nowhere to report that a log line was lost. */
    ssize_t written = write(STDERR_FILENO, line, head + len + 1);
    (void)written;
}
