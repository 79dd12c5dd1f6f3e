/* socket_tuning.h - the kernel's buffers of one connection, as a route asks.
 *
 * Promise    what is "auto" in the route is left to the kernel; but a buffer
 *            once set by another route of the same connection stays set, for
 *            the kernel has no way back to its own tuning.
 * Not for    errors: what the kernel refuses stays as it was.
 * Threads    the connection's worker.
 * Cost       one system call for each option that is not "auto".
 * Source     tcp(7), socket(7). */
#ifndef HTTPD_CONN_SOCKET_TUNING_H
#define HTTPD_CONN_SOCKET_TUNING_H

struct route_config;

/* Sets what to asks for, where it differs from what from had set (or NULL). */
void socket_tune(int fd, const struct route_config *to,
                 const struct route_config *from);

#endif
