#include "buffers/batch.h"

#include <assert.h>
#include <string.h>

/* One thread writes, so that a load and a store do for an addition. */
static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    set(counter, get(counter) + n);
}

static void peak(_Atomic uint64_t *counter, uint64_t value)
{
    if (value > get(counter))
        set(counter, value);
}

static size_t bound(const struct batch *b)
{
    return atomic_load_explicit(&b->bytes_max, memory_order_relaxed);
}

void batch_init(struct batch *b, const struct batch_config *config)
{
    assert(config->bytes_max > 0);
    assert(config->now_us && config->flush);
    memset(b, 0, sizeof *b);
    b->now_us = config->now_us;
    b->flush = config->flush;
    b->flush_arg = config->flush_arg;
    bytes_init(&b->held, config->bytes_max);
    batch_set_bounds(b, config->bytes_max, config->count_max,
                     config->delay_us_max);
}

static void count_latency(struct batch *b)
{
    uint64_t now_us = b->now_us();
    uint64_t oldest_us = get(&b->counters.oldest_us);
    uint64_t us = now_us > oldest_us ? now_us - oldest_us : 0;
    set(&b->counters.latency_us_last, us);
    peak(&b->counters.latency_us_max, us);
    count(&b->counters.latency_us_sum, us);
}

static enum flow flush(struct batch *b, enum batch_reason reason)
{
    if (b->records_n == 0)
        return FLOW_DONE;
    size_t taken = 0;
    struct str all = bytes_view(&b->held);
    enum flow r = b->flush(b->flush_arg, all, b->records_n, &taken);
    assert(taken <= all.len);
    assert(b->held.len == all.len);
    bool failed = r != FLOW_DONE || taken < all.len;

    count_latency(b);
    count(&b->counters.flushes[reason], 1);
    count(&b->counters.lost_bytes, all.len - taken);
    count(&b->counters.failed, failed);
    bytes_reset(&b->held);
    b->records_n = 0;
    set(&b->counters.held, 0);
    set(&b->counters.oldest_us, 0);
    return failed ? FLOW_FAILED : FLOW_DONE;
}

void batch_fini(struct batch *b)
{
    (void)flush(b, BATCH_CLOSE);
    b->reserved = 0;
    bytes_fini(&b->held);
}

/* Storage for n more bytes, which the bounds allow. */
static enum flow make_room(struct batch *b, size_t n, char **ret_room)
{
    b->held.max = bound(b);
    if (b->held.max < b->held.cap)
        b->held.max = b->held.cap;
    enum flow r = bytes_reserve(&b->held, n, ret_room);
    if (r != FLOW_NO_MEMORY || b->held.len == 0)
        return r;
    b->made_room = flush(b, BATCH_BYTES);
    return bytes_reserve(&b->held, n, ret_room);
}

enum flow batch_reserve(struct batch *b, size_t n, char **ret_room)
{
    size_t bytes_max = bound(b);
    *ret_room = NULL;
    b->reserved = 0;
    b->made_room = FLOW_DONE;
    if (n > bytes_max) {
        count(&b->counters.refused, 1);
        return FLOW_FULL;
    }
    if (b->held.len > bytes_max - n)
        b->made_room = flush(b, BATCH_BYTES);
    enum flow r = make_room(b, n, ret_room);
    if (r == FLOW_DONE)
        b->reserved = n;
    else
        count(&b->counters.refused, 1);
    return r;
}

static enum flow flush_if_full(struct batch *b)
{
    uint64_t count_max =
        atomic_load_explicit(&b->count_max, memory_order_relaxed);
    if (b->held.len >= bound(b))
        return flush(b, BATCH_BYTES);
    if (count_max > 0 && b->records_n >= count_max)
        return flush(b, BATCH_COUNT);
    return FLOW_DONE;
}

