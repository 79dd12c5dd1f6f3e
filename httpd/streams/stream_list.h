/* stream_list.h - every stream with its bounds, for people and programs.
 *
 *      GET /s/                a table
 *      GET /s/?format=json    an array of objects
 *
 * Limits     STREAM_LIST_MAX streams; more are counted in the last line, and in
 *            JSON by Stream-List-Truncated: true.
 * Threads    the worker's. */
#ifndef HTTPD_STREAMS_STREAM_LIST_H
#define HTTPD_STREAMS_STREAM_LIST_H

struct exchange;

#define STREAM_LIST_MAX       1000u
#define STREAM_LIST_BYTES_MAX (4u << 20)

void stream_list(struct exchange *x);

#endif
