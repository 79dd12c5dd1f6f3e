/* request.h - one HTTP/1.x request, from bytes on the wire to named parts.
 *
 *      bytes --> head guard --> storage --> head rules --> llhttp agrees
 *                  |  refuses line by line, records the fields   |
 *                  |  (llhttp 8.1 lets too much through)         v
 *                  +------ any difference is refused --------> DONE
 *
 *      body bytes --> chunk reader --> pieces, then trailers
 *                     (the only decoder: a second one could only differ)
 *
 * Promise    the same bytes give the same verdict however they are cut up.
 *            What is accepted has one reading only: RFC 9110, RFC 9112.
 * Refuses    with a status and one line of text in req->verdict; see
 *            parser/verdict.def for the whole list. Known: a tab behind the
 *            value of Content-Length or Transfer-Encoding is white space by
 *            RFC 9110, but llhttp refuses it, and so do we.
 * Limits     struct request_limits; REQUEST_HEADERS_MAX fields, trailers
 *            included; REQUEST_EMPTY_LINES_MAX empty lines in front.
 * Owns       a copy of the head in its storage; every struct str taken from it
 *            once the head is done is good until request_reset(). Body pieces
 *            point into the caller's buffer and are good as long as that is.
 * Threads    one at a time. No clock, no I/O, no globals.
 * Source     RFC 9112 (messages), RFC 9110 section 5 to 8, CVE-2024-27982,
 *            CVE-2024-22019. */
#ifndef PARSER_REQUEST_H
#define PARSER_REQUEST_H

#include "buffers/bytes.h"
#include "buffers/flow.h"
#include "buffers/str.h"
#include "parser/span.h"
#include "parser/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_HEADERS_MAX     100u        /* fields; more gives 431 */
#define REQUEST_EMPTY_LINES_MAX 2u          /* before the request line */
#define REQUEST_LIMIT_MAX       1073741824u /* of any limit below */

struct request_limits {
    size_t head_bytes_max;      /* whole head; beyond gives 431 */
    size_t target_bytes_max;    /* request target; beyond gives 414 */
    size_t chunk_ext_bytes_max; /* all extensions of a body; beyond gives 413 */
    size_t trailer_bytes_max;   /* whole trailer section; beyond gives 431 */
};

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_PATCH,
    METHOD_CONNECT,
    METHOD_TRACE,
};

/* Fields that the server itself reads: found without a search. */
enum header_id {
    HEADER_OTHER,
    HEADER_ACCEPT,
    HEADER_ACCEPT_ENCODING,
    HEADER_AUTHORIZATION,
    HEADER_CONNECTION,
    HEADER_CONTENT_LENGTH,
    HEADER_CONTENT_TYPE,
    HEADER_EXPECT,
    HEADER_HOST,
    HEADER_IF_MATCH,
    HEADER_IF_MODIFIED_SINCE,
    HEADER_IF_NONE_MATCH,
    HEADER_IF_RANGE,
    HEADER_IF_UNMODIFIED_SINCE,
    HEADER_LAST_EVENT_ID,
    HEADER_ORIGIN,
    HEADER_PRODUCER_EPOCH,
    HEADER_PRODUCER_ID,
    HEADER_PRODUCER_SEQ,
    HEADER_RANGE,
    HEADER_SEC_WEBSOCKET_KEY,
    HEADER_SEC_WEBSOCKET_PROTOCOL,
    HEADER_SEC_WEBSOCKET_VERSION,
    HEADER_STREAM_CLOSED,
    HEADER_STREAM_EXPIRES_AT,
    HEADER_STREAM_SEQ,
    HEADER_STREAM_TTL,
    HEADER_TRAILER,
    HEADER_TRANSFER_ENCODING,
    HEADER_UPGRADE,
    HEADER_USER_AGENT,
    HEADER_IDS,
};

