#include "httpd/guard/conn_count.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Open addressing with linear probing; a slot with n == 0 is free, and
 * leaving moves later entries of the run back, so that no tombstones stay. */
struct slot {
    uint64_t key;
    size_t n;
};

struct conn_count {
    pthread_mutex_t lock;
    size_t total;
    size_t total_max;
    size_t per_address_max;
    size_t mask;
    uint64_t seed; /* so that nobody outside knows which addresses collide */
    struct slot slots[];
};

struct conn_count *conn_count_new(size_t connections_max,
                                  size_t per_address_max)
{
    assert(connections_max > 0 && per_address_max > 0);
    size_t slots = 16;
    while (slots < connections_max * 2)
        slots *= 2;
    struct conn_count *count =
        calloc(1, sizeof *count + slots * sizeof(struct slot));
    if (!count)
        return NULL;
    if (getrandom(&count->seed, sizeof count->seed, 0) < 0) {
        free(count);
        return NULL;
    }
    pthread_mutex_init(&count->lock, NULL);
    count->total_max = connections_max;
    count->per_address_max = per_address_max;
    count->mask = slots - 1;
    return count;
}

void conn_count_free(struct conn_count *count)
{
    if (!count)
        return;
    pthread_mutex_destroy(&count->lock);
    free(count);
}

uint64_t conn_count_key(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)addr;
        uint64_t prefix;
        memcpy(&prefix, &in6->sin6_addr, sizeof prefix);
        return prefix;
    }
    const struct sockaddr_in *in = (const void *)addr;
    return in->sin_addr.s_addr | (uint64_t)1 << 32;
}

static size_t home(const struct conn_count *count, uint64_t key)
{
    uint64_t h = (key ^ count->seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32 ^ count->seed) * 0x9e3779b97f4a7c15u;
    return (size_t)(h >> 20) & count->mask;
}

/* The slot of the key, or the free one where it would stand. There is always
 * a free one: twice as many slots as connections. */
static size_t find(const struct conn_count *count, uint64_t key)
{
    size_t i = home(count, key);
    while (count->slots[i].n > 0 && count->slots[i].key != key)
        i = (i + 1) & count->mask;
    return i;
}

enum conn_admission conn_count_enter(struct conn_count *count, uint64_t key)
{
    enum conn_admission result = CONN_ADMITTED;
    pthread_mutex_lock(&count->lock);
    struct slot *slot = &count->slots[find(count, key)];
    if (count->total >= count->total_max) {
        result = CONN_TOO_MANY;
    } else if (slot->n >= count->per_address_max) {
        result = CONN_ADDRESS_TOO_MANY;
    } else {
        slot->key = key;
        slot->n++;
        count->total++;
    }
    pthread_mutex_unlock(&count->lock);
    return result;
}

static void close_gap(struct conn_count *count, size_t gap)
{
    size_t i = gap;
    for (;;) {
        i = (i + 1) & count->mask;
        if (count->slots[i].n == 0)
            break;
        size_t from_home = (i - home(count, count->slots[i].key)) & count->mask;
        if (from_home < ((i - gap) & count->mask))
            continue;
        count->slots[gap] = count->slots[i];
        count->slots[i].n = 0;
        gap = i;
    }
}

void conn_count_leave(struct conn_count *count, uint64_t key)
{
    pthread_mutex_lock(&count->lock);
    size_t i = find(count, key);
    assert(count->slots[i].n > 0);
    assert(count->total > 0);
    count->total--;
    if (--count->slots[i].n == 0)
        close_gap(count, i);
    pthread_mutex_unlock(&count->lock);
}
