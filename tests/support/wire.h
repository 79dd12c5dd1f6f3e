/* wire.h - a raw client: bytes out as a test wants them, answers in.
 *
 * Promise    every wait ends: WIRE_MS for what is expected to come. While bytes
 *            go out, answers are read, so nothing can lock up.
 * Limits     WIRE_IN_BYTES_MAX unread bytes of answers.
 * Owns       the socket and what was read. Failures are failed assertions.
 * Threads    one. */
#ifndef TESTS_SUPPORT_WIRE_H
#define TESTS_SUPPORT_WIRE_H

#include "tests/support/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MS           20000u
#define WIRE_IN_BYTES_MAX (256u << 20)

enum delivery {
    DELIVER_WHOLE, /* one send */
    DELIVER_CUT,   /* two sends with a pause between them */
    DELIVER_BYTES, /* a send for every byte */
    DELIVERIES,
};

struct wire {
    char *in;
    size_t in_len;
    size_t in_cap;
    int fd;
    bool ended; /* no more will come: FIN, or RST */
    bool reset; /* it was RST */
};

void wire_open(struct wire *w, int port);

/* From another address of this machine, such as "127.0.0.2". */
void wire_open_from(struct wire *w, int port, const char *address);

/* With a small receive buffer, so that the server feels a slow reader soon. */
void wire_open_narrow(struct wire *w, int port, int rcvbuf_bytes);

void wire_close(struct wire *w);

/* Sends all of it. False when the server closed before. */
bool wire_send(struct wire *w, const void *data, size_t len,
               enum delivery delivery);
bool wire_text(struct wire *w, const char *text);

/* Ends the sending side. */
void wire_end(struct wire *w);

/* Waits for more bytes; false when there were none in time, or no more will
 * come. */
bool wire_read(struct wire *w, unsigned ms);

/* Takes one whole answer from what comes. */
void wire_answer(struct wire *w, struct answer *ret);
void wire_answer_to_head(struct wire *w, struct answer *ret);

/* Waits until n bytes are there, or fails. */
void wire_need(struct wire *w, size_t n);

/* Drops n bytes that were read. */
void wire_skip(struct wire *w, size_t n);

/* Reads until the server closes; false when it does not within ms. */
bool wire_until_end(struct wire *w, unsigned ms);

/* Reads and drops until the server closes or ms are over; counts the bytes. */
bool wire_drain(struct wire *w, unsigned ms, uint64_t *ret_bytes);

/* Nothing more comes, and the server closes. */
void wire_expect_end(struct wire *w);

/* Nothing comes within ms, and the connection stays open. */
void wire_expect_quiet(struct wire *w, unsigned ms);

/* Asks once, on a new connection. */
void wire_ask_by(int port, const char *request, enum delivery delivery,
                 struct answer *ret);

/* Asks on three new connections, whole, cut, and byte by byte: the answers
 * must be the same. Gives back the first. */
void wire_ask(int port, const char *request, struct answer *ret);
void wire_ask_bytes(int port, const char *request, size_t len,
                    struct answer *ret);

/* wire_ask() for GET with "Name: value\r\n" lines. */
void wire_get(int port, const char *target, const char *lines,
              struct answer *ret);

/* wire_ask() of which the status alone is checked. */
void wire_expect_status(int port, const char *request, int status);

#endif
