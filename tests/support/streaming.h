/* streaming.h - publishing to streams, and reading answers that do not end.
 *
 *      stream_post("/s/a", "x")       one append, which must be taken
 *      live_open(&l, port, "/s/a?live=raw", "")
 *      live_expect(&l, "x")           its body, without chunks, as it comes
 *      live_until_end(&l, 1000)       how it ended
 *
 * Promise    a body is read strictly: chunk heads are hexadecimal, each chunk
 *            ends with CRLF. Every wait ends.
 * Limits     WIRE_IN_BYTES_MAX bytes of body; fields of STREAM_FIELDS_MAX.
 * Owns       what was read. Failures are failed assertions.
 * Threads    one. */
#ifndef TESTS_SUPPORT_STREAMING_H
#define TESTS_SUPPORT_STREAMING_H

#include "tests/support/server.h"
#include "tests/support/wire.h"

#define STREAM_FIELDS_MAX 2048u

/* A route of streams with more lines in it. */
#define FRIENDLY(lines)                                                        \
    "route \"/s/\" {\n streams = \"friendly\"\n" lines "\n}\n"
#define STRICT(lines)                                                          \
    "route \"/v1/stream/\" {\n streams = \"strict\"\n" lines "\n}\n"

/* An offset as the server writes it; n is a literal of 16 digits. */
#define OFFSET(n) "0000000000000000_" n

#define TEXT_TYPE "Content-Type: text/plain\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"

/* Starts it with both mounts and nothing else. */
void stream_start(struct server *s);

/* Asks on a new connection. body NULL: the request has none. */
void stream_ask(const struct server *s, const char *line, const char *fields,
                const char *body, struct answer *ret);

/* The same of which the status must be that. */
void stream_expect(const struct server *s, const char *line, const char *fields,
                   const char *body, int status);

/* Asks without a body; 200 must come, with that one. */
void stream_expect_body(const struct server *s, const char *line,
                        const char *body);

/* Appends by POST; 204 must come. */
void stream_post(const struct server *s, const char *target, const char *text);
void stream_post_bytes(const struct server *s, const char *target,
                       const void *data, size_t len);

/* The position in Stream-Next-Offset of HEAD, and in Stream-Earliest-Offset. */
uint64_t stream_tail(const struct server *s, const char *target);
uint64_t stream_first(const struct server *s, const char *target);

/* The number in such a field. */
uint64_t offset_number(const char *text);

/* Bytes that differ at every position. */
void fill_pattern(char *out, uint64_t pos, size_t len);
bool is_pattern(const char *at, uint64_t pos, size_t len);

/* Waits until the program's log holds the text, or fails. */
void server_expect_log(const struct server *s, const char *text);
bool server_has_logged(const struct server *s, const char *text);

enum live_end {
    LIVE_OPEN,  /* not within the time */
    LIVE_WHOLE, /* the last chunk came */
    LIVE_CUT,   /* closed in good order, without a last chunk */
    LIVE_RESET,
};

struct live {
    struct wire w;
    int status;
    char *head; /* fields, each with its CRLF; a string */
    char *body; /* what was decoded and not taken yet; a string */
    size_t len;
    size_t cap;
    uint64_t taken;
    size_t chunk_left; /* of the chunk under way */
    bool in_chunk;
    bool chunked;
    bool whole;
};

/* Sends GET and reads the head. */
void live_open(struct live *l, int port, const char *target,
               const char *fields);

/* The same with a receive buffer of LIVE_NARROW_BYTES: smaller ones make the
 * kernel wait for its timers. */
#define LIVE_NARROW_BYTES (32 << 10)
void live_open_narrow(struct live *l, int port, const char *target,
                      const char *fields);

/* Reads the head of an answer on a wire that is open and has been asked; the
 * wire becomes the reader's. */
void live_begin(struct live *l);

/* Sends GET on its wire, which may be used again after LIVE_WHOLE. */
void live_again(struct live *l, const char *target, const char *fields);
void live_close(struct live *l);

/* As answer_field(). */
const char *live_field(const struct live *l, const char *name);

/* Reads what comes within ms; false when nothing did. */
bool live_read(struct live *l, unsigned ms);

/* The next bytes of the body must be these; they are taken. */
void live_expect(struct live *l, const char *text);

/* Reads until the body holds the text, or fails; what is before and the text
 * are taken. */
void live_expect_somewhere(struct live *l, const char *text);

/* Waits for n bytes of body, or fails. */
void live_need(struct live *l, size_t n);
void live_take(struct live *l, size_t n);

/* Nothing comes within ms, and it stays open. */
void live_expect_quiet(struct live *l, unsigned ms);

enum live_end live_until_end(struct live *l, unsigned ms);

/* The end without reading any of what waits in the socket. */
enum live_end live_wait_unread(struct live *l, unsigned ms);

/* A reader that has not read: whether it is ended, by a reset or without the
 * last chunk. Which of the two is a matter of what the kernel held. */
bool live_ends_early(struct live *l);

#endif