enum flow batch_commit(struct batch *b, size_t n)
{
    assert(n <= b->reserved);
    if (b->records_n == 0) {
        uint64_t now_us = b->now_us();
        set(&b->counters.oldest_us, now_us > 0 ? now_us : 1);
    }
    bytes_commit(&b->held, n);
    b->reserved = 0;
    b->records_n++;
    count(&b->counters.records, 1);
    count(&b->counters.bytes, n);
    set(&b->counters.held, b->held.len);
    peak(&b->counters.held_max, b->held.len);
    enum flow r = flush_if_full(b);
    return r == FLOW_DONE ? b->made_room : r;
}

enum flow batch_add(struct batch *b, struct str record)
{
    char *room;
    enum flow r = batch_reserve(b, record.len, &room);
    if (r != FLOW_DONE)
        return r;
    if (record.len > 0)
        memcpy(room, record.at, record.len);
    return batch_commit(b, record.len);
}

enum flow batch_flush(struct batch *b)
{
    b->reserved = 0;
    return flush(b, BATCH_KEY_POINT);
}

uint64_t batch_due_us(const struct batch *b)
{
    uint64_t delay_us =
        atomic_load_explicit(&b->delay_us_max, memory_order_relaxed);
    uint64_t count_max =
        atomic_load_explicit(&b->count_max, memory_order_relaxed);
    uint64_t oldest_us = get(&b->counters.oldest_us);
    if (b->records_n == 0)
        return UINT64_MAX;
    if (b->held.len >= bound(b) || (count_max > 0 && b->records_n >= count_max))
        return oldest_us;
    if (delay_us == 0 || delay_us > UINT64_MAX - oldest_us)
        return UINT64_MAX;
    return oldest_us + delay_us;
}

enum flow batch_tick(struct batch *b)
{
    b->reserved = 0;
    uint64_t due_us = batch_due_us(b);
    if (due_us == UINT64_MAX)
        return FLOW_DONE;
    enum flow r = flush_if_full(b);
    if (b->records_n == 0 || b->now_us() < due_us)
        return r;
    return flush(b, BATCH_TIME);
}

void batch_set_bounds(struct batch *b, size_t bytes_max, uint64_t count_max,
                      uint64_t delay_us_max)
{
    assert(bytes_max > 0);
    atomic_store_explicit(&b->bytes_max, bytes_max, memory_order_relaxed);
    atomic_store_explicit(&b->count_max, count_max, memory_order_relaxed);
    atomic_store_explicit(&b->delay_us_max, delay_us_max, memory_order_relaxed);
}

void batch_stats(const struct batch *b, struct batch_stats *ret_stats)
{
    const struct batch_counters *c = &b->counters;
    *ret_stats = (struct batch_stats){
        .records = get(&c->records),
        .bytes = get(&c->bytes),
        .failed = get(&c->failed),
        .lost_bytes = get(&c->lost_bytes),
        .refused = get(&c->refused),
        .held = get(&c->held),
        .held_max = get(&c->held_max),
        .bytes_max = bound(b),
        .oldest_us = get(&c->oldest_us),
        .latency_us_last = get(&c->latency_us_last),
        .latency_us_max = get(&c->latency_us_max),
        .latency_us_sum = get(&c->latency_us_sum),
    };
    for (int r = 0; r < BATCH_REASONS; r++)
        ret_stats->flushes[r] = get(&c->flushes[r]);
}

void batch_check(const struct batch *b)
{
    assert(b->held.len <= b->held.cap);
    assert(b->held.cap <= b->held.max);
    assert(b->reserved <= b->held.cap - b->held.len);
    assert((b->records_n == 0) == (get(&b->counters.oldest_us) == 0));
    assert(b->records_n > 0 || b->held.len == 0);
    assert(get(&b->counters.held) == b->held.len);
    assert(get(&b->counters.held_max) <= get(&b->counters.bytes));
    assert(get(&b->counters.lost_bytes) <= get(&b->counters.bytes));
}
