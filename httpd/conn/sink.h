/* sink.h - where bytes leave: a plain socket now, TLS later, a fake in tests.
 *
 * Promise    *ret_sent is valid whatever the result. DONE: everything was
 *            taken, or of a file a part. AGAIN: the peer is not ready, and the
 *            kernel will tell when it is. END: of a file only, it ended before
 *            the range, or cannot be read. FAILED: the connection is gone.
 * Owns       nothing; the descriptor is the connection's.
 * Threads    the loop thread. */
#ifndef HTTPD_CONN_SINK_H
#define HTTPD_CONN_SINK_H

#include "buffers/advisor.h"
#include "buffers/flow.h"
#include "buffers/write_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct sink;

struct sink_ops {
    /* more: other bytes follow at once, so a short packet may wait. */
    enum flow (*send)(struct sink *s, const struct iovec *iov, int iov_n,
                      bool more, size_t *ret_sent);
    enum flow (*send_file)(struct sink *s, const struct file_range *range,
                           uint64_t bytes_max, uint64_t *ret_sent);

    /* What was sent with more does not come at once: send it. May be NULL. */
    void (*push)(struct sink *s);
};

struct sink {
    const struct sink_ops *ops;

    /* How many bytes of the range can be sent without waiting for its disk, 1
     * to bytes_max; 0: not now. NULL: all of them. */
    uint64_t (*warm)(struct sink *s, const struct file_range *range,
                     uint64_t bytes_max);
    int fd;

    /* Bytes of files in one turn; it learns from each turn that could have
     * used them all. NULL: TURN_FILE_BYTES. */
    struct knob *share;
};

extern const struct sink_ops sink_plain_ops;

/* Sends from the head of the queue, at most about its share of files.
 * DONE: the queue is empty. FULL: the turn's share is used up, or the head is
 * a file range that is not warm. AGAIN, END and FAILED as above. */
enum flow sink_flush(struct sink *s, struct write_queue *q, uint64_t *ret_sent);

#endif
