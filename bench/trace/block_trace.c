#include "bench/trace/block_trace.h"

#include "bench/trace/alloc_trace.h"
#include "buffers/block_inner.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_SIZE (4 * BLOCK_TRACE_LIVE_MAX)

struct live {
    uint64_t address; /* 0: nothing */
    struct block_act put;
};

/* Live blocks by address: open addressing, at most a quarter full. */
struct reader {
    struct block_trace *t;
    struct live table[TABLE_SIZE];
    uint32_t free_slots[BLOCK_TRACE_LIVE_MAX];
    size_t free_n;
    size_t live_of[BLOCK_CLASSES];
    uint32_t second;
};

static size_t place_of(uint64_t address)
{
    return (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> 40) % TABLE_SIZE;
}

/* Where the address is, or where it would be. */
static size_t find(const struct reader *r, uint64_t address)
{
    size_t i = place_of(address);
    while (r->table[i].address != 0 && r->table[i].address != address)
        i = (i + 1) % TABLE_SIZE;
    return i;
}

/* What had to step aside for the removed one moves up. */
static void remove_at(struct reader *r, size_t i)
{
    r->table[i].address = 0;
    for (size_t k = (i + 1) % TABLE_SIZE; r->table[k].address != 0;
         k = (k + 1) % TABLE_SIZE) {
        struct live moving = r->table[k];
        r->table[k].address = 0;
        r->table[find(r, moving.address)] = moving;
    }
}

static void add_act(struct block_trace *t, struct block_act act)
{
    t->acts[t->acts_n++] = act;
}

static bool is_block(size_t bytes, enum block_class *ret_class)
{
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++)
        if (bytes == block_malloc_bytes(c)) {
            *ret_class = c;
            return true;
        }
    return false;
}

static void add_put(struct reader *r, size_t i)
{
    struct block_act put = r->table[i].put;
    remove_at(r, i);
    r->free_slots[r->free_n++] = put.slot;
    r->live_of[put.class]--;
    add_act(r->t, put);
}

static bool add_get(struct reader *r, uint64_t address, enum block_class c)
{
    struct block_trace *t = r->t;
    if (r->free_n == 0)
        return false;
    struct block_act act = {.kind = BLOCK_ACT_GET, .class = c & 3u};
    act.slot = r->free_slots[--r->free_n] & 0xfffffffu;
    add_act(t, act);
    act.kind = BLOCK_ACT_PUT;
    r->table[find(r, address)] = (struct live){.address = address, .put = act};
    t->gets_n++;
    t->gets_of[c]++;
    if (++r->live_of[c] > t->live_max_of[c])
        t->live_max_of[c] = r->live_of[c];
    if (act.slot >= t->slots_n)
        t->slots_n = act.slot + 1;
    return true;
}

static const char *add_event(struct reader *r, const struct alloc_event *e)
{
    enum block_class c;
    for (; r->second < e->ms / 1000; r->second++)
        add_act(r->t, (struct block_act){.kind = BLOCK_ACT_SECOND});
    size_t i = find(r, e->address);
    if (e->bytes == 0 && r->table[i].address != 0)
        add_put(r, i);
    else if (e->bytes > 0 && is_block(e->bytes, &c) &&
             !add_get(r, e->address, c))
        return "more blocks at a time than can be replayed";
    return NULL;
}

static const char *read_events(struct reader *r, const struct alloc_trace *from)
{
    struct block_trace *t = r->t;
    const char *wrong = NULL;
    for (size_t i = 0; !wrong && i < t->events_n; i++)
        wrong = add_event(r, &from->events[i]);
    for (size_t i = 0; i < TABLE_SIZE; i++)
        while (r->table[i].address != 0)
            add_put(r, i);
    return wrong;
}

/* One act for each event, one for each second, one for each block in the
 * end. */
static const char *make_room(struct block_trace *t,
                             const struct alloc_trace *from)
{
    uint32_t ms = t->events_n > 0 ? from->events[t->events_n - 1].ms : 0;
    size_t bytes = (t->events_n + ms / 1000 + BLOCK_TRACE_LIVE_MAX + 1) *
                   sizeof(struct block_act);
    t->fd = memfd_create("block_trace", 0);
    if (t->fd < 0 || ftruncate(t->fd, (off_t)bytes) != 0)
        return "there is no room for what is to be replayed";
    t->acts = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
    return t->acts == MAP_FAILED ? "memory cannot be mapped" : NULL;
}

static const char *read_all(struct block_trace *t,
                            const struct alloc_trace *from)
{
    uint64_t n = from->events_n;
    t->events_n = n < ALLOC_TRACE_EVENTS_MAX ? n : ALLOC_TRACE_EVENTS_MAX;
    t->events_lost = n - t->events_n;
    const char *wrong = make_room(t, from);
    struct reader *r = wrong ? NULL : calloc(1, sizeof *r);
    if (!r)
        return wrong ? wrong : "out of memory";
    r->t = t;
    while (r->free_n < BLOCK_TRACE_LIVE_MAX) {
        r->free_slots[r->free_n] =
            (uint32_t)(BLOCK_TRACE_LIVE_MAX - 1 - r->free_n);
        r->free_n++;
    }
    wrong = read_events(r, from);
    free(r);
    if (!wrong && t->gets_n == 0)
        return "there is no block in it: was pool_keep 0?";
    if (!wrong && ftruncate(t->fd, (off_t)(t->acts_n * sizeof *t->acts)) != 0)
        return "its acts cannot be cut to size";
    return wrong;
}

const char *block_trace_read(struct block_trace *t, const char *path)
{
    const char *wrong = "it cannot be read";
    *t = (struct block_trace){.fd = -1};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return wrong;
    struct stat st;
    if (fstat(fd, &st) != 0)
        goto out;
    wrong = "it is no trace of bench/preload/alloc_trace.c";
    if (st.st_size != (off_t)sizeof(struct alloc_trace))
        goto out;
    struct alloc_trace *from =
        mmap(NULL, sizeof *from, PROT_READ, MAP_PRIVATE, fd, 0);
    if (from == MAP_FAILED)
        goto out;
    if (from->magic == ALLOC_TRACE_MAGIC)
        wrong = read_all(t, from);
    munmap(from, sizeof *from);
out:
    close(fd);
    return wrong;
}

const char *block_trace_map(struct block_trace *t, int fd)
{
    struct stat st;
    *t = (struct block_trace){.fd = fd};
    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return "what is to be replayed was not handed over";
    t->acts_n = (size_t)st.st_size / sizeof *t->acts;
    t->acts = mmap(NULL, (size_t)st.st_size, PROT_READ,
                   MAP_SHARED | MAP_POPULATE, fd, 0);
    if (t->acts == MAP_FAILED)
        return "what is to be replayed cannot be mapped";
    for (size_t i = 0; i < t->acts_n; i++)
        t->gets_n += t->acts[i].kind == BLOCK_ACT_GET;
    return NULL;
}
