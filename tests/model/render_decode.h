/* render_decode.h - what a client understands of a rendered stream, told byte
 * by byte, slowly and by itself, as lines of a log.
 *
 *      TYPE LEN:BYTES id=ID      an event or a message that was dispatched
 *      id ID                     an id without an event
 *      comment, ping, close …    the rest
 *
 * Promise    what breaks the rules of HTTP, of event streams or of WebSocket is
 *            a line "broken: WHY", which no test expects.
 * Threads    one each. */
#ifndef TESTS_MODEL_RENDER_DECODE_H
#define TESTS_MODEL_RENDER_DECODE_H

#include "buffers/bytes.h"

/* One line of a log. */
void log_event(struct bytes *log, const char *type, struct str bytes,
               struct str id);
void log_word(struct bytes *log, const char *word, struct str text);

/* The chunks of a body, and how many there are beside the last one. Whether
 * that was there. */
bool decode_chunks(struct str in, struct bytes *body, size_t *ret_chunks_n,
                   struct bytes *log);

void decode_sse(struct str text, struct bytes *log);
void decode_ws(struct str frames, struct bytes *log);

/* Each line end as one line feed. */
void plain_lines(struct str text, struct bytes *out);

/* Each broken piece as U+FFFD. open: what may become a character at the end is
 * left out. */
void mend_utf8(struct str text, bool open, struct bytes *out);

/* One bit after the other. */
void plain_base64(struct str bytes, struct bytes *out);

#endif
