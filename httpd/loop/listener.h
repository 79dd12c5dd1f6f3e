/* listener.h - listening sockets, one per address and worker.
 *
 * Promise    an address that another process listens on is refused at start;
 *            the sockets of one server share it by SO_REUSEPORT.
 * Limits     TURN_ACCEPTS_MAX connections a wake-up; out of descriptors, it
 *            rests until the next sweep.
 * Owns       its descriptors; accepted ones go to conn_open().
 * Threads    bind at start on the main thread, the rest on the worker's. */
#ifndef HTTPD_LOOP_LISTENER_H
#define HTTPD_LOOP_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct worker;

/* An address to listen on, and once bound the port that it got. */
struct listen_address {
    struct sockaddr_storage addr;
    socklen_t addr_len;
};

/* Reads "HOST:PORT" or "[HOST]:PORT", numbers or a name that resolves.
 * On failure says why in one line of ret_error. */
bool listen_address_read(const char *text, struct listen_address *ret,
                         char *ret_error, size_t error_cap);

/* Writes "HOST:PORT" as a URL has it. */
void listen_address_write(const struct listen_address *a, char *out,
                          size_t cap);

/* Binds and listens. With exclusive set it must be the only one on that
 * address; it fills in the port. Returns the descriptor, or -1 with errno. */
int listener_bind(struct listen_address *a, bool exclusive);

/* Has the worker accept from fd, which it takes over. False: no memory. */
bool listener_add(struct worker *w, int fd);

void listener_close_all(struct worker *w);

/* Wakes listeners that rested for want of descriptors. */
void listener_sweep(struct worker *w);

#endif
