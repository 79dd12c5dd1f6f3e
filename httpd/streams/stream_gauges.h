/* stream_gauges.h - what the streams tell in the inventory of buffers.
 *
 *      streams               how many; bound: streams_max
 *      streams/memory        bytes that they keep; bound: their part of the
 *                            budget
 *      worker/0/views        rings of what goes out; unit: bytes
 *      worker/0/readers      live readers
 *
 * Single streams are listed by the friendly mount's own page.
 *
 * Owns       its entries; the registry and the hubs are borrowed.
 * Threads    a report: any. */
#ifndef HTTPD_STREAMS_STREAM_GAUGES_H
#define HTTPD_STREAMS_STREAM_GAUGES_H

#include <stddef.h>

struct budget;
struct monitor;
struct registry;
struct stream_gauges;
struct worker;

/* NULL: out of memory, or too many entries. The workers are there already. */
struct stream_gauges *stream_gauges_new(struct monitor *m, struct registry *r,
                                        struct budget *budget,
                                        struct worker *const *workers,
                                        size_t workers_n);

/* Before the workers go. NULL is fine. */
void stream_gauges_free(struct stream_gauges *g);

#endif
