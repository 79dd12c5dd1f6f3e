/* cold_read.h - a file range that is not in the page cache never stops a loop.
 *
 *      flush: head of the queue is a file range
 *               resident bytes > 0 ---> sendfile() of just these
 *               none --> job: an I/O thread reads the next step of bytes;
 *                        the connection rests until done() wakes it
 *
 * Promise    sendfile() is called only for what was in the page cache at most
 *            WARM_TRUST_MS ago, or has just been read by an I/O thread. What
 *            cannot be told (RESIDENCY_UNKNOWN) is read by an I/O thread first.
 *            After a job at least one sendfile() follows without a question,
 *            so that every file comes to its end.
 * Limits     one job a connection, of a step with as much of the kernel's
 *            read-ahead begun behind it. Steps begin at COLD_READ_BYTES_MIN, so
 *            that the first bytes leave soon, and double up to
 *            COLD_READ_BYTES_MAX, so that a long download wakes few threads.
 *            When the lane is full, or no descriptor or memory is free, the
 *            connection tries again at the next sweep.
 * Owns       the job, which holds a duplicate of the descriptor and so may
 *            outlive the connection.
 * Threads    the loop's; the job's work() an I/O thread's.
 * Cost       a question for each MiB that is sent (file_residency.h), and for
 *            each try to send the rest of a range; of each cold step four
 *            system calls and a thread's turn more. */
#ifndef HTTPD_CONN_COLD_READ_H
#define HTTPD_CONN_COLD_READ_H

#include "buffers/write_queue.h"

#include <stdbool.h>
#include <stdint.h>

#define COLD_READ_BYTES     (1u << 20) /* of one question */
#define COLD_READ_BYTES_MIN (256u << 10)
#define COLD_READ_BYTES_MAX (4u << 20)
#define WARM_TRUST_MS       250u

struct cold_job;
struct conn;

/* Embedded in a connection; all zero: nothing under way. */
struct cold_read {
    struct cold_job *job; /* under way, or NULL */
    const void *owner;    /* whose bytes are warm: only compared */
    uint64_t warm_pos;    /* warm, as was seen at warm_ms */
    uint64_t warm_end;
    uint64_t warm_ms;
    uint32_t step; /* bytes of the latest job; 0: none yet */
    bool fetched;  /* by a job, and nothing was sent of it yet */
    bool retry;    /* no job could be started: again at the sweep */
};

/* Bytes at the head of the range that may be sent now, up to bytes_max; 0: a
 * job was started or is under way, and the connection will be woken. */
uint64_t cold_read_warm(struct conn *c, const struct file_range *range,
                        uint64_t bytes_max);

/* Whether the connection waits for our own disk, and not for its peer. */
static inline bool cold_read_waits(const struct cold_read *r)
{
    return r->job || r->retry;
}

/* Wakes a connection whose job could not be started. */
void cold_read_sweep(struct conn *c);

/* The connection goes; its job, if any, ends alone. */
void cold_read_stop(struct conn *c);

#endif
