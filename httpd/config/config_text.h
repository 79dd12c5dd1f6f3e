/* config_text.h - the text of a configuration file, ready to be parsed.
 *
 * Promise    comments are blanked, newlines stay: libconfuse counts the lines
 *            of comments twice and bears none inside a list. What it would let
 *            pass or report far away, an open { or text or comment, is refused
 *            with the line where it began.
 * Limits     CONFIG_FILE_BYTES_MAX.
 * Owns       text; free() it.
 * Threads    any. */
#ifndef HTTPD_CONFIG_CONFIG_TEXT_H
#define HTTPD_CONFIG_CONFIG_TEXT_H

#include <stdbool.h>

struct config_text {
    char *text;
    int line; /* of the fault; 0 is the file as a whole */
    char fault[128];
};

/* On failure text is NULL and the fault is filled in. */
bool config_text_read(const char *path, struct config_text *ret);

#endif
