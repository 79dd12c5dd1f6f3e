/* listing_form.h - the three ways in which a listing is written.
 *
 * Promise    head, then items, then tail make one whole document. A failure is
 *            noted in the out.
 * Threads    constants; their functions are pure. */
#ifndef HTTPD_FILES_LISTING_FORM_H
#define HTTPD_FILES_LISTING_FORM_H

#include "httpd/files/dir_walk.h"
#include "httpd/files/listing_out.h"

/* What is listed, as far as it is known. */
struct listing_view {
    struct str path; /* decoded, ends in '/' */
    struct dir_order order;
    uint64_t items; /* written so far */
    uint64_t bytes; /* their sizes together */
};

struct listing_form {
    const char *media_type;   /* as Accept has it */
    const char *content_type; /* as it is sent */
    void (*head)(struct listing_out *o, const struct listing_view *v);
    void (*item)(struct listing_out *o, const struct listing_view *v,
                 const struct dir_item *item);
    void (*tail)(struct listing_out *o, const struct listing_view *v);
};

extern const struct listing_form listing_html;
extern const struct listing_form listing_json;
extern const struct listing_form listing_text;

#endif
