/* limits.h - the bounds that no operator sets: work per turn and small caps.
 *
 * Promise    no wake-up does more than these say; the operator's own bounds
 *            are in config/directives.def.
 * Threads    constants. */
#ifndef HTTPD_LIMITS_H
#define HTTPD_LIMITS_H

/* One turn of a connection. The advisor begins at these sizes of reads and of
 * file turns. */
#define READ_HEAD_BYTES (4u << 10)  /* one read while a head is awaited */
#define READ_BODY_BYTES (64u << 10) /* one read of a body */
#define TURN_FILE_BYTES (1u << 20)  /* sendfile() before others have a turn */
#define TURN_GZIP_BYTES (32u << 10) /* input of one compressor */
#define TURN_STEPS_MAX  1024u       /* steps of the state table */
#define FLUSH_IOV_MAX   32          /* pieces of one writev() */
#define TURN_PULLS_MAX  256u        /* pulls of one source */

/* One turn of a worker. */
#define TURN_ACCEPTS_MAX 64u
#define SWEEP_MS         250u /* between two looks at all deadlines */

/* What a worker keeps for reuse. */
#define EXCHANGES_KEPT_MAX 64u
#define REQUEST_KEEP_BYTES (4u << 10) /* of one request's storage */

/* Whether every block that is lent is listed with its borrower; else it is
 * every BLOCK_POOL_SAMPLE-th. */
#ifdef SLUICE_DEBUG
#define BLOCKS_TRACKED true
#else
#define BLOCKS_TRACKED false
#endif

/* A request body that nobody wants is read and thrown away up to here; beyond,
 * the connection is closed after the answer. */
#define BODY_DISCARD_BYTES_MAX (64u << 10)

/* Bytes read after an early answer before the connection is closed hard. */
#define LINGER_BYTES_MAX (16u << 20)

/* A peer that has shut down its side gets what is on its way; a source that
 * pauses longer than this is stopped. */
#define HALF_CLOSED_MS 10000u

/* At the end: for reads from disks that are under way. */
#define IO_STOP_MS 3000u

/* What a client that was refused for want of room is told to wait. */
#define RETRY_AFTER_SECONDS 2u

/* Connections beyond the caps that may wait to read why they were refused. */
#define REFUSED_MAX 64u

#endif
