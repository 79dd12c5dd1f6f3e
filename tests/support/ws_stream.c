#include "tests/support/ws_stream.h"

#include "tests/support/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

const char *ws_stream_name(void)
{
    static char name[4][32];
    static unsigned n;
    char *text = name[n++ % 4];
    snprintf(text, sizeof(name[0]), "t%u", n);
    return text;
}

void ws_stream_publish(int port, const char *name, const char *fields,
                       const void *data, size_t len, int status)
{
    char head[512];
    struct wire w;
    struct answer a;
    snprintf(head, sizeof(head),
             "POST /s/%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: "
             "%zu\r\n\r\n",
             name, fields, len);
    wire_open(&w, port);
    wire_text(&w, head);
    wire_send(&w, data, len, DELIVER_WHOLE);
    wire_answer(&w, &a);
    if (a.status != status)
        print_message("--- %s%s\n", a.head, a.body);
    assert_int_equal(a.status, status);
    answer_fini(&a);
    wire_close(&w);
}

void ws_stream_text(int port, const char *name, const char *text)
{
    ws_stream_publish(port, name, "Content-Type: text/plain\r\n", text,
                      strlen(text), 204);
}

void ws_stream_json(int port, const char *name, const char *text)
{
    ws_stream_publish(port, name, "Content-Type: application/json\r\n", text,
                      strlen(text), 204);
}

void ws_stream_follow(struct wire *w, int port, const char *name,
                      const char *query, const char *fields)
{
    char target[128];
    snprintf(target, sizeof(target), "/s/%s?%s", name, query);
    ws_open(w, port, target, fields);
}

void ws_stream_stuck(struct wire *w, int port, const char *name,
                     const char *query, const char *fields)
{
    char target[128];
    snprintf(target, sizeof(target), "/s/%s?%s", name, query);
    wire_open_narrow(w, port, WS_STREAM_NARROW_BYTES);
    ws_upgrade(w, target, fields);
    server_sleep(200);
}

size_t ws_send_until_full(struct wire *w, const char *data, size_t len)
{
    size_t sent = 0;
    for (unsigned tries = 0; sent < len && tries < 20;) {
        ssize_t n = send(w->fd, data + sent, len - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        tries = n > 0 ? 0 : tries + 1;
        if (n <= 0)
            server_sleep(20);
    }
    return sent;
}

void ws_take_long(struct wire *w, unsigned first, size_t bytes)
{
    size_t got = 0;
    bool last = false;
    for (unsigned want = first; !last; want = 0) {
        unsigned head;
        size_t len;
        free(ws_take(w, &head, &len));
        assert_int_equal(head & 0x7fu, want & 0x7fu);
        got += len;
        last = (head & 0x80u) != 0;
    }
    assert_int_equal(got, bytes);
}

char *ws_long_json(void)
{
    char *text = malloc(WS_STREAM_LONG_BYTES + 1);
    memset(text, 'x', WS_STREAM_LONG_BYTES);
    text[0] = '"';
    text[WS_STREAM_LONG_BYTES - 1] = '"';
    text[WS_STREAM_LONG_BYTES] = '\0';
    return text;
}

void ws_expect_control(struct wire *w)
{
    unsigned first;
    size_t len;
    char *text = ws_take(w, &first, &len);
    assert_int_equal(first, WS_TEXT);
    assert_non_null(strstr(text, "streamNextOffset"));
    free(text);
}
