#include "httpd/files/listing_out.h"

#include "parser/escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define LINE_BYTES_MAX 512u /* of one formatted piece */

void listing_out_init(struct listing_out *o, size_t bytes_max)
{
    bytes_init(&o->bytes, bytes_max);
    o->flow = FLOW_DONE;
}

void listing_out_fini(struct listing_out *o)
{
    bytes_fini(&o->bytes);
}

void listing_out_text(struct listing_out *o, struct str text)
{
    if (o->flow == FLOW_DONE)
        o->flow = bytes_append_str(&o->bytes, text);
}

void listing_out_html(struct listing_out *o, struct str text)
{
    if (o->flow == FLOW_DONE)
        o->flow = escape_html(&o->bytes, text);
}

void listing_out_json(struct listing_out *o, struct str text)
{
    if (o->flow == FLOW_DONE)
        o->flow = escape_json(&o->bytes, text);
}

void listing_out_url(struct listing_out *o, struct str segment)
{
    if (o->flow == FLOW_DONE)
        o->flow = escape_url(&o->bytes, segment, false);
}

void listing_out_printf(struct listing_out *o, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(line))
        o->flow = FLOW_FAILED;
    else
        listing_out_text(o, (struct str){line, (size_t)len});
}

void listing_out_time(struct listing_out *o, int64_t seconds)
{
    struct tm at;
    time_t time = (time_t)seconds;

    if (!gmtime_r(&time, &at)) {
        o->flow = FLOW_FAILED;
        return;
    }
    listing_out_printf(o, "%04d-%02d-%02dT%02d:%02d:%02dZ", at.tm_year + 1900,
                       at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min,
                       at.tm_sec);
}

void listing_out_size(struct listing_out *o, uint64_t size_bytes)
{
    static const char units[] = "KMGTPE";
    double size = (double)size_bytes / 1024;
    size_t unit = 0;

    if (size_bytes < 1024) {
        listing_out_printf(o, "%u B", (unsigned)size_bytes);
        return;
    }
    while (size >= 1024 && unit + 2 < sizeof(units)) {
        size /= 1024;
        unit++;
    }
    listing_out_printf(o, "%.1f %ciB", size, units[unit]);
}
