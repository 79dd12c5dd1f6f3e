#include "tests/support/ws_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void ws_upgrade(struct wire *w, const char *target, const char *fields)
{
    struct answer a;
    char text[2048];
    int n = snprintf(text, sizeof(text),
                     "GET %s HTTP/1.1\r\n" WS_FIELDS "%s"
                     "\r\n",
                     target, fields);
    assert_in_range(n, 1, sizeof(text) - 1);
    wire_text(w, text);
    wire_answer(w, &a);
    if (a.status != 101)
        print_message("--- %s gave %d: %s\n", target, a.status, a.body);
    assert_int_equal(a.status, 101);
    assert_string_equal(answer_field(&a, "Upgrade"), "websocket");
    assert_string_equal(answer_field(&a, "Connection"), "Upgrade");
    assert_string_equal(answer_field(&a, "Sec-WebSocket-Accept"), WS_ACCEPT);
    answer_fini(&a);
}

void ws_open(struct wire *w, int port, const char *target, const char *fields)
{
    wire_open(w, port);
    ws_upgrade(w, target, fields);
}

size_t ws_put(char *out, unsigned first, const void *data, size_t len)
{
    static const unsigned char mask[4] = {0xa5, 0x00, 0x3c, 0xff};
    const unsigned char *from = data;
    size_t n = 0;
    unsigned size = len < 126 ? 0 : len <= 0xffff ? 2 : 8;
    out[n++] = (char)first;
    out[n++] = (char)(0x80 | (size == 0 ? len : size == 2 ? 126 : 127));
    for (unsigned i = 0; i < size; i++)
        out[n++] = (char)((uint64_t)len >> (8 * (size - 1 - i)) & 0xff);
    memcpy(out + n, mask, 4);
    n += 4;
    for (size_t i = 0; i < len; i++)
        out[n++] = (char)(from[i] ^ mask[i % 4]);
    return n;
}

void ws_send(struct wire *w, unsigned first, const void *data, size_t len)
{
    char *frame = malloc(len + WS_HEAD_BYTES_MAX);
    assert_non_null(frame);
    assert_true(
        wire_send(w, frame, ws_put(frame, first, data, len), DELIVER_WHOLE));
    free(frame);
}

void ws_send_text(struct wire *w, const char *text)
{
    ws_send(w, WS_TEXT, text, strlen(text));
}

char *ws_take(struct wire *w, unsigned *ret_first, size_t *ret_len)
{
    wire_need(w, 2);
    const unsigned char *in = (const unsigned char *)w->in;
    unsigned size = in[1] < 126 ? 0 : in[1] == 126 ? 2 : 8;
    size_t len = size ? 0 : in[1];
    assert_true(in[1] < 128); /* a server does not mask */
    wire_need(w, 2 + size);
    in = (const unsigned char *)w->in;
    for (unsigned i = 0; i < size; i++)
        len = len << 8 | in[2 + i];
    assert_true(len <= WS_FRAME_BYTES_MAX);
    assert_true(size != 2 || len > 125);
    assert_true(size != 8 || len > 0xffff);
    wire_need(w, 2 + size + len);
    char *data = malloc(len + 1);
    assert_non_null(data);
    memcpy(data, w->in + 2 + size, len);
    data[len] = '\0';
    *ret_first = (unsigned char)w->in[0];
    *ret_len = len;
    wire_skip(w, 2 + size + len);
    return data;
}

void ws_expect(struct wire *w, unsigned first, const void *data, size_t len)
{
    unsigned got_first;
    size_t got_len;
    char *got = ws_take(w, &got_first, &got_len);
    if (got_first != first || got_len != len)
        print_message("--- frame %02x of %zu bytes came: %.80s\n", got_first,
                      got_len, got);
    assert_int_equal(got_first, first);
    assert_int_equal(got_len, len);
    if (len > 0)
        assert_memory_equal(got, data, len);
    free(got);
}

void ws_expect_text(struct wire *w, const char *text)
{
    ws_expect(w, WS_TEXT, text, strlen(text));
}

void ws_expect_close(struct wire *w, unsigned code)
{
    unsigned first;
    size_t len;
    char *data = ws_take(w, &first, &len);
    unsigned got = 0;
    assert_int_equal(first, WS_CLOSE);
    assert_true(len != 1 && len <= 125);
    if (len >= 2)
        got = (unsigned)(unsigned char)data[0] << 8 | (unsigned char)data[1];
    if (got != code)
        print_message("--- close: %s\n", len > 2 ? data + 2 : "");
    assert_int_equal(got, code);
    free(data);
    wire_expect_end(w);
    assert_false(w->reset);
}
