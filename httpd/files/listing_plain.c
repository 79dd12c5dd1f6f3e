/* Listings for programs: JSON and lines of text. */
#include "httpd/files/listing_form.h"

#include <inttypes.h>

static void nothing(struct listing_out *o, const struct listing_view *v)
{
    (void)o;
    (void)v;
}

/* One line stays one line: what would break it becomes '?'. */
static void text_item(struct listing_out *o, const struct listing_view *v,
                      const struct dir_item *item)
{
    struct str rest = item->name;

    (void)v;
    for (size_t i = 0; i < rest.len;) {
        unsigned char c = (unsigned char)rest.at[i++];
        if (c >= ' ' && c != 0x7f)
            continue;
        listing_out_text(o, (struct str){rest.at, i - 1});
        listing_out_text(o, STR("?"));
        rest = str_skip(rest, i);
        i = 0;
    }
    listing_out_text(o, rest);
    listing_out_text(o, item->folder ? STR("/\n") : STR("\n"));
}

static void json_head(struct listing_out *o, const struct listing_view *v)
{
    (void)v;
    listing_out_text(o, STR("["));
}

static void json_item(struct listing_out *o, const struct listing_view *v,
                      const struct dir_item *item)
{
    listing_out_text(o,
                     v->items ? STR(",\n{\"name\":\"") : STR("\n{\"name\":\""));
    listing_out_json(o, item->name);
    if (item->folder)
        listing_out_text(o, STR("\",\"type\":\"folder\",\"size\":null"));
    else
        listing_out_printf(o, "\",\"type\":\"file\",\"size\":%" PRIu64,
                           item->size_bytes);
    listing_out_text(o, STR(",\"modified\":\""));
    listing_out_time(o, item->modified_seconds);
    listing_out_text(o, STR("\"}"));
}

static void json_tail(struct listing_out *o, const struct listing_view *v)
{
    (void)v;
    listing_out_text(o, STR("\n]\n"));
}

const struct listing_form listing_text = {
    .media_type = "text/plain",
    .content_type = "text/plain; charset=utf-8",
    .head = nothing,
    .item = text_item,
    .tail = nothing,
};

const struct listing_form listing_json = {
    .media_type = "application/json",
    .content_type = "application/json",
    .head = json_head,
    .item = json_item,
    .tail = json_tail,
};