enum target_form {
    TARGET_ORIGIN,    /* /path?query */
    TARGET_ABSOLUTE,  /* http://host/path?query */
    TARGET_AUTHORITY, /* host:port, CONNECT only */
    TARGET_ASTERISK,  /* *, OPTIONS only */
};

struct header {
    struct span name;
    struct span value; /* without white space around it */
    uint16_t next;     /* the next field of the same id, 0 for none */
    uint8_t id;        /* enum header_id */
};

struct request_parser; /* llhttp and the guards, in request.c */

struct request {
    struct bytes storage; /* the head as it came, then what was decoded */
    struct request_limits limits;
    struct request_parser *parser;
    struct verdict verdict;
    enum method method;
    enum target_form form;
    uint8_t minor;        /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;      /* what version and Connection ask for */
    bool expect_continue; /* Expect: 100-continue on HTTP/1.1 */
    bool chunked;
    bool has_length;
    bool body_done;        /* everything of this message has been read */
    uint64_t length;       /* Content-Length when has_length */
    uint64_t body_bytes;   /* body bytes delivered so far */
    struct span target;    /* as it came */
    struct span path;      /* decoded, "." and ".." resolved, begins with '/';
                              empty for the authority form and "*" */
    struct span query;     /* raw, without '?' */
    struct span authority; /* of the target, else of Host; empty when Host is
                              empty, or missing on HTTP/1.0 */
    uint16_t headers_n;    /* headers[1..headers_n]; 0 stands for none */
    uint16_t trailers_n;   /* headers[headers_n + 1..headers_n + trailers_n] */
    uint16_t first[HEADER_IDS]; /* index of the first field of an id, or 0 */
    struct header headers[REQUEST_HEADERS_MAX + 1];
};

/* Allocates the parser; the storage comes with the first byte.
 * False when out of memory. */
bool request_init(struct request *req, const struct request_limits *limits);
void request_fini(struct request *req);

/* Ready for the next request; keeps the storage, which has grown by
 * trailer_bytes_max for a chunked one: see bytes_trim(). */
void request_reset(struct request *req);

/* Takes bytes of the head. *ret_used says how many belong to it; what stands
 * behind the head is left. DONE: the head is whole and everything above is
 * set. AGAIN: more is needed. FAILED: see verdict; it stays so until reset, and
 * the target may be looked at as far as it had come.
 * NO_MEMORY: call again with what was not used, which may be nothing.
 * After DONE the next call is for the body, or request_reset(). */
enum flow request_feed_head(struct request *req, const char *data, size_t len,
                            size_t *ret_used);

/* Whether a head has begun: a byte was taken, empty lines left aside. */
bool request_begun(const struct request *req);

/* Takes bytes of the body and yields at most one piece of payload, a view into
 * data. DONE: *ret_piece holds payload, ask again with the rest. AGAIN: all was
 * used, no payload, more is needed. END: the message is complete (trailers, if
 * any, are set); what stands behind it is left. FAILED: see verdict; payload
 * that was yielded before is the same however the body was cut up. Allocates
 * nothing. Need not be called when body_done is set. */
enum flow request_feed_body(struct request *req, const char *data, size_t len,
                            size_t *ret_used, struct str *ret_piece);

/* Body bytes still to come by Content-Length, 0 when the message is complete;
 * UINT64_MAX when chunked and not complete. */
uint64_t request_body_left(const struct request *req);

/* The bytes of a span; at is never NULL. */
struct str request_str(const struct request *req, struct span s);

/* The value of the first field of that id, trailers left aside; at is NULL
 * when there is none. The id is not HEADER_OTHER. */
struct str request_header(const struct request *req, enum header_id id);

/* Walks all fields of one id: begin with *it = 0. False at the end. */
bool request_header_next(const struct request *req, enum header_id id,
                         uint16_t *it, struct str *ret_value);

/* The value of the first field with that name, in any letter case; at is NULL
 * when there is none. Trailers are not searched. */
struct str request_header_named(const struct request *req, struct str name);

/* "GET", "HEAD", … */
const char *method_name(enum method m);

#endif
