/* conn_count.h - how many connections there are, in all and per address.
 *
 * Promise    an address is an IPv4 address or an IPv6 /64.
 * Limits     the two caps given at init. Memory: one slot per connection that
 *            the cap allows, allocated at init.
 * Threads    any; one mutex, held for a few hash steps on open and close. */
#ifndef HTTPD_GUARD_CONN_COUNT_H
#define HTTPD_GUARD_CONN_COUNT_H

#include <stddef.h>
#include <stdint.h>

struct conn_count;
struct sockaddr_storage;

enum conn_admission {
    CONN_ADMITTED,
    CONN_TOO_MANY,         /* the cap in all is reached */
    CONN_ADDRESS_TOO_MANY, /* the cap per address is reached */
    CONN_SHORT_OF_MEMORY,  /* the budget has none for new connections */
};

/* NULL when out of memory. */
struct conn_count *conn_count_new(size_t connections_max,
                                  size_t per_address_max);
void conn_count_free(struct conn_count *count);

/* The key of an address: what connections are counted by. */
uint64_t conn_count_key(const struct sockaddr_storage *addr);

/* Counts one in, or says why not; it knows nothing of memory. */
enum conn_admission conn_count_enter(struct conn_count *count, uint64_t key);

/* Counts one out that was admitted. */
void conn_count_leave(struct conn_count *count, uint64_t key);

#endif
