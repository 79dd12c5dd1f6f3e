/* lab_limits.h - every bound of the lab, in one place.
 *
 * Promise    what a client may ask for ends here; beyond it the answer is a
 *            400 that names the bound.
 * Threads    constants. */
#ifndef HTTPD_SOURCES_LAB_LIMITS_H
#define HTTPD_SOURCES_LAB_LIMITS_H

#include <stdint.h>

#define LAB_SECOND_MS UINT64_C(1000)
#define LAB_HOUR_MS   (3600 * LAB_SECOND_MS)

/* What may be asked for. */
#define LAB_BYTES_MAX       (UINT64_C(1) << 40)
#define LAB_DURATION_MS_MAX (24 * LAB_HOUR_MS) /* one paced body, in all */
#define LAB_DELAY_MS_MAX    LAB_HOUR_MS        /* before the head */
#define LAB_LINES_MAX       UINT64_C(1000000000)
#define LAB_CHUNK_BYTES_MAX (1u << 20)
#define LAB_CHUNK_SIZES_MAX 256u
#define LAB_REDIRECTS_MAX   100u
#define LAB_RETRY_MS_MAX    (24 * LAB_HOUR_MS)

/* What is used when a parameter is left out. */
#define LAB_CHUNK_BYTES       (10u << 10)
#define LAB_DRIP_BYTES        10u
#define LAB_DRIP_MS           (2 * LAB_SECOND_MS)
#define LAB_STALL_AFTER_BYTES 1024u
#define LAB_STALL_BYTES       (1u << 20)
#define LAB_STALL_MS          LAB_HOUR_MS
#define LAB_TRAILERS_BYTES    1024u
#define LAB_TRUNCATE_BYTES    (10u << 10)

/* Work of one pull: a source never holds the loop for longer. */
#define LAB_PULL_BYTES_MAX  (64u << 10)
#define LAB_SINK_BYTES_MAX  (1u << 20) /* a sink takes what one read gives */
#define LAB_PULL_CHUNKS_MAX 1024u
#define LAB_PIECE_BYTES     (16u << 10) /* generated at once, on the stack */

/* What is echoed fits into the write queue's slack. */
#define LAB_WEBSOCKET_BYTES_MAX (64u << 10) /* of one message */
#define LAB_WEBSOCKET_PING_MS   (15 * LAB_SECOND_MS)
#define LAB_WEBSOCKET_QUIET_MS  (60 * LAB_SECOND_MS) /* without an answer */

/* A reset waits until the bytes before it have left, but not for ever, and a
 * moment more. */
#define LAB_RESET_POLL_MS  20u
#define LAB_RESET_WAIT_MS  (10 * LAB_SECOND_MS)
#define LAB_RESET_GRACE_MS 50u

/* Texts. */
#define LAB_VALUE_BYTES_MAX 4096u      /* one parameter, decoded */
#define LAB_SHOWN_BYTES_MAX 40u        /* of it in an error */
#define LAB_TYPE_BYTES_MAX  256u       /* of a Content-Type that is echoed */
#define LAB_LINE_BYTES_MAX  512u       /* one formatted step of a page */
#define LAB_TEXT_BYTES_MAX  (1u << 20) /* JSON and the index page */
#define LAB_INLINE_BYTES_MAX                                                   \
    (16u << 10) /* sent behind the head in one copy                            \
                 */

#endif
