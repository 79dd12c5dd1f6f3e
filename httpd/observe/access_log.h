/* access_log.h - one line a request, in the combined log format.
 *
 *      127.0.0.1 - - [31/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 612
 *      "-" "curl/8.0" 0.004
 *
 * Promise    lines are whole: one write(2) carries whole lines only; of a line
 *            that a full disk took in part, the rest is lost and counted, and
 *            the next one begins on a line of its own. The last
 *            field is seconds from the request's head to its end.
 * Limits     ACCESS_LOG_BYTES buffered per worker: a batch that is written when
 *            it is full, when its oldest line has waited for
 *            ACCESS_LOG_DELAY_MS at a tick, and at the end. What cannot be
 *            written is counted and reported.
 * Owns       its descriptor.
 * Threads    one worker each; workers append to the same file. */
#ifndef HTTPD_OBSERVE_ACCESS_LOG_H
#define HTTPD_OBSERVE_ACCESS_LOG_H

#include "buffers/flow.h"
#include "buffers/str.h"

#include <stdbool.h>
#include <stdint.h>

#define ACCESS_LOG_BYTES_MAX (16u << 20)
#define ACCESS_LOG_BYTES     (64u << 10)
#define ACCESS_LOG_DELAY_MS  100u

struct access_log;
struct batch;

struct access_entry {
    const char *peer;
    int64_t seconds; /* since 1970 */
    const char *method;
    struct str target;
    int minor;
    int status;
    uint64_t body_bytes;
    struct str referer;
    struct str user_agent;
    uint64_t took_ms;
};

/* Opens "off" (ret_log is NULL then), "stderr" or a path. False: it cannot be
 * opened, and the log says why. */
bool access_log_open(struct access_log **ret_log, const char *where);

/* Writes what is buffered and closes; NULL is fine. */
void access_log_close(struct access_log *log);

void access_log_add(struct access_log *log, const struct access_entry *entry);

/* Writes what has waited for long enough, and says what was lost. */
void access_log_tick(struct access_log *log);

/* Writes everything: before the file is handed over, and at the end. */
void access_log_flush(struct access_log *log);

/* Another bound while it runs; any thread. DONE, or FULL: less than a line may
 * need, or more than ACCESS_LOG_BYTES_MAX. */
enum flow access_log_set_bound(struct access_log *log, uint64_t bytes);

/* For batch_stats(), by any thread until the log is closed; NULL for NULL. */
const struct batch *access_log_batch(const struct access_log *log);

#endif
