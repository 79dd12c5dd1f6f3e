#include "parser/sse_text.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>

#define LINE_BYTES_MAX  7u         /* "data: " and LF */
#define BASE64_STEP_MAX (3u << 20) /* bytes that EVP_EncodeBlock is given */

static struct str prefix(enum sse_form form, bool begins_with_space)
{
    return form == SSE_SPACED || begins_with_space ? STR("data: ")
                                                   : STR("data:");
}

static bool ends_line(char c)
{
    return c == '\n' || c == '\r';
}

/* Takes a line and what ends it off the front; false behind the last, which is
 * empty when the payload ends with a line's end. */
static bool take_line(struct str *rest, bool *last, struct str *ret_line)
{
    size_t n = 0;
    if (*last)
        return false;
    while (n < rest->len && !ends_line(rest->at[n]))
        n++;
    *ret_line = (struct str){rest->at, n};
    *last = n == rest->len;
    if (!*last)
        n += str_starts(str_skip(*rest, n), STR("\r\n")) ? 2 : 1;
    *rest = str_skip(*rest, n);
    return true;
}

static enum flow write_line(struct bytes *out, struct str line,
                            enum sse_form form)
{
    struct str before = prefix(form, line.len > 0 && line.at[0] == ' ');
    size_t n = before.len + line.len + 1;
    char *at;
    enum flow r = bytes_reserve(out, n, &at);
    if (r != FLOW_DONE)
        return r;
    memcpy(at, before.at, before.len);
    if (line.len > 0)
        memcpy(at + before.len, line.at, line.len);
    at[n - 1] = '\n';
    bytes_commit(out, n);
    return FLOW_DONE;
}

enum flow sse_text_write(struct bytes *out, struct str payload,
                         enum sse_form form)
{
    size_t before = out->len;
    enum flow r = FLOW_DONE;
    bool last = false;
    struct str line;
    while (r == FLOW_DONE && take_line(&payload, &last, &line))
        r = write_line(out, line, form);
    if (r != FLOW_DONE)
        out->len = before;
    return r;
}

size_t sse_text_bytes_max(size_t len)
{
    assert(len < SIZE_MAX / 8);
    return (len + 1) * LINE_BYTES_MAX;
}

size_t sse_text_base64_bytes_max(size_t len)
{
    assert(len < SIZE_MAX / 2);
    return (len + 2) / 3 * 4 + LINE_BYTES_MAX;
}

/* Writes a NUL behind the characters. */
static void put_base64(char *at, struct str payload)
{
    while (payload.len > 0) {
        size_t step =
            payload.len < BASE64_STEP_MAX ? payload.len : BASE64_STEP_MAX;
        at += EVP_EncodeBlock((unsigned char *)at,
                              (const unsigned char *)payload.at, (int)step);
        payload = str_skip(payload, step);
    }
}

enum flow sse_text_write_base64(struct bytes *out, struct str payload,
                                enum sse_form form)
{
    struct str before = prefix(form, false);
    size_t n = before.len + (payload.len + 2) / 3 * 4 + 1;
    char *at;
    assert(n <= sse_text_base64_bytes_max(payload.len));
    enum flow r = bytes_reserve(out, n, &at);
    if (r != FLOW_DONE)
        return r;
    memcpy(at, before.at, before.len);
    put_base64(at + before.len, payload);
    at[n - 1] = '\n';
    bytes_commit(out, n);
    return FLOW_DONE;
}
