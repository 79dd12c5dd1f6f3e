#include "httpd/config/config_text.h"

#include "httpd/config/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads to the end or to one byte more than is allowed. */
static char *read_file(const char *path, size_t *ret_len)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return NULL;
    char *text = malloc(CONFIG_FILE_BYTES_MAX + 2u);
    if (text)
        *ret_len = fread(text, 1, CONFIG_FILE_BYTES_MAX + 1u, in);
    int failed = text && ferror(in) ? errno : 0;
    fclose(in);
    if (failed) {
        free(text);
        errno = failed;
        return NULL;
    }
    return text;
}

/* Each of these returns where the piece that begins at at has ended, or NULL
 * when the text ends within it. */

static char *skip_quoted(char *at)
{
    char quote = *at++;
    while (*at != quote) {
        if (*at == '\\')
            at++;
        if (*at == '\0')
            return NULL;
        at++;
    }
    return at + 1;
}

static char *blank_line(char *at)
{
    while (*at != '\0' && *at != '\n')
        *at++ = ' ';
    return at;
}

static char *blank_block(char *at)
{
    char *end = strstr(at + 2, "*/");
    if (!end)
        return NULL;
    for (end += 2; at < end; at++) {
        if (*at != '\n')
            *at = ' ';
    }
    return end;
}

static char *skip_piece(char *at)
{
    if (*at == '#' || (at[0] == '/' && at[1] == '/'))
        return blank_line(at);
    if (at[0] == '/' && at[1] == '*')
        return blank_block(at);
    if (*at == '"' || *at == '\'')
        return skip_quoted(at);
    return at + 1;
}

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* Blanks the comments. Returns what is never closed, or NULL. */
static const char *tidy(char *text)
{
    const char *open = NULL;
    int depth = 0;
    for (char *at = text; *at != '\0';) {
        const char *piece = at;
        if (*at == '{' && depth++ == 0)
            open = at;
        if (*at == '}' && depth > 0)
            depth--;
        at = skip_piece(at);
        if (!at)
            return piece;
    }
    return depth > 0 ? open : NULL;
}

static bool refuse(struct config_text *ret, const char *why, const char *what)
{
    snprintf(ret->fault, sizeof(ret->fault), "%s%s", why, what);
    free(ret->text);
    ret->text = NULL;
    return false;
}

bool config_text_read(const char *path, struct config_text *ret)
{
    assert(path);
    assert(ret);
    size_t len = 0;
    *ret = (struct config_text){.text = read_file(path, &len)};
    if (!ret->text)
        return refuse(ret, "cannot be read: ", strerror(errno));
    if (len > CONFIG_FILE_BYTES_MAX)
        return refuse(ret, "too large; 256 KiB at most", "");
    if (memchr(ret->text, '\0', len))
        return refuse(ret, "holds zero bytes; it is a text file", "");
    ret->text[len] = '\0';
    const char *open = tidy(ret->text);
    if (!open)
        return true;
    ret->line = line_of(ret->text, open);
    const char what[] = {*open, *open == '/' ? '*' : '\0', '\0'};
    return refuse(ret, what, " is never closed; write its other half");
}
