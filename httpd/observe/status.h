/* status.h - the inventory over HTTP, to read and to tune.
 *
 *      GET   /status/                       a table, or JSON when Accept or
 *                                           ?format=json asks for it
 *      GET   /status/worker/0/              what is named so or below it
 *      PATCH /status/memory?bound=2g        another bound while it runs
 *      PATCH /status/advisor?enabled=false
 *
 * Promise    a snapshot, never cached. PATCH answers with the entry as it is
 *            now; 404: no such entry; 409: it cannot be tuned, or not so far;
 *            400: the value cannot be read. What a pool keeps is also a knob:
 *            it stays as it was set only while the advisor is off.
 * Refuses    PATCH that is not from this machine by a name of this machine:
 *            403. A page of another origin cannot send one (no CORS), nor one
 *            whose name was pointed at this address (the Host gives it away).
 * Limits     STATUS_BYTES_MAX of text; beyond it 503.
 * Threads    any worker's. */
#ifndef HTTPD_OBSERVE_STATUS_H
#define HTTPD_OBSERVE_STATUS_H

struct exchange;

#define STATUS_BYTES_MAX (4u << 20)

void status_handle(struct exchange *x);

#endif
