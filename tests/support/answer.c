#include "tests/support/answer.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_BYTES_MAX  (64u << 10)
#define VALUE_BYTES_MAX (8u << 10)
#define VALUES_KEPT     4u

static enum answer_result broken(struct answer *a, const char *why)
{
    a->why = why;
    return ANSWER_BROKEN;
}

static char *copy(const char *at, size_t len)
{
    char *text = malloc(len + 1);
    assert(text);
    memcpy(text, at, len);
    text[len] = '\0';
    return text;
}

/* Bytes up to and with the CRLF; 0 when it is not there yet. A CR or LF that
 * stands alone sets *ret_bad. */
static size_t line_len(const char *at, size_t len, bool *ret_bad)
{
    *ret_bad = false;
    for (size_t i = 0; i < len; i++) {
        if (at[i] == '\r' && i + 1 == len)
            return 0;
        if (at[i] == '\r' && at[i + 1] == '\n')
            return i + 2;
        if (at[i] == '\r' || at[i] == '\n' || at[i] == '\0') {
            *ret_bad = true;
            return 0;
        }
    }
    return 0;
}

static bool is_token(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool field_is_sound(const char *line, size_t len)
{
    size_t i = 0;
    while (i < len && is_token(line[i]))
        i++;
    return i > 0 && i < len && line[i] == ':';
}

/* Field lines up to the empty line. *ret_used counts that line too. */
static enum answer_result read_fields(struct answer *a, const char *at,
                                      size_t len, size_t *ret_used)
{
    bool bad;
    for (*ret_used = 0; *ret_used < HEAD_BYTES_MAX;) {
        size_t n = line_len(at + *ret_used, len - *ret_used, &bad);
        if (bad)
            return broken(a, "a bare CR, LF or NUL in the fields");
        if (n == 0)
            return ANSWER_MORE;
        if (n > 2 && !field_is_sound(at + *ret_used, n))
            return broken(a, "a field without a name");
        *ret_used += n;
        if (n == 2)
            return ANSWER_WHOLE;
    }
    return broken(a, "the fields are too long");
}

static enum answer_result read_status(struct answer *a, const char *at,
                                      size_t len, size_t *ret_used)
{
    bool bad;
    size_t n = line_len(at, len, &bad);
    if (bad)
        return broken(a, "a bare CR, LF or NUL in the status line");
    if (n == 0)
        return len > 512 ? broken(a, "the status line is long") : ANSWER_MORE;
    if (n < 15 || strncmp(at, "HTTP/1.1 ", 9) != 0 || at[12] != ' ')
        return broken(a, "the status line is malformed");
    for (size_t i = 9; i < 12; i++) {
        if (!isdigit((unsigned char)at[i]))
            return broken(a, "the status is no number");
        a->status = 10 * a->status + (at[i] - '0');
    }
    *ret_used = n;
    return ANSWER_WHOLE;
}

static enum answer_result read_head(struct answer *a, const char *data,
                                    size_t len, size_t *ret_used)
{
    size_t first = 0;
    size_t fields = 0;
    enum answer_result r = read_status(a, data, len, &first);
    if (r != ANSWER_WHOLE)
        return r;
    r = read_fields(a, data + first, len - first, &fields);
    if (r != ANSWER_WHOLE)
        return r;
    *ret_used = first + fields;
    a->head = copy(data, *ret_used - 2);
    return ANSWER_WHOLE;
}

/* The size line of a chunk. */
static enum answer_result read_size(struct answer *a, const char *at,
                                    size_t len, size_t *ret_size,
                                    size_t *ret_used)
{
    bool bad;
    char *end;
    size_t n = line_len(at, len, &bad);
    if (bad)
        return broken(a, "a bare CR, LF or NUL in a chunk's size");
    if (n == 0)
        return len > 64 ? broken(a, "no chunk size") : ANSWER_MORE;
    if (!isxdigit((unsigned char)at[0]) || n > 18)
        return broken(a, "a chunk's size is no number");
    *ret_size = strtoull(at, &end, 16);
    if (end != at + n - 2)
        return broken(a, "a chunk's size has something behind it");
    *ret_used = n;
    return ANSWER_WHOLE;
}

/* One chunk with its data. A size of 0 is the last one. */
static enum answer_result read_chunk(struct answer *a, const char *at,
                                     size_t len, size_t *ret_size,
                                     size_t *ret_used)
{
    size_t line = 0;
    enum answer_result r = read_size(a, at, len, ret_size, &line);
    *ret_used = line;
    if (r != ANSWER_WHOLE || *ret_size == 0)
        return r;
    if (len - line < *ret_size + 2)
        return ANSWER_MORE;
    if (memcmp(at + line + *ret_size, "\r\n", 2) != 0)
        return broken(a, "no CRLF behind a chunk");
    memcpy(a->body + a->body_len, at + line, *ret_size);
    a->body_len += *ret_size;
    if (a->chunks_n < ANSWER_CHUNKS_MAX)
        a->chunks[a->chunks_n] = (uint32_t)*ret_size;
    a->chunks_n++;
    *ret_used = line + *ret_size + 2;
    return ANSWER_WHOLE;
}

static enum answer_result read_chunked(struct answer *a, const char *at,
                                       size_t len, size_t *ret_used)
{
    size_t size = 1;
    size_t n = 0;
    a->body = malloc(len + 1);
    assert(a->body);
    *ret_used = 0;
    while (size > 0) {
        enum answer_result r =
            read_chunk(a, at + *ret_used, len - *ret_used, &size, &n);
        if (r != ANSWER_WHOLE)
            return r;
        *ret_used += n;
    }
    a->body[a->body_len] = '\0';
    enum answer_result r = read_fields(a, at + *ret_used, len - *ret_used, &n);
    if (r == ANSWER_WHOLE) {
        a->trailers = copy(at + *ret_used, n - 2);
        *ret_used += n;
    }
    return r;
}

static enum answer_result take_body(struct answer *a, const char *at,
                                    size_t len, size_t *ret_used)
{
    a->body = copy(at, len);
    a->body_len = len;
    *ret_used = len;
    return ANSWER_WHOLE;
}

static enum answer_result read_body(struct answer *a, const char *at,
                                    size_t len, bool ended, size_t *ret_used)
{
    const char *length = answer_field(a, "Content-Length");
    char *end;
    if (a->chunked)
        return read_chunked(a, at, len, ret_used);
    if (!length) {
        a->until_close = true;
        return ended ? take_body(a, at, len, ret_used) : ANSWER_MORE;
    }
    unsigned long long n = strtoull(length, &end, 10);
    if (!isdigit((unsigned char)length[0]) || *end)
        return broken(a, "Content-Length is no number");
    return len < n ? ANSWER_MORE : take_body(a, at, n, ret_used);
}

static enum answer_result check_framing(struct answer *a)
{
    size_t codings = answer_field_n(a, "Transfer-Encoding");
    size_t lengths = answer_field_n(a, "Content-Length");
    if (codings + lengths > 1)
        return broken(a, "more than one framing");
    a->chunked = codings == 1;
    if (a->chunked &&
        strcasecmp(answer_field(a, "Transfer-Encoding"), "chunked") != 0)
        return broken(a, "a transfer coding other than chunked");
    if (a->status >= 200 && answer_field_n(a, "Date") != 1)
        return broken(a, "a final response needs one Date");
    if ((a->status < 200 || a->status == 204) && codings + lengths > 0)
        return broken(a, "1xx and 204 have no framing fields");
    return ANSWER_WHOLE;
}

static enum answer_result read_all(struct answer *a, const char *data,
                                   size_t len, bool no_body, bool ended,
                                   size_t *ret_used)
{
    size_t head = 0;
    size_t body = 0;
    enum answer_result r = read_head(a, data, len, &head);
    if (r == ANSWER_WHOLE)
        r = check_framing(a);
    if (r != ANSWER_WHOLE)
        return r;
    if (no_body || a->status < 200 || a->status == 204 || a->status == 304)
        r = take_body(a, "", 0, &body);
    else
        r = read_body(a, data + head, len - head, ended, &body);
    *ret_used = head + body;
    return r;
}

enum answer_result answer_read(struct answer *a, const char *data, size_t len,
                               bool no_body, bool ended, size_t *ret_used)
{
    memset(a, 0, sizeof(*a));
    enum answer_result r = read_all(a, data, len, no_body, ended, ret_used);
    if (r == ANSWER_MORE && ended)
        r = broken(a, "it ended before it was whole");
    if (r != ANSWER_WHOLE) {
        const char *why = a->why;
        answer_fini(a);
        a->why = why;
    }
    return r;
}

void answer_fini(struct answer *a)
{
    free(a->head);
    free(a->body);
    free(a->trailers);
    a->head = a->body = a->trailers = NULL;
}

static const char *next_line(const char *line)
{
    const char *end = strstr(line, "\r\n");
    return end ? end + 2 : line + strlen(line);
}

static bool line_has_name(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

/* Copies the value of a field line, white space around it left out. */
static const char *keep_value(const char *line)
{
    static char kept[VALUES_KEPT][VALUE_BYTES_MAX];
    static unsigned turn;
    char *value = kept[turn++ % VALUES_KEPT];
    const char *at = strchr(line, ':') + 1;
    const char *end = next_line(line) - 2;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    snprintf(value, VALUE_BYTES_MAX, "%.*s", (int)(end - at), at);
    return value;
}

static const char *find_field(const char *lines, const char *name)
{
    for (; lines && *lines; lines = next_line(lines))
        if (line_has_name(lines, name))
            return keep_value(lines);
    return NULL;
}

const char *answer_field(const struct answer *a, const char *name)
{
    return find_field(a->head, name);
}

const char *answer_trailer(const struct answer *a, const char *name)
{
    return find_field(a->trailers, name);
}

size_t answer_field_n(const struct answer *a, const char *name)
{
    size_t n = 0;
    for (const char *line = a->head; line && *line; line = next_line(line))
        n += line_has_name(line, name);
    return n;
}

static bool value_lists(const char *value, const char *member)
{
    size_t len = strlen(member);
    while (*value) {
        value += strspn(value, ", \t");
        size_t n = strcspn(value, ", \t;");
        if (n == len && n > 0 && strncasecmp(value, member, n) == 0)
            return true;
        value += strcspn(value, ",");
    }
    return false;
}

bool answer_lists(const struct answer *a, const char *name, const char *member)
{
    for (const char *line = a->head; line && *line; line = next_line(line))
        if (line_has_name(line, name) && value_lists(keep_value(line), member))
            return true;
    return false;
}

static const char *skip_date(const char *line)
{
    return line_has_name(line, "Date") ? next_line(line) : line;
}

bool answer_same_head(const struct answer *a, const struct answer *b)
{
    const char *x = a->head;
    const char *y = b->head;
    while (*x || *y) {
        x = skip_date(x);
        y = skip_date(y);
        size_t n = (size_t)(next_line(x) - x);
        if (n != (size_t)(next_line(y) - y) || memcmp(x, y, n) != 0)
            return false;
        x += n;
        y += n;
    }
    return true;
}

bool answer_same(const struct answer *a, const struct answer *b)
{
    return answer_same_head(a, b) && a->body_len == b->body_len &&
           memcmp(a->body, b->body, a->body_len) == 0;
}
